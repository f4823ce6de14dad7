// One large directory: made, listed by the SDK and by the shell, and removed.
import { mkdtempSync, rmSync } from 'node:fs'
import path from 'node:path'
import { Clients } from '../clients.ts'
import { residentMib } from '../process.ts'
import { QuarryCluster } from '../systems/quarry.ts'

const clientCount = 64

export async function directory(options: { readonly base: string; readonly entries: number }): Promise<void> {
  const { entries } = options
  const dir = mkdtempSync(path.join(options.base, 'quarry-directory-'))
  try {
    await using cluster = await QuarryCluster.up(path.join(dir, 'cluster'))
    await using connected = await Clients.connect(cluster.uri, clientCount, 'shared')
    const fs = connected.first
    const madeMs = await connected.run(async (_, client) => {
      for (let i = client; i < entries; i += clientCount) await (await fs.create(`/large/${i}`, { overwrite: false })).close()
    })
    console.log(`create      ${entries} files in ${(madeMs / 1000).toFixed(1)} s, ${Math.round((entries / madeMs) * 1000)} a second`)
    for (const time of ['cold', 'again']) {
      const startedMs = performance.now()
      const found = await fs.readdir('/large')
      if (found.length !== entries) throw new Error(`a listing has ${found.length} of ${entries} entries`)
      console.log(`list, ${time.padEnd(5)} ${(performance.now() - startedMs).toFixed(0)} ms`)
    }
    const shell = await cluster.dfs('-ls', '/large')
    if (shell.stdout.trimEnd().split('\n').length !== entries + 1) throw new Error('ls printed another number of lines')
    console.log(`dfs -ls     ${shell.wallMs.toFixed(0)} ms`)
    let startedMs = performance.now()
    const { files } = await fs.contentSummary('/large')
    console.log(`count       ${(performance.now() - startedMs).toFixed(1)} ms, ${files} files`)
    startedMs = performance.now()
    await fs.delete('/large', { recursive: true })
    console.log(
      `delete      ${(performance.now() - startedMs).toFixed(1)} ms until answered; namenode ${residentMib(cluster.namenodePid).toFixed(0)} MiB`,
    )
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}
