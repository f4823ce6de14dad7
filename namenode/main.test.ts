import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os, { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { defaultSettings } from '../common/config.ts'
import type { Settings } from '../common/options.ts'
import { systemEnv } from '../common/system-env.ts'
import { connectNamenode } from '../proto/transport/metadata-session.ts'
import { startNamenode } from './main.ts'

const cleanups: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

function directory(): string {
  const dir = mkdtempSync(path.join(tmpdir(), 'quarry-namenode-'))
  cleanups.push(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

async function start(settings: Partial<Settings>) {
  const namenode = await startNamenode({ settings: defaultSettings(settings), env: systemEnv() })
  cleanups.push(() => namenode.close())
  return namenode
}

test('a namenode keeps its ids and its namespace over a restart', async () => {
  const dir = directory()
  const first = await start({ dir })
  expect(first.clusterId).toMatch(/^CID-[0-9a-f]{32}$/)
  expect(first.poolId).toMatch(/^BP-\d+-\d+\.\d+\.\d+\.\d+-\d+$/)
  const session = await connectNamenode({ uri: first.uri, user: os.userInfo().username })
  await session.call('mkdirs', { path: '/kept/here', permission: 0o755, createParent: true })
  await session.close()
  await first.drain()
  await first.close()
  const second = await start({ dir, port: Number(first.grpc.split(':')[1]) })
  expect({ ...second, http: '', drain: 0, close: 0 }).toEqual({ ...first, http: '', drain: 0, close: 0 })
  const again = await connectNamenode({ uri: second.uri, user: os.userInfo().username })
  cleanups.push(() => again.close())
  expect((await again.call('getFileInfo', { path: '/kept/here' })).file?.kind).toBe(1)
})

test('health, status and metrics tell how it fares; nothing else is there', async () => {
  const namenode = await start({ dir: directory() })
  const get = async (url: string, init?: RequestInit) => {
    const response = await fetch(`http://${namenode.http}${url}`, init)
    return { status: response.status, body: await response.text() }
  }
  expect(await get('/health')).toEqual({ status: 200, body: 'ok\n' })
  expect(JSON.parse((await get('/status')).body)).toMatchObject({
    clusterId: namenode.clusterId,
    poolId: namenode.poolId,
    draining: false,
    safeMode: { on: false, reason: '' },
    datanodes: [],
    namespace: { files: 0, directories: 1, blocks: 0, lastTxid: 1 },
    redundancy: { missingBlocks: 0, replicas: 0 },
  })
  const metrics = await get('/metrics')
  for (const line of metrics.body.trimEnd().split('\n'))
    expect(line).toMatch(/^(# (HELP|TYPE) quarry_namenode_[a-z_]+ .+|quarry_namenode_[a-z_]+(\{[a-z]+="[^"]*"\})? -?[0-9.e+-]+)$/)
  expect(metrics.body).toContain('quarry_namenode_directories 1\n')
  expect((await get('/other')).status).toBe(404)
  expect((await get('/health', { method: 'POST', body: 'x' })).status).toBe(405)
  await namenode.drain()
  expect(await get('/health')).toEqual({ status: 503, body: 'stopping\n' })
})

test('the figures say what waits for its turn, what was refused, and who takes most of the namenode', async () => {
  const namenode = await start({ dir: directory() })
  const client = await connectNamenode({ uri: namenode.uri, user: 'say "dear"' })
  cleanups.push(() => client.close())
  await Promise.all(Array.from({ length: 1_000 }, () => client.call('getFileInfo', { path: '/' })))
  const text = async (url: string) => (await fetch(`http://${namenode.http}${url}`)).text()
  const { load } = JSON.parse(await text('/status')) as { load: object }
  expect(load).toMatchObject({ clients: 1, inFlight: 0, finishing: 0, changes: 0, queries: 0, refused: 0, users: 1 })
  expect(load).toMatchObject({ dearest: [{ user: 'say "dear"', recentMs: expect.any(Number) as number }] })
  const metrics = await text('/metrics')
  for (const queue of ['finishing', 'changes', 'queries']) expect(metrics).toContain(`quarry_namenode_calls_waiting{queue="${queue}"} 0\n`)
  expect(metrics).toContain('quarry_namenode_calls_overloaded_total 0\n')
  expect(metrics).toContain('quarry_namenode_users 1\n')
  expect(metrics).toMatch(/^quarry_namenode_commit_window [1-9]\d*$/m)
  expect(metrics).toMatch(/^quarry_namenode_user_recent_seconds\{user="say \\"dear\\""\} 0\.\d+$/m)
})

test('what cannot be is refused before anything is opened', async () => {
  await expect(start({ dir: directory(), bind: '0.0.0.0' })).rejects.toMatchObject({ code: 'CONFIG' })
  await expect(start({})).rejects.toMatchObject({
    code: 'CONFIG',
    message: 'dir is not set: the namenode needs a directory for its database.',
  })
})

test('whatever page of its database is damaged, a namenode that cannot start says so with the way out', async () => {
  const dir = directory()
  const first = await start({ dir })
  await first.drain()
  await first.close()
  const file = path.join(dir, 'namespace.db')
  const sound = readFileSync(file)
  let refused = 0
  for (let at = 4096; at < sound.length; at += 4096) {
    const damaged = Buffer.from(sound)
    damaged.fill(0x78, at, at + 4096)
    writeFileSync(file, damaged)
    const outcome = await start({ dir }).catch((error: unknown) => error)
    if (!(outcome instanceof Error)) {
      await (outcome as Awaited<ReturnType<typeof start>>).close()
      continue
    }
    expect(outcome).toMatchObject({
      code: 'CONFIG',
      message: expect.stringMatching(/is damaged: .*quarry admin restore BACKUP --into DIR/),
    })
    refused++
  }
  expect(refused).toBeGreaterThan(2)
})

test('a port or a directory in use is said by name, and nothing stays open', async () => {
  const dir = directory()
  const running = await start({ dir })
  const port = Number(running.grpc.split(':')[1])
  const other = directory()
  await expect(start({ dir: other, port })).rejects.toMatchObject({ code: 'IN_USE' })
  await expect(start({ dir: other, 'http.port': Number(running.http.split(':')[1]) })).rejects.toMatchObject({ code: 'IN_USE' })
  await expect(start({ dir })).rejects.toMatchObject({ code: 'IN_USE' })
  const fine = await start({ dir: other })
  expect(fine.clusterId).not.toBe(running.clusterId)
})
