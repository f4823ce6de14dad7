// getfacl and setfacl.
import type { AclEntry } from '../../../client/index.ts'
import { aclEntryText, actionText, parseAclSpec } from '../../../common/acl-text.ts'
import type { AclEntryFields } from '../../../common/acl-text.ts'
import { isQuarryError } from '../../../common/errors.ts'
import { parseArguments } from '../command-format.ts'
import { UsageError } from '../errors.ts'
import { RemoteStore } from '../store.ts'
import type { Item, Stat } from '../store.ts'
import { Verb } from '../verb.ts'

const scopes = ['access', 'default'] as const
const types = ['user', 'group', 'mask', 'other'] as const
const GROUP = 1
const MASK = 2

/** All entries, those that the permission holds included: access first, then default. */
export async function fullAcl(item: Item): Promise<AclEntryFields[][]> {
  const { permission, hasAcl } = item.stat as Stat
  const beside = hasAcl && item.store instanceof RemoteStore ? (await item.store.fs.aclStatus(item.path)).entries : []
  const entries = beside.map((one) => ({
    scope: scopes.indexOf(one.scope),
    type: types.indexOf(one.type),
    name: one.name,
    permission: one.permission,
  }))
  const access = entries.filter((one) => one.scope === 0)
  const bits = (type: number, shift: number): AclEntryFields => ({ scope: 0, type, name: '', permission: (permission >> shift) & 7 })
  return [[bits(0, 6), ...access, bits(access.length > 0 ? MASK : GROUP, 3), bits(3, 0)], entries.filter((one) => one.scope === 1)]
}

/** As the SDK takes them. */
export const sdkEntries = (entries: readonly AclEntryFields[]): AclEntry[] =>
  entries.map(({ scope, type, name, permission }) => ({ scope: scopes[scope]!, type: types[type]!, name, permission }))

function onePath(paths: readonly string[]): void {
  if (paths.length === 0) throw new UsageError('<path> is missing')
  if (paths.length > 1) throw new UsageError('Too many arguments')
}

export class Getfacl extends Verb {
  protected options(words: string[]): string[] {
    const { flags, paths } = parseArguments(words, { min: 0, flags: ['R'] })
    this.recursive = flags.has('R')
    onePath(paths)
    return paths
  }

  protected override async processPath(item: Item): Promise<void> {
    const { owner, group, permission } = item.stat as Stat
    const [access = [], defaults = []] = await fullAcl(item)
    const lines = [`# file: ${item.text}`, `# owner: ${owner}`, `# group: ${group}`]
    if ((permission & 0o1000) !== 0) lines.push(`# flags: --${permission & 1 ? 't' : 'T'}`)
    for (const entries of [access, defaults]) lines.push(...aclLines(entries))
    const acl = [...access, ...defaults].map(aclEntryText)
    return this.print(`${lines.join('\n')}\n`, { path: item.path, owner, group, sticky: (permission & 0o1000) !== 0, acl })
  }
}

/** With what the mask leaves of an entry, where that is less. */
function aclLines(entries: readonly AclEntryFields[]): string[] {
  const mask = entries.find((one) => one.type === MASK)?.permission ?? 7
  return entries.map((one) => {
    const text = aclEntryText(one)
    const left = one.permission & mask
    const isMasked = one.type === GROUP || one.name !== ''
    return isMasked && left !== one.permission ? `${text}\t#effective:${actionText(left)}` : text
  })
}

export class Setfacl extends Verb {
  #change: (store: RemoteStore, item: Item) => Promise<void> = async () => {}

  protected options(words: string[]): string[] {
    const { flags, paths } = parseArguments(words, { min: 0, flags: ['b', 'k', 'R', 'm', 'x', '-set'] })
    this.recursive = flags.has('R')
    const given = ['b', 'k', 'm', 'x', '-set'].filter((flag) => flags.has(flag))
    if (given.length > 1) throw new UsageError('Specified flags contains both remove and modify flags')
    const [flag] = given
    let spec: AclEntryFields[] = []
    if (flag === 'm' || flag === 'x' || flag === '-set') {
      if (paths.length === 0) throw new UsageError('Missing arguments: <acl_spec> <path>')
      if (paths.length < 2) throw new UsageError('Missing either <acl_spec> or <path>')
      spec = parseSpec(paths.shift() as string, flag !== 'x')
      if (spec.length === 0) throw new UsageError('Missing <acl_spec> entry')
    }
    onePath(paths)
    if (flag === undefined) throw new UsageError('Expected one of -b, -k, -m, -x or --set options')
    this.#change = async ({ fs }, item) => {
      // Default entries are for directories; a recursive change leaves them out where it meets a file.
      const wanted = sdkEntries(this.recursive && !item.isDirectory ? spec.filter((one) => one.scope === 0) : spec)
      if (flag === 'b') return fs.removeAcl(item.path)
      if (flag === 'k') return fs.removeDefaultAcl(item.path)
      if (wanted.length === 0) return
      if (flag === 'm') return fs.modifyAcl(item.path, wanted)
      if (flag === 'x') return fs.removeAclEntries(item.path, wanted)
      return fs.setAcl(item.path, wanted)
    }
    return paths
  }

  protected override async processPath(item: Item): Promise<void> {
    if (item.store instanceof RemoteStore) await this.#change(item.store, item)
  }
}

function parseSpec(text: string, withPermission: boolean): AclEntryFields[] {
  try {
    return parseAclSpec(text, withPermission)
  } catch (error) {
    if (isQuarryError(error, 'INVALID_ARGUMENT')) throw new UsageError(error.message)
    throw error
  }
}
