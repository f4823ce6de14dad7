// The namenode's engine alone, in one process: no sockets, no codecs. What the doors can reach at most.
//
//   npx tsx bench/ns-engine.ts [--callers 16] [--files 20000] [--phases mkdirs,create,...] [--dir DIR]
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { options } from '../common/options.ts'
import type { Settings } from '../common/options.ts'
import { systemEnv } from '../common/system-env.ts'
import { Engine } from '../namenode/core/engine.ts'
import { FakeCluster } from '../namenode/core/testing/fake-cluster.ts'
import { SqliteStore } from '../namenode/store/sqlite-store.ts'
import type { CallContext, Command } from '../proto/ports.ts'

const { values } = parseArgs({
  options: {
    callers: { type: 'string', default: '16' },
    files: { type: 'string', default: '20000' },
    dir: { type: 'string' },
    phases: { type: 'string', default: 'mkdirs,create,stat,open,list,list cold,rename,restart,delete' },
  },
})
const phases = new Set(values.phases.split(','))
const callers = Number(values.callers)
const files = Number(values.files)
const directory = values.dir ?? mkdtempSync(join(tmpdir(), 'quarry-ns-'))
const settings = Object.fromEntries(Object.entries(options).map(([name, spec]) => [name, spec.default])) as unknown as Settings
const openStore = () => new SqliteStore({ directory, cacheEntries: settings['cache.entries'], pageCacheBytes: settings['sqlite.cache'] })
const newEngine = (store: SqliteStore) =>
  new Engine({
    store,
    cluster: new FakeCluster(),
    env: systemEnv(),
    settings: { settings, superuser: 'bench', poolId: 'BP-1' },
    defer: (callback) => void setImmediate(callback),
  })

const context = (callId: number): CallContext => ({
  user: 'bench',
  realUser: '',
  groups: [],
  remoteAddress: '127.0.0.1',
  clientId: '00112233445566778899aabbccddeeff',
  callId,
  retryCount: 0,
  callerContext: '',
})
let callId = 0

/** Runs `count` rounds of `round` with `callers` in flight; each calls `next` when it is done. */
function phase(name: string, count: number, round: (index: number, next: () => void) => void): Promise<void> {
  if (!phases.has(name)) return Promise.resolve()
  return new Promise((resolve) => {
    let started = 0
    let ended = 0
    const from = performance.now()
    const cpu = process.cpuUsage()
    const next = () => {
      ended += 1
      if (ended === count) {
        const seconds = (performance.now() - from) / 1000
        const used = process.cpuUsage(cpu)
        console.log(
          `${name.padEnd(10)} ${Math.round(count / seconds)
            .toLocaleString('en')
            .padStart(10)} /s   ${((used.user + used.system) / count).toFixed(1)} us CPU each`,
        )
        resolve()
      } else start()
    }
    let depth = 0
    const start = () => {
      if (started >= count) return
      // Queries answer in the same tick: come up for air now and then.
      if (depth > 500) {
        depth = 0
        setImmediate(start)
        return
      }
      depth += 1
      round(started++, next)
    }
    for (let i = 0; i < Math.min(callers, count); i++) start()
  })
}

let store = openStore()
let engine = newEngine(store)
const call = (command: unknown, then: (reply: object) => void) =>
  engine.submitCallback(context(callId++), command as Command, (error, reply) => {
    if (error !== undefined) throw error
    then(reply)
  })
const mkdirs = (path: string, then: () => void) =>
  call({ method: 'mkdirs', request: { path, permission: 0o755, createParent: true } }, then)
const fileOf = (i: number) => `/bench/d${i % 100}/f${i}`

await phase('mkdirs', Math.min(files, 20_000), (i, next) => mkdirs(`/bench/m/d${i}`, next))
for (let i = 0; i < 100; i++) await new Promise<void>((resolve) => mkdirs(`/bench/d${i}`, resolve))
await phase('create', files, (i, next) => {
  const path = fileOf(i)
  call(
    {
      method: 'create',
      request: {
        path,
        permission: 0o644,
        holder: `holder-${i % callers}`,
        overwrite: false,
        createParent: true,
        replication: 3,
        blockSize: 0,
      },
    },
    (reply) => {
      const { fileId } = (reply as { file: { fileId: number } }).file
      call({ method: 'complete', request: { path, fileId, holder: `holder-${i % callers}`, last: null } }, next)
    },
  )
})
await phase('stat', 1_000_000, (i, next) =>
  call({ method: 'getFileInfo', request: { path: fileOf((i * 7919) % files), needLocations: false } }, next),
)
await phase('open', 200_000, (i, next) =>
  call({ method: 'getBlockLocations', request: { path: fileOf((i * 7919) % files), offset: 0, length: 1 << 30 } }, next),
)
for (let i = 0; i < 1000; i++) await new Promise<void>((resolve) => mkdirs(`/bench/list/entry-${i}`, resolve))
await phase('list', 20_000, (_, next) =>
  call({ method: 'getListing', request: { path: '/bench/list', startAfter: '', needLocations: false, limit: 0 } }, next),
)
await phase('list cold', 500, (i, next) =>
  mkdirs(`/bench/list/entry-${i}/x`, () =>
    call({ method: 'getListing', request: { path: '/bench/list', startAfter: '', needLocations: false, limit: 0 } }, next),
  ),
)
await phase('rename', files, (i, next) => call({ method: 'rename', request: { source: fileOf(i), target: `${fileOf(i)}.r` } }, next))
// With --expose-gc the figures are what is kept, not what waits to be collected.
;(globalThis as { gc?: () => void }).gc?.()
const { rss, heapUsed } = process.memoryUsage()
console.log(`resident   ${Math.round(rss / 2 ** 20)} MB, heap ${Math.round(heapUsed / 2 ** 20)} MB`)
if (phases.has('restart')) {
  engine.close()
  store.close()
  const from = performance.now()
  store = openStore()
  engine = newEngine(store)
  const tookMs = performance.now() - from
  const count = store.counters().files
  console.log(
    `restart    ${Math.round(tookMs)} ms with ${count} files, ${Math.round(statSync(join(directory, 'namespace.db')).size / Math.max(1, count))} bytes on disk each`,
  )
}
await phase('delete', files, (i, next) =>
  call({ method: 'delete', request: { path: phases.has('rename') ? `${fileOf(i)}.r` : fileOf(i), recursive: false } }, next),
)
engine.close()
store.close()
if (values.dir === undefined) rmSync(directory, { recursive: true, force: true })
