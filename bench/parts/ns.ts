// Metadata operations at 16 and 64 clients, and one run with 200,000 files.
import { median } from '../process.ts'
import type { NsPhase, NsPhaseName, NsReport } from '../ns.ts'
import type { Row } from '../results.ts'
import { repeat, withHdfs, withQuarry, type Bench } from './part.ts'

const threadCounts = [16, 64] as const

interface Reports {
  readonly hdfs: NsReport[]
  readonly shared: NsReport[]
  readonly own: NsReport[]
}

/** Every client of HDFS has a connection of its own, its faster mode. */
export async function namespacePart(bench: Bench): Promise<Row[]> {
  const files = bench.quick ? 1000 : 8000
  const byThreads = new Map<number, Reports>(threadCounts.map((threads) => [threads, { hdfs: [], shared: [], own: [] }]))
  await withHdfs(bench, [], async (cluster) => {
    for (const [threads, reports] of byThreads) reports.hdfs.push(...(await repeat(bench.rounds, () => cluster.benchNs(threads, files))))
  })
  await withQuarry(bench, [], async (cluster) => {
    for (const [threads, reports] of byThreads) {
      for (const mode of ['shared', 'own'] as const)
        reports[mode].push(...(await repeat(bench.rounds, () => cluster.benchNs(threads, files, mode))))
    }
  })
  return [...byThreads].flatMap(([threads, reports]) => rowsOf(threads, reports))
}

const medianOf = (reports: readonly NsReport[], phase: NsPhaseName, field: keyof NsPhase): number =>
  median(reports.map((report) => report.phases[phase][field]))

function rowsOf(threads: number, reports: Reports): Row[] {
  const rate = (phase: NsPhaseName, mode: 'shared' | 'own', reach: number, aim: number): Row => ({
    id: `ns-${phase}-${threads}-${mode}`,
    what: `${phase}, ${threads} clients, ${mode === 'shared' ? 'one connection' : 'a connection each'}`,
    unit: 'ops/s',
    hdfs: medianOf(reports.hdfs, phase, 'opsPerSecond'),
    ours: medianOf(reports[mode], phase, 'opsPerSecond'),
    better: 'more',
    reach,
    aim,
  })
  const rows = (['shared', 'own'] as const).flatMap((mode) => {
    const [readReach, readAim] = mode === 'shared' ? [1.2, 4] : [0.8, 2]
    return [
      rate('create', mode, 3, 6),
      rate('mkdirs', mode, 1.2, 3),
      rate('rename', mode, 1.2, 3),
      rate('delete', mode, 1.2, 3),
      rate('stat', mode, readReach, readAim),
      rate('open', mode, readReach, readAim),
      rate('list', mode, 1, 3),
    ]
  })
  if (threads !== 64) return rows
  const latency = (mode: 'shared' | 'own'): Row => ({
    id: `ns-create-p99-64-${mode}`,
    what: `p99 of create, 64 clients, ${mode === 'shared' ? 'one connection' : 'a connection each'}`,
    unit: 'ms',
    hdfs: medianOf(reports.hdfs, 'create', 'p99Ms'),
    ours: medianOf(reports[mode], 'create', 'p99Ms'),
    better: 'less',
    reach: 0.5,
    aim: 0.2,
  })
  return [...rows, latency('shared'), latency('own')]
}

export async function bulkPart(bench: Bench): Promise<Row[]> {
  const files = bench.quick ? 10_000 : 200_000
  const reads = ['--reads', '64']
  const hdfs = await withHdfs(bench, [], (cluster) => cluster.benchNs(64, files, reads))
  const ours = await withQuarry(bench, [], (cluster) => cluster.benchNs(64, files, 'shared', reads))
  const row = (phase: NsPhaseName, reach?: number, aim?: number): Row => ({
    id: `bulk-${phase}`,
    what: `${phase} of ${files.toLocaleString('en-US')} files, 64 clients`,
    unit: 'ops/s',
    hdfs: hdfs.phases[phase].opsPerSecond,
    ours: ours.phases[phase].opsPerSecond,
    better: 'more',
    ...(reach !== undefined && { reach }),
    ...(aim !== undefined && { aim }),
    note: 'One run of each, ours on one connection.',
  })
  return [row('create', 1.5, 3), row('mkdirs'), row('rename'), row('delete')]
}
