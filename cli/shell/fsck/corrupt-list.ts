// -list-corruptfileblocks: every block below a path that has no good replica, with its file.
import type { FileSystem } from '../../../client/index.ts'
import type { Output } from '../../output/output.ts'

/** Blocks whose replication is asked for at once; the most that one call may name is 1,000. */
const group = 500
const exitSomeCorrupt = 255

export async function listCorruptBlocks(fs: FileSystem, typed: string, out: Output, signal: AbortSignal): Promise<number> {
  let count = 0
  let waiting: { blockId: number; path: string }[] = []
  const print = async (): Promise<void> => {
    const known = await fs.admin.replicas(
      waiting.map((one) => one.blockId),
      { signal },
    )
    const replication = new Map(known.map((one) => [one.block?.blockId, one.replication]))
    for (const { blockId, path } of waiting) {
      if (count++ === 0) await out.write(`The list of corrupt blocks under path '${typed}' are:\n`)
      await out.write(`blk_${blockId}\t${replication.get(blockId) ?? 0}\t${path}\n`)
    }
    waiting = []
  }
  for await (const corrupt of fs.admin.corruptFiles(fs.resolve(typed), { signal })) {
    waiting.push(corrupt)
    if (waiting.length === group) await print()
  }
  if (waiting.length > 0) await print()
  await out.write(`The filesystem under path '${typed}' has ${count} CORRUPT blocks\n`)
  return count === 0 ? 0 : exitSomeCorrupt
}
