import { describe, expect, it } from 'vitest'
import type { Init, Method, NamenodePort, ReplyOf, Request } from '../proto/ports.ts'
import { AdminClient } from './admin.ts'

/** A namenode that answers each call with the next of these. */
function namenodeWith(replies: object[]): { admin: AdminClient; calls: { method: Method; request: object }[] } {
  const calls: { method: Method; request: object }[] = []
  const namenode: NamenodePort = {
    poolId: 'BP-1',
    call: async <M extends Method>(method: M, request: Init<Request<M>>) => {
      calls.push({ method, request: request as object })
      return (replies.shift() ?? {}) as ReplyOf<M>
    },
    close: async () => {},
  }
  return { admin: new AdminClient(namenode), calls }
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

describe('AdminClient', () => {
  it('asks for open files page by page, behind the last file of each', async () => {
    const { admin, calls } = namenodeWith([
      { files: [{ fileId: 1 }, { fileId: 7 }], more: true },
      { files: [{ fileId: 9 }], more: false },
    ])
    expect((await all(admin.openFiles({ path: '/a', blockingDecommission: true }))).map((file) => file.fileId)).toEqual([1, 7, 9])
    expect(calls.map((call) => call.request)).toEqual([
      { afterFileId: 0, path: '/a', blockingDecommission: true, limit: 1000 },
      { afterFileId: 7, path: '/a', blockingDecommission: true, limit: 1000 },
    ])
  })

  it('goes on behind a page of corrupt files of which none lies below the path, and ends where the namenode stands still', async () => {
    const { admin, calls } = namenodeWith([
      { files: [], lastBlockId: 5, more: true },
      { files: [{ blockId: 8, path: '/a' }], lastBlockId: 8, more: true },
      { files: [], lastBlockId: 8, more: true },
    ])
    expect(await all(admin.corruptFiles())).toEqual([{ blockId: 8, path: '/a' }])
    expect(calls).toHaveLength(3)
  })

  it('names a node state as the wire does', async () => {
    const { admin, calls } = namenodeWith([{ datanodes: [] }])
    await admin.setNodeState(['dn1'], 'maintenance', { untilMs: 5 })
    expect(calls).toEqual([{ method: 'setNodeState', request: { nodes: ['dn1'], action: 2, maintenanceUntilMs: 5 } }])
  })
})
