// The namenode's engine is killed with SIGKILL at random moments: every operation that it acknowledged is there afterwards, none is
// there by half, and the edit log still tells how the namespace came about.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { rootInodeId } from '../../common/limits.ts'
import { SeededRandom } from '../../common/testing/seeded-random.ts'
import type { DirectoryTotals, Inode, NamespaceView } from '../../namenode/core/model.ts'
import { namespaceChecksum } from '../../namenode/core/namespace-checksum.ts'
import { replay, walk } from '../../namenode/core/replay.ts'
import { resolve } from '../../namenode/core/resolve.ts'
import { MemoryStore } from '../../namenode/core/testing/memory-store.ts'
import { fileSpace } from '../../namenode/core/totals.ts'
import { sha256 } from '../../namenode/store/digest.ts'
import { inspectOffline } from '../../namenode/store/offline.ts'
import { SqliteStore } from '../../namenode/store/sqlite-store.ts'

const child = fileURLToPath(new URL('../support/crash-child.ts', import.meta.url))
const rounds = 6

/** Runs the engine until it has acknowledged `enough` operations, then kills it; what it acknowledged. */
async function runAndKill(directory: string, first: number, enough: number, delayMs: number): Promise<number[]> {
  const running = spawn(process.execPath, ['--import', 'tsx', child, directory, String(first), '8'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  const reached = new Promise<void>((resolve, reject) => {
    running.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      if (output.split('\n').length > enough) resolve()
    })
    running.once('exit', () => reject(new Error('the engine ended by itself')))
  })
  await reached
  await new Promise((wait) => setTimeout(wait, delayMs))
  const closed = once(running, 'close')
  running.kill('SIGKILL')
  await closed
  return output.split('\n').slice(0, -1).map(Number)
}

const at = (view: NamespaceView, path: string): Inode | undefined => resolve(view, path).last

function checkAcknowledged(view: NamespaceView, n: number): void {
  if (n % 4 === 0) expect(at(view, `/tree-${n}/a/b/c`), `mkdirs ${n}`).toBeDefined()
  else if (n % 4 === 1) expect(at(view, `/files/${n % 7}/f-${n}`), `write ${n}`).toMatchObject({ length: n, holder: '' })
  else if (n % 4 === 2) {
    expect(at(view, `/to-${n}/x`), `rename ${n}`).toMatchObject({ length: n, holder: '' })
    expect(at(view, `/from/${n}`), `rename ${n}`).toBeUndefined()
  } else expect(at(view, `/gone-${n}`), `delete ${n}`).toBeUndefined()
}

/** One edit makes a whole path, so its beginning is never there alone. */
function checkNothingHalf(view: NamespaceView): void {
  for (const inode of view.children(rootInodeId, '', 100_000)) {
    if (inode.name.startsWith('tree-')) expect(at(view, `/${inode.name}/a/b/c`), inode.name).toBeDefined()
    if (inode.name.startsWith('gone-')) expect(at(view, `/${inode.name}/deep/x`), inode.name).toBeDefined()
    if (inode.name.startsWith('to-')) expect(at(view, `/${inode.name}/x`), inode.name).toMatchObject({ holder: '' })
  }
}

function checkTotals(view: NamespaceView, id: number): DirectoryTotals {
  const inode = view.inode(id)!
  if (inode.kind === 'file') return { files: 1, directories: 0, bytes: inode.length, space: fileSpace(view, inode) }
  const sums = { files: 0, directories: 1, bytes: 0, space: 0 }
  for (const one of view.children(id, '', 1_000_000)) {
    const totals = checkTotals(view, one.id)
    sums.files += totals.files
    sums.directories += totals.directories
    sums.bytes += totals.bytes
    sums.space += totals.space
  }
  expect(inode.totals).toEqual(sums)
  return sums
}

it('keeps every acknowledged operation and no half one when it is killed at random moments', async () => {
  const seed = Number(process.env['QUARRY_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  console.log(`QUARRY_SEED=${seed}`)
  const random = new SeededRandom(seed)
  const directory = mkdtempSync(join(tmpdir(), 'quarry-crash-'))
  const acknowledged: number[] = []
  try {
    for (let round = 0; round < rounds; round++) {
      const first = round * 100_000
      acknowledged.push(...(await runAndKill(directory, first, 1 + random.int(400), random.int(40))))
      const store = new SqliteStore({ directory, cacheEntries: 1000, pageCacheBytes: 1 << 20 })
      try {
        for (const n of acknowledged) checkAcknowledged(store.tx, n)
        checkNothingHalf(store.tx)
        checkTotals(store.tx, rootInodeId)
        const copy = new MemoryStore()
        replay(store, copy)
        expect([...walk(copy.tx, rootInodeId)]).toEqual([...walk(store.tx, rootInodeId)])
        expect(namespaceChecksum(copy, sha256())).toEqual(namespaceChecksum(store, sha256()))
      } finally {
        store.close()
      }
      expect(inspectOffline(directory).problems).toEqual([])
    }
    expect(acknowledged.length).toBeGreaterThan(rounds)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})
