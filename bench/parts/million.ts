// A namespace of 1,000,000 files: what it costs the namenode in memory and on disk, and how long it takes to come back.
import { lstatSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { Clients } from '../clients.ts'
import { residentMib, sleep } from '../process.ts'
import type { Row } from '../results.ts'
import { QuarryCluster } from '../systems/quarry.ts'
import { inDirectory, type Bench } from './part.ts'

const clientCount = 64
const PER_DIRECTORY = 1000
/** Directories that are listed after a restart: 400,000 names, more than the namenode's caches hold, the same at every size. */
const directoriesRead = 400
/** Time for the collector to give back what a phase left behind. */
const settleMs = 10_000

export function millionPart(bench: Bench): Promise<Row[]> {
  const files = bench.quick ? 40_000 : 1_000_000
  return inDirectory(bench, 'million', async (dir) => {
    const named = files.toLocaleString('en-US')
    bench.say(`Quarry: ${named} files`)
    const half = await grow(dir, 0, files / 2)
    const full = await grow(dir, files / 2, files)
    for (const step of [half, full])
      bench.say(`  ${step.files} files: ${step.busyMib.toFixed(0)} MiB after writing, ${step.readMib.toFixed(0)} MiB restarted and read`)
    const bytesOnDisk = diskBytes(dir)

    return [
      {
        id: 'million-memory',
        what: `namenode memory, growth a file from ${(files / 2).toLocaleString('en-US')} to ${named} files`,
        unit: 'B',
        ours: ((full.readMib - half.readMib) * 2 ** 20) / (files / 2),
        better: 'less',
        reach: 60,
        aim: 5,
        note:
          `Resident (VmRSS) of a namenode that was restarted and has listed the same ${directoriesRead} directories, so that its bounded caches are full: ` +
          `${half.readMib.toFixed(0)} MiB with half of the files, ${full.readMib.toFixed(0)} MiB with all; right after writing them, with the ` +
          `collector's heap of that load, ${half.busyMib.toFixed(0)} and ${full.busyMib.toFixed(0)} MiB. HDFS keeps 134 B of heap a file without blocks.`,
      },
      {
        id: 'million-disk',
        what: `namenode disk a file, ${named} empty files`,
        unit: 'B',
        ours: bytesOnDisk / files,
        better: 'less',
        reach: 300,
        aim: 150,
        note: 'The database after an orderly stop, the edits it retains included.',
      },
      {
        id: 'million-restart',
        what: `cluster ready again with ${named} files`,
        unit: 's',
        ours: full.readyMs / 1000,
        better: 'less',
        reach: 3,
        aim: 1,
        note: 'From the command to all datanodes live and out of safe mode, the start of the processes included.',
      },
    ]
  })
}

interface Step {
  readonly files: number
  /** Namenode after writing the files. */
  readonly busyMib: number
  /** Namenode after a restart and the listings. */
  readonly readMib: number
  readonly readyMs: number
}

async function grow(dir: string, from: number, to: number): Promise<Step> {
  const busyMib = await withCluster(dir, async (cluster) => {
    await fill(cluster.uri, from, to)
    await sleep(settleMs)
    return residentMib(cluster.namenodePid)
  })
  return withCluster(dir, async (cluster) => {
    await listDirectories(cluster.uri, Math.min(directoriesRead, to / PER_DIRECTORY))
    await sleep(settleMs)
    return { files: to, busyMib, readMib: residentMib(cluster.namenodePid), readyMs: cluster.readyMs }
  })
}

async function withCluster<T>(dir: string, body: (cluster: QuarryCluster) => Promise<T>): Promise<T> {
  await using cluster = await QuarryCluster.up(dir)
  return await body(cluster)
}

async function fill(uri: string, from: number, to: number): Promise<void> {
  await using clients = await Clients.connect(uri, clientCount, 'shared')
  await clients.run(async (fs, client) => {
    for (let i = from + client; i < to; i += clientCount) {
      const writer = await fs.create(`/million/${Math.floor(i / PER_DIRECTORY)}/${i}`, { overwrite: false })
      await writer.close()
    }
  })
}

async function listDirectories(uri: string, count: number): Promise<void> {
  await using clients = await Clients.connect(uri, 1, 'shared')
  await clients.run(async (fs) => {
    for (let i = 0; i < count; i++) await fs.readdir(`/million/${i}`)
  })
}

/** Bytes of the namenode's database and its write-ahead log. */
function diskBytes(dir: string): number {
  let sum = 0
  for (const entry of readdirSync(dir, { recursive: true, encoding: 'utf8' })) {
    if (/\.(db|sqlite)(-wal)?$/.test(entry)) sum += lstatSync(path.join(dir, entry)).size
  }
  return sum
}
