// A datanode that is nothing but a session with the namenode: it has no room, so nothing is ever placed on it, and it tells what it
// is made to tell.
import type { ClientDuplexStream, Client } from '@grpc/grpc-js'
import { randomUUID } from 'node:crypto'
import { codec } from '../../proto/codec.ts'
import type { Init } from '../../proto/codec.ts'
import type { NameMessage, NodeMessage } from '../../proto/ports.ts'
import { StorageType } from '../../proto/ports.ts'
import { openChannel } from '../../proto/transport/channel.ts'
import { protocolVersion } from '../../proto/version.ts'

const nodeMessage = codec('NodeMessage')
const nameMessage = codec('NameMessage')
const identity = (bytes: Buffer) => bytes

export class WireDatanode {
  readonly uuid = randomUUID()
  readonly storageUuid = `DS-${randomUUID()}`
  readonly #client: Client
  readonly #stream: ClientDuplexStream<Buffer, Buffer>
  readonly #capacity: number
  #answer: ((message: NameMessage) => void) | undefined
  #failure: ((error: Error) => void) | undefined

  private constructor(grpc: string, capacity: number) {
    this.#capacity = capacity
    this.#client = openChannel(grpc)
    this.#stream = this.#client.makeBidiStreamRequest('/quarry.v1.DatanodeSession/Session', identity, identity)
    this.#stream.on('data', (bytes: Buffer) => {
      const message = nameMessage.decode(bytes)
      if (message.registered || message.heartbeat || message.refused) this.#answer?.(message)
    })
    this.#stream.on('error', (error) => this.#failure?.(error))
    this.#stream.on('end', () => this.#failure?.(new Error('the namenode ended the session')))
  }

  /** `capacity` in bytes: 0 = nothing is placed here. */
  static async join(grpc: string, capacity = 0): Promise<WireDatanode> {
    const node = new WireDatanode(grpc, capacity)
    const answer = await node.#ask({
      register: {
        protocol: protocolVersion,
        datanode: { uuid: node.uuid, ip: '127.0.0.1', hostname: 'localhost', grpcPort: 1, rack: '/default-rack' },
        softwareVersion: 'bench',
        storages: [node.#storage()],
        startedMs: Date.now(),
      },
    })
    if (answer.refused) throw new Error(`the namenode refused the session: ${answer.refused.error?.message}`)
    return node
  }

  /** Milliseconds until the heartbeat was answered. */
  async heartbeat(): Promise<number> {
    const startedMs = performance.now()
    await this.#ask({ heartbeat: { storages: [this.#storage()] } })
    return performance.now() - startedMs
  }

  say(message: Init<NodeMessage>): void {
    this.#stream.write(nodeMessage.encode(message))
  }

  close(): void {
    this.#stream.on('error', () => {})
    this.#stream.cancel()
    this.#client.close()
  }

  #storage() {
    return {
      storageUuid: this.storageUuid,
      type: StorageType.STORAGE_DISK,
      capacity: this.#capacity,
      dfsUsed: 0,
      remaining: this.#capacity,
      blockPoolUsed: 0,
      failed: false,
    }
  }

  #ask(message: Init<NodeMessage>): Promise<NameMessage> {
    return new Promise((resolve, reject) => {
      this.#answer = resolve
      this.#failure = reject
      this.say(message)
    })
  }
}
