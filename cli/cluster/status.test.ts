import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, it } from 'vitest'
import { lastLogLines } from './role-process.ts'
import { durationText, sizeText, statusText } from './status.ts'

it('shows a cluster to people: who runs, who is gone and what it said last', () => {
  const text = statusText(
    {
      state: 'degraded',
      dir: '/c',
      uri: 'quarry://127.0.0.1:8021',
      startedAtMs: 1000,
      roles: [
        { name: 'namenode', pid: 1, alive: true, live: true },
        {
          name: 'datanode-1',
          pid: 2,
          alive: true,
          live: true,
          blocks: 3,
          used: 2048,
          remaining: 5 * 2 ** 30,
          restarts: 2,
          restartedAtMs: 2000,
        },
        { name: 'datanode-2', pid: 3, address: '127.0.0.1:9868', alive: true, live: false },
        { name: 'datanode-3', pid: 4, alive: false, live: false, blocks: 3, lastLog: ['the last words'] },
      ],
      fs: {
        files: 2,
        directories: 1,
        blocks: 3,
        capacity: 10,
        used: 2048,
        remaining: 1024,
        underReplicated: 3,
        corruptBlocks: 0,
        missingBlocks: 0,
        pendingDeletion: 0,
        safeMode: false,
        safeModeReason: '',
      },
    },
    62_000,
  )
  expect(text).toEqual([
    'Cluster     quarry://127.0.0.1:8021  degraded, up 1:01',
    'Directory   /c',
    'namenode    pid 1  live',
    'datanode-1  pid 2  live  3 blocks, 2.0 KiB used, 5.0 GiB free  restarted 2 times, last 1:00 ago',
    'datanode-2  pid 3  127.0.0.1:9868  silent',
    'datanode-3  pid 4  GONE',
    '              the last words',
    'Holds       2 files, 3 blocks, 2.0 KiB used, 1.0 KiB free, 3 blocks short of copies',
  ])
  expect(statusText({ state: 'stopped', dir: '/c', roles: [] }, 0)).toEqual([
    'No cluster is running in /c. Start one with: quarry up --dir /c',
  ])
})

it('says what to do where nobody starts a role again, and why nothing can be changed', () => {
  const roles = [{ name: 'datanode-1', pid: 2, alive: false, live: false }]
  const text = (attended: boolean) =>
    statusText({ state: 'degraded', dir: '/c', uri: 'quarry://127.0.0.1:8021', attended, roles }, 0).join('\n')
  expect(text(false)).toMatch(/Next step {3}.*quarry down --dir \/c && quarry up --detach --dir \/c/)
  expect(text(true)).not.toContain('Next step')
  const fs = {
    files: 0,
    directories: 1,
    blocks: 0,
    capacity: 0,
    used: 0,
    remaining: 0,
    underReplicated: 0,
    corruptBlocks: 1,
    missingBlocks: 0,
  }
  const held = statusText(
    {
      state: 'degraded',
      dir: '/c',
      roles: [],
      fs: { ...fs, pendingDeletion: 0, safeMode: true, safeModeReason: 'The disk is full.\nFree some.' },
    },
    0,
  )
  expect(held.at(-2)).toContain('1 blocks with a corrupt copy, safe mode')
  expect(held.at(-1)).toBe('Safe mode   The disk is full. Free some.')
})

it('writes sizes and times', () => {
  expect([0, 1023, 1024, 150 * 1024, 2 ** 50].map(sizeText)).toEqual(['0 B', '1023 B', '1.0 KiB', '150 KiB', '1.0 PiB'])
  expect([0, 59_999, 60_000, 3_600_000].map(durationText)).toEqual(['0:00', '0:59', '1:00', '1:00:00'])
})

it('reads the end of a log: JSON lines for people, other lines as they are', () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'quarry-log-'))
  try {
    const file = path.join(dir, 'a.log')
    writeFileSync(file, 'first\n{"level":40,"time":0,"pid":1,"blockId":7,"msg":"block.lost"}\nError: boom\n')
    expect(lastLogLines(file, 2)).toEqual(['00:00:00.000 warn block.lost {"blockId":7}', 'Error: boom'])
    expect(lastLogLines(path.join(dir, 'none'), 2)).toEqual([])
  } finally {
    rmSync(dir, { recursive: true })
  }
})
