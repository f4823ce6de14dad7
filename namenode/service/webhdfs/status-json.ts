// File status as WebHDFS tells of it. Java casts most fields without looking whether they are there: all are sent.
import type { FileStatus, ListingReply } from '../../../proto/ports.ts'
import { FileKind } from '../../../proto/ports.ts'

const HAS_ACL = 1
const LISTED_ACL = 1 << 14

/** The object as text; `pathSuffix` is the name in a listing, else ''. */
export function statusJson(file: FileStatus): string {
  return entryJson({
    acl: (file.flags & HAS_ACL) !== 0,
    name: file.name,
    isDirectory: file.kind === FileKind.KIND_DIRECTORY,
    permission: file.permission,
    owner: file.owner,
    group: file.group,
    length: file.length,
    mtimeMs: file.mtimeMs,
    atimeMs: file.atimeMs,
    blockSize: file.blockSize,
    replication: file.replication,
    fileId: file.fileId,
    children: file.children,
    storagePolicy: file.storagePolicy,
  })
}

/** The entries of a page, and the name of the last one. */
export function listingJson(page: ListingReply): { readonly entries: string[]; readonly last: string } {
  const entries: string[] = []
  const names = Buffer.from(page.names.buffer, page.names.byteOffset, page.names.length)
  let at = 0
  let name = ''
  for (let i = 0; i < page.entries; i++) {
    const end = at + page.nameLengths[i]!
    name = names.toString('utf8', at, end)
    at = end
    const word = page.kindPermission[i]!
    entries.push(
      entryJson({
        acl: (word & LISTED_ACL) !== 0,
        name,
        isDirectory: word >>> 16 === FileKind.KIND_DIRECTORY,
        permission: word & 0o1777,
        owner: page.principals[page.owner[i]!]!,
        group: page.principals[page.group[i]!]!,
        length: page.length[i]!,
        mtimeMs: page.mtimeMs[i]!,
        atimeMs: page.atimeMs[i]!,
        blockSize: page.blockSize[i]!,
        replication: page.replication[i]!,
        fileId: page.fileId[i]!,
        children: page.children[i]!,
        storagePolicy: page.storagePolicy[i] ?? 0,
      }),
    )
  }
  return { entries, last: name }
}

interface Entry {
  readonly acl: boolean
  readonly name: string
  readonly isDirectory: boolean
  readonly permission: number
  readonly owner: string
  readonly group: string
  readonly length: number
  readonly mtimeMs: number
  readonly atimeMs: number
  readonly blockSize: number
  readonly replication: number
  readonly fileId: number
  readonly children: number
  readonly storagePolicy: number
}

/** Put together by hand: a large directory has a million of them. */
function entryJson(entry: Entry): string {
  const { isDirectory } = entry
  return (
    `{"accessTime":${entry.atimeMs}${entry.acl ? ',"aclBit":true' : ''},"blockSize":${entry.blockSize},"childrenNum":${entry.children},` +
    `"fileId":${entry.fileId},"group":${JSON.stringify(entry.group)},"length":${entry.length},"modificationTime":${entry.mtimeMs},` +
    `"owner":${JSON.stringify(entry.owner)},"pathSuffix":${JSON.stringify(entry.name)},"permission":"${entry.permission.toString(8)}",` +
    `"replication":${entry.replication},"storagePolicy":${entry.storagePolicy},"type":"${isDirectory ? 'DIRECTORY' : 'FILE'}"}`
  )
}
