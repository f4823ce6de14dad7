// Metadata operations per second through the SDK. Every phase is one kind of request, issued by all clients until its share is
// done; the files are empty and lie in directories of a thousand. Phases, warm-up, order of the reads and the shape of the result
// are those of the benchmark that drives Hadoop's client (bench/README.md), so that figures of one machine compare.
import { assert } from '../common/assert.ts'
import type { FileSystem } from '../client/index.ts'
import { Clients } from './clients.ts'
import { scatter } from './java-random.ts'

const PER_DIRECTORY = 1000
/** Rounds of the warm-up over all clients: connects everything and lets the compilers of both sides settle. */
const WARM_UP_ROUNDS = 800

export interface NsBenchOptions {
  readonly uri: string
  /** Loops that issue requests, one request in flight each; default 16. */
  readonly clients?: number
  /** Rounded down to thousands; default 5000. */
  readonly files?: number
  /** Operations of the stat and of the open phase; default four for each file. */
  readonly reads?: number
  readonly connections?: 'shared' | 'own'
}

export type NsPhaseName = 'mkdirs' | 'create' | 'stat' | 'open' | 'list' | 'rename' | 'delete'

export interface NsPhase {
  readonly ops: number
  readonly seconds: number
  readonly opsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
}

export interface NsReport {
  readonly bench: 'ns'
  readonly fs: string
  readonly threads: number
  readonly connections: 'shared' | 'own'
  readonly files: number
  readonly phases: Record<NsPhaseName, NsPhase>
}

export async function nsBench(options: NsBenchOptions): Promise<NsReport> {
  const { uri, clients: count = 16, connections = 'shared' } = options
  const directories = Math.max(1, Math.floor((options.files ?? 5000) / PER_DIRECTORY))
  const files = directories * PER_DIRECTORY
  const reads = options.reads ?? 4 * files
  const root = `/bench-ns-${Date.now()}`
  const fileOf = (i: number): string => `${root}/files/${Math.floor(i / PER_DIRECTORY)}/${i}`
  const order = Int32Array.from({ length: reads }, (_, i) => scatter(i, files))

  await using clients = await Clients.connect(uri, count, connections)
  try {
    await warmUp(clients, `${root}/warm-up`)
    return {
      bench: 'ns',
      fs: clients.first.uri,
      threads: count,
      connections,
      files,
      phases: {
        mkdirs: await phase(clients, files, (fs, i) => fs.mkdir(`${root}/dirs/${Math.floor(i / PER_DIRECTORY)}/${i}`, { recursive: true })),
        create: await phase(clients, files, (fs, i) => createEmpty(fs, fileOf(i))),
        stat: await phase(clients, reads, (fs, i) => fs.stat(fileOf(order[i]!))),
        open: await phase(clients, reads, (fs, i) => fs.blockLocations(fileOf(order[i]!), { offset: 0, length: 1 })),
        list: await phase(clients, Math.max(count, Math.floor(reads / 50)), async (fs, i) => {
          const entries = await fs.readdir(`${root}/files/${i % directories}`)
          assert(entries.length === PER_DIRECTORY, 'a listing is not complete')
        }),
        rename: await phase(clients, files, async (fs, i) => {
          assert(await fs.renameInto(fileOf(i), `${fileOf(i)}-renamed`), 'the file system refused a rename')
        }),
        delete: await phase(clients, files, async (fs, i) => {
          assert(await fs.delete(`${fileOf(i)}-renamed`), 'the file system refused a delete')
        }),
      },
    }
  } finally {
    await clients.first.delete(root, { recursive: true })
  }
}

async function createEmpty(fs: FileSystem, path: string): Promise<void> {
  const writer = await fs.create(path, { overwrite: false })
  await writer.close()
}

async function warmUp(clients: Clients, root: string): Promise<void> {
  const rounds = Math.max(10, Math.floor(WARM_UP_ROUNDS / clients.all.length))
  await clients.run(async (fs, client) => {
    for (let i = 0; i < rounds; i++) {
      const file = `${root}/${client}/${i}`
      await createEmpty(fs, file)
      await fs.stat(file)
      await fs.blockLocations(file, { offset: 0, length: 1 })
      assert(await fs.renameInto(file, `${file}-renamed`), 'the file system refused a rename')
      await fs.readdir(`${root}/${client}`)
      assert(await fs.delete(`${file}-renamed`), 'the file system refused a delete')
    }
  })
}

async function phase(clients: Clients, ops: number, operation: (fs: FileSystem, index: number) => Promise<unknown>): Promise<NsPhase> {
  const step = clients.all.length
  const latenciesMs = new Float64Array(ops)
  const wallMs = await clients.run(async (fs, client) => {
    for (let i = client; i < ops; i += step) {
      const startedMs = performance.now()
      await operation(fs, i)
      latenciesMs[i] = performance.now() - startedMs
    }
  })
  latenciesMs.sort()
  return {
    ops,
    seconds: round(wallMs / 1000, 3),
    opsPerSecond: round((ops / wallMs) * 1000, 1),
    p50Ms: round(latenciesMs[Math.floor(ops / 2)]!, 3),
    p99Ms: round(latenciesMs[Math.floor(ops * 0.99)]!, 3),
  }
}

const round = (value: number, digits: number): number => Number(value.toFixed(digits))

export function nsTable(report: NsReport): string {
  const row = (cells: readonly string[]): string =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(8) : cell.padStart(i === 3 ? 11 : 9))).join(' ')
  const lines = [row(['phase', 'ops', 'seconds', 'ops/s', 'p50 ms', 'p99 ms'])]
  for (const [name, p] of Object.entries(report.phases)) {
    lines.push(row([name, `${p.ops}`, p.seconds.toFixed(2), p.opsPerSecond.toFixed(1), p.p50Ms.toFixed(3), p.p99Ms.toFixed(3)]))
  }
  return lines.join('\n') + '\n'
}
