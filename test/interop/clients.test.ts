// Unmodified clients of the Hadoop world against one cluster: each script of clients/ makes its round trip, and what it keeps has the
// right bytes for Quarry's own client too. `test/interop/install` brings the programs.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ClusterDescription } from '../../cli/cluster/description.ts'
import { must } from '../../common/assert.ts'
import { Sandbox, seededBytes } from '../support/processes.ts'

const here = path.dirname(fileURLToPath(import.meta.url))
const cache = process.env['INTEROP_CACHE'] ?? path.join(here, '../../.cache/interop')
const scripts = readdirSync(path.join(here, 'clients')).filter((name) => /\.(sh|py|mjs)$/.test(name))
/** Several blocks of the smallest size, and a part of one. */
const content = seededBytes(3_500_000, 11)
const withinMs = 400_000

const programs: Readonly<Record<string, string>> = {
  '.sh': 'bash',
  '.py': path.join(cache, 'python/bin/python'),
  '.mjs': process.execPath,
}

const sha256 = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex')

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
    const root = `/clients/${path.parse(script).name}`
    const ran = spawnSync(
      must(programs[path.extname(script)]),
      [
        path.join(here, 'clients', script),
        must(cluster.hdfs),
        must(cluster.webhdfs),
        root,
        sandbox.path('content'),
        path.join(cache, 'node'),
      ],
      { env: sandbox.environment({ HADOOP_USER_NAME: 'root' }), encoding: 'utf8', timeout: withinMs, maxBuffer: 2 ** 26 },
    )
    expect(ran.status, `${ran.stdout}\n${ran.stderr}`.slice(-4000)).toBe(0)
    const back = sandbox.path(`${path.parse(script).name}.back`)
    await sandbox.ok(['get', '--fs', cluster.uri, `${root}/kept`, back])
    expect(sha256(readFileSync(back))).toBe(sha256(content))
  })
})
