import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { patternBytes } from '../testing/blocks.ts'
import { checksummer, encodeHeader } from './checksum-file.ts'
import { verifyMetaFile } from './verify-meta.ts'

let dir = ''
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'quarry-meta-'))))
afterEach(() => rmSync(dir, { recursive: true, force: true }))

/** A pair of files as a datanode keeps them; `change` may damage them first. */
function pair(type: number, length: number, change: (files: { data: Buffer; meta: Buffer }) => { data: Buffer; meta: Buffer } = (f) => f) {
  const sum = checksummer(type, 512)
  const data = patternBytes(length)
  const sums: Buffer[] = []
  for (let at = 0; at < length && sum.crc !== undefined; at += 512) {
    const one = Buffer.alloc(4)
    one.writeUInt32BE(sum.crc(data.subarray(at, Math.min(length, at + 512))))
    sums.push(one)
  }
  const files = change({ data, meta: Buffer.concat([encodeHeader(sum), ...sums]) })
  const [block, meta] = [join(dir, 'blk_7'), join(dir, 'blk_7_1001.meta')]
  writeFileSync(block, files.data)
  writeFileSync(meta, files.meta)
  return { block, meta }
}

describe('a block file and its checksum file', () => {
  it.each([
    [1, 'CRC32'],
    [2, 'CRC32C'],
  ])('of type %i match when nothing was damaged, whatever their length', async (type, name) => {
    for (const length of [0, 1, 512, 513, 3_000_000]) {
      const files = pair(type, length)
      expect(await verifyMetaFile(files)).toEqual({
        type: name,
        bytesPerChunk: 512,
        ok: true,
        message: `Checksum verification succeeded on block file ${files.block}`,
      })
    }
  })

  it.each([1, 2])('of type %i name the first chunk that does not match', async (type) => {
    const files = pair(type, 3_000_000, ({ data, meta }) => {
      data[2_500_000]! ^= 1
      data[2_900_000]! ^= 1
      return { data, meta }
    })
    const found = await verifyMetaFile(files)
    expect(found).toMatchObject({ ok: false, firstBadChunk: Math.floor(2_500_000 / 512) })
    expect(found.message).toMatch(
      new RegExp(
        `^Checksum ${found.type} not matched for file ${files.block} at position 2499584: expected=[0-9A-F]+ but computed=[0-9A-F]+$`,
      ),
    )
  })

  it('do not belong together when one is longer than the other', async () => {
    expect(await verifyMetaFile(pair(2, 5000, ({ data, meta }) => ({ data, meta: meta.subarray(0, 16 + 12) })))).toMatchObject({
      ok: false,
      firstBadChunk: 3,
    })
    const longer = await verifyMetaFile(pair(2, 5120, ({ data, meta }) => ({ data: data.subarray(0, 1024), meta })))
    expect(longer).toMatchObject({ ok: false, message: expect.stringContaining('checksums of 10 chunks') })
    expect(longer.firstBadChunk).toBe(undefined)
  })

  it('are looked at by the header alone when no block file is named', async () => {
    expect(await verifyMetaFile({ meta: pair(2, 100).meta })).toMatchObject({ type: 'CRC32C', bytesPerChunk: 512, ok: true })
    expect(await verifyMetaFile({ meta: pair(0, 100).meta })).toMatchObject({ type: 'NULL', ok: true })
  })

  it('are refused when the checksum file is none, or a file is missing', async () => {
    const torn = pair(2, 100, ({ data, meta }) => ({ data, meta: meta.subarray(0, 9) }))
    await expect(verifyMetaFile(torn)).rejects.toMatchObject({
      code: 'CHECKSUM',
      message: expect.stringContaining('no checksum file of a block'),
    })
    const good = pair(2, 100)
    await expect(verifyMetaFile({ ...good, block: `${good.block}x` })).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(verifyMetaFile({ meta: dir })).rejects.toMatchObject({ code: 'CONFIG' })
  })
})
