// Many clients for a long time: files written, read, listed, renamed and deleted. Memory of every process must stay flat.
import { mkdtempSync, rmSync } from 'node:fs'
import path from 'node:path'
import { FileSystem } from '../../client/index.ts'
import { residentMib, sleep } from '../process.ts'
import { QuarryCluster } from '../systems/quarry.ts'
import { columns } from './latencies.ts'

const looksEvery = 12
const bodyBytes = 200_000

export async function clients(options: { readonly base: string; readonly seconds: number; readonly count: number }): Promise<void> {
  const dir = mkdtempSync(path.join(options.base, 'quarry-clients-'))
  try {
    await using cluster = await QuarryCluster.up(path.join(dir, 'cluster'))
    const connections = await Promise.all(Array.from({ length: options.count }, () => FileSystem.connect(cluster.uri)))
    const endMs = performance.now() + options.seconds * 1000
    let rounds = 0
    let failures = 0
    const reasons = new Map<string, number>()
    const body = Buffer.alloc(bodyBytes, 'quarry')
    const client = async (fs: FileSystem, number: number): Promise<void> => {
      const home = `/load/${number}`
      for (let turn = 0; performance.now() < endMs; turn++) {
        const file = `${home}/${turn % 50}`
        try {
          await fs.writeFile(file, body, { overwrite: true })
          const back = await fs.readFile(file)
          if (!back.equals(body)) throw new Error(`${file} came back changed`)
          await fs.readdir(home)
          await fs.rename(file, `${file}-renamed`, { overwrite: true })
          await fs.delete(`${file}-renamed`)
          rounds++
        } catch (error) {
          failures++
          const reason = error instanceof Error ? error.message.slice(0, 120) : String(error)
          reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
        }
      }
    }
    const running = Promise.all(connections.map((fs, number) => client(fs, number)))
    console.log(columns(['seconds', 'namenode MiB', ...cluster.datanodePids.map((_, i) => `datanode ${i + 1}`), 'rounds', 'failures']))
    const startedMs = performance.now()
    for (let look = 0; look <= looksEvery; look++) {
      console.log(
        columns([
          ((performance.now() - startedMs) / 1000).toFixed(0),
          ...cluster.pids().map((pid) => residentMib(pid).toFixed(0)),
          `${rounds}`,
          `${failures}`,
        ]),
      )
      if (look < looksEvery) await sleep((options.seconds * 1000) / looksEvery)
    }
    await running
    for (const [reason, times] of reasons) console.log(`${times} x ${reason}`)
    await Promise.all(connections.map((fs) => fs.close()))
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}
