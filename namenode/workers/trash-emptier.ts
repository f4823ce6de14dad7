// Empties the trash, as HDFS's TrashPolicyDefault does. At every multiple of the checkpoint interval, for each user's
// /user/NAME/.Trash: checkpoints older than trash.interval are deleted, and Current is sealed into a folder named by the time.
import type { Env } from '../../common/env.ts'
import { isQuarryError, toQuarryError } from '../../common/errors.ts'
import { FileKind } from '../../proto/ports.ts'
import type { Init, ListingReply, Method, ReplyOf, Request } from '../../proto/ports.ts'
import { Periodic } from './periodic.ts'

const homes = '/user'
const trash = '.Trash'
const current = 'Current'
const MINUTE_MS = 60_000
/** The longest single wait: timers of Node hold at most 2^31 ms, and a clock that is set should be noticed. */
const waitMaxMs = 3_600_000
/** Names tried for a checkpoint when another one of the same second exists, as in HDFS. */
const nameAttemptsMax = 1_000

/** Runs a command of the namespace as the superuser. */
export type NamespaceCall = <M extends Method>(method: M, request: Request<M>) => Promise<Init<ReplyOf<M>>>

export interface TrashSettings {
  /** Minutes; 0 = no trash. */
  readonly intervalMin: number
  /** Minutes; 0 = the same. */
  readonly checkpointMin: number
}

export class TrashEmptier {
  readonly #env: Env
  readonly #call: NamespaceCall
  readonly #settings: TrashSettings

  constructor(deps: { readonly env: Env; readonly call: NamespaceCall; readonly settings: TrashSettings }) {
    this.#env = deps.env
    this.#call = deps.call
    this.#settings = deps.settings
  }

  /** Begins to come round; undefined when there is no trash to empty. */
  start(): Periodic | undefined {
    if (this.#settings.intervalMin === 0) return undefined
    const { clock } = this.#env
    const periodMs = this.#periodMs()
    let dueMs = nextMultiple(clock.nowMs(), periodMs)
    return new Periodic(this.#env, {
      name: 'trash',
      intervalMs: () => Math.min(waitMaxMs, Math.max(1, dueMs - clock.nowMs())),
      run: async (signal) => {
        if (clock.nowMs() < dueMs) return
        dueMs = nextMultiple(clock.nowMs(), periodMs)
        await this.emptyOnce(signal)
      },
    })
  }

  async emptyOnce(signal?: AbortSignal): Promise<void> {
    const nowMs = this.#env.clock.nowMs()
    for await (const user of this.#directories(homes)) {
      if (signal?.aborted) return
      const root = `${homes}/${user}/${trash}`
      try {
        await this.#expire(root, nowMs - this.#settings.intervalMin * MINUTE_MS)
        await this.#seal(root, nowMs)
      } catch (error) {
        // One user's trash must not keep the others' from being emptied.
        this.#env.log.warn('trash.failed', { root, message: toQuarryError(error).message })
      }
    }
  }

  #periodMs(): number {
    const { intervalMin, checkpointMin } = this.#settings
    return (checkpointMin === 0 || checkpointMin > intervalMin ? intervalMin : checkpointMin) * MINUTE_MS
  }

  async #expire(root: string, beforeMs: number): Promise<void> {
    const due: string[] = []
    for await (const name of this.#directories(root)) {
      const sealedMs = checkpointTime(name)
      if (sealedMs !== undefined && sealedMs < beforeMs) due.push(name)
    }
    for (const name of due) {
      await this.#call('delete', { path: `${root}/${name}`, recursive: true })
      this.#env.log.info('trash.deleted', { path: `${root}/${name}` })
    }
  }

  async #seal(root: string, nowMs: number): Promise<void> {
    const source = `${root}/${current}`
    if (!(await this.#call('getFileInfo', { path: source, needLocations: false })).file) return
    const name = checkpointName(nowMs)
    for (let attempt = 0; attempt < nameAttemptsMax; attempt++) {
      const target = `${root}/${name}${attempt === 0 ? '' : `-${attempt}`}`
      try {
        await this.#call('rename2', { source, target, overwrite: false, toTrash: false })
        this.#env.log.info('trash.sealed', { path: target })
        return
      } catch (error) {
        if (!isQuarryError(error, 'ALREADY_EXISTS')) throw error
      }
    }
  }

  /** Names of the directories in a directory; none when it is missing. */
  async *#directories(path: string): AsyncGenerator<string> {
    for (let startAfter = ''; ;) {
      const page = (await this.#call('getListing', { path, startAfter, needLocations: false, limit: 0 })) as Partial<ListingReply>
      if (!page.exists || page.isFile) return
      const names = namesOf(page)
      for (const [i, name] of names.entries()) {
        if ((page.kindPermission?.[i] ?? 0) >>> 16 === FileKind.KIND_DIRECTORY) yield name
      }
      const last = names.at(-1)
      if (!page.more || last === undefined) return
      startAfter = last
    }
  }
}

function namesOf(page: Partial<ListingReply>): string[] {
  const bytes = Buffer.from(page.names ?? [])
  let at = 0
  return (page.nameLengths ?? []).map((length) => bytes.toString('utf8', at, (at += length)))
}

/** The first multiple of the period after `nowMs`. */
function nextMultiple(nowMs: number, periodMs: number): number {
  return (Math.floor(nowMs / periodMs) + 1) * periodMs
}

const two = (value: number): string => String(value % 100).padStart(2, '0')

/** yyMMddHHmmss in local time, as HDFS names checkpoints. */
export function checkpointName(ms: number): string {
  const at = new Date(ms)
  return [at.getFullYear(), at.getMonth() + 1, at.getDate(), at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join('')
}

/** When a checkpoint was sealed; undefined for a name that is none. */
export function checkpointTime(name: string): number | undefined {
  const match = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?(-\d+)?$/.exec(name)
  if (!match) return undefined
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map((part) => Number(part ?? 0))
  const ms = new Date(2000 + year, month - 1, day, hour, minute, second).getTime()
  return Number.isNaN(ms) ? undefined : ms
}
