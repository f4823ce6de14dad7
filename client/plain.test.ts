import { expect, test } from 'vitest'
import { codec } from '../proto/codec.ts'
import { plain } from './plain.ts'

test('fields that were left out on the wire become own fields with their defaults', () => {
  const report = codec('DatanodeReportReply')
  const decoded = report.decode(report.encode({ datanodes: [{ datanode: { uuid: 'a' }, live: true, storages: [{ storageUuid: 's' }] }] }))
  const [node] = plain(decoded.datanodes)
  expect(JSON.parse(JSON.stringify({ ...node }))).toMatchObject({
    live: true,
    stale: false,
    blocks: 0,
    datanode: { uuid: 'a', ip: '', grpcPort: 0 },
    storages: [{ storageUuid: 's', capacity: 0, failed: false }],
  })
})

test('a field called op is kept, the name of which field of a oneof is set is not', () => {
  const edits = codec('EditsReply')
  const [edit] = plain(edits.decode(edits.encode({ edits: [{ txid: 2, op: 'mkdirs', json: '{}' }] })).edits)
  expect(edit).toEqual({ txid: 2, atMs: 0, op: 'mkdirs', json: '{}' })
  const batch = codec('CallBatch')
  const [call] = plain(batch.decode(batch.encode({ calls: [{ id: 7, getFileInfo: { path: '/a' } }] })).calls)
  expect(Object.keys(call!)).not.toContain('op')
})
