// How much of the bandwidth it is given the balancer uses: from a full datanode to an empty one.
import { mkdtempSync, rmSync } from 'node:fs'
import path from 'node:path'
import { FileSystem } from '../../../client/index.ts'
import { run } from '../../process.ts'
import type { Row } from '../../results.ts'
import { QuarryCluster } from '../../systems/quarry.ts'
import { sampleBytes } from './cluster.ts'
import type { FailureBench } from './measures.ts'
import { binary } from './writer.ts'

const MIB = 2 ** 20
const capMib = 16
const settings = ['capacity=2g', 'sync.on.close=false', `balancer.bandwidth=${capMib}m`, 'block.size=16m', 'trash.interval=0']

export async function balancerMeasure(bench: FailureBench): Promise<Row[]> {
  const total = (bench.quick ? 192 : 768) * MIB
  const dir = mkdtempSync(path.join(bench.base, 'balancer-'))
  try {
    {
      await using one = await QuarryCluster.up(dir, [...settings, 'replication=1'], 1)
      await using fs = await FileSystem.connect(one.uri)
      const bytes = sampleBytes(16 * MIB)
      for (let number = 0; number < total / bytes.length; number++) await fs.writeFile(`/full/${number}`, bytes)
    }
    await using two = await QuarryCluster.up(dir, [...settings, 'replication=1'], 2)
    const { stdout } = await run(process.execPath, [binary, 'balancer', '-fs', two.uri, '-threshold', '1', '-json'], { timeoutMs: 600_000 })
    const lines = stdout
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as { movedBytes: number; tookMs?: number })
    const end = lines.findLast((line) => line.tookMs !== undefined)
    if (end?.tookMs === undefined || end.movedBytes === 0) throw new Error(`the balancer moved nothing:\n${stdout.slice(-1_000)}`)
    const rate = end.movedBytes / (end.tookMs / 1000)
    bench.say(
      `moved ${(end.movedBytes / MIB).toFixed(0)} MiB in ${(end.tookMs / 1000).toFixed(1)} s: ${(rate / MIB).toFixed(1)} of ${capMib} MiB/s`,
    )
    return [
      {
        id: 'failures-balancer',
        what: `balancer: moved bytes a second, of a cap of ${capMib} MiB/s`,
        unit: 'of the cap',
        ours: rate / (capMib * MIB),
        better: 'more',
        reach: 0.9,
        note: `${(end.movedBytes / MIB).toFixed(0)} MiB in blocks of 16 MiB from one full datanode to an empty one, the whole command from its start to its end.`,
      },
    ]
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}
