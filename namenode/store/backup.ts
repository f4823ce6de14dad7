// Copies of the running store: for backups, and for checksums over the whole namespace.
//
// While a copy is made the main file of the database stands still (SqliteStore.freeze): commits go to the WAL, and the file is read
// in parts by the thread pool, so the engine gives no turn away. What was copied is the namespace at one transaction. A process of
// its own then checks it and computes its checksum. Making a copy costs one checkpoint at its beginning and one at its end.
//
// Invariants
//   C1  the main file is thawed whatever happens to a copy
//   C2  the WAL does not grow beyond `walBytesMax` for a copy's sake, nor is the disk's reserve used up: the copy is given up
//   C3  one copy is made at a time, one backup is held at a time, and one that is not read for `idleMs` is removed
import { mkdirSync, read as readCallback, rmSync } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Env } from '../../common/env.ts'
import { QuarryError } from '../../common/errors.ts'
import type { NamespaceChecksum } from '../core/namespace-checksum.ts'
import type { Inspection } from './inspect.ts'
import { explain } from './sqlite-errors.ts'
import type { Frozen } from './sqlite-store.ts'

/** A backup that nobody reads for this long belongs to somebody who is gone. */
const idleMs = 10 * 60_000
/** Whoever asked for one begins to read at once; a caller that was interrupted while it was made never does. */
const unreadMs = 60_000
/** What commits may put into the WAL while a copy is made: minutes at full load; its checkpoint takes a second or two. */
const walBytesMax = 1024 ** 3
/** Read and written at once: large enough for the disk, small enough for memory. */
const partBytes = 1024 * 1024
/** Bytes that one call reads at most. */
export const readBytesMax = 4 * 1024 * 1024
/** Bytes a second that are sent to the reader of a backup: encoding more would cost its callers more than 5 % of the namenode. */
const sendBytesPerSecond = 64 * 1024 * 1024

const readAt = promisify(readCallback)

/** What this needs of the store. */
export interface CopiedStore {
  readonly directory: string
  freeBytes(): number
  walBytes(): number
  freeze(): Frozen
  thaw(): void
}

export interface BackupInfo {
  readonly id: string
  readonly bytes: number
  readonly inspection: Inspection
}

interface Held extends BackupInfo {
  readonly directory: string
  readonly file: FileHandle
  usedMs: number
  /** How long it is kept after that. */
  idleMs: number
  /** When the next part may leave. */
  sendAtMs: number
}

type State =
  | { readonly kind: 'none' }
  /** `key`: who asked, so that a repeated call joins. */
  | { readonly kind: 'making'; readonly key: string; readonly made: Promise<BackupInfo> }
  | { readonly kind: 'held'; readonly key: string; readonly held: Held }

export interface BackupsDeps {
  readonly store: CopiedStore
  readonly env: Env
  /** Bytes of the disk that stay free. */
  readonly reservedBytes: number
  readonly inspect: (directory: string, signal: AbortSignal) => Promise<Inspection>
}

export class Backups {
  readonly #deps: BackupsDeps
  readonly #directory: string
  readonly #abort = new AbortController()
  #state: State = { kind: 'none' }
  #copying = false
  #checksum: Promise<NamespaceChecksum> | undefined
  #stopExpiry: (() => void) | undefined
  #count = 0

  constructor(deps: BackupsDeps) {
    this.#deps = deps
    this.#directory = join(deps.store.directory, 'backup.tmp')
    // Of a namenode before this one.
    rmSync(this.#directory, { recursive: true, force: true })
  }

  /** Makes a copy and holds it until end() or nobody reads it. `key`: a call that is repeated under it gets the same one. */
  begin(key: string): Promise<BackupInfo> {
    const state = this.#state
    if (state.kind === 'making' && state.key === key) return state.made
    if (state.kind === 'held' && state.key === key) return Promise.resolve(state.held)
    if (state.kind !== 'none') throw this.#inUse(state)
    const made = this.#make(key)
    this.#state = { kind: 'making', key, made }
    return made
  }

  /** Fewer bytes than asked for only at the end of the backup. */
  async read(id: string, offset: number, length: number): Promise<Uint8Array> {
    const held = this.#held(id)
    if (offset > held.bytes || length === 0) {
      throw new QuarryError('INVALID_ARGUMENT', `A backup of ${held.bytes} bytes has no ${length} bytes at ${offset}.`)
    }
    const { clock } = this.#deps.env
    const wanted = Math.min(length, readBytesMax, held.bytes - offset)
    held.usedMs = clock.monotonicMs()
    held.idleMs = idleMs
    const waitMs = held.sendAtMs - held.usedMs
    held.sendAtMs = Math.max(held.usedMs, held.sendAtMs) + (wanted / sendBytesPerSecond) * 1000
    if (waitMs > 0) await clock.sleep(waitMs, this.#abort.signal)
    const buffer = Buffer.allocUnsafe(wanted)
    for (let at = 0; at < wanted;) {
      const { bytesRead } = await held.file.read(buffer, at, wanted - at, offset + at)
      if (bytesRead === 0) throw new QuarryError('INTERNAL', `The copy of backup ${id} is shorter than it was.`)
      at += bytesRead
    }
    return buffer
  }

  /** Idempotent: one that is gone already is ended. */
  async end(id: string): Promise<void> {
    if (this.#state.kind === 'held' && this.#state.held.id === id) await this.#drop(this.#state.held)
  }

  /** Of the namespace as it is now; callers that come while one is computed share it. */
  checksum(): Promise<NamespaceChecksum> {
    this.#checksum ??= this.#computeChecksum().finally(() => {
      this.#checksum = undefined
    })
    return this.#checksum
  }

  async close(): Promise<void> {
    this.#abort.abort(new QuarryError('UNAVAILABLE', 'The namenode is stopping.'))
    const state = this.#state
    if (state.kind === 'making') await state.made.catch(() => {})
    await this.#checksum?.catch(() => {})
    if (this.#state.kind === 'held') await this.#drop(this.#state.held)
    rmSync(this.#directory, { recursive: true, force: true })
  }

  async #make(key: string): Promise<BackupInfo> {
    try {
      const { directory, bytes, inspection } = await this.#copy()
      const nowMs = this.#deps.env.clock.monotonicMs()
      const file = await open(join(directory, 'namespace.db'), 'r')
      const id = `${inspection.checksum.txid}-${Buffer.from(this.#deps.env.random.bytes(8)).toString('hex')}`
      const held: Held = { id, bytes, inspection, directory, file, usedMs: nowMs, idleMs: unreadMs, sendAtMs: nowMs }
      this.#state = { kind: 'held', key, held }
      this.#expireLater(held, unreadMs)
      return held
    } catch (error) {
      this.#state = { kind: 'none' }
      throw explain(error)
    }
  }

  async #computeChecksum(): Promise<NamespaceChecksum> {
    const { directory, inspection } = await this.#copy()
    rmSync(directory, { recursive: true, force: true })
    return inspection.checksum
  }

  async #copy(): Promise<{ directory: string; bytes: number; inspection: Inspection }> {
    if (this.#copying) throw new QuarryError('RETRY_LATER', 'A copy of the namespace is being made. Try again in a moment.')
    this.#copying = true
    const directory = join(this.#directory, String(++this.#count))
    const { signal } = this.#abort
    const startedMs = this.#deps.env.clock.monotonicMs()
    try {
      mkdirSync(directory, { recursive: true })
      const { bytes, txid } = await this.#copyMainFile(join(directory, 'namespace.db'))
      const copiedMs = this.#deps.env.clock.monotonicMs()
      const inspection = await this.#deps.inspect(directory, signal)
      const [problem] = inspection.problems
      if (problem !== undefined) {
        throw new QuarryError('INTERNAL', `The database of the namenode is damaged: ${problem}. Stop it and run quarry admin check.`)
      }
      if (inspection.checksum.txid !== txid) {
        throw new QuarryError('INTERNAL', `The copy holds transaction ${inspection.checksum.txid} instead of ${txid}.`)
      }
      const checkedMs = this.#deps.env.clock.monotonicMs()
      this.#deps.env.log.info('backup.copied', { txid, bytes, copyMs: copiedMs - startedMs, checkMs: checkedMs - copiedMs })
      return { directory, bytes, inspection }
    } catch (error) {
      rmSync(directory, { recursive: true, force: true })
      throw error
    } finally {
      this.#copying = false
    }
  }

  async #copyMainFile(target: string): Promise<Frozen> {
    const { store } = this.#deps
    const frozen = store.freeze()
    let copy: FileHandle | undefined
    try {
      this.#requireRoom(frozen.bytes)
      copy = await open(target, 'wx')
      const part = Buffer.allocUnsafe(partBytes)
      for (let at = 0; at < frozen.bytes;) {
        this.#abort.signal.throwIfAborted()
        const { bytesRead } = await readAt(frozen.fd, part, 0, Math.min(partBytes, frozen.bytes - at), at)
        if (bytesRead === 0) throw new QuarryError('INTERNAL', 'The database of the namenode is shorter than it was.')
        await copy.write(part, 0, bytesRead, at)
        at += bytesRead
        this.#requireRoom(0)
        if (store.walBytes() > walBytesMax) {
          throw new QuarryError(
            'RETRY_LATER',
            'The namespace changes faster than its disk can be read. Try again when there is less to do.',
          )
        }
      }
      return frozen
    } finally {
      store.thaw()
      await copy?.close()
    }
  }

  #requireRoom(bytes: number): void {
    const free = this.#deps.store.freeBytes()
    if (free >= bytes + this.#deps.reservedBytes) return
    throw new QuarryError(
      'DISK_FULL',
      `A copy of the namespace needs ${bytes} bytes beside the ${this.#deps.reservedBytes} that stay free; ${this.#deps.store.directory} has ${free}. Free some space.`,
    )
  }

  #held(id: string): Held {
    if (this.#state.kind === 'held' && this.#state.held.id === id) return this.#state.held
    throw new QuarryError(
      'NOT_FOUND',
      `There is no backup ${id}: it was ended, not read for ${idleMs / 60_000} minutes, or the namenode restarted. Begin again.`,
    )
  }

  #inUse(state: Exclude<State, { kind: 'none' }>): QuarryError {
    if (state.kind === 'making') return new QuarryError('IN_USE', 'Another backup is being made. Wait for its end.')
    const leftMs = Math.max(0, state.held.usedMs + state.held.idleMs - this.#deps.env.clock.monotonicMs())
    return new QuarryError(
      'IN_USE',
      `Another backup (${state.held.id}) is being read. Wait for its end; if its reader is gone, it is removed in ${Math.ceil(leftMs / 1000)} seconds.`,
    )
  }

  #expireLater(held: Held, afterMs: number): void {
    const { clock } = this.#deps.env
    this.#stopExpiry = clock.after(afterMs, () => {
      const leftMs = held.usedMs + held.idleMs - clock.monotonicMs()
      if (leftMs > 0) return this.#expireLater(held, leftMs)
      this.#deps.env.log.warn('backup.abandoned', { id: held.id, bytes: held.bytes })
      void this.#drop(held)
    })
  }

  async #drop(held: Held): Promise<void> {
    this.#stopExpiry?.()
    if (this.#state.kind === 'held' && this.#state.held === held) this.#state = { kind: 'none' }
    await held.file.close()
    rmSync(held.directory, { recursive: true, force: true })
  }
}
