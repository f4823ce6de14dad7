// ClientProtocol: features that Quarry does not have. Questions are answered with "none", so that tools which only look go on;
// what would change something is refused by name.
import { QuarryError } from '../../../common/errors.ts'
import type { HadoopMessage } from '../../../proto/hadoop/codec.ts'
import { later, rpcMethod } from '../../../proto/hadoop/rpc-service.ts'
import { detail, status } from '../../../proto/hadoop/rpc-wire.ts'
import { SnapshotOperation } from '../../../proto/ports.ts'
import { viaCore, noReply } from './session.ts'
import type { HadoopCall, HadoopMethod, HadoopMethods } from './session.ts'

const refused = (message: string, request: HadoopMessage = 'Nothing', code: 'UNSUPPORTED' | 'REFUSED' = 'UNSUPPORTED'): HadoopMethod =>
  rpcMethod(request, 'Nothing', () => {
    throw new QuarryError(code, message)
  })

const none = rpcMethod('Nothing', 'Nothing', () => ({}))

const noErasureCoding = 'Quarry has no erasure coding: files are replicated.'
const noCaching = 'Quarry has no cache pools: datanodes read through the page cache of their system.'
const noTokens = 'Quarry issues no delegation tokens: nothing authenticates callers.'

/** Snapshot calls are decided by the core, which knows what the path is. */
const onSnapshotRoot = (operation: SnapshotOperation): HadoopMethod =>
  viaCore(
    'SnapshotNameRequest',
    'Nothing',
    'snapshot',
    ({ root, name }) => ({ operation, path: root, name: name ?? '', other: '' }),
    noReply,
  )
const withTwoNames = (operation: SnapshotOperation): HadoopMethod =>
  viaCore(
    'SnapshotNamesRequest',
    'Nothing',
    'snapshot',
    ({ root, from, to }) => ({ operation, path: root, name: from, other: to }),
    noReply,
  )

/** "none" for a path that exists. */
const noneOfPath = viaCore(
  'PathRequest',
  'Nothing',
  'getFileInfo',
  ({ path }) => ({ path, needLocations: false }),
  ({ file }, { path }) => {
    if (file === null) throw new QuarryError('NOT_FOUND', `Path not found: ${path}`, { path })
    return {}
  },
)

export const absentCalls: HadoopMethods = {
  // Snapshots
  getSnapshottableDirListing: none,
  getSnapshotListing: onSnapshotRoot(SnapshotOperation.SNAPSHOT_LIST),
  allowSnapshot: onSnapshotRoot(SnapshotOperation.SNAPSHOT_ALLOW),
  disallowSnapshot: onSnapshotRoot(SnapshotOperation.SNAPSHOT_DISALLOW),
  createSnapshot: onSnapshotRoot(SnapshotOperation.SNAPSHOT_CREATE),
  deleteSnapshot: onSnapshotRoot(SnapshotOperation.SNAPSHOT_DELETE),
  renameSnapshot: withTwoNames(SnapshotOperation.SNAPSHOT_RENAME),
  getSnapshotDiffReport: withTwoNames(SnapshotOperation.SNAPSHOT_DIFF),
  getSnapshotDiffReportListing: withTwoNames(SnapshotOperation.SNAPSHOT_DIFF),
  // Erasure coding
  getErasureCodingPolicy: noneOfPath,
  getErasureCodingPolicies: none,
  getErasureCodingCodecs: none,
  getECTopologyResultForPolicies: rpcMethod('Nothing', 'EcTopologyResponse', () => ({
    response: { message: 'No erasure coding policy is given.', supported: true },
  })),
  setErasureCodingPolicy: refused(noErasureCoding),
  unsetErasureCodingPolicy: refused(noErasureCoding),
  addErasureCodingPolicies: refused(noErasureCoding),
  removeErasureCodingPolicy: refused(noErasureCoding),
  enableErasureCodingPolicy: refused(noErasureCoding),
  disableErasureCodingPolicy: refused(noErasureCoding),
  // Encryption zones
  getEZForPath: none,
  listEncryptionZones: rpcMethod('ZonesRequest', 'PageEnd', (call: HadoopCall) => {
    call.session.requireSuper(call, 'listEncryptionZones')
    return { hasMore: false }
  }),
  listReencryptionStatus: rpcMethod('ZonesRequest', 'PageEnd', (call: HadoopCall) => {
    call.session.requireSuper(call, 'listReencryptionStatus')
    return { hasMore: false }
  }),
  createEncryptionZone: rpcMethod('PathRequest', 'Nothing', (_, { path }) => {
    throw new QuarryError('REFUSED', `Can't create an encryption zone for ${path} since no key provider is available.`)
  }),
  reencryptEncryptionZone: refused('No key provider configured, re-encryption operation is rejected', 'Nothing', 'REFUSED'),
  // Caching
  listCacheDirectives: rpcMethod('Nothing', 'PageEnd', () => ({ hasMore: false })),
  listCachePools: rpcMethod('Nothing', 'PageEnd', () => ({ hasMore: false })),
  addCacheDirective: refused(noCaching),
  modifyCacheDirective: refused(noCaching),
  removeCacheDirective: refused(noCaching),
  addCachePool: refused(noCaching),
  modifyCachePool: refused(noCaching),
  removeCachePool: refused(noCaching),
  // Tokens and keys: absent means "not needed".
  getDelegationToken: none,
  renewDelegationToken: refused(noTokens),
  cancelDelegationToken: refused(noTokens),
  getDataEncryptionKey: none,
  // Storage policies are kept; nothing moves replicas after them.
  satisfyStoragePolicy: rpcMethod('Nothing', 'Nothing', (call: HadoopCall) => {
    call.fault({
      status: status.error,
      detail: detail.application,
      className: 'org.apache.hadoop.hdfs.server.namenode.UnsupportedActionException',
      message:
        'Cannot request to satisfy storage policy when storage policy satisfier feature has been disabled by admin. Seek for an admin help to enable it or use Mover tool.',
    })
    return later
  }),
}
