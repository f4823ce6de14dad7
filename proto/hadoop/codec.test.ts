import protobuf from 'protobufjs/minimal.js'
import { describe, expect, it } from 'vitest'
import { appendDelimited, decodeHadoop, encodeHadoop, readDelimited } from './codec.ts'

describe('messages of Hadoop', () => {
  it('write required fields also when they are zero or left out', () => {
    expect(encodeHadoop('ExtendedBlock', { poolId: '', blockId: 0 }).toString('hex')).toBe('0a0010001800')
  })

  it('leave out what is optional and not there', () => {
    const block = decodeHadoop('ExtendedBlock', encodeHadoop('ExtendedBlock', { poolId: 'p', blockId: 1, generationStamp: 2 }))
    expect(block.numBytes).toBeUndefined()
    expect(block).toMatchObject({ poolId: 'p', blockId: 1, generationStamp: 2 })
  })

  it('are refused when a required field is missing', () => {
    expect(() => decodeHadoop('ExtendedBlock', new Uint8Array([0x0a, 0x00]))).toThrow('blockId is missing')
  })

  it('carry -1 through unsigned fields of 64 bits', () => {
    const bytes = encodeHadoop('ExtendedBlock', { poolId: '', blockId: 1, generationStamp: 1, numBytes: -1 })
    expect(decodeHadoop('ExtendedBlock', bytes).numBytes).toBe(-1)
  })

  it('follow each other behind their lengths', () => {
    const writer = protobuf.Writer.create()
    appendDelimited(writer, 'RequestHeader', { methodName: 'mkdirs', protocol: 'p', protocolVersion: 1 })
    appendDelimited(writer, 'Checksum', { type: 2, bytesPerChecksum: 512 })
    const reader = protobuf.Reader.create(writer.finish())
    expect(readDelimited('RequestHeader', reader).methodName).toBe('mkdirs')
    expect(readDelimited('Checksum', reader)).toMatchObject({ type: 2, bytesPerChecksum: 512 })
    expect(reader.pos).toBe(reader.len)
  })

  it('never read beyond their length', () => {
    expect(() => readDelimited('Checksum', protobuf.Reader.create(new Uint8Array([9, 8, 1])))).toThrow('are no Checksum')
  })
})
