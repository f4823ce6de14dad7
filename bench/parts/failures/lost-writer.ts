// The program that the benchmark of lease recovery kills: it writes, flushes, says how much, and goes on writing.
//
//   tsx lost-writer.ts URI PATH
import { FileSystem } from '../../../client/index.ts'

const [uri, path] = process.argv.slice(2) as [string, string]
const fs = await FileSystem.connect(uri)
const writer = await fs.create(path)
const piece = Buffer.alloc(100_000, 'quarry')
for (let number = 0; number < 50; number++) await writer.write(piece)
await writer.hflush()
process.stdout.write(`flushed ${writer.position}\n`)
for (;;) {
  await writer.write(piece)
  await new Promise((resolve) => setTimeout(resolve, 5))
}
