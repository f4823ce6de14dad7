// The embedded cluster: how soon it is ready, new and again, and what it holds in memory when nothing happens.
import { median, residentMib, proportionalMib, sleep } from '../process.ts'
import type { Row } from '../results.ts'
import { QuarryCluster } from '../systems/quarry.ts'
import { inDirectory, repeat, type Bench } from './part.ts'

/** Idle for this long before memory is read. */
const settleMs = 5000

interface Figures {
  readonly newMs: number
  readonly againMs: number
  readonly residentMib: number
  readonly proportionalMib: number
}

interface Cluster extends AsyncDisposable {
  readonly readyMs: number
  pids(): number[]
}

export async function clusterPart(bench: Bench): Promise<Row[]> {
  bench.say('HDFS: start, restart, memory')
  const hdfs = await figures(bench, (dir) => bench.kit.up(dir))
  bench.say('Quarry: start, restart, memory')
  const ours = await figures(bench, (dir) => QuarryCluster.up(dir))
  const row = (id: string, what: string, unit: string, peer: number, own: number, reach: number, aim: number, note?: string): Row => ({
    id,
    what,
    unit,
    hdfs: peer,
    ours: own,
    better: 'less',
    reach,
    aim,
    ...(note !== undefined && { note }),
  })
  return [
    row('cluster-ready', 'embedded cluster ready, new', 's', hdfs.newMs / 1000, ours.newMs / 1000, 0.3, 0.15),
    row('cluster-again', 'embedded cluster ready, restarted', 's', hdfs.againMs / 1000, ours.againMs / 1000, 0.3, 0.15),
    row(
      'cluster-memory',
      'resident memory idle, four processes',
      'MiB',
      hdfs.residentMib,
      ours.residentMib,
      0.6,
      0.4,
      `Sum of VmRSS, which counts shared pages in every process; by proportional share (Pss) it is ${ours.proportionalMib.toFixed(0)} against ${hdfs.proportionalMib.toFixed(0)} MiB.`,
    ),
  ]
}

async function figures(bench: Bench, up: (dir: string) => Promise<Cluster>): Promise<Figures> {
  const runs = await repeat(bench.rounds, () =>
    inDirectory(bench, 'cluster', async (dir) => {
      const first = await up(dir)
      await first[Symbol.asyncDispose]()
      await using again = await up(dir)
      await sleep(settleMs)
      const sum = (measure: (pid: number) => number): number => again.pids().reduce((total, pid) => total + measure(pid), 0)
      return { newMs: first.readyMs, againMs: again.readyMs, residentMib: sum(residentMib), proportionalMib: sum(proportionalMib) }
    }),
  )
  const medianOf = (field: keyof Figures): number => median(runs.map((run) => run[field]))
  return {
    newMs: medianOf('newMs'),
    againMs: medianOf('againMs'),
    residentMib: medianOf('residentMib'),
    proportionalMib: medianOf('proportionalMib'),
  }
}
