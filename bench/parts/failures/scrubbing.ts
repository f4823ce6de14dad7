// What scrubbing costs readers: the same reads with the block scanner at its default rate and without it, in turn.
import { median } from '../../process.ts'
import type { Row } from '../../results.ts'
import { withCluster } from './cluster.ts'
import type { FailureBench } from './measures.ts'

const MIB = 2 ** 20

export async function scrubbingMeasure(bench: FailureBench): Promise<Row[]> {
  const bytes = (bench.quick ? 64 : 512) * MIB
  const rounds = bench.quick ? 1 : 2 * bench.rounds + 1
  // Passes follow each other without a rest, so that the scanner reads all the time at the most it may.
  const scanning = ['sync.on.close=false', 'scan.period=1s']
  const [withScanner, without] = await withCluster(bench, { settings: scanning }, (one) =>
    withCluster(bench, { settings: ['sync.on.close=false', 'scan.bytes.per.second=0'] }, async (other) => {
      const rates: [number[], number[]] = [[], []]
      for (let round = 0; round < rounds; round++) {
        // Who comes first changes: a machine that gets slower or faster meanwhile hits both alike.
        for (const index of round % 2 === 0 ? [0, 1] : [1, 0]) {
          const cluster = index === 0 ? one : other
          const report = await cluster.benchIo(1, bytes, 3, ['--no-local-reads'])
          rates[index]!.push(report.read.mbPerSecond)
        }
      }
      return rates
    }),
  )
  const [own, alone] = [median(withScanner), median(without)]
  bench.say(
    `${own.toFixed(0)} MB/s with the scanner (${withScanner.map(Math.round).join(', ')}), ${alone.toFixed(0)} without (${without.map(Math.round).join(', ')})`,
  )
  return [
    {
      id: 'failures-scrubbing',
      what: 'loss of read throughput while the scanner reads at its default rate',
      unit: '%',
      ours: Math.max(0, (1 - own / alone) * 100),
      better: 'less',
      reach: 5,
      aim: 1,
      note: `Medians of ${rounds} reads each of ${bytes / MIB} MiB through datanodes, in turn: ${own.toFixed(0)} and ${alone.toFixed(0)} MB/s. The scanner works all the time (scan.period=1s), at most 1 MiB/s.`,
    },
  ]
}
