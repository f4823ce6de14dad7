// What must be true of the files of one owner: for each path what was acknowledged, and what may be there besides.
//
// An owner does one thing at a time, so its paths need no search over orders. An operation whose outcome is unknown (the connection
// broke, the time ran out) may have happened, may happen later, or not at all: its paths are retired, and at the end any of the
// outcomes is accepted, but no other.
import { assert } from '../../../common/assert.ts'

/** The bytes that somebody wrote under a name, in one file. */
export interface Version {
  /** Decides every byte. */
  readonly salt: number
  /** Bytes promised to survive everything within the budget of faults: of a closed or hsynced file. */
  durable: number
  /** Bytes promised to survive the death of processes, and visible to every reader that opens from now on: hflushed ones. */
  acked: number
  /** Bytes that may be there. */
  sent: number
  closed: boolean
  /** No more appends: one of its replicas was damaged, and an append could leave only that one (see faults/rot.ts). */
  frozen: boolean
  /** How often it was cut: what was read across a cut says nothing. */
  cuts: number
}

export interface FileRecord {
  path: string
  version: Version
}

/** Paths of which the outcome is not known: exactly one of `outcomes` holds. */
export interface Doubt {
  readonly outcomes: readonly (readonly { readonly path: string; readonly version: Version | undefined }[])[]
}

export class OwnedFiles {
  readonly #files = new Map<string, FileRecord>()
  readonly doubts: Doubt[] = []

  add(path: string, version: Version): FileRecord {
    assert(!this.#files.has(path), `${path} is used twice`)
    const record = { path, version }
    this.#files.set(path, record)
    return record
  }

  remove(record: FileRecord): void {
    this.#files.delete(record.path)
  }

  move(record: FileRecord, path: string): void {
    this.#files.delete(record.path)
    record.path = path
    this.#files.set(path, record)
  }

  all(): FileRecord[] {
    return [...this.#files.values()]
  }

  /** Closed files that may be worked on. */
  idle(): FileRecord[] {
    return this.all().filter(({ version }) => version.closed)
  }

  isFile(record: FileRecord): boolean {
    return this.#files.get(record.path) === record
  }
}

export function newVersion(salt: number): Version {
  return { salt, durable: 0, acked: 0, sent: 0, closed: false, frozen: false, cuts: 0 }
}

/** Bytes of a version. */
export function bytesOf(salt: number, from: number, length: number): Buffer {
  const out = Buffer.allocUnsafe(length)
  for (let i = 0; i < length; i++) {
    const at = from + i
    out[i] = Math.imul(at ^ salt, 0x9e3779b1) >>> 21
  }
  return out
}

/** What is wrong with these bytes as the content of a version; undefined when they may be it. */
export function wrongContent(bytes: Buffer, version: Version, promised: number): string | undefined {
  if (bytes.length < promised) return `${bytes.length} bytes, of which ${promised} were acknowledged`
  if (bytes.length > version.sent) return `${bytes.length} bytes, of which only ${version.sent} were ever written`
  const expected = bytesOf(version.salt, 0, bytes.length)
  if (bytes.equals(expected)) return undefined
  return `byte ${bytes.findIndex((byte, i) => byte !== expected[i])} of ${bytes.length} is not the one that was written`
}
