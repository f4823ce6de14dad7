// Sends fragments to the compute agents of datanodes, one connection for each.
import { Client, credentials, Metadata } from '@grpc/grpc-js'
import { QuarryError, isErrorCode } from '../../common/errors.ts'
import { messageBytesMax } from '../../common/limits.ts'
import { codec, type Init } from '../../proto/codec.ts'
import type { DatanodeId, FragmentDone, FragmentReply, FragmentRequest } from '../../proto/ports.ts'
import { Inbox } from '../../proto/transport/streams.ts'

/** Runs a fragment somewhere and hands over its result. */
export interface FragmentRunner {
  /** Calls `write` with the parts of the Parquet file, in order; answers what the node says about the run. */
  run(
    node: DatanodeId,
    request: Init<FragmentRequest>,
    write: (bytes: Uint8Array) => Promise<void>,
    signal: AbortSignal,
  ): Promise<FragmentDone>
  close(): Promise<void>
}

const request = codec('FragmentRequest')
const reply = codec('FragmentReply')
const channelOptions = {
  'grpc.max_receive_message_length': messageBytesMax,
  'grpc.max_send_message_length': messageBytesMax,
  'grpc-node.flow_control_window': 8 * 1024 * 1024,
  'grpc.enable_http_proxy': 0,
  // The coordinator decides about another attempt.
  'grpc.enable_retries': 0,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.service_config_disable_resolution': 1,
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 10_000,
} as const

/** Over gRPC, as a coordinator does. */
export function grpcFragmentRunner(): FragmentRunner {
  const clients = new Map<string, Client>()
  return {
    async run(node, fragment, write, signal) {
      const address = `${node.ip}:${node.grpcPort}`
      let client = clients.get(address)
      if (client === undefined) clients.set(address, (client = new Client(address, credentials.createInsecure(), channelOptions)))
      signal.throwIfAborted()
      // The agent's own deadline is the first line; this one is for an agent that cannot keep it.
      const deadline = Date.now() + (fragment.deadlineMs ?? 0) + 10_000
      const call = client.makeServerStreamRequest(
        '/quarry.v1.Compute/RunFragment',
        request.encode,
        reply.decode,
        fragment,
        new Metadata(),
        { deadline },
      )
      const onAbort = () => call.cancel()
      signal.addEventListener('abort', onAbort, { once: true })
      try {
        for await (const message of new Inbox<FragmentReply>(call, { peer: `datanode ${address}` })) {
          // A byte field that is not set is empty, not null: the name of the set one decides.
          if (message.body === 'parquet' && message.parquet) await write(message.parquet)
          else if (message.error)
            throw new QuarryError(isErrorCode(message.error.code) ? message.error.code : 'INTERNAL', message.error.message)
          else if (message.done) return message.done
        }
        throw new QuarryError('UNAVAILABLE', `Datanode ${address} ended the fragment without a result.`)
      } catch (error) {
        if (signal.aborted) throw signal.reason
        throw error
      } finally {
        signal.removeEventListener('abort', onAbort)
        call.cancel()
      }
    },
    close() {
      for (const client of clients.values()) client.close()
      clients.clear()
      return Promise.resolve()
    },
  }
}
