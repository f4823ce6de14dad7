// ACL entries as text: [default:](user|group|mask|other):[name]:[rwx].
import { QuarryError } from '../../../common/errors.ts'
import type { AclEntry } from '../../../proto/ports.ts'
import { AclEntryType, AclScope } from '../../../proto/ports.ts'
import { invalidParameter } from '../../../proto/webhdfs/parameters.ts'

const entryPattern = '(default:)?(user|group|mask|other):[[A-Za-z_][A-Za-z0-9._-]]*:([rwx-]{3})?'
const pattern = `^${entryPattern}(,${entryPattern})*$`
const entryForm = /^(default:)?(user|group|mask|other):([A-Za-z0-9._-]*):([r-][w-][x-])?$/

const types = {
  user: AclEntryType.ACL_USER,
  group: AclEntryType.ACL_GROUP,
  mask: AclEntryType.ACL_MASK,
  other: AclEntryType.ACL_OTHER,
} as const
type TypeName = keyof typeof types
const typeNames = Object.fromEntries(Object.entries(types).map(([name, type]) => [type, name])) as Readonly<Record<number, string>>

/** Throws ILLEGAL_ARGUMENT for what is no ACL, INVALID_ARGUMENT for an entry without the permission that it needs. */
export function parseAcl(text: string, withPermissions: boolean): AclEntry[] {
  return text.split(',').map((part) => {
    const match = entryForm.exec(part)
    if (!match) throw invalidParameter('aclspec', `Invalid value: "${text.slice(0, 1000)}" does not belong to the domain ${pattern}`)
    const [, isDefault, type, name = '', letters] = match
    if (withPermissions && letters === undefined) throw new QuarryError('INVALID_ARGUMENT', `Invalid <aclSpec> : ${part}`, { entry: part })
    return {
      scope: isDefault === undefined ? AclScope.ACL_ACCESS : AclScope.ACL_DEFAULT,
      type: types[type as TypeName],
      name,
      permission: letters === undefined ? 0 : bitsOf(letters),
    }
  })
}

export function aclText({ scope, type, name, permission }: AclEntry): string {
  const letters = `${permission & 4 ? 'r' : '-'}${permission & 2 ? 'w' : '-'}${permission & 1 ? 'x' : '-'}`
  return `${scope === AclScope.ACL_DEFAULT ? 'default:' : ''}${typeNames[type] ?? 'user'}:${name}:${letters}`
}

const bitsOf = (letters: string): number => (letters[0] === 'r' ? 4 : 0) | (letters[1] === 'w' ? 2 : 0) | (letters[2] === 'x' ? 1 : 0)
