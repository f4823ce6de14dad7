// ACL entries as text, as Hadoop writes and reads them: user:bob:rwx, group::r-x, default:mask::r--. For shells and for the wire of
// WebHDFS; numbers are those of Hadoop's AclEntryProto.
import { QuarryError } from './errors.ts'

export interface AclEntryFields {
  /** 0 access, 1 default. */
  readonly scope: number
  /** 0 user, 1 group, 2 mask, 3 other. */
  readonly type: number
  /** Empty for the owner, the owning group, mask and other. */
  readonly name: string
  /** r=4 w=2 x=1. */
  readonly permission: number
}

const typeNames = ['user', 'group', 'mask', 'other'] as const

/** `r-x` of 5. */
export function actionText(permission: number): string {
  return `${permission & 4 ? 'r' : '-'}${permission & 2 ? 'w' : '-'}${permission & 1 ? 'x' : '-'}`
}

/** `default:user:bob:rwx`. */
export function aclEntryText({ scope, type, name, permission }: AclEntryFields): string {
  return `${scope === 1 ? 'default:' : ''}${typeNames[type] ?? type}:${name}:${actionText(permission)}`
}

/** Entries separated by commas, without blanks. Throws INVALID_ARGUMENT in the words of Hadoop. `withPermission`: each entry must end in one. */
export function parseAclSpec(text: string, withPermission: boolean): AclEntryFields[] {
  return text
    .split(',')
    .filter((entry) => entry !== '')
    .map((entry) => parseAclEntry(entry, withPermission))
}

function parseAclEntry(text: string, withPermission: boolean): AclEntryFields {
  const parts = text.split(':')
  // As Java splits: empty parts at the end are none.
  while (parts.at(-1) === '') parts.pop()
  const scope = parts[0] === 'default' ? 1 : 0
  const [typeName, name = '', action, ...more] = parts.slice(scope)
  if (typeName === undefined) throw invalid(`Invalid <aclSpec> : ${text}`)
  const type = typeNames.findIndex((known) => known === typeName.toLowerCase())
  if (type < 0) throw invalid(`Invalid type of acl in <aclSpec> :${text}`)
  if (withPermission ? action === undefined || more.length > 0 : action !== undefined) throw invalid(`Invalid <aclSpec> : ${text}`)
  return { scope, type, name, permission: action === undefined ? 0 : parseAction(action, text) }
}

function parseAction(action: string, entry: string): number {
  for (let permission = 0; permission < 8; permission++) if (actionText(permission) === action) return permission
  throw invalid(`Invalid permission in <aclSpec> : ${entry}`)
}

const invalid = (message: string): QuarryError => new QuarryError('INVALID_ARGUMENT', message)
