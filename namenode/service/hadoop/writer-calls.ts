// ClientProtocol: what the writer of a file asks for, block by block, and readers that found a bad one.
import type { MessageTypes } from '../../../proto/hadoop/gen/messages.ts'
import type { Block } from '../../../proto/ports.ts'
import { boolReply, noReply, viaCore, viaCoreEncoded } from './session.ts'
import type { HadoopCall, HadoopMethods } from './session.ts'
import { appendResponse, blockResponse } from './statuses.ts'

/** Bit of an append: begin a new block rather than fill the last one. */
const NEW_BLOCK = 0x20

type WireBlock = MessageTypes['ExtendedBlock']

const blockOf = (block: WireBlock): Block => ({ blockId: block.blockId, genstamp: block.generationStamp, length: block.numBytes ?? 0 })
const maybeBlock = (block: WireBlock | undefined): Block | null => (block === undefined ? null : blockOf(block))
const uuidOf = (node: MessageTypes['DatanodeInfo']): string => node.id.datanodeUuid

/** Nodes that a Hadoop client cannot talk to: they have no transfer port. */
function unreachable(call: HadoopCall): string[] {
  const uuids: string[] = []
  for (const id of call.session.cluster.datanodeIds()) if (id.transferPort === 0) uuids.push(id.uuid)
  return uuids
}

/** Datanodes by host:port of their transfer door, as clients name those that they prefer; unknown ones are left out. */
function uuidsAt(call: HadoopCall, addresses: readonly string[]): string[] {
  if (addresses.length === 0) return []
  const ids = call.session.cluster.datanodeIds()
  return addresses.flatMap(
    (address) => ids.find((id) => address === `${id.ip}:${id.transferPort}` || address === `${id.hostname}:${id.transferPort}`)?.uuid ?? [],
  )
}

export const writerCalls: HadoopMethods = {
  append: viaCoreEncoded(
    'HdfsAppendRequest',
    'HdfsAppendResponse',
    'append',
    ({ src, clientName, flag }) => ({ path: src, holder: clientName, newBlock: ((flag ?? 0) & NEW_BLOCK) !== 0 }),
    ({ lastBlock, file }, _, call) => appendResponse(call.session.front.poolId, lastBlock, file),
  ),
  addBlock: viaCoreEncoded(
    'HdfsAddBlockRequest',
    'LocatedBlockResponse',
    'addBlock',
    ({ src, clientName, previous, excluded, fileId, favored }, call) => ({
      path: src,
      fileId: fileId ?? 0,
      holder: clientName,
      previous: maybeBlock(previous),
      excluded: [...excluded.map(uuidOf), ...unreachable(call)],
      favored: uuidsAt(call, favored),
    }),
    ({ block, poolId }) => blockResponse(poolId, block!),
  ),
  abandonBlock: viaCore(
    'HdfsAbandonBlockRequest',
    'Nothing',
    'abandonBlock',
    ({ block, src, holder, fileId }) => ({ path: src, fileId: fileId ?? 0, holder, block: blockOf(block) }),
    noReply,
  ),
  complete: viaCore(
    'HdfsCompleteRequest',
    'BoolResult',
    'complete',
    ({ src, clientName, last, fileId }) => ({ path: src, fileId: fileId ?? 0, holder: clientName, last: maybeBlock(last) }),
    boolReply,
  ),
  fsync: viaCore(
    'HdfsFsyncRequest',
    'Nothing',
    'fsync',
    ({ src, client, lastBlockLength, fileId }) => ({
      path: src,
      fileId: fileId ?? 0,
      holder: client,
      lastBlockLength: lastBlockLength ?? -1,
    }),
    noReply,
  ),
  updateBlockForPipeline: viaCoreEncoded(
    'NewStampRequest',
    'LocatedBlockResponse',
    'updateBlockForPipeline',
    ({ block, clientName }) => ({ block: blockOf(block), holder: clientName }),
    ({ block, poolId }) => blockResponse(poolId, block!),
  ),
  updatePipeline: viaCore(
    'HdfsUpdatePipelineRequest',
    'Nothing',
    'updatePipeline',
    ({ clientName, oldBlock, newBlock, datanodes, storageIds }) => ({
      holder: clientName,
      oldBlock: blockOf(oldBlock),
      newBlock: blockOf(newBlock),
      datanodes: datanodes.map(({ datanodeUuid }) => datanodeUuid),
      storages: storageIds,
    }),
    noReply,
  ),
  getAdditionalDatanode: viaCoreEncoded(
    'HdfsAdditionalDatanodeRequest',
    'LocatedBlockResponse',
    'additionalDatanode',
    ({ src, block, existing, excluded, wanted, clientName, fileId }, call) => ({
      path: src,
      fileId: fileId ?? 0,
      holder: clientName,
      block: blockOf(block),
      existing: existing.map(uuidOf),
      excluded: [...excluded.map(uuidOf), ...unreachable(call)],
      wanted,
    }),
    ({ block, poolId }) => blockResponse(poolId, block!),
  ),
  renewLease: viaCore('HdfsRenewLeaseRequest', 'Nothing', 'renewLease', ({ clientName }) => ({ holder: clientName }), noReply),
  recoverLease: viaCore(
    'TwoPathsRequest',
    'BoolResult',
    'recoverLease',
    ({ first, second }) => ({ path: first, holder: second }),
    boolReply,
  ),
  reportBadBlocks: viaCore(
    'HdfsBadBlocksRequest',
    'Nothing',
    'reportBadBlocks',
    ({ blocks }) => ({
      blocks: blocks.flatMap(({ block, locations, storageIds }) =>
        locations.map((node, i) => ({ block: blockOf(block), datanodeUuid: uuidOf(node), storageUuid: storageIds[i] ?? '' })),
      ),
    }),
    noReply,
  ),
}
