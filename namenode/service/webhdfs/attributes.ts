// Operations about what is attached to a path: ACLs, extended attributes, storage policies, quotas.
import { QuarryError } from '../../../common/errors.ts'
import type { StoragePolicy } from '../../../proto/ports.ts'
import { json, nothing } from '../../../proto/webhdfs/answer.ts'
import { integer, invalidParameter, required } from '../../../proto/webhdfs/parameters.ts'
import { aclText, parseAcl } from './acl-text.ts'
import { storageTypeName, storageTypeOf } from './blocks-json.ts'
import type { Exchange, Operations } from './operation.ts'
import { decodeValue, encodeValue, encodingOf, parseXAttrName, setFlags, xattrName } from './xattr-text.ts'

/** SetQuotaRequest: -1 removes, -2 leaves. */
const LEAVE = -2

export const attributesByGet: Operations = {
  GETACLSTATUS: async ({ caller, target }) => {
    const status = await caller.call('getAclStatus', { path: target.path })
    const { group, owner, sticky, permission } = status
    return json({
      AclStatus: { entries: (status.entries ?? []).map(aclText), group, owner, permission: permission.toString(8), stickyBit: sticky },
    })
  },
  GETXATTRS: async ({ caller, target, op }) => {
    const encoding = encodingOf(required(target.query, 'encoding', op))
    const asked = target.query.all('xattr.name').map((name) => ({ ...parseXAttrName(name), value: new Uint8Array(0) }))
    const { xattrs } = await caller.call('getXAttrs', { path: target.path, xattrs: asked })
    return json({ XAttrs: (xattrs ?? []).map((xattr) => ({ name: xattrName(xattr), value: encodeValue(xattr.value, encoding) })) })
  },
  LISTXATTRS: async ({ caller, target }) => {
    const { xattrs } = await caller.call('listXAttrs', { path: target.path })
    // JSON within a string, as HDFS has it.
    return json({ XAttrNames: JSON.stringify((xattrs ?? []).map(xattrName)) })
  },
  GETSTORAGEPOLICY: async ({ caller, target }) => {
    const { policy } = await caller.call('getStoragePolicy', { path: target.path })
    return json({ BlockStoragePolicy: policy && policyJson(policy) })
  },
  GETALLSTORAGEPOLICY: async ({ caller }) => {
    const { policies } = await caller.call('getStoragePolicies', {})
    return json({ BlockStoragePolicies: { BlockStoragePolicy: policies.map(policyJson) } })
  },
}

const aclSpec = ({ target, op }: Exchange, withPermissions = true) => parseAcl(required(target.query, 'aclspec', op), withPermissions)

export const attributesByPut: Operations = {
  SETACL: async (exchange) => {
    await exchange.caller.call('setAcl', { path: exchange.target.path, entries: aclSpec(exchange) })
    return nothing
  },
  MODIFYACLENTRIES: async (exchange) => {
    await exchange.caller.call('modifyAclEntries', { path: exchange.target.path, entries: aclSpec(exchange) })
    return nothing
  },
  REMOVEACLENTRIES: async (exchange) => {
    await exchange.caller.call('removeAclEntries', { path: exchange.target.path, entries: aclSpec(exchange, false) })
    return nothing
  },
  REMOVEDEFAULTACL: async ({ caller, target }) => {
    await caller.call('removeDefaultAcl', { path: target.path })
    return nothing
  },
  REMOVEACL: async ({ caller, target }) => {
    await caller.call('removeAcl', { path: target.path })
    return nothing
  },
  SETXATTR: async ({ caller, target, op }) => {
    const { query, path } = target
    const xattr = { ...parseXAttrName(required(query, 'xattr.name', op)), value: decodeValue(query.first('xattr.value')) }
    await caller.call('setXAttr', { path, xattr, flag: setFlags(query.first('flag')) })
    return nothing
  },
  REMOVEXATTR: async ({ caller, target, op }) => {
    const xattr = { ...parseXAttrName(required(target.query, 'xattr.name', op)), value: new Uint8Array(0) }
    await caller.call('removeXAttr', { path: target.path, xattr })
    return nothing
  },
  SETSTORAGEPOLICY: async ({ caller, target, op }) => {
    await caller.call('setStoragePolicy', { path: target.path, policy: required(target.query, 'storagepolicy', op) })
    return nothing
  },
  SETQUOTA: async ({ caller, target }) => {
    const { query, path } = target
    const names = quota(query, 'namespacequota')
    const space = quota(query, 'storagespacequota')
    if (names === LEAVE && space === LEAVE)
      throw new QuarryError('ILLEGAL_ARGUMENT', 'Both namespacequota and storagespacequota are left out.')
    await caller.call('setQuota', { path, names, space, type: 0 })
    return nothing
  },
  SETQUOTABYSTORAGETYPE: async ({ caller, target, op }) => {
    const { query, path } = target
    const name = required(query, 'storagetype', op)
    const type = storageTypeOf(name)
    if (type === undefined) throw invalidParameter('storagetype', `No enum constant org.apache.hadoop.fs.StorageType.${name.toUpperCase()}`)
    required(query, 'storagespacequota', op)
    await caller.call('setQuota', { path, names: LEAVE, space: quota(query, 'storagespacequota'), type })
    return nothing
  },
}

export const attributesByPost: Operations = {
  UNSETSTORAGEPOLICY: async ({ caller, target }) => {
    await caller.call('unsetStoragePolicy', { path: target.path })
    return nothing
  },
}

/** Hadoop's word for "leave it as it is" is the largest long. */
function quota(query: Exchange['target']['query'], name: string): number {
  const value = integer(query, name, -1)
  return value === undefined || value === Number.MAX_SAFE_INTEGER ? LEAVE : value
}

function policyJson(policy: StoragePolicy): object {
  return {
    copyOnCreateFile: policy.copyOnCreate,
    creationFallbacks: policy.creationFallbacks.map(storageTypeName),
    id: policy.id,
    name: policy.name,
    replicationFallbacks: policy.replicationFallbacks.map(storageTypeName),
    storageTypes: policy.types.map(storageTypeName),
  }
}
