// The files of a cluster as the coordinator sees them: where their blocks lie, and their bytes.
import type { FileSystem } from '../../client/index.ts'
import { must } from '../../common/assert.ts'
import { QuarryError } from '../../common/errors.ts'
import type { LocatedBlock } from '../../proto/ports.ts'

export interface LocatedFile {
  readonly path: string
  readonly fileId: number
  readonly length: number
  readonly poolId: string
  readonly blocks: readonly LocatedBlock[]
}

export interface TableFiles {
  /** The absolute path of a path of a query. */
  resolve(path: string): string
  locate(path: string, signal: AbortSignal): Promise<LocatedFile>
  /** Exactly `length` bytes from `start`. */
  read(file: LocatedFile, start: number, length: number, signal: AbortSignal): Promise<Uint8Array>
}

export function tableFiles(fs: FileSystem): TableFiles {
  return {
    resolve: (path) => fs.resolve(path),
    async locate(path, signal) {
      const reply = await fs.namenode.call('getBlockLocations', { path, offset: 0, length: Number.MAX_SAFE_INTEGER }, { signal })
      const located = reply.blocks
      const file = reply.file
      if (located === null) throw new QuarryError('NOT_A_FILE', `${path} is a directory: name one Parquet file.`, { path })
      if (located.underConstruction)
        throw new QuarryError('SQL', `${path} is still being written: query it when its writer has closed it.`, { path })
      return {
        path,
        fileId: file?.fileId ?? 0,
        length: located.fileLength,
        poolId: located.poolId,
        blocks: located.blocks.map((block) => ({ ...block, block: must(block.block) })),
      }
    },
    async read(file, start, length, signal) {
      await using reader = await fs.open(file.path, { signal })
      const bytes = new Uint8Array(length)
      let done = 0
      while (done < length) {
        const read = await reader.read(bytes, done, length - done, start + done)
        if (read === 0)
          throw new QuarryError('SQL', `${file.path} ended at ${start + done} of ${file.length} bytes: it was changed while it was read.`, {
            path: file.path,
          })
        done += read
      }
      return bytes
    },
  }
}
