// A client that test/integration/lease-recovery.test.ts kills in the middle of a file. Everything that it was told is a line.
//
//   node writer-child.mjs URI PATH SEED MODE
//
// MODE flush: random pieces, hflush after each ("flushed N": N bytes are safe from now on)
//      stream: as fast as it goes, no flush
//      close: a file of 300,000 bytes and its end ("closing", "closed")
import { FileSystem } from '../../dist/client.js'
import { createCipheriv } from 'node:crypto'
import { writeSync } from 'node:fs'

const [uri, path, seedText, mode] = process.argv.slice(2)
const seed = Number(seedText)
/** The same key stream as seededBytes of processes.ts. */
const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, seed % 251), Buffer.alloc(16, seed >>> 8))
const next = (length) => cipher.update(Buffer.alloc(length))
const say = (line) => writeSync(1, `${line}\n`)

const fs = await FileSystem.connect(uri)
const writer = await fs.create(path, { blockSize: 1 << 20 })
say('open')
let state = seed % 0x7fff_fffe
const draw = (limit) => (state = (state * 48_271 + 11) % 0x7fff_ffff) % limit
let written = 0
if (mode === 'close') {
  await writer.write(next(300_000))
  say('closing')
  await writer.close()
  say('closed')
  process.exit(0)
}
for (;;) {
  const length = mode === 'stream' ? 100_000 : 1 + draw(60_000)
  await writer.write(next(length))
  written += length
  if (mode === 'flush') await writer.hflush()
  say(mode === 'flush' ? `flushed ${written}` : `written ${written}`)
}
