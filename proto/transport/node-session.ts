// The stream of a datanode's session with the namenode, as the session sees it, and the gRPC that carries it.
import { Client, credentials, Metadata } from '@grpc/grpc-js'
import type { ClientDuplexStream } from '@grpc/grpc-js'
import { messageBytesMax } from '../../common/limits.ts'
import { codec } from '../codec.ts'
import type { Init } from '../codec.ts'
import type { NameMessage, NodeMessage } from '../gen/messages.ts'
import { Inbox } from './streams.ts'

/** One stream to the namenode. */
export interface NodeStream {
  /** What the namenode says; ends or fails with the stream. */
  readonly messages: AsyncIterable<NameMessage>
  /** Whether nothing can be written any more. */
  readonly over: boolean
  write(message: Init<NodeMessage>): void
  /** Nothing more will be written. */
  end(): void
  /** Gives the stream up. Idempotent. */
  cancel(): void
}

/** Where such streams are opened; the simulated network has one too. */
export interface NodeChannel {
  /** That it could not be opened is told by its messages. */
  open(): NodeStream
  close(): void
}

const path = '/quarry.v1.DatanodeSession/Session'
/** Commands decoded ahead of the one that is being obeyed. */
const readAhead = 16
const nodeMessage = codec('NodeMessage')
const nameMessage = codec('NameMessage')

/** `address` is host:port of the namenode's gRPC door. */
export function grpcNodeChannel(address: string): NodeChannel {
  const client = new Client(address, credentials.createInsecure(), {
    'grpc.max_receive_message_length': messageBytesMax,
    'grpc.max_send_message_length': messageBytesMax,
    'grpc.enable_http_proxy': 0,
    'grpc.enable_retries': 0,
    'grpc.enable_channelz': 0,
    'grpc.use_local_subchannel_pool': 1,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.min_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 1_000,
    'grpc.keepalive_time_ms': 10_000,
    'grpc.keepalive_timeout_ms': 10_000,
  })
  return {
    open() {
      const call: ClientDuplexStream<Init<NodeMessage>, NameMessage> = client.makeBidiStreamRequest(
        path,
        nodeMessage.encode,
        nameMessage.decode,
        new Metadata(),
      )
      const messages = new Inbox<NameMessage>(call, { peer: `the namenode at ${address}`, readAhead })
      return {
        messages,
        get over() {
          return call.destroyed
        },
        write: (message) => void call.write(message),
        end: () => void call.end(),
        cancel: () => call.cancel(),
      }
    },
    close: () => client.close(),
  }
}
