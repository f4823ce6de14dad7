// Unmodified clients of the Hadoop world against one cluster: each script of clients/ makes its round trip, and what it keeps has the
// right bytes for Quarry's own client too. `test/interop/install` brings the programs.
import { createHash } from 'node:crypto'
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ClusterDescription } from '../../cli/cluster/description.ts'
import { must } from '../../common/assert.ts'
import { Running, Sandbox, seededBytes } from '../support/processes.ts'

const here = path.dirname(fileURLToPath(import.meta.url))
const cache = process.env['INTEROP_CACHE'] ?? path.join(here, '../../.cache/interop')
const scripts = readdirSync(path.join(here, 'clients')).filter((name) => /\.(sh|py|mjs)$/.test(name))
/** Several blocks of 1 MiB, and a part of one that ends inside a chunk. */
const content = seededBytes(3_500_001, 11)
const withinMs = 400_000

const programs: Readonly<Record<string, string>> = {
  '.sh': 'bash',
  '.py': path.join(cache, 'python/bin/python'),
  '.mjs': process.execPath,
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

describe('foreign clients', () => {
  const sandbox = new Sandbox()
  let cluster: ClusterDescription

  beforeAll(async () => {
    cluster = await sandbox.up({ args: ['-D', 'block.size=1m'] })
    writeFileSync(sandbox.path('content'), content)
    await sandbox.ok(['dfs', '-fs', cluster.uri, '-mkdir', '-p', '/clients'])
    await sandbox.ok(['dfs', '-fs', cluster.uri, '-chmod', '777', '/clients'])
  })
  afterAll(() => sandbox[Symbol.asyncDispose]())

  it.each(scripts)('%s', { timeout: withinMs }, async (script) => {
    const name = path.parse(script).name
    const root = `/clients/${name}`
    const program = must(programs[path.extname(script)])
    const args = [path.join(here, 'clients', script), must(cluster.hdfs), must(cluster.webhdfs), root, sandbox.path('content')]
    const env = sandbox.environment({ HADOOP_USER_NAME: 'visitor', INTEROP_CACHE: cache, PYTHONDONTWRITEBYTECODE: '1' })
    const running = new Running(spawn(program, args, { cwd: sandbox.dir, env, stdio: ['ignore', 'pipe', 'pipe'] }))
    const timer = setTimeout(() => running.kill('SIGKILL'), withinMs - 30_000)
    const ran = await running.done.finally(() => clearTimeout(timer))
    expect(ran.code, `${ran.stdout}\n${ran.stderr}`.slice(-4000)).toBe(0)
    const back = sandbox.path(`${name}.back`)
    await sandbox.ok(['get', '--fs', cluster.uri, `${root}/kept`, back])
    expect(sha256(readFileSync(back))).toBe(sha256(content))
  })
})
