// The node below in a pipeline, over the native wire.
import type { DatanodeId, WriteHeader } from '../../proto/ports.ts'
import type { DatanodeSource } from '../../proto/transport/datanode-client.ts'
import type { Downstream } from '../core/pipeline-ports.ts'

export function connectDownstream(clients: DatanodeSource, node: DatanodeId, header: WriteHeader): Downstream {
  const stream = clients.get(node).writeBlock(header)
  return {
    uuid: node.uuid,
    forward: (raw) => stream.forward(raw),
    send: (packet) => stream.send(packet),
    end: () => stream.end(),
    cancel: () => stream.cancel(),
    replies: stream.replies[Symbol.asyncIterator](),
  }
}
