// Names in a storage directory. The shape is HDFS's, so that an operator finds the way.
//
//   identity.json                         whose storage this is
//   in_use.lock                           pid of the datanode that has it open
//   scanner.cursor                        how far the block scanner has come
//   current/finalized/subdirA/subdirB/    blk_ID and blk_ID_GENSTAMP.meta: complete replicas
//   current/rbw/                          the same two files of replicas being written
//   tmp/                                  copies being received; emptied at every start
//   scratch/                              hard links for the compute agent; emptied at every start
import { join } from 'node:path'

export const identityFile = 'identity.json'
export const lockFile = 'in_use.lock'
export const cursorFile = 'scanner.cursor'

export interface StoragePaths {
  readonly root: string
  readonly finalized: string
  readonly rbw: string
  readonly tmp: string
  readonly scratch: string
}

export function storagePaths(root: string): StoragePaths {
  return {
    root,
    finalized: join(root, 'current/finalized'),
    rbw: join(root, 'current/rbw'),
    tmp: join(root, 'tmp'),
    scratch: join(root, 'scratch'),
  }
}

const fanOut = 32

/** The directory of a finalised block: 32 by 32, chosen as HDFS does, so that neighbours share a directory. */
export function finalizedDirectory(paths: StoragePaths, blockId: number): string {
  return subdirectory(paths, Math.floor(blockId / 65_536) % fanOut, Math.floor(blockId / 256) % fanOut)
}

/** All of them, whether they exist or not. */
export function* finalizedDirectories(paths: StoragePaths): Generator<string> {
  for (let first = 0; first < fanOut; first++) for (let second = 0; second < fanOut; second++) yield subdirectory(paths, first, second)
}

function subdirectory(paths: StoragePaths, first: number, second: number): string {
  return join(paths.finalized, `subdir${first}`, `subdir${second}`)
}

export function dataName(blockId: number): string {
  return `blk_${blockId}`
}

export function checksumName(blockId: number, genstamp: number): string {
  return `blk_${blockId}_${genstamp}.meta`
}

export type ParsedName =
  | { readonly kind: 'data'; readonly blockId: number }
  | { readonly kind: 'checksums'; readonly blockId: number; readonly genstamp: number }

export function parseName(name: string): ParsedName | undefined {
  const match = /^blk_(\d{1,16})(?:_(\d{1,16})\.meta)?$/.exec(name)
  if (match === null) return undefined
  const blockId = Number(match[1])
  return match[2] === undefined ? { kind: 'data', blockId } : { kind: 'checksums', blockId, genstamp: Number(match[2]) }
}
