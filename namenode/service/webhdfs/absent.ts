// Operations about what Quarry does not have: snapshots, erasure coding, delegation tokens, links. Each is answered as by an HDFS
// that has none of it, or refused so that clients know it for certain.
import { QuarryError } from '../../../common/errors.ts'
import { SnapshotOperation } from '../../../proto/ports.ts'
import { json, nothing } from '../../../proto/webhdfs/answer.ts'
import { required } from '../../../proto/webhdfs/parameters.ts'
import type { Operation, Operations } from './operation.ts'

const { SNAPSHOT_ALLOW, SNAPSHOT_DISALLOW, SNAPSHOT_CREATE, SNAPSHOT_DELETE, SNAPSHOT_RENAME, SNAPSHOT_DIFF, SNAPSHOT_LIST } =
  SnapshotOperation

const snapshot =
  (operation: SnapshotOperation, name = '', other = ''): Operation =>
  async ({ caller, target }) => {
    const { query, path } = target
    await caller.call('snapshot', { operation, path, name: query.first(name) ?? '', other: query.first(other) ?? '' })
    return nothing
  }

const unsupported =
  (what: string): Operation =>
  async ({ op }) => {
    throw new QuarryError('UNSUPPORTED', `${op} is not supported: there is no ${what} here.`, { op })
  }

const erasureCoding = unsupported('erasure coding')

/** Without Kerberos a namenode hands out none, and clients go on without. */
const noToken: Operation = async () => json({ Token: null })

/** A token that nobody was given cannot be renewed or cancelled. */
const unknownToken: Operation = async ({ target, op }) => {
  required(target.query, 'token', op)
  throw new QuarryError('REFUSED', 'Delegation tokens are not issued here.')
}

export const absentByGet: Operations = {
  GETLINKTARGET: async ({ caller, target }) => json({ Path: (await caller.call('getLinkTarget', { path: target.path })).path }),
  GETSNAPSHOTDIFF: snapshot(SNAPSHOT_DIFF, 'oldsnapshotname', 'snapshotname'),
  GETSNAPSHOTDIFFLISTING: snapshot(SNAPSHOT_DIFF, 'oldsnapshotname', 'snapshotname'),
  GETSNAPSHOTLIST: snapshot(SNAPSHOT_LIST),
  GETSNAPSHOTTABLEDIRECTORYLIST: async () => json({ SnapshottableDirectoryList: null }),
  GETECPOLICY: async ({ caller, target }) => {
    const { file } = await caller.call('getFileInfo', { path: target.path, needLocations: false })
    if (file === null) throw new QuarryError('NOT_FOUND', `Path not found: ${target.path}`, { path: target.path })
    return json(null)
  },
  GETECPOLICIES: async () => json({ ErasureCodingPolicies: { ErasureCodingPolicyInfo: [] } }),
  GETECCODECS: async () => json({ ErasureCodingCodecs: {} }),
  GETDELEGATIONTOKEN: noToken,
}

export const absentByPut: Operations = {
  ALLOWSNAPSHOT: snapshot(SNAPSHOT_ALLOW),
  DISALLOWSNAPSHOT: snapshot(SNAPSHOT_DISALLOW),
  CREATESNAPSHOT: snapshot(SNAPSHOT_CREATE, 'snapshotname'),
  RENAMESNAPSHOT: snapshot(SNAPSHOT_RENAME, 'oldsnapshotname', 'snapshotname'),
  ENABLEECPOLICY: erasureCoding,
  DISABLEECPOLICY: erasureCoding,
  SETECPOLICY: erasureCoding,
  SATISFYSTORAGEPOLICY: async () => {
    throw new QuarryError(
      'REFUSED',
      'Cannot request to satisfy storage policy when storage policy satisfier feature has been disabled by admin. Seek for an admin help to enable it or use Mover tool.',
    )
  },
  RENEWDELEGATIONTOKEN: unknownToken,
  CANCELDELEGATIONTOKEN: unknownToken,
}

export const absentByPost: Operations = { UNSETECPOLICY: erasureCoding }

export const absentByDelete: Operations = { DELETESNAPSHOT: snapshot(SNAPSHOT_DELETE, 'snapshotname') }
