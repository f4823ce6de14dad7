// The verbs by name.
import type { Command, Method } from '../../proto/ports.ts'
import { QuarryError } from '../../common/errors.ts'
import type { PlanContext, Planned } from './plan.ts'
import * as absent from './verbs/absent.ts'
import * as acl from './verbs/acl.ts'
import * as attributes from './verbs/attributes.ts'
import * as lease from './verbs/lease.ts'
import * as make from './verbs/make.ts'
import * as policies from './verbs/policies.ts'
import * as query from './verbs/query.ts'
import * as remove from './verbs/remove.ts'
import * as reshape from './verbs/reshape.ts'
import * as write from './verbs/write.ts'
import * as xattrs from './verbs/xattrs.ts'

type Verb = (context: PlanContext, request: never) => Planned

const verbs: Partial<Record<Method, Verb>> = {
  mkdirs: make.mkdirs,
  create: make.create,
  setReplication: make.setReplication,
  append: write.append,
  addBlock: write.addBlock,
  abandonBlock: write.abandonBlock,
  complete: write.complete,
  fsync: write.fsync,
  updateBlockForPipeline: write.updateBlockForPipeline,
  updatePipeline: write.updatePipeline,
  additionalDatanode: write.additionalDatanode,
  renewLease: lease.renewLease,
  recoverLease: lease.recoverLease,
  rename: remove.rename,
  rename2: remove.rename2,
  delete: remove.remove,
  truncate: reshape.truncate,
  concat: reshape.concat,
  setPermission: attributes.setPermission,
  setOwner: attributes.setOwner,
  setTimes: attributes.setTimes,
  setQuota: attributes.setQuota,
  getFileInfo: query.getFileInfo,
  getListing: query.getListing,
  getBlockLocations: query.getBlockLocations,
  getContentSummary: query.getContentSummary,
  getServerDefaults: query.getServerDefaults,
  checkAccess: query.checkAccess,
  isFileClosed: query.isFileClosed,
  listOpenFiles: query.listOpenFiles,
  getQuotaUsage: query.getQuotaUsage,
  getAclStatus: acl.getAclStatus,
  setAcl: acl.setAcl,
  modifyAclEntries: acl.modifyAclEntries,
  removeAclEntries: acl.removeAclEntries,
  removeDefaultAcl: acl.removeDefaultAcl,
  removeAcl: acl.removeAcl,
  setXAttr: xattrs.setXAttr,
  removeXAttr: xattrs.removeXAttr,
  getXAttrs: xattrs.getXAttrs,
  listXAttrs: xattrs.listXAttrs,
  setStoragePolicy: policies.setStoragePolicy,
  unsetStoragePolicy: policies.unsetStoragePolicy,
  getStoragePolicy: policies.getStoragePolicy,
  getStoragePolicies: policies.getStoragePolicies,
  getLinkTarget: absent.getLinkTarget,
  createSymlink: absent.createSymlink,
  getEnclosingRoot: absent.getEnclosingRoot,
  snapshot: absent.snapshot,
}

/** Decides a command of the namespace; throws UNSUPPORTED for one that is somebody else's (cluster state, safe mode). */
export function plan(context: PlanContext, command: Command): Planned {
  const verb = verbs[command.method]
  if (verb === undefined) throw new QuarryError('UNSUPPORTED', `The namespace has no command ${command.method}.`)
  return verb(context, command.request as never)
}

/** Calls that must happen at most once: a retry gets the first answer (HDFS: ClientProtocol's @AtMostOnce). */
export const atMostOnce: ReadonlySet<Method> = new Set<Method>([
  'create',
  'append',
  'concat',
  'rename',
  'rename2',
  'delete',
  'updatePipeline',
  'truncate',
  'setXAttr',
  'removeXAttr',
])
