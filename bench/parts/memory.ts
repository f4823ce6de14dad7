// What a datanode holds in memory while 50 clients write and read large files at the same time.
import { ioBench } from '../io.ts'
import { residentMib } from '../process.ts'
import type { Row } from '../results.ts'
import { withQuarry, type Bench } from './part.ts'

const streams = 50
const sampleMs = 200

export function memoryPart(bench: Bench): Promise<Row[]> {
  const share = (bench.quick ? 4 : 64) * 2 ** 20
  return withQuarry(bench, ['sync.on.close=false'], async (cluster) => {
    const idle = Math.max(...cluster.datanodePids.map(residentMib))
    let peak = idle
    const timer = setInterval(() => {
      peak = Math.max(peak, ...cluster.datanodePids.map(residentMib))
    }, sampleMs)
    try {
      await ioBench({ uri: cluster.uri, streams, bytes: share * streams, replication: 3, localReads: false })
    } finally {
      clearInterval(timer)
    }
    return [
      {
        id: 'memory-datanode',
        what: `largest datanode, ${streams} clients of ${share / 2 ** 20} MiB writing, then reading`,
        unit: 'MiB',
        ours: peak,
        better: 'less',
        note: `Resident (VmRSS), sampled every ${sampleMs} ms; ${idle.toFixed(0)} MiB before.`,
      },
    ]
  })
}
