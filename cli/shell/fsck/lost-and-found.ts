// -move: copies what remains of a broken file to /lost+found. As HDFS does it, the target is a directory of the file's path, with a
// file 0, 1, … for every run of blocks that can still be read; the broken file itself stays until -delete.
import type { FileSystem } from '../../../client/index.ts'
import { isQuarryError } from '../../../common/errors.ts'
import type { FsckBlock, FsckFile } from './blocks.ts'

const lostAndFound = '/lost+found'

export type Rescue =
  | { readonly kind: 'copied'; readonly target: string }
  /** Copied before; nothing was done. */
  | { readonly kind: 'there'; readonly target: string }
  | { readonly kind: 'failed'; readonly reason: string }

/** Copies the readable blocks. A run ends where a block cannot be read. */
export async function rescue(fs: FileSystem, file: FsckFile, signal: AbortSignal): Promise<Rescue> {
  const target = lostAndFound + file.info.path
  if (await fs.exists(target, { signal })) return { kind: 'there', target }
  // Who may read the file may look into the directory.
  const { permission } = file.info
  await fs.mkdir(target, { recursive: true, permission: permission | ((permission & 0o444) >> 2), signal })
  try {
    for (const [number, run] of readableRuns(file.blocks).entries()) await copyRun(fs, file.info.path, run, `${target}/${number}`, signal)
    return { kind: 'copied', target }
  } catch (error) {
    if (signal.aborted) throw error
    return { kind: 'failed', reason: error instanceof Error ? error.message : String(error) }
  }
}

/** Neighbouring blocks of which a good replica is known. */
export function readableRuns(blocks: readonly FsckBlock[]): FsckBlock[][] {
  const runs: FsckBlock[][] = [[]]
  for (const block of blocks) {
    if (block.corrupt || block.replicas.every((replica) => replica.state === 'CORRUPT')) runs.push([])
    else runs.at(-1)?.push(block)
  }
  return runs.filter((run) => run.length > 0)
}

async function copyRun(fs: FileSystem, path: string, run: readonly FsckBlock[], target: string, signal: AbortSignal): Promise<void> {
  await using reader = await fs.open(path, { signal })
  const writer = await fs.create(target, { overwrite: false, signal })
  try {
    for (const block of run) {
      for await (const part of reader.stream({ start: block.offset, end: block.offset + block.length, signal })) await writer.write(part)
    }
  } catch (error) {
    // A replica may turn out bad only now: what was read before it is worth keeping.
    if (signal.aborted || !(isQuarryError(error, 'CHECKSUM') || isQuarryError(error, 'BLOCK_MISSING'))) {
      await writer.abort(error)
      throw error
    }
    await writer.close()
    throw error
  }
  await writer.close()
}
