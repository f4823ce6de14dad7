// The program that test/integration/namenode-crash.test.ts kills: the namenode's engine over SQLite, with callers that never stop.
// Each operation is acknowledged by a line with its number, after the engine has answered.
//
//   node --import tsx crash-child.ts DIR FIRST-NUMBER CALLERS
import { writeSync } from 'node:fs'
import { systemEnv } from '../../common/system-env.ts'
import { Engine } from '../../namenode/core/engine.ts'
import { FakeCluster } from '../../namenode/core/testing/fake-cluster.ts'
import { testSettings } from '../../namenode/core/testing/harness.ts'
import { SqliteStore } from '../../namenode/store/sqlite-store.ts'
import type { CallContext, FileStatusReply, LocatedBlockReply, Method, ReplyOf, Request } from '../../proto/ports.ts'

const [directory, first, callers] = [process.argv[2]!, Number(process.argv[3]), Number(process.argv[4])]
const store = new SqliteStore({ directory, cacheEntries: 1000, pageCacheBytes: 1 << 20 })
const engine = new Engine({
  store,
  cluster: new FakeCluster(),
  env: systemEnv(),
  settings: { settings: { ...testSettings, 'edits.retain': 0 }, superuser: 'root', poolId: 'BP-1' },
  defer: (callback) => void setImmediate(callback),
})
const context: CallContext = {
  user: 'root',
  realUser: '',
  groups: [],
  remoteAddress: '',
  clientId: '',
  callId: 0,
  retryCount: 0,
  callerContext: '',
}
const call = <M extends Method>(method: M, request: Partial<Request<M>>) =>
  engine.submit(context, method, request as Request<M>) as Promise<ReplyOf<M>>

async function write(path: string, length: number): Promise<void> {
  const holder = path
  const { file } = (await call('create', {
    path,
    permission: 0o644,
    holder,
    overwrite: false,
    createParent: true,
    storagePolicy: '',
    hasUnmasked: false,
    unmasked: 0,
    replication: 2,
    blockSize: 1 << 20,
  })) as FileStatusReply
  const { fileId } = file!
  const { block } = (await call('addBlock', { path, fileId, holder, previous: null, excluded: [], favored: [] })) as LocatedBlockReply
  await call('complete', { path, fileId, holder, last: { ...block!.block!, length } })
}

let next = first
async function caller(): Promise<void> {
  for (;;) {
    const n = next++
    if (n % 4 === 0)
      await call('mkdirs', { path: `/tree-${n}/a/b/c`, permission: 0o755, createParent: true, hasUnmasked: false, unmasked: 0 })
    else if (n % 4 === 1) await write(`/files/${n % 7}/f-${n}`, n)
    else if (n % 4 === 2) {
      await write(`/from/${n}/x`, n)
      await call('rename', { source: `/from/${n}`, target: `/to-${n}` })
    } else {
      await write(`/gone-${n}/deep/x`, n)
      await call('delete', { path: `/gone-${n}`, recursive: true })
    }
    writeSync(1, `${n}\n`)
  }
}
await call('mkdirs', { path: '/from', permission: 0o755, createParent: true, hasUnmasked: false, unmasked: 0 })
await Promise.all(Array.from({ length: callers }, caller))
