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
/** Time for the collector to give back what a phase left behind. */
const settleMs = 10_000

export function millionPart(bench: Bench): Promise<Row[]> {
  const files = bench.quick ? 40_000 : 1_000_000
  return inDirectory(bench, 'million', async (dir) => {
    const named = files.toLocaleString('en-US')
    bench.say(`Quarry: ${named} files`)
    const grown: number[] = []
    {
      await using cluster = await QuarryCluster.up(dir)
      // The first half fills what is bounded (caches, the collector's heap); the second shows what grows.
      for (const from of [0, files / 2]) {
        await fill(cluster.uri, from, files / 2)
        await sleep(settleMs)
        grown.push(residentMib(cluster.namenodePid))
        bench.say(`  ${from + files / 2} files: ${grown.at(-1)!.toFixed(0)} MiB resident`)
      }
    }
    const bytesOnDisk = diskBytes(dir)
    await using again = await QuarryCluster.up(dir)
    await sleep(settleMs / 2)
    const restartedMib = residentMib(again.namenodePid)

    const [halfway, full] = grown as [number, number]
    return [
      {
        id: 'million-memory',
        what: `namenode memory, growth a file from ${(files / 2).toLocaleString('en-US')} to ${named} files`,
        unit: 'B',
        ours: ((full - halfway) * 2 ** 20) / (files / 2),
        better: 'less',
        reach: 60,
        aim: 5,
        note: `Resident: ${halfway.toFixed(0)} MiB halfway, ${full.toFixed(0)} MiB at the end, ${restartedMib.toFixed(0)} MiB after a restart. HDFS keeps 134 B of heap a file without blocks.`,
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
        ours: again.readyMs / 1000,
        better: 'less',
        reach: 3,
        aim: 1,
        note: 'From the command to all datanodes live and out of safe mode, the start of the processes included.',
      },
    ]
  })
}

async function fill(uri: string, from: number, count: number): Promise<void> {
  await using clients = await Clients.connect(uri, clientCount, 'shared')
  await clients.run(async (fs, client) => {
    for (let i = from + client; i < from + count; i += clientCount) {
      const writer = await fs.create(`/million/${Math.floor(i / PER_DIRECTORY)}/${i}`, { overwrite: false })
      await writer.close()
    }
  })
}

/** Bytes of the namenode's database: everything of a cluster's directory that is not a datanode's or a log. */
function diskBytes(dir: string): number {
  let sum = 0
  for (const entry of readdirSync(dir, { recursive: true, encoding: 'utf8' })) {
    if (!/\.(db|sqlite|db-wal|sqlite-wal)$/.test(entry)) continue
    sum += lstatSync(path.join(dir, entry)).size
  }
  return sum
}
