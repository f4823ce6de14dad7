// Quotas of names and of space.
import type { FileSystem, StorageTypeName } from '../../../client/index.ts'
import { isQuarryError } from '../../../common/errors.ts'
import { storageTypeOf } from '../../../common/storage-types.ts'
import { checkCount, parseArguments } from '../command-format.ts'
import { UsageError } from '../errors.ts'
import type { AdminOptions } from './verb.ts'

/** Hadoop has quotas by kind of storage; these are its words for what a quota may be. */
const prefixes = 'kmgtpe'
/** Hadoop's largest long, which it names where a quota is left as it is. */
const leaveText = '9223372036854775807'

type QuotaVerb = 'setQuota' | 'clrQuota' | 'setSpaceQuota' | 'clrSpaceQuota'

export async function changeQuota(verb: QuotaVerb, args: readonly string[], options: AdminOptions, min: number): Promise<number> {
  const sets = verb.startsWith('set')
  const isNames = verb === 'setQuota' || verb === 'clrQuota'
  if (verb === 'clrSpaceQuota' && args[0]?.startsWith('-')) return clearTypeQuota(args, options)
  if (verb === 'setSpaceQuota' && args[0] === '-storageType') throw new UsageError('Illegal option -storageType')
  checkCount(args.length, min, Number.MAX_SAFE_INTEGER)
  const paths = sets ? args.slice(1) : [...args]
  const amount = sets ? parseAmount(args[0] as string) : -1
  const at = verb === 'setSpaceQuota' ? paths.indexOf('-storageType') : -1
  if (at >= 0) {
    const [, name] = paths.splice(at, 2)
    if (name === undefined) throw new UsageError('option -storageType requires 1 argument.')
    return setTypeQuota(paths, amount, name, options)
  }
  if (sets && (amount < 0 || (isNames && amount === 0))) {
    throw new UsageError(`Invalid values for quota : ${isNames ? `${amount} and ${leaveText}` : `${leaveText} and ${amount}`}`)
  }
  await using fs = await options.connect()
  for (const path of paths) await setOne(fs, fs.resolve(path), isNames ? { names: amount } : { space: amount })
  return 0
}

async function setTypeQuota(paths: readonly string[], amount: number, name: string, options: AdminOptions): Promise<number> {
  const type = parseType(name, ` is not available. Available storage types are [${typesWithQuota.join(', ')}]`)
  await using fs = await options.connect()
  for (const path of paths) {
    if (amount <= 0) throw new UsageError(`Invalid values for quota :${amount}`)
    if (!typesWithQuota.includes(type)) throw new UsageError(`Don't support Quota for storage type : ${type}`)
    await setOne(fs, fs.resolve(path), { space: amount, type })
  }
  return 0
}

async function clearTypeQuota(args: readonly string[], options: AdminOptions): Promise<number> {
  const { values, paths } = parseArguments(args, { min: 1, valued: ['storageType'] })
  const type = parseType(values.get('storageType') ?? '', '')
  await using fs = await options.connect()
  for (const path of paths) await setOne(fs, fs.resolve(path), { space: -1, type })
  return 0
}

/** Hadoop's order. */
const typesWithQuota: readonly StorageTypeName[] = ['SSD', 'DISK', 'ARCHIVE', 'PROVIDED', 'NVDIMM']

/** `why` tells of a name that is none; without it the words are those of Java. */
function parseType(name: string, why: string): StorageTypeName {
  if (storageTypeOf(name) !== undefined) return name.toUpperCase() as StorageTypeName
  throw new UsageError(
    why === '' ? `No enum constant org.apache.hadoop.fs.StorageType.${name.toUpperCase()}` : `Storage type ${name}${why}`,
  )
}

async function setOne(fs: FileSystem, path: string, quota: { names?: number; space?: number; type?: StorageTypeName }): Promise<void> {
  try {
    await fs.setQuota(path, quota)
  } catch (error) {
    // Hadoop does not tell a file from nothing here, but for quotas by type.
    if (isQuarryError(error, 'NOT_FOUND') || (quota.type === undefined && isQuarryError(error, 'PATH_NOT_A_DIRECTORY')))
      throw new Error(`Directory does not exist: ${path}`)
    throw error
  }
}

/** A whole number with one of Hadoop's binary prefixes: 1048576, 64k, 2G. */
export function parseAmount(text: string): number {
  const match = /^(-?\d+)([a-z]?)$/i.exec(text.trim())
  const letter = text.trim().slice(-1)
  const power = match?.[2] ? prefixes.indexOf(match[2].toLowerCase()) + 1 : 0
  if (/[a-z]$/i.test(text.trim()) && !prefixes.includes(letter.toLowerCase())) {
    throw new UsageError(`Invalid size prefix '${letter}' in '${text}'. Allowed prefixes are k, m, g, t, p, e(case insensitive)`)
  }
  if (!match) throw new UsageError(`For input string: "${text}"`)
  const amount = Number(match[1]) * 1024 ** power
  if (!Number.isSafeInteger(amount)) throw new UsageError(`${text} does not fit in a Long`)
  return amount
}
