// A client of the workload, as a process of its own that may be killed at any moment. It says on stdout what it is about to do and
// how that went (ledger.ts), and keeps the cluster busy: files written with and without hflush, appended to, read and compared,
// renamed, deleted.
//
//   tsx worker.ts URI DIRECTORY FIRST-FILE-NUMBER SEED LOCAL-READS
import { FileSystem } from '../../client/index.ts'
import { must } from '../../common/assert.ts'
import { isQuarryError } from '../../common/errors.ts'
import { SeededRandom } from '../../common/testing/seeded-random.ts'
import { contentOf, hashOf, sha256 } from './content.ts'
import type { Line, Step } from './ledger.ts'

const [uri, directory, first, seed, localReads] = process.argv.slice(2) as [string, string, string, string, string]
const actors = 4
const kib = 1024
/** Beyond this many files of its own a client deletes more than it makes. */
const filesMax = 40
/** An operation that takes longer is stuck: time-outs of 10 s and 60 s, twice over. */
const stuckMs = 150_000

interface OwnFile {
  readonly file: number
  path: string
  length: number
}

const random = new SeededRandom(Number(seed))
const files: OwnFile[] = []
let nextFile = Number(first)
let nextStep = 1
let stopping = false
process.on('SIGTERM', () => (stopping = true))
process.on('disconnect', () => process.exit(0))

const say = (line: Line) => process.stdout.write(`${JSON.stringify(line)}\n`)
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** A failure that the faults may cause; the file is left alone from then on. */
class Failed extends Error {}

async function step<T>(what: Step, run: () => Promise<T>): Promise<T> {
  const id = nextStep++
  say({ at: 'begin', id, step: what })
  const startedMs = performance.now()
  const stuck = setTimeout(() => violation(`${what.kind} of file ${what.file} takes more than ${stuckMs / 1000} s`), stuckMs)
  try {
    const result = await run()
    say({ at: 'end', id, ms: Math.round(performance.now() - startedMs) })
    return result
  } catch (error) {
    const [code, fair] = judge(error)
    if (!fair) violation(`${what.kind} of file ${what.file} (${JSON.stringify(what)}) failed with ${String(error)}`)
    say({ at: 'end', id, ms: Math.round(performance.now() - startedMs), error: code })
    process.stderr.write(`${new Date().toISOString()} ${JSON.stringify(what)}: ${String(error)}\n`)
    throw new Failed(String(error))
  } finally {
    clearTimeout(stuck)
  }
}

/** Name of the error, and whether faults explain it: a request that was right may not be refused as wrong. */
function judge(error: unknown): [string, boolean] {
  if (error instanceof Mismatch) return ['mismatch', false]
  if (!isQuarryError(error)) return [String((error as Error).name), false]
  return [error.code, ['retry', 'reopen', 'operator', 'other-replica'].includes(error.advice)]
}

class Mismatch extends Error {}

function violation(what: string): void {
  say({ at: 'violation', what: `${new Date().toISOString()} ${directory}: ${what}` })
}

const fs = await FileSystem.connect(uri, { localReads: localReads === 'true', connectTimeoutMs: 60_000 })
/** Another client, whose opens see what this one flushed. */
const other = await FileSystem.connect(uri, { localReads: false, connectTimeoutMs: 60_000 })
say({ at: 'ready' })

async function write(slow: boolean): Promise<void> {
  const own: OwnFile = { file: nextFile++, path: '', length: 0 }
  own.path = `${directory}/${slow ? 'slow' : 'file'}-${own.file}`
  const size = slow ? random.int(3_000) * kib : pickSize()
  const writer = await step({ kind: 'create', file: own.file, path: own.path }, () => fs.create(own.path, { overwrite: false }))
  await fill(writer, own, size, slow)
  files.push(own)
}

async function append(): Promise<void> {
  const own = takeFile()
  if (own === undefined) return
  const size = own.length + 1 + random.int(1_500) * kib + random.int(kib)
  const writer = await step({ kind: 'append', file: own.file }, () => fs.append(own.path))
  await fill(writer, own, size, random.float() < 0.3)
  files.push(own)
}

function pickSize(): number {
  const draw = random.float()
  if (draw < 0.05) return 0
  if (draw < 0.3) return random.int(4_000)
  return random.int(6_000) * kib + random.int(kib)
}

/** Writes up to `size` in pieces, flushing some, and closes. */
async function fill(writer: Awaited<ReturnType<typeof fs.create>>, own: OwnFile, size: number, slow: boolean): Promise<void> {
  try {
    let at = own.length
    while (at < size) {
      const end = Math.min(size, at + 1 + random.int(slow ? 200 * kib : 1_500 * kib))
      await step({ kind: 'send', file: own.file, length: end }, () => writer.write(contentOf(own.file, at, end)))
      at = end
      const flush = random.float()
      if (flush < (slow ? 0.8 : 0.2)) {
        await step({ kind: 'flush', file: own.file, length: at }, () => (flush < 0.1 ? writer.hsync() : writer.hflush()))
        if (random.float() < 0.2) await readOpen(own, at)
      }
      if (slow) await pause(random.int(600))
    }
    await step({ kind: 'close', file: own.file, length: size }, () => writer.close())
    own.length = size
  } catch (error) {
    await writer.abort(error).catch(() => {})
    throw error
  }
}

/** Who opens a file after an hflush sees what was flushed. */
async function readOpen(own: OwnFile, flushed: number): Promise<void> {
  const reading = step({ kind: 'read', file: own.file }, async () => {
    const bytes = await other.readFile(own.path)
    if (bytes.length < flushed)
      throw new Mismatch(`${own.path}: ${flushed} bytes were flushed, a reader that opened afterwards sees ${bytes.length}`)
    if (!bytes.equals(contentOf(own.file, 0, bytes.length)))
      throw new Mismatch(`${own.path}: the ${bytes.length} bytes of an open file differ`)
  })
  // A reader that fails does not end the writer.
  await reading.catch(rethrowOthers)
}

async function read(): Promise<void> {
  const own = takeFile()
  if (own === undefined) return
  await step({ kind: 'read', file: own.file }, async () => {
    const bytes = await fs.readFile(own.path)
    if (bytes.length !== own.length) throw new Mismatch(`${own.path} has ${bytes.length} bytes, closed with ${own.length}`)
    if (sha256(bytes) !== hashOf(own.file, own.length)) throw new Mismatch(`${own.path}: other bytes than were written`)
  }).catch(rethrowOthers)
  files.push(own)
}

async function rename(): Promise<void> {
  const own = takeFile()
  if (own === undefined) return
  const target = `${directory}/moved-${own.file}-${random.int(1_000_000)}`
  await step({ kind: 'rename', file: own.file, target }, () => fs.rename(own.path, target))
  own.path = target
  files.push(own)
}

async function remove(): Promise<void> {
  const own = takeFile()
  if (own === undefined) return
  await step({ kind: 'delete', file: own.file }, async () => {
    if (!(await fs.delete(own.path))) throw new Mismatch(`${own.path} was gone before it was deleted`)
  })
}

/** A file that no other actor has in hand. */
function takeFile(): OwnFile | undefined {
  if (files.length === 0) return undefined
  return must(files.splice(random.int(files.length), 1)[0])
}

function rethrowOthers(error: unknown): void {
  if (!(error instanceof Failed)) throw error
}

async function actor(): Promise<void> {
  while (!stopping) {
    const draw = random.float()
    const full = files.length > filesMax
    const deed =
      full && draw < 0.6
        ? remove()
        : draw < 0.4
          ? write(false)
          : draw < 0.5
            ? write(true)
            : draw < 0.65
              ? append()
              : draw < 0.85
                ? read()
                : draw < 0.95
                  ? rename()
                  : remove()
    try {
      await deed
    } catch (error) {
      rethrowOthers(error)
      await pause(200)
    }
    await pause(50 + random.int(400))
  }
}

await Promise.all(Array.from({ length: actors }, actor))
await fs.close()
await other.close()
process.exit(0)
