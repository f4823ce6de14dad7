// The datanode that a file is read from is killed: the longest time that the reader stands still.
import type { FileSystem } from '../../../client/index.ts'
import { sleep } from '../../process.ts'
import type { Row } from '../../results.ts'
import { kill, sampleBytes, startAgain, withCluster } from './cluster.ts'
import type { FailureBench } from './measures.ts'
import { binary } from './writer.ts'

const MIB = 2 ** 20
const fileBytes = 192 * MIB

export async function readerMeasure(bench: FailureBench): Promise<Row[]> {
  const stalls: number[] = []
  for (let round = 0; round < bench.rounds; round++) {
    await withCluster(bench, {}, async (cluster, fs, dir) => {
      await fs.writeFile('/read', sampleBytes(bench.quick ? 64 * MIB : fileBytes))
      const restarted: { stop(): Promise<void> }[] = []
      try {
        // Which of the three serves is the namenode's choice: each is killed once, so one kill of three hits.
        for (const node of cluster.datanodes) {
          const stallMs = await readAndKill(fs, node.pid)
          bench.say(`${node.name} killed under a reader: longest wait ${stallMs.toFixed(0)} ms`)
          stalls.push(stallMs)
          restarted.push(await startAgain(dir, node.name, binary))
          await sleep(2_000)
        }
      } finally {
        for (const role of restarted) await role.stop()
      }
    })
  }
  return [
    {
      id: 'failures-reader',
      what: "reader's longest stall when the datanode it reads from is killed",
      unit: 's',
      ours: Math.max(...stalls) / 1000,
      better: 'less',
      reach: 1,
      aim: 0.1,
      note: `Worst of ${stalls.length} reads through datanodes; each of the three datanodes is killed in the middle of one.`,
    },
  ]
}

async function readAndKill(fs: FileSystem, pid: number): Promise<number> {
  await using reader = await fs.open('/read')
  let longestMs = 0
  let done = 0
  let killed = false
  let lastMs = performance.now()
  for await (const piece of reader.stream()) {
    longestMs = Math.max(longestMs, performance.now() - lastMs)
    done += piece.length
    if (!killed && done > reader.length / 3) {
      killed = true
      longestMs = 0
      kill(pid)
    }
    lastMs = performance.now()
  }
  if (done !== reader.length) throw new Error(`read ${done} of ${reader.length} bytes`)
  return longestMs
}
