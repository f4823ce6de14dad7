// The trash, by the rules of Hadoop's TrashPolicyDefault: /user/NAME/.Trash/Current holds what was deleted under the path it had;
// a checkpoint renames Current to the time, and checkpoints older than the interval are deleted.
import { QuarryError, isQuarryError } from '../common/errors.ts'
import type { Clock } from '../common/env.ts'
import { nameOf, parentOf } from '../common/path.ts'
import type { FileSystem, VerbOptions } from './filesystem.ts'

/** As Hadoop: only the owner looks into the trash. */
const trashPermission = 0o700
/** Moves into the trash race with other deletes and with checkpoints; as Hadoop, a second try and no more. */
const moveAttemptsMax = 2
/** Names with the time appended that are tried before giving up on a clash. */
const clashesMax = 100

const isBelow = (path: string, ancestor: string): boolean => ancestor === '/' || path === ancestor || path.startsWith(`${ancestor}/`)

async function intervalMinutes(fs: FileSystem, options: { intervalMinutes?: number } & VerbOptions): Promise<number> {
  const { trashIntervalMinutes } = await fs.serverDefaults(options)
  return trashIntervalMinutes > 0 ? trashIntervalMinutes : (options.intervalMinutes ?? 0)
}

/** See FileSystem.moveToTrash. */
export async function moveToTrash(
  fs: FileSystem,
  path: string,
  clock: Clock,
  options: { intervalMinutes?: number } & VerbOptions,
): Promise<string | undefined> {
  const absolute = fs.resolve(path)
  if ((await intervalMinutes(fs, options)) <= 0) return undefined
  await fs.stat(absolute, options)
  const root = `${fs.homeDirectory()}/.Trash`
  if (isBelow(absolute, root)) return undefined
  if (isBelow(root, absolute)) {
    throw new QuarryError(
      'INVALID_ARGUMENT',
      `Cannot move "${absolute}" to the trash, as it contains the trash. Delete it for good with -skipTrash if that is meant.`,
      { path: absolute },
    )
  }
  let failure: unknown
  for (let attempt = 0; attempt < moveAttemptsMax; attempt++) {
    try {
      const directory = await makeTrashDirectory(
        fs,
        `${root}/Current${parentOf(absolute) === '/' ? '' : parentOf(absolute)}`,
        clock,
        options,
      )
      const target = await freeName(fs, `${directory}/${nameOf(absolute)}`, clock, options)
      await fs.namenode.call('rename2', { source: absolute, target, toTrash: true }, options)
      return target
    } catch (error) {
      if (!isQuarryError(error) || error.code === 'PERMISSION_DENIED' || error.code === 'CANCELLED') throw error
      failure = error
    }
  }
  throw failure
}

/** Makes the directory; where a deleted *file* of that name is in the way, the time is appended to the component. */
async function makeTrashDirectory(fs: FileSystem, directory: string, clock: Clock, options: VerbOptions): Promise<string> {
  let wanted = directory
  for (let clash = 0; ; clash++) {
    try {
      // The trash belongs to its owner whatever the umask says.
      await fs.namenode.call('mkdirs', { path: wanted, permission: trashPermission, createParent: true }, options)
      return wanted
    } catch (error) {
      const inTheWay = isQuarryError(error, 'ALREADY_EXISTS') || isQuarryError(error, 'NOT_A_DIRECTORY')
      if (!inTheWay || clash >= clashesMax) throw error
      let file = wanted
      while (file !== '/' && !(await fs.exists(file, options).catch(() => false))) file = parentOf(file)
      wanted = `${file}${clock.nowMs() + clash}${wanted.slice(file.length)}`
    }
  }
}

async function freeName(fs: FileSystem, wanted: string, clock: Clock, options: VerbOptions): Promise<string> {
  let name = wanted
  for (let clash = 0; await fs.exists(name, options); clash++) {
    if (clash >= clashesMax)
      throw new QuarryError('ALREADY_EXISTS', `${clashesMax} names like ${wanted} are taken in the trash.`, { path: wanted })
    name = `${wanted}${clock.nowMs() + clash}`
  }
  return name
}

/** See FileSystem.expungeTrash. */
export async function expungeTrash(
  fs: FileSystem,
  clock: Clock,
  options: { immediate?: boolean; intervalMinutes?: number } & VerbOptions,
): Promise<void> {
  const root = `${fs.homeDirectory()}/.Trash`
  if (!(await fs.exists(root, options))) return
  const keepMs = (await intervalMinutes(fs, options)) * 60_000
  const nowMs = clock.nowMs()
  // Checkpoints first, so that what is sealed now lives for a whole interval.
  for (const entry of await fs.readdir(root, options)) {
    const sealedMs = checkpointTime(entry.name)
    if (sealedMs === undefined) continue
    if (options.immediate || sealedMs + keepMs < nowMs) await fs.delete(entry.path, { ...options, recursive: true })
  }
  if (options.immediate) {
    await fs.delete(`${root}/Current`, { ...options, recursive: true })
    return
  }
  if (!(await fs.exists(`${root}/Current`, options))) return
  const checkpoint = await freeCheckpoint(fs, `${root}/${checkpointName(nowMs)}`, options)
  await fs.rename(`${root}/Current`, checkpoint, options)
}

async function freeCheckpoint(fs: FileSystem, wanted: string, options: VerbOptions): Promise<string> {
  let name = wanted
  for (let clash = 1; await fs.exists(name, options); clash++) {
    if (clash > clashesMax)
      throw new QuarryError('ALREADY_EXISTS', `${clashesMax} checkpoints of the same second exist: ${wanted}`, { path: wanted })
    name = `${wanted}-${clash}`
  }
  return name
}

/** yyMMddHHmmss in local time, as Hadoop names checkpoints. */
export function checkpointName(atMs: number): string {
  const at = new Date(atMs)
  const two = (value: number): string => String(value).padStart(2, '0')
  return [at.getFullYear() % 100, at.getMonth() + 1, at.getDate(), at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join('')
}

/** The time a checkpoint was made; undefined for names that are none. */
export function checkpointTime(name: string): number | undefined {
  const match = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:-\d+)?$/.exec(name)
  if (!match) return undefined
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as [number, number, number, number, number, number]
  return new Date(2000 + year, month - 1, day, hour, minute, second).getTime()
}
