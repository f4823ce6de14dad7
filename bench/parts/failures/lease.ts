// A writer is killed in the middle of a block: how long from recoverLease until its file is closed and every flushed byte readable.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { sleep } from '../../process.ts'
import type { Row } from '../../results.ts'
import { repeat } from '../part.ts'
import { until, withCluster } from './cluster.ts'
import type { FailureBench } from './measures.ts'

const program = fileURLToPath(new URL('lost-writer.ts', import.meta.url))

export async function leaseMeasure(bench: FailureBench): Promise<Row[]> {
  const runs = await withCluster(bench, {}, (cluster, fs) =>
    repeat(bench.quick ? 1 : 2 * bench.rounds - 1, async (round) => {
      const path = `/lost-${round}`
      const flushed = await lostWriter(cluster.uri, path)
      await sleep(500)
      const startedMs = performance.now()
      await until(startedMs, 'the file to be closed', () => fs.recoverLease(path))
      const { length } = await fs.readFile(path)
      if (length < flushed) throw new Error(`${path} has ${length} bytes, ${flushed} were flushed`)
      const tookMs = performance.now() - startedMs
      bench.say(`recovered with ${length} bytes after ${tookMs.toFixed(0)} ms`)
      return tookMs
    }),
  )
  return [
    {
      id: 'failures-lease',
      what: 'file of a killed writer closed and read after recoverLease',
      unit: 's',
      ours: Math.max(...runs) / 1000,
      better: 'less',
      reach: 3,
      aim: 1,
      note: `Worst of ${runs.length}; the writer is killed with SIGKILL half a second before, in the middle of a block, and recoverLease is repeated every 20 ms.`,
    },
  ]
}

/** Starts a writer, kills it when it has flushed; answers how many bytes. */
function lostWriter(uri: string, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--import', 'tsx', program, uri, path], { stdio: ['ignore', 'pipe', 'inherit'] })
    let flushed = -1
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      flushed = Number(/flushed (\d+)/.exec(text)?.[1] ?? -1)
      if (flushed >= 0) child.kill('SIGKILL')
    })
    child.once('exit', () => (flushed >= 0 ? resolve(flushed) : reject(new Error('the writer ended by itself'))))
  })
}
