// `quarry admin check DIR` and `quarry admin checksum`: is a store sound, and which namespace does it hold.
import type { FileSystem } from '../../client/index.ts'
import { inspectOffline } from '../../namenode/store/offline.ts'
import type { ShellStreams } from '../shell/shell.ts'

/** The namenode copies and walks some 100,000 records a second. */
const checksumWithinMs = 3_600_000

/** Exit code 1 when something is wrong. */
export async function runCheck(directory: string, json: boolean, { out }: ShellStreams): Promise<number> {
  const found = inspectOffline(directory)
  const { problems, checksum, clusterId, firstKeptTxid } = found
  if (json) await out.write(`${JSON.stringify({ directory, ...found })}\n`)
  else {
    for (const problem of problems) await out.write(`${problem}\n`)
    const { txid, files, directories, blocks, hex } = checksum
    await out.write(
      `cluster ${clusterId}: transaction ${txid}, edits from ${firstKeptTxid}, ${files} files, ${directories} directories, ${blocks} blocks\n` +
        `namespace checksum ${hex}\n` +
        (problems.length === 0
          ? `${directory} is sound\n`
          : `${directory} is damaged: keep it as it is, and restore a backup into another directory (quarry admin restore)\n`),
    )
  }
  return problems.length === 0 ? 0 : 1
}

export async function runChecksum(source: FileSystem | string, json: boolean, { out, signal }: ShellStreams): Promise<number> {
  const checksum =
    typeof source === 'string'
      ? inspectOffline(source).checksum
      : await source.admin.namespaceChecksum({ deadlineMs: checksumWithinMs, signal })
  const { txid, algorithm, hex, files, directories, blocks } = checksum
  await out.write(
    json
      ? `${JSON.stringify({ txid, algorithm, hex, files, directories, blocks })}\n`
      : `${hex} (${algorithm}) transaction ${txid}, ${files} files, ${directories} directories, ${blocks} blocks\n`,
  )
  return 0
}
