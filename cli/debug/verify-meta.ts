// `debug verifyMeta`: checks a block file against its checksum file, in the words of HDFS. Both are files of this machine.
import type { ShellStreams } from '../shell/shell.ts'
import { valueOf } from './arguments.ts'

export const verifyMetaHelp = `verifyMeta -meta <metadata-file> [-block <block-file>]
  Verify HDFS metadata and block files.  If a block file is specified, we
  will verify that the checksums in the metadata file match the block
  file.
`

/** How the datanode's store reads such a pair (datanode/store/verify-meta.ts). */
export type VerifyMetaFile = (files: { readonly meta: string; readonly block?: string | undefined }) => Promise<{
  readonly type: string
  readonly bytesPerChunk: number
  readonly ok: boolean
  readonly message: string
}>

export async function runVerifyMeta(words: readonly string[], verify: VerifyMetaFile, { out, err }: ShellStreams): Promise<number> {
  if (words.length === 0) {
    await out.write(`${verifyMetaHelp}\n`)
    return 1
  }
  const meta = valueOf(words, '-meta')
  if (meta === undefined) {
    await err.write('You must specify a meta file with -meta\n')
    return 1
  }
  try {
    const { type, bytesPerChunk } = await verify({ meta })
    await out.write(`Checksum type: DataChecksum(type=${type}, chunkSize=${bytesPerChunk})\n`)
  } catch (error) {
    await err.write(`Failed to read HDFS metadata file header for ${meta}: ${messageOf(error)}\n`)
    return 1
  }
  const block = valueOf(words, '-block')
  if (block === undefined) return 0
  try {
    const { ok, message } = await verify({ meta, block })
    await out.write(ok ? `Checksum verification succeeded on block file ${block}\n` : `verifyChunkedSums error: ${message}\n`)
    return ok ? 0 : 1
  } catch (error) {
    await err.write(`Failed to open HDFS block file for ${block}: ${messageOf(error)}\n`)
    return 1
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
