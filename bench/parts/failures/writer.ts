// A datanode of the pipeline is killed while a file is written: the longest time that the writer stands still.
import { fileURLToPath } from 'node:url'
import type { FileSystem } from '../../../client/index.ts'
import { sleep } from '../../process.ts'
import type { Row } from '../../results.ts'
import { kill, sampleBytes, startAgain, withCluster } from './cluster.ts'
import type { FailureBench } from './measures.ts'

export const binary = fileURLToPath(new URL('../../../bin/quarry.js', import.meta.url))
const pieceBytes = 64 * 1024
/** The writer goes on for this long after the kill. */
const afterMs = 6_000
const beforeMs = 1_500

export async function writerMeasure(bench: FailureBench): Promise<Row[]> {
  const stalls: number[] = []
  let usualMs = 0
  for (let round = 0; round < bench.rounds; round++) {
    await withCluster(bench, { datanodes: 4 }, async (cluster, fs, dir) => {
      const restarted: { stop(): Promise<void> }[] = []
      try {
        const pids = new Map(cluster.datanodes.map((node) => [node.id, node.pid]))
        for (const place of bench.quick ? [0] : [0, 1, 2]) {
          const { stallMs, calmMs, victim } = await killInPipeline(fs, `/writer-${place}`, place, pids)
          bench.say(`datanode ${place + 1} of the pipeline killed: stall ${stallMs.toFixed(0)} ms, ${calmMs.toFixed(0)} ms before`)
          stalls.push(stallMs)
          usualMs = Math.max(usualMs, calmMs)
          const name = cluster.datanodes.find((node) => node.id === victim)?.name ?? ''
          const again = await startAgain(dir, name, binary)
          restarted.push(again)
          pids.set(victim, again.pid)
          await sleep(2_000)
        }
      } finally {
        for (const role of restarted) await role.stop()
      }
    })
  }
  return [
    {
      id: 'failures-writer',
      what: "writer's longest stall when a datanode of its pipeline is killed",
      unit: 's',
      ours: Math.max(...stalls) / 1000,
      better: 'less',
      reach: 3,
      aim: 0.5,
      note: `Worst of ${stalls.length} kills, at the first, middle and last place in turn, one hflush after every 64 KiB; the longest hflush before a kill took ${usualMs.toFixed(0)} ms.`,
    },
  ]
}

async function killInPipeline(
  fs: FileSystem,
  path: string,
  place: number,
  pids: ReadonlyMap<string, number>,
): Promise<{ stallMs: number; calmMs: number; victim: string }> {
  const piece = sampleBytes(pieceBytes)
  const writer = await fs.create(path)
  let longestMs = 0
  const writeFor = async (ms: number) => {
    longestMs = 0
    const endMs = performance.now() + ms
    while (performance.now() < endMs) {
      const startedMs = performance.now()
      await writer.write(piece)
      await writer.hflush()
      longestMs = Math.max(longestMs, performance.now() - startedMs)
      await sleep(2)
    }
    return longestMs
  }
  const calmMs = await writeFor(beforeMs)
  const { blocks } = await fs.namenode.call('getBlockLocations', { path: fs.resolve(path), offset: 0, length: 1 })
  const victim = blocks?.lastBlock?.locations[place]?.datanode?.uuid ?? ''
  const pid = pids.get(victim)
  if (pid === undefined) throw new Error(`the pipeline has no datanode number ${place + 1}`)
  // In the middle of writing, not between two pieces.
  setTimeout(() => kill(pid), 200)
  const stallMs = await writeFor(afterMs)
  await writer.close()
  return { stallMs, calmMs, victim }
}
