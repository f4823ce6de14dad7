// A datanode with 1 GiB of blocks is killed: how long until every block has three copies again, with the defaults of `quarry up`.
import type { FileSystem } from '../../../client/index.ts'
import { median, sleep } from '../../process.ts'
import type { Row } from '../../results.ts'
import { repeat } from '../part.ts'
import { kill, sampleBytes, until, withCluster } from './cluster.ts'
import type { FailureBench } from './measures.ts'

const MIB = 2 ** 20
const fileBytes = 64 * MIB
/** Four datanodes, three copies: each holds three quarters of what is written. */
const datanodes = 4
const settleMs = 3_000

export async function redundancyMeasure(bench: FailureBench): Promise<Row[]> {
  const held = (bench.quick ? 128 : 1024) * MIB
  const files = Math.ceil((held / fileBytes) * (datanodes / 3))
  const runs = await repeat(bench.rounds, () =>
    withCluster(bench, { datanodes }, async (cluster, fs) => {
      const bytes = sampleBytes(fileBytes)
      for (let number = 0; number < files; number++) await fs.writeFile(`/redundancy/${number}`, bytes)
      await sleep(settleMs)
      // The one that comes nearest to a GiB.
      const copies = await copiesByNode(fs, files)
      const [victim] = [...copies].toSorted((a, b) => Math.abs(a[1] - held) - Math.abs(b[1] - held))
      const node = cluster.datanodes.find((one) => one.id === victim?.[0])
      if (victim === undefined || node === undefined) throw new Error('no datanode holds blocks')
      const killedMs = kill(node.pid)
      const tookMs = await until(killedMs, 'three copies of every block', () => isWhole(fs, files, node.id), 300_000)
      bench.say(`${node.name} with ${(victim[1] / MIB).toFixed(0)} MiB killed: whole after ${(tookMs / 1000).toFixed(1)} s`)
      return { tookMs, heldMib: victim[1] / MIB }
    }),
  )
  return [
    {
      id: 'failures-redundancy',
      what: `datanode with ${Math.round(held / MIB)} MiB of blocks killed: three copies of every block again`,
      unit: 's',
      ours: median(runs.map((run) => run.tookMs)) / 1000,
      better: 'less',
      reach: 15,
      aim: 5,
      note: `${datanodes} datanodes on one disk, embedded defaults; it held ${runs.map((run) => run.heldMib.toFixed(0)).join(', ')} MiB. Of this, gone.after is 3 s. Real HDFS with tuned settings takes 30 s, with its defaults more than ten minutes.`,
    },
  ]
}

async function copiesByNode(fs: FileSystem, files: number): Promise<Map<string, number>> {
  const copies = new Map<string, number>()
  for (let number = 0; number < files; number++)
    for (const block of await fs.blockLocations(`/redundancy/${number}`))
      for (const host of block.hosts) copies.set(host.uuid, (copies.get(host.uuid) ?? 0) + block.length)
  return copies
}

async function isWhole(fs: FileSystem, files: number, without: string): Promise<boolean> {
  for (let number = 0; number < files; number++) {
    const blocks = await fs.blockLocations(`/redundancy/${number}`)
    if (blocks.some((block) => block.hosts.filter((host) => host.uuid !== without).length < 3)) return false
  }
  return true
}
