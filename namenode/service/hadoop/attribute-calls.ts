// ClientProtocol: quotas and summaries, ACLs, extended attributes, storage policies.
import type { MessageTypes } from '../../../proto/hadoop/gen/messages.ts'
import type { HadoopInit } from '../../../proto/hadoop/codec.ts'
import type { AclEntry, Method, Request, StoragePolicy, TypeQuota, XAttr } from '../../../proto/ports.ts'
import { StorageType } from '../../../proto/ports.ts'
import { noReply, viaCore } from './session.ts'
import type { HadoopMethod, HadoopMethods } from './session.ts'

/** 2^63-1 as a quota means "leave"; as a double it is one of the two next to it. */
const leaveQuota = 2 ** 63 - 1024
const KEEP = -2
const REMOVE = -1
/** Nothing that the core takes: it refuses the call. */
const illegal = -3

function quotaOf(value: number): number {
  if (value >= leaveQuota) return KEEP
  return value < REMOVE ? illegal : value
}

const typesOf = (quotas: readonly TypeQuota[] | undefined): HadoopInit<MessageTypes['HadoopTypeQuotas']> | undefined =>
  quotas === undefined || quotas.length === 0 ? undefined : { quotas }

const entryOf = (entry: MessageTypes['HadoopAclEntry']): AclEntry => ({
  scope: entry.scope as AclEntry['scope'],
  type: entry.type as AclEntry['type'],
  name: entry.name ?? '',
  permission: entry.permissions,
})

const attributeOf = (attribute: MessageTypes['HadoopXAttr']): XAttr => ({
  namespace: attribute.namespace as XAttr['namespace'],
  name: attribute.name,
  value: attribute.value ?? new Uint8Array(0),
})

/** As HDFS: a value that is empty does not travel. */
const wireAttribute = ({ namespace, name, value }: XAttr, withValue: boolean): HadoopInit<MessageTypes['HadoopXAttr']> =>
  withValue && value.length > 0 ? { namespace, name, value } : { namespace, name }

const wirePolicy = (policy: StoragePolicy): HadoopInit<MessageTypes['BlockStoragePolicy']> => ({
  id: policy.id,
  name: policy.name,
  creation: { types: policy.types },
  ...(policy.creationFallbacks.length > 0 && { creationFallback: { types: policy.creationFallbacks } }),
  ...(policy.replicationFallbacks.length > 0 && { replicationFallback: { types: policy.replicationFallbacks } }),
})

/** Calls that change the ACL of a path by a list of entries. */
const withEntries = (method: 'setAcl' | 'modifyAclEntries' | 'removeAclEntries'): HadoopMethod =>
  viaCore('AclRequest', 'Nothing', method, ({ src, entries }) => ({ path: src, entries: entries.map(entryOf) }), noReply)

type PathMethod = { [M in Method]: Request<M> extends { path: string } ? ({ path: string } extends Request<M> ? M : never) : never }[Method]
const withPath = (method: PathMethod): HadoopMethod => viaCore('PathRequest', 'Nothing', method, ({ path }) => ({ path }) as never, noReply)

export const attributeCalls: HadoopMethods = {
  getContentSummary: viaCore(
    'PathRequest',
    'ContentSummaryResponse',
    'getContentSummary',
    ({ path }) => ({ path }),
    (reply) => ({
      summary: {
        length: reply.length,
        files: reply.files,
        directories: reply.directories,
        quota: reply.quota,
        spaceConsumed: reply.spaceConsumed,
        spaceQuota: reply.spaceQuota,
        types: typesOf(reply.types),
        snapshotLength: 0,
        snapshotFiles: 0,
        snapshotDirectories: 0,
        snapshotSpace: 0,
        ecPolicy: reply.erasureCodingPolicy ?? '',
      },
    }),
  ),
  getQuotaUsage: viaCore(
    'PathRequest',
    'QuotaUsageResponse',
    'getQuotaUsage',
    ({ path }) => ({ path }),
    (reply) => ({
      usage: {
        names: reply.fileAndDirectoryCount,
        quota: reply.quota,
        spaceConsumed: reply.spaceConsumed,
        spaceQuota: reply.spaceQuota,
        types: typesOf(reply.types),
      },
    }),
  ),
  setQuota: viaCore(
    'HdfsSetQuotaRequest',
    'Nothing',
    'setQuota',
    ({ path, names, space, type }) => ({
      path,
      names: quotaOf(names),
      space: quotaOf(space),
      type: (type ?? StorageType.STORAGE_UNSPECIFIED) as StorageType,
    }),
    noReply,
  ),
  setAcl: withEntries('setAcl'),
  modifyAclEntries: withEntries('modifyAclEntries'),
  removeAclEntries: withEntries('removeAclEntries'),
  removeDefaultAcl: withPath('removeDefaultAcl'),
  removeAcl: withPath('removeAcl'),
  getAclStatus: viaCore(
    'PathRequest',
    'AclStatusResponse',
    'getAclStatus',
    ({ path }) => ({ path }),
    (reply) => ({
      status: {
        owner: reply.owner,
        group: reply.group,
        sticky: reply.sticky,
        entries: reply.entries.map(({ scope, type, name, permission }) => ({
          scope,
          type,
          permissions: permission,
          ...(name !== '' && { name }),
        })),
        permission: { perm: reply.permission },
      },
    }),
  ),
  setXAttr: viaCore(
    'HdfsSetXAttrRequest',
    'Nothing',
    'setXAttr',
    ({ src, xattr, flag }) => ({ path: src, xattr: xattr === undefined ? null : attributeOf(xattr), flag: flag ?? 0 }),
    noReply,
  ),
  removeXAttr: viaCore(
    'HdfsRemoveXAttrRequest',
    'Nothing',
    'removeXAttr',
    ({ src, xattr }) => ({ path: src, xattr: xattr === undefined ? null : attributeOf(xattr) }),
    noReply,
  ),
  getXAttrs: viaCore(
    'XAttrsRequest',
    'XAttrsResponse',
    'getXAttrs',
    ({ src, xattrs }) => ({ path: src, xattrs: xattrs.map(attributeOf) }),
    ({ xattrs }) => ({ xattrs: xattrs.map((one) => wireAttribute(one, true)) }),
  ),
  listXAttrs: viaCore(
    'PathRequest',
    'XAttrsResponse',
    'listXAttrs',
    ({ path }) => ({ path }),
    ({ xattrs }) => ({
      xattrs: xattrs.map((one) => wireAttribute(one, false)),
    }),
  ),
  setStoragePolicy: viaCore(
    'TwoPathsRequest',
    'Nothing',
    'setStoragePolicy',
    ({ first, second }) => ({ path: first, policy: second }),
    noReply,
  ),
  unsetStoragePolicy: withPath('unsetStoragePolicy'),
  getStoragePolicy: viaCore(
    'PathRequest',
    'BlockStoragePolicyResponse',
    'getStoragePolicy',
    ({ path }) => ({ path }),
    ({ policy }) => ({
      policy: wirePolicy(policy!),
    }),
  ),
  getStoragePolicies: viaCore(
    'Nothing',
    'BlockStoragePoliciesResponse',
    'getStoragePolicies',
    () => ({}),
    ({ policies }) => ({
      policies: policies.map(wirePolicy),
    }),
  ),
}
