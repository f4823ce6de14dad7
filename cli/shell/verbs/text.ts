// text: cat that unpacks what it recognises by its first bytes: gzip here, and zlib's .deflate by its name. Hadoop's own containers
// (sequence files, Avro) and other codecs are refused by name.
import { Readable } from 'node:stream'
import { createGunzip, createInflate } from 'node:zlib'
import { ShellError } from '../errors.ts'
import type { Item } from '../store.ts'
import { Cat } from './cat.ts'

const unsupportedNames: Readonly<Record<string, string>> = { bz2: 'bzip2', lz4: 'LZ4', snappy: 'Snappy', zst: 'Zstandard' }

export class Text extends Cat {
  protected override async *decode(bytes: AsyncIterable<Uint8Array>, item: Item): AsyncIterable<Uint8Array> {
    const { head, all } = await peek(bytes, 4)
    const magic = Buffer.from(head).toString('latin1')
    const extension = item.name.slice(item.name.lastIndexOf('.') + 1)
    if (magic.startsWith('\u001f\u008b')) yield* unpack(all, createGunzip(), item)
    else if (magic.startsWith('SEQ')) throw refused(item, 'a Hadoop sequence file')
    else if (magic.startsWith('Obj')) throw refused(item, 'an Avro file')
    else if (extension === 'deflate' && head.length > 0) yield* unpack(all, createInflate(), item)
    else if (unsupportedNames[extension] !== undefined && head.length > 0) throw refused(item, `${unsupportedNames[extension]}-compressed`)
    else yield* all
  }
}

function refused(item: Item, what: string): ShellError {
  return new ShellError(`\`${item.text}': is ${what}, which text cannot show; get it and use a tool for that format`, 'UNSUPPORTED')
}

async function* unpack(bytes: AsyncIterable<Uint8Array>, unpacker: ReturnType<typeof createGunzip>, item: Item): AsyncIterable<Uint8Array> {
  const source = Readable.from(copied(bytes), { objectMode: false })
  source.on('error', (error) => unpacker.destroy(error))
  try {
    for await (const part of source.pipe(unpacker)) yield part as Uint8Array
  } catch (error) {
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('Z_'))
      throw new ShellError(`\`${item.text}': ${error.message}`)
    throw error
  }
}

/** A stream keeps what it is given, and a part is valid only until the next is asked for. */
async function* copied(bytes: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  for await (const part of bytes) yield Uint8Array.from(part)
}

/** The first bytes, and all of them, those included. */
async function peek(bytes: AsyncIterable<Uint8Array>, count: number): Promise<{ head: Uint8Array; all: AsyncIterable<Uint8Array> }> {
  const iterator = bytes[Symbol.asyncIterator]()
  let head: Uint8Array = new Uint8Array(0)
  while (head.length < count) {
    const next = await iterator.next()
    if (next.done) break
    head = Buffer.concat([head, next.value])
  }
  async function* all(): AsyncIterable<Uint8Array> {
    try {
      if (head.length > 0) yield head
      for (;;) {
        const next = await iterator.next()
        if (next.done) return
        yield next.value
      }
    } finally {
      await iterator.return?.()
    }
  }
  return { head: head.subarray(0, count), all: all() }
}
