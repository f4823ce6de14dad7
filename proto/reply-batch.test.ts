import { expect, test } from 'vitest'
import { QuarryError } from '../common/errors.ts'
import { codec } from './codec.ts'
import { ReplyBatchEncoder } from './reply-batch.ts'
import { ReplyBatchReader } from './reply-reader.ts'

test('a batch encoded reply by reply is the message that the codec writes', () => {
  const encoder = new ReplyBatchEncoder()
  const listing = { exists: true, entries: 1, names: Buffer.from('a'), nameLengths: [1] }
  encoder.welcome({ protocol: 1, clusterId: 'c', poolId: 'p' })
  encoder.reply(1, 'mkdirs', { value: true })
  encoder.reply(2, 'renewLease', {})
  encoder.reply(3, 'getListing', listing)
  encoder.reply(4, 'getListing', listing)
  encoder.error(5, new QuarryError('NOT_FOUND', 'File does not exist: /x', { path: '/x' }))
  encoder.error(6, new QuarryError('SAFE_MODE', 'not now'))
  expect(encoder.replies).toBe(6)
  const expected = codec('ReplyBatch').encode({
    welcome: { protocol: 1, clusterId: 'c', poolId: 'p' },
    replies: [
      { id: 1, mkdirs: { value: true } },
      { id: 2, renewLease: {} },
      { id: 3, getListing: listing },
      { id: 4, getListing: listing },
      { id: 5, error: { code: 'NOT_FOUND', message: 'File does not exist: /x', detailsJson: '{"path":"/x"}' } },
      { id: 6, error: { code: 'SAFE_MODE', message: 'not now', detailsJson: '' } },
    ],
  })
  expect(encoder.bytes).toBe(expected.length)
  expect(codec('ReplyBatch').decode(encoder.finish())).toEqual(codec('ReplyBatch').decode(expected))
  expect(encoder.bytes).toBe(0)
})

test('a batch read part by part is the batch that the codec reads', () => {
  const bytes = codec('ReplyBatch').encode({
    welcome: { protocol: 1, clusterId: 'c', poolId: 'p' },
    replies: [
      { id: 1, mkdirs: { value: true } },
      { id: 2, renewLease: {} },
      { id: 3, error: { code: 'NOT_FOUND', message: 'x', detailsJson: '' } },
    ],
  })
  const whole = codec('ReplyBatch').decode(bytes)
  const reader = new ReplyBatchReader(bytes)
  expect(reader.next()).toEqual({ kind: 'welcome', welcome: whole.welcome })
  for (const reply of whole.replies) expect(reader.next()).toEqual({ kind: 'reply', reply })
  expect(reader.next()).toBeUndefined()
  expect(reader.position).toBe(bytes.length)
  expect(() => new ReplyBatchReader(bytes.subarray(0, -1)).next()).not.toThrow()
  expect(() => {
    const cut = new ReplyBatchReader(bytes.subarray(0, -1))
    while (cut.next());
  }).toThrow()
})
