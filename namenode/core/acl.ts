// ACLs: how entries are merged, completed and checked (the rules and texts of HDFS's AclTransformation), what new entries inherit,
// and how an ACL is kept: the permission holds owner, mask and other, the extras the rest (model.ts, Extras).
import { aclEntryText } from '../../common/acl-text.ts'
import { QuarryError } from '../../common/errors.ts'
import { AclEntryType, AclScope } from '../../proto/ports.ts'
import type { AclEntry } from '../../proto/ports.ts'

const { ACL_USER: USER, ACL_GROUP: GROUP, ACL_MASK: MASK, ACL_OTHER: OTHER } = AclEntryType
const { ACL_ACCESS: ACCESS, ACL_DEFAULT: DEFAULT } = AclScope
const scopes = [ACCESS, DEFAULT] as const

/** As HDFS (AclTransformation.MAX_ENTRIES): entries of one scope. */
const entriesMax = 32

/** What is stored of an ACL. */
export interface StoredAcl {
  readonly permission: number
  readonly acl: readonly AclEntry[]
}

const entry = (scope: AclScope, type: AclEntryType, permission: number, name = ''): AclEntry => ({ scope, type, name, permission })

/** Access before default; user, group, mask, other; the unnamed before names in the order of characters. */
function compare(a: AclEntry, b: AclEntry): number {
  return a.scope - b.scope || a.type - b.type || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)
}

const keyOf = ({ scope, type, name }: AclEntry): string => `${scope}:${type}:${name}`

const ofScope = (entries: readonly AclEntry[], scope: AclScope): AclEntry[] => entries.filter((one) => one.scope === scope)

/** All entries of an ACL, those that the permission holds included. */
export function logicalAcl({ permission, acl }: StoredAcl): AclEntry[] {
  const user = entry(ACCESS, USER, (permission >> 6) & 7)
  const other = entry(ACCESS, OTHER, permission & 7)
  const access = ofScope(acl, ACCESS)
  const group = (permission >> 3) & 7
  const middle = access.length > 0 ? [...access, entry(ACCESS, MASK, group)] : [entry(ACCESS, GROUP, group)]
  return [user, ...middle, other, ...ofScope(acl, DEFAULT)]
}

/**
 * How a complete, sorted and checked ACL is stored. Keeps the sticky bit of `permission`. Throws ACL for default entries of what is
 * no directory.
 */
export function storedAcl(entries: readonly AclEntry[], permission: number, isDirectory: boolean): StoredAcl {
  const access = ofScope(entries, ACCESS)
  const defaults = ofScope(entries, DEFAULT)
  if (defaults.length > 0 && !isDirectory) throw invalid('only directories may have a default ACL.')
  // Of three entries the second is the group; of more, the one before the last is the mask.
  const group = access.length === 3 ? access[1]! : access.at(-2)!
  const bits = (permission & 0o1000) | (access[0]!.permission << 6) | (group.permission << 3) | access.at(-1)!.permission
  return { permission: bits, acl: [...(access.length === 3 ? [] : access.slice(1, -2)), ...defaults] }
}

// --- changes ----------------------------------------------------------------------------------------------------------------

/** What a change has made so far: entries but masks, masks by scope, and which scopes it has touched. */
interface Draft {
  readonly entries: AclEntry[]
  readonly masks: Map<AclScope, AclEntry>
  readonly maskDirty: Set<AclScope>
  readonly scopeDirty: Set<AclScope>
}

const newDraft = (): Draft => ({ entries: [], masks: new Map(), maskDirty: new Set(), scopeDirty: new Set() })

function put(draft: Draft, one: AclEntry, isNew: boolean): void {
  if (isNew) touch(draft, one)
  if (one.type === MASK) draft.masks.set(one.scope, one)
  else draft.entries.push(one)
}

function touch(draft: Draft, one: AclEntry): void {
  draft.scopeDirty.add(one.scope)
  if (one.type === MASK) draft.maskDirty.add(one.scope)
}

/** Entries of `spec` replace those of the same scope, type and name, and are added where there is none. */
export function mergeAcl(existing: readonly AclEntry[], spec: readonly AclEntry[]): AclEntry[] {
  const wanted = sorted(spec)
  const byKey = new Map(wanted.map((one) => [keyOf(one), one]))
  const draft = newDraft()
  const present = new Set(existing.map(keyOf))
  for (const one of existing) {
    const instead = byKey.get(keyOf(one))
    put(draft, instead ?? one, instead !== undefined)
  }
  for (const one of wanted) if (!present.has(keyOf(one))) put(draft, one, true)
  return finish(draft)
}

/** Takes away the entries with the scope, type and name of one of `spec`. */
export function filterAcl(existing: readonly AclEntry[], spec: readonly AclEntry[]): AclEntry[] {
  const unwanted = new Set(sorted(spec).map(keyOf))
  const draft = newDraft()
  for (const one of existing) {
    if (unwanted.has(keyOf(one))) touch(draft, one)
    else put(draft, one, false)
  }
  return finish(draft)
}

/** Entries of a scope that `spec` names replace all of that scope. */
export function replaceAcl(existing: readonly AclEntry[], spec: readonly AclEntry[]): AclEntry[] {
  const draft = newDraft()
  for (const one of sorted(spec)) put(draft, one, true)
  const replaced = new Set(draft.scopeDirty)
  for (const one of existing) if (!replaced.has(one.scope)) put(draft, one, false)
  return finish(draft)
}

/** Without the default entries. */
export function withoutDefaults(existing: readonly AclEntry[]): AclEntry[] {
  return check(ofScope(existing, ACCESS))
}

function sorted(spec: readonly AclEntry[]): AclEntry[] {
  checkCount(spec)
  return spec.map((one) => entry(one.scope, one.type, one.permission & 7, one.name)).sort(compare)
}

function finish(draft: Draft): AclEntry[] {
  copyDefaults(draft.entries)
  addMasks(draft)
  return check(draft.entries)
}

/** Default entries for owner, group and other that are not named are those of the access ACL. */
function copyDefaults(entries: AclEntry[]): void {
  if (!entries.some((one) => one.scope === DEFAULT)) return
  for (const type of [USER, GROUP, OTHER]) {
    const unnamed = (scope: AclScope): AclEntry | undefined =>
      entries.find((one) => one.scope === scope && one.type === type && one.name === '')
    const access = unnamed(ACCESS)
    if (unnamed(DEFAULT) === undefined && access !== undefined) entries.push(entry(DEFAULT, type, access.permission))
  }
}

/** A mask as given; else, where names need one and something changed, the union of what groups and names may. */
function addMasks({ entries, masks, maskDirty, scopeDirty }: Draft): void {
  for (const scope of scopes) {
    const own = ofScope(entries, scope)
    if (own.length === 0) continue
    const needed = own.some((one) => one.name !== '')
    const given = masks.get(scope)
    if (given === undefined && needed && maskDirty.has(scope)) throw invalid('mask is required and cannot be deleted.')
    if (given !== undefined && (!scopeDirty.has(scope) || maskDirty.has(scope))) entries.push(given)
    else if (needed) {
      const union = own.filter((one) => one.type === GROUP || one.name !== '').reduce((bits, one) => bits | one.permission, 0)
      entries.push(entry(scope, MASK, union))
    }
  }
}

function check(entries: AclEntry[]): AclEntry[] {
  checkCount(entries)
  entries.sort(compare)
  for (const [i, one] of entries.entries()) {
    if (i > 0 && compare(entries[i - 1]!, one) === 0) throw invalid('multiple entries with same scope, type and name.')
    if (one.name !== '' && (one.type === MASK || one.type === OTHER))
      throw invalid(`this entry type must not have a name: ${aclEntryText(one)}.`)
  }
  for (const type of [USER, GROUP, OTHER]) {
    for (const scope of scopes) {
      if (scope === DEFAULT && ofScope(entries, DEFAULT).length === 0) continue
      if (entries.some((one) => one.scope === scope && one.type === type && one.name === '')) continue
      throw new QuarryError('ACL', `Invalid ${scope === DEFAULT ? 'default ' : ''}ACL: the user, group and other entries are required.`)
    }
  }
  return entries
}

function checkCount(entries: readonly AclEntry[]): void {
  for (const scope of scopes) {
    const { length } = ofScope(entries, scope)
    if (length > entriesMax) {
      throw invalid(`ACL has ${length} ${scope === ACCESS ? 'access' : 'default'} entries, which exceeds maximum of ${entriesMax}.`)
    }
  }
}

const invalid = (why: string): QuarryError => new QuarryError('ACL', `Invalid ACL: ${why}`)

// --- inheritance ------------------------------------------------------------------------------------------------------------

/**
 * What a new entry of a directory with these default entries gets. `mode` is what its creator asks for, before any umask where that
 * is known: the default ACL takes the umask's place. Undefined when there are no default entries.
 */
export function inheritAcl(parent: readonly AclEntry[], mode: number, isDirectory: boolean): StoredAcl | undefined {
  const defaults = ofScope(parent, DEFAULT)
  if (defaults.length === 0) return undefined
  const isMinimal = defaults.length === 3
  const access = defaults.map(({ type, name, permission }) => {
    let cut = 7
    if (type === USER && name === '') cut = (mode >> 6) & 7
    else if (type === MASK || (type === GROUP && isMinimal)) cut = (mode >> 3) & 7
    else if (type === OTHER) cut = mode & 7
    return entry(ACCESS, type, permission & cut, name)
  })
  return storedAcl([...access, ...(isDirectory ? defaults : [])], mode, isDirectory)
}
