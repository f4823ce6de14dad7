// Client side of a gRPC connection, with the windows and message sizes that the wire needs.
import grpc from '@grpc/grpc-js'
import { messageBytesMax } from '../../common/limits.ts'

/** HTTP/2 window of the receiving client: grpc-js sets the stream's and the connection's; 8 MiB hides a round trip at 1 GB/s and 8 ms. */
export const clientWindowBytes = 8 * 1024 * 1024

const channelOptions: grpc.ChannelOptions = {
  'grpc.max_receive_message_length': messageBytesMax,
  'grpc.max_send_message_length': messageBytesMax,
  'grpc-node.flow_control_window': clientWindowBytes,
  // Two clients of one process must not share a connection: a stream's bytes would queue behind the other's.
  'grpc.use_local_subchannel_pool': 1,
  // Retries are decided by the sessions above, which know what is safe to repeat.
  'grpc.enable_retries': 0,
  // A connection attempt that failed is tried again within a second, not after minutes.
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1000,
}

/** `address` is host:port. Nothing is connected before the first call. */
export function openChannel(address: string): grpc.Client {
  return new grpc.Client(address, grpc.credentials.createInsecure(), channelOptions)
}
