// What an online backup costs: creates a second while backups are taken one after another, and without.
import { mkdtempSync, rmSync } from 'node:fs'
import path from 'node:path'
import { Clients } from '../../clients.ts'
import { median, run } from '../../process.ts'
import type { Row } from '../../results.ts'
import { withCluster } from './cluster.ts'
import type { FailureBench } from './measures.ts'
import { binary } from './writer.ts'

const clientCount = 64

export async function backupMeasure(bench: FailureBench): Promise<Row[]> {
  const before = bench.quick ? 2_000 : 100_000
  const each = bench.quick ? 2_000 : 20_000
  const rounds = bench.quick ? 1 : 2 * bench.rounds - 1
  const target = mkdtempSync(path.join(bench.base, 'backups-'))
  try {
    return await withCluster(bench, {}, async (cluster) => {
      await using clients = await Clients.connect(cluster.uri, clientCount, 'shared')
      let next = 0
      const create = async (count: number): Promise<number> => {
        const from = next
        next += count
        const tookMs = await clients.run(async (fs, client) => {
          for (let i = from + client; i < from + count; i += clientCount) {
            const writer = await fs.create(`/backup/${Math.floor(i / 1000)}/${i}`, { overwrite: false })
            await writer.close()
          }
        })
        return (count / tookMs) * 1000
      }
      await create(before)
      const alone: number[] = []
      const beside: number[] = []
      let backups = 0
      for (let round = 0; round < rounds; round++) {
        alone.push(await create(each))
        const stop = new AbortController()
        const taking = (async () => {
          while (!stop.signal.aborted) {
            await run(process.execPath, [binary, 'admin', 'backup', target, '--keep', '1', '--fs', cluster.uri])
            backups++
          }
        })()
        beside.push(await create(each))
        stop.abort()
        await taking
      }
      const [own, reference] = [median(beside), median(alone)]
      bench.say(`${own.toFixed(0)} creates a second beside ${backups} backups, ${reference.toFixed(0)} without`)
      return [
        {
          id: 'failures-backup',
          what: 'loss of create throughput while backups are taken',
          unit: '%',
          ours: Math.max(0, (1 - own / reference) * 100),
          better: 'less',
          reach: 20,
          aim: 5,
          note: `Medians of ${rounds} rounds of ${each.toLocaleString('en-US')} creates by ${clientCount} clients, in turn: ${own.toFixed(0)} and ${reference.toFixed(0)} ops/s. One backup after another of ${before.toLocaleString('en-US')} files and more, ${backups} in all, each by its own process on the same two cores.`,
        },
      ]
    })
  } finally {
    rmSync(target, { recursive: true, force: true })
  }
}
