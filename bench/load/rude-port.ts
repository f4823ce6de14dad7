// A client without manners: whatever it is asked in one turn goes out in one message, without a bound, and a refusal is only passed
// on. What a namenode must bear.
import { codec } from '../../proto/codec.ts'
import type { Call, Init, Method, NamenodePort, Reply, ReplyOf, Request } from '../../proto/ports.ts'
import { openChannel } from '../../proto/transport/channel.ts'
import { parseQuarryUri, wireError } from '../../proto/transport/metadata-session.ts'
import { protocolVersion } from '../../proto/version.ts'
import { randomBytes } from 'node:crypto'

const callBatch = codec('CallBatch')
const replyBatch = codec('ReplyBatch')
const identity = (bytes: Buffer) => bytes

export async function rudePort(uri: string, user: string): Promise<NamenodePort> {
  const client = openChannel(parseQuarryUri(uri).address)
  const stream = client.makeBidiStreamRequest('/quarry.v1.Namenode/Calls', identity, identity)
  const waiting = new Map<number, (reply: Reply) => void>()
  let nextId = 1
  let poolId = ''
  let unsent: Init<Call>[] = []
  const flush = () => {
    stream.write(callBatch.encode({ calls: unsent }))
    unsent = []
  }
  let welcomed = () => {}
  const welcome = new Promise<void>((resolve) => (welcomed = resolve))
  stream.on('data', (bytes: Buffer) => {
    const batch = replyBatch.decode(bytes)
    if (batch.welcome) {
      poolId = batch.welcome.poolId
      welcomed()
    }
    for (const reply of batch.replies) {
      const done = waiting.get(reply.id)
      waiting.delete(reply.id)
      done?.(reply)
    }
  })
  stream.on('error', () => {})
  stream.write(callBatch.encode({ hello: { protocol: protocolVersion, user, clientId: randomBytes(16) } }))
  await welcome
  return {
    poolId,
    call<M extends Method>(method: M, request: Init<Request<M>>): Promise<ReplyOf<M>> {
      return new Promise((resolve, reject) => {
        const id = nextId++
        waiting.set(id, (reply) => (reply.error ? reject(wireError(reply.error)) : resolve(reply[method] as ReplyOf<M>)))
        unsent.push({ id, [method]: request })
        if (unsent.length === 1) setImmediate(flush)
      })
    },
    async close() {
      stream.cancel()
      client.close()
    },
  }
}
