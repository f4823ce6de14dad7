import { describe, expect, it } from 'vitest'
import { QuarryError } from '../../common/errors.ts'
import { rootInodeId } from '../../common/limits.ts'
import { formatEdit } from './edits.ts'
import { replay, walk } from './replay.ts'
import { Harness } from './testing/harness.ts'
import { MemoryStore } from './testing/memory-store.ts'

class CountingStore extends MemoryStore {
  commits: number[] = []

  override commit(edits: Parameters<MemoryStore['commit']>[0]): void {
    super.commit(edits)
    this.commits.push(edits.length)
  }
}

describe('Engine', () => {
  it('commits the changes of one turn together and answers in order', async () => {
    const store = new CountingStore()
    const quarry = new Harness({ store })
    const order: number[] = []
    store.commits = []
    await Promise.all([1, 2, 3, 4, 5].map((n) => quarry.call('mkdirs', { path: `/d${n}` }).then(() => order.push(n))))
    expect(store.commits).toEqual([5])
    expect(order).toEqual([1, 2, 3, 4, 5])
  })

  it('answers a query before a change that was queued earlier, from the last commit', async () => {
    const quarry = new Harness()
    const change = quarry.call('mkdirs', { path: '/later' })
    expect(await quarry.stat('/later')).toBeNull()
    await change
    expect(await quarry.stat('/later')).toMatchObject({ kind: 1, permission: 0o755, owner: 'root', group: 'supergroup' })
  })

  it('fails every command of a batch whose commit fails, keeps the last state and goes on', async () => {
    const store = new MemoryStore()
    const quarry = new Harness({ store })
    await quarry.write('/kept')
    store.failNextCommit = new QuarryError('DISK_FULL', 'full')
    const results = await Promise.allSettled([
      quarry.call('mkdirs', { path: '/a' }),
      quarry.call('delete', { path: '/kept' }),
      quarry.call('mkdirs', { path: '/b' }),
    ])
    expect(results.map((result) => (result.status === 'rejected' ? (result.reason as QuarryError).code : 'ok'))).toEqual([
      'DISK_FULL',
      'DISK_FULL',
      'DISK_FULL',
    ])
    expect(await quarry.names('/')).toEqual(['kept'])
    await quarry.call('mkdirs', { path: '/a' })
    expect(await quarry.names('/')).toEqual(['a', 'kept'])
  })

  it('does not remember the reply of a change whose commit failed', async () => {
    const store = new MemoryStore()
    const quarry = new Harness({ store })
    const who = { clientId: 'c', callId: 7 }
    store.failNextCommit = new QuarryError('DISK_FULL', 'full')
    await quarry.fails('create', { path: '/f' }, who)
    const { file } = await quarry.call('create', { path: '/f' }, who)
    expect(file).toMatchObject({ underConstruction: true })
    expect(await quarry.stat('/f')).not.toBeNull()
  })

  it('stops for good when applying an edit goes wrong', async () => {
    const store = new MemoryStore()
    const quarry = new Harness({ store })
    store.putInode = () => {
      throw new TypeError('broken')
    }
    expect((await quarry.fails('mkdirs', { path: '/a' })).code).toBe('INTERNAL')
    expect((await quarry.fails('getFileInfo', { path: '/' })).code).toBe('INTERNAL')
  })

  it('stops for good when the disk fails, and says so to its owner', async () => {
    const store = new MemoryStore()
    const failures: QuarryError[] = []
    const quarry = new Harness({ store, onFailure: (error) => failures.push(error) })
    store.failNextCommit = new QuarryError('INTERNAL', 'the disk of the namenode fails')
    const error = await quarry.fails('mkdirs', { path: '/a' })
    expect(error).toMatchObject({
      code: 'INTERNAL',
      message: 'The namenode stopped after an internal error: the disk of the namenode fails',
    })
    expect(await quarry.fails('mkdirs', { path: '/b' })).toBe(error)
    expect(failures).toEqual([error])
  })

  it('answers a repeated call with the first reply, also after a restart', async () => {
    const quarry = new Harness()
    await quarry.write('/a')
    await quarry.write('/b')
    const rename = { clientId: 'client', callId: 1, retryCount: 1 }
    const remove = { clientId: 'client', callId: 2, retryCount: 1 }
    expect(await quarry.call('rename', { source: '/a', target: '/c' }, rename)).toEqual({ value: true })
    expect(await quarry.call('rename', { source: '/a', target: '/c' }, rename)).toEqual({ value: true })
    expect(await quarry.call('delete', { path: '/b' }, remove)).toEqual({ value: true })
    quarry.engine = quarry.newEngine()
    expect(await quarry.call('rename', { source: '/a', target: '/c' }, rename)).toEqual({ value: true })
    expect(await quarry.call('delete', { path: '/b' }, remove)).toEqual({ value: true })
    expect(await quarry.call('delete', { path: '/b' }, { clientId: 'client', callId: 3, retryCount: 1 })).toEqual({ value: false })
    await quarry.clock.advance(11 * 60_000)
    quarry.engine = quarry.newEngine()
    await quarry.clock.advance(11 * 60_000)
    expect(await quarry.call('delete', { path: '/b' }, remove)).toEqual({ value: false })
  })

  it('gives the reply of a repeated create within one batch to both', async () => {
    const quarry = new Harness()
    const who = { clientId: 'client', callId: 9 }
    const [first, second] = await Promise.all([quarry.call('create', { path: '/f' }, who), quarry.call('create', { path: '/f' }, who)])
    expect(second.file!.fileId).toBe(first.file!.fileId)
  })

  it('lets complete wait for the replica that is still on its way', async () => {
    const quarry = new Harness()
    await quarry.call('create', { path: '/f' })
    const { block } = await quarry.call('addBlock', { path: '/f' })
    quarry.cluster.live.set(block!.block!.blockId, 0)
    let answered = false
    const closing = quarry.call('complete', { path: '/f', last: { ...block!.block!, length: 5 } }).then((reply) => {
      answered = true
      return reply
    })
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(answered).toBe(false)
    quarry.cluster.live.set(block!.block!.blockId, 1)
    quarry.engine.blockReported(block!.block!.blockId)
    expect(await closing).toEqual({ value: true })
    expect(await quarry.stat('/f')).toMatchObject({ length: 5, underConstruction: false })
  })

  it('answers "not yet" when the replica does not come, without being woken', async () => {
    const quarry = new Harness()
    await quarry.call('create', { path: '/f' })
    const { block } = await quarry.call('addBlock', { path: '/f' })
    quarry.cluster.live.set(block!.block!.blockId, 0)
    const closing = quarry.call('complete', { path: '/f', last: { ...block!.block!, length: 5 } })
    const adding = quarry.fails('addBlock', { path: '/f', previous: { ...block!.block!, length: 5 } })
    await new Promise((resolve) => setTimeout(resolve, 20))
    for (let i = 0; i < 10; i++) {
      await quarry.clock.advance(1000)
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    expect(await closing).toEqual({ value: false })
    expect((await adding).code).toBe('NOT_REPLICATED_YET')
  })

  it('replays its edits into an empty store, record for record', async () => {
    const quarry = new Harness()
    await quarry.write('/a/b/c', [100, 200])
    await quarry.call('setQuota', { path: '/a', names: 100 })
    await quarry.call('rename', { source: '/a/b', target: '/x' })
    await quarry.call('create', { path: '/open', holder: 'someone' })
    const copy = new MemoryStore()
    const { lastTxid } = quarry.store.tx.counters()
    expect(replay(quarry.store, copy)).toBe(lastTxid)
    expect([...walk(copy.tx, rootInodeId)]).toEqual([...walk(quarry.store.tx, rootInodeId)])
    expect(copy.tx.counters()).toEqual(quarry.store.tx.counters())
  })

  it('shows its edits to the superuser and as lines of JSON', async () => {
    const quarry = new Harness()
    await quarry.call('mkdirs', { path: '/a' })
    const { edits, lastTxid, firstKeptTxid } = await quarry.call('getEdits', {})
    expect({ ops: edits.map((edit) => edit.op), lastTxid, firstKeptTxid }).toEqual({
      ops: ['format', 'mkdirs'],
      lastTxid: 2,
      firstKeptTxid: 1,
    })
    expect((await quarry.fails('getEdits', {}, { user: 'bob' })).code).toBe('PERMISSION_DENIED')
    expect(formatEdit(quarry.engine.editsAfter(1, 1)[0]!)).toBe(
      '{"txid":2,"at":"2023-11-14T22:13:20.000Z","op":"mkdirs","path":"/a","parent":16385,"owner":"root","permission":493,"name":"a","id":16386}',
    )
  })

  it('remembers the access time of an opened file, no more often than its precision', async () => {
    const quarry = new Harness()
    await quarry.write('/f')
    const { atimeMs } = (await quarry.stat('/f'))!
    await quarry.call('getBlockLocations', { path: '/f' })
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect((await quarry.stat('/f'))!.atimeMs).toBe(atimeMs)
    await quarry.clock.advance(3_600_001)
    await quarry.call('getBlockLocations', { path: '/f' })
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect((await quarry.stat('/f'))!.atimeMs).toBe(atimeMs + 3_600_001)
  })

  it('answers nothing but UNAVAILABLE once it is closed, after committing what was queued', async () => {
    const quarry = new Harness()
    const last = quarry.call('mkdirs', { path: '/last' })
    quarry.engine.close()
    expect(await last).toEqual({ value: true })
    expect((await quarry.fails('mkdirs', { path: '/no' })).code).toBe('UNAVAILABLE')
  })
})
