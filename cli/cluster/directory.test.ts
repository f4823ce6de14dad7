import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  clusterDir,
  makeDirectories,
  ownIdentity,
  readCluster,
  readRunning,
  releaseDirectory,
  takeDirectory,
  writeCluster,
  type RunningRecord,
} from './directory.ts'
import { embeddedUri } from './embedded-uri.ts'
import { identityOf, isAlive, signalProcess, waitForExit } from './process-identity.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'quarry-directory-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const record = (more: Partial<RunningRecord> = {}): RunningRecord => ({
  supervisor: ownIdentity(),
  detached: false,
  ready: true,
  startedAtMs: 1,
  uri: 'quarry://127.0.0.1:1',
  drainMs: 0,
  roles: [],
  ...more,
})
const dead = { pid: process.pid, started: 'another boot' }

describe('the lock of a directory', () => {
  it('is taken once, names who has it, and is free again after release', () => {
    takeDirectory(dir, record())
    expect(() => takeDirectory(dir, record())).toThrow(
      `${dir} is in use by process ${process.pid} (quarry up); stop it with: quarry down --dir ${dir}`,
    )
    releaseDirectory(dir)
    takeDirectory(dir, record())
    expect(readdirSync(dir)).toEqual(['running.json'])
  })

  it('is held by a role that outlived its supervisor', () => {
    takeDirectory(
      dir,
      record({ supervisor: dead, detached: true, roles: [{ ...ownIdentity(), name: 'datanode-2', grpc: '', http: '', dir: '' }] }),
    )
    expect(() => takeDirectory(dir, record())).toThrow(`in use by process ${process.pid} (datanode-2)`)
  })

  it('is taken over from processes that are gone, even when their pid is used again', () => {
    takeDirectory(dir, record({ supervisor: dead }))
    expect(readRunning(dir)).toBeUndefined()
    takeDirectory(dir, record({ uri: 'quarry://127.0.0.1:2' }))
    expect(readRunning(dir)?.uri).toBe('quarry://127.0.0.1:2')
    expect(readdirSync(dir)).toEqual(['running.json'])
  })
})

describe('what a directory is', () => {
  it('an empty or missing one is a new cluster', () => {
    expect(readCluster(dir)).toBeUndefined()
    expect(readCluster(path.join(dir, 'none'))).toBeUndefined()
    makeDirectories(dir)
    expect(readCluster(dir)).toBeUndefined()
  })

  it('keeps port and datanodes', () => {
    writeCluster(dir, { layout: 1, port: 4711, datanodes: 2 })
    mkdirSync(path.join(dir, 'namenode'))
    expect(readCluster(dir)).toEqual({ layout: 1, port: 4711, datanodes: 2 })
  })

  it('refuses a directory of other things, of another layout, and a damaged one', () => {
    writeFileSync(path.join(dir, 'thesis.txt'), '')
    expect(() => readCluster(dir)).toThrow(`${dir} is not empty and holds no Quarry cluster (found thesis.txt)`)
    expect(() => readCluster(path.join(dir, 'thesis.txt'))).toThrow('ENOTDIR')
    writeFileSync(path.join(dir, 'cluster.json'), JSON.stringify({ layout: 99 }))
    expect(() => readCluster(dir)).toThrow(`${dir} was written in layout 99, and this program reads layout 1`)
    writeFileSync(path.join(dir, 'cluster.json'), '{')
    expect(() => readCluster(dir)).toThrow('cluster.json is damaged')
  })
})

describe('the cluster that is meant when none is named', () => {
  it('is the one that runs in the directory, and else the error says what to do', () => {
    expect(() => embeddedUri(dir)).toThrow('no cluster is named and none runs on this machine; start one with: quarry up')
    writeCluster(dir, { layout: 1, port: 1, datanodes: 1 })
    expect(() => embeddedUri(dir)).toThrow(`the cluster in ${dir} is not running; start it with: quarry up --dir ${dir}`)
    takeDirectory(dir, record())
    expect(embeddedUri(dir)).toBe('quarry://127.0.0.1:1')
  })

  it('has an absolute directory', () => {
    expect(clusterDir('x')).toBe(path.resolve('x'))
  })
})

it('a process is the same one only while it runs', async () => {
  const child = spawn(process.execPath, ['--eval', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
  const identity = identityOf(child.pid as number)
  if (identity === undefined) throw new Error('a running process has an identity')
  expect(isAlive(identity)).toBe(true)
  expect(isAlive({ ...identity, started: 'x' })).toBe(false)
  expect(signalProcess({ ...identity, started: 'x' }, 'SIGKILL')).toBe(false)
  expect(signalProcess(identity, 'SIGKILL')).toBe(true)
  expect(await waitForExit(identity, 30_000)).toBe(true)
  expect(isAlive(identity)).toBe(false)
})
