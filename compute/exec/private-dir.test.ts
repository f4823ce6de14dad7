import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { makePrivateDir, removeAbandoned } from './private-dir.ts'

test('directories of killed processes are removed once they are old, and no others', async () => {
  const parent = mkdtempSync(path.join(tmpdir(), 'quarry-private-'))
  try {
    const gone = spawnSync(process.execPath, ['-e', '']).pid
    const nowMs = Date.now()
    const hoursAgo = (hours: number): Date => new Date(nowMs - hours * 3_600_000)
    const make = (name: string, hours: number): void => {
      mkdirSync(path.join(parent, name))
      writeFileSync(path.join(parent, name, 'part.parquet'), 'x')
      utimesSync(path.join(parent, name), hoursAgo(hours), hoursAgo(hours))
    }
    make(`quarry-sql-${gone}-old`, 2)
    make(`quarry-sql-${gone}-new`, 0.5)
    make(`quarry-sql-${process.pid}-old`, 2)
    make(`quarry-other-${gone}-old`, 2)
    const own = await makePrivateDir(parent)
    await removeAbandoned(parent, nowMs)
    expect(readdirSync(parent).toSorted()).toEqual(
      [`quarry-sql-${gone}-new`, `quarry-sql-${process.pid}-old`, `quarry-other-${gone}-old`, path.basename(own)].toSorted(),
    )
    await removeAbandoned(path.join(parent, 'nowhere'), nowMs)
  } finally {
    rmSync(parent, { recursive: true, force: true })
  }
})
