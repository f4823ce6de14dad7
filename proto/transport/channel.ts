// The metadata connection of a client, with the windows and message sizes that the wire needs.
import { Client, credentials } from '@grpc/grpc-js'
import type { ChannelOptions } from '@grpc/grpc-js'
import { messageBytesMax } from '../../common/limits.ts'

/** HTTP/2 window of the receiving client: a listing page with locations of every file passes without a stop. */
const windowBytes = 8 * 1024 * 1024

const channelOptions: ChannelOptions = {
  'grpc.max_receive_message_length': messageBytesMax,
  'grpc.max_send_message_length': messageBytesMax,
  'grpc-node.flow_control_window': windowBytes,
  'grpc.enable_http_proxy': 0,
  'grpc.enable_channelz': 0,
  // Calls are repeated by the session, which keeps their ids.
  'grpc.enable_retries': 0,
  // Two clients of one process have a connection each.
  'grpc.use_local_subchannel_pool': 1,
  'grpc.service_config_disable_resolution': 1,
  // The session decides when to try again; the channel must not refuse for longer than the session waits.
  'grpc.initial_reconnect_backoff_ms': 50,
  'grpc.min_reconnect_backoff_ms': 50,
  'grpc.max_reconnect_backoff_ms': 1_000,
  // A namenode whose machine vanished without a word is noticed after half a minute.
  'grpc.keepalive_time_ms': 20_000,
  'grpc.keepalive_timeout_ms': 10_000,
}

/** `address` is host:port. Nothing is connected before the first call. */
export function openChannel(address: string): Client {
  return new Client(address, credentials.createInsecure(), channelOptions)
}
