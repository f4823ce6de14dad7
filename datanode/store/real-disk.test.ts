import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import { testDisk } from './disk-conformance.ts'
import { RealDisk } from './real-disk.ts'

const made: string[] = []
afterEach(() => {
  for (const dir of made.splice(0)) rmSync(dir, { recursive: true, force: true })
})

testDisk('the file system of this machine', async () => {
  const root = mkdtempSync(join(tmpdir(), 'quarry-disk-'))
  made.push(root)
  return { disk: new RealDisk(), root }
})
