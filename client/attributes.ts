// ACLs, extended attributes and storage policies: from the words of users to those of the wire, and back.
import { parseAclSpec } from '../common/acl-text.ts'
import { must } from '../common/assert.ts'
import { QuarryError } from '../common/errors.ts'
import { storageTypeNames, storageTypeOf } from '../common/storage-types.ts'
import type {
  AclEntry as WireEntry,
  AclEntryType,
  AclScope,
  StoragePolicy as WirePolicy,
  StorageType,
  TypeQuota,
  XAttr,
  XAttrNamespace,
} from '../proto/ports.ts'
import type { AclEntry, StoragePolicy, StorageTypeName, TypeUse } from './types.ts'

const scopes = ['access', 'default'] as const
const entryTypes = ['user', 'group', 'mask', 'other'] as const
const namespaces = ['user', 'trusted', 'security', 'system', 'raw'] as const

/** Entries as objects or as text (`user:bob:rwx,default:group:staff:r-x`). Throws INVALID_ARGUMENT for text that is none. */
export function wireAcl(entries: string | readonly AclEntry[], withPermission: boolean): WireEntry[] {
  if (typeof entries === 'string')
    return parseAclSpec(entries, withPermission).map((one) => ({
      ...one,
      scope: one.scope as AclScope,
      type: one.type as AclEntryType,
    }))
  return entries.map(({ scope, type, name = '', permission = 0 }) => ({
    scope: scopes.indexOf(scope ?? 'access') as AclScope,
    type: entryTypes.indexOf(type) as AclEntryType,
    name,
    permission,
  }))
}

export function aclOf(entries: readonly WireEntry[]): Required<AclEntry>[] {
  return entries.map(({ scope, type, name, permission }) => ({
    scope: must(scopes[scope]),
    type: must(entryTypes[type]),
    name,
    permission,
  }))
}

/** `user.name` and the like; the namespace in any case. Throws INVALID_ARGUMENT, in the words of Hadoop. */
export function wireXAttr(name: string, value: Uint8Array = new Uint8Array(0)): XAttr {
  const at = name.indexOf('.')
  const namespace = namespaces.findIndex((known) => known === name.slice(0, Math.max(0, at)).toLowerCase())
  if (namespace < 0) {
    throw new QuarryError('INVALID_ARGUMENT', "An XAttr name must be prefixed with user/trusted/security/system/raw, followed by a '.'", {
      name,
    })
  }
  if (at === name.length - 1) throw new QuarryError('INVALID_ARGUMENT', 'XAttr name cannot be empty.', { name })
  return { namespace: namespace as XAttrNamespace, name: name.slice(at + 1), value }
}

export function xattrName({ namespace, name }: Pick<XAttr, 'namespace' | 'name'>): string {
  return `${must(namespaces[namespace])}.${name}`
}

/** Throws INVALID_ARGUMENT for a name that is none. */
export function wireStorageType(name: string): StorageType {
  const type = storageTypeOf(name)
  if (type === undefined) {
    const known = Object.values(storageTypeNames).join(', ')
    throw new QuarryError('INVALID_ARGUMENT', `${name} is no type of storage: they are ${known}.`, { name })
  }
  return type as StorageType
}

const typeName = (type: StorageType): StorageTypeName => must(storageTypeNames[type]) as StorageTypeName

export function typeUses(types: readonly TypeQuota[]): TypeUse[] {
  return types.map(({ type, quota, consumed }) => ({ type: typeName(type), quota, consumed }))
}

export function policyOf({ id, name, types, creationFallbacks, replicationFallbacks, copyOnCreate }: WirePolicy): StoragePolicy {
  return {
    id,
    name,
    types: types.map(typeName),
    creationFallbacks: creationFallbacks.map(typeName),
    replicationFallbacks: replicationFallbacks.map(typeName),
    copyOnCreate,
  }
}
