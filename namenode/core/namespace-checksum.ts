// A checksum over the namespace that two stores can compare: equal namespaces have equal checksums, whatever store, machine, cache
// or history of commits they have.
//
// What counts: every record that the edits determine, field by field, in one order: the tree from the root, parents before their
// entries, entries in the order of listings, each file followed by its blocks; then in the same way what is deleted and only waits
// to be removed; then the counters (next inode id, block id, generation stamp; files, directories, blocks).
// What few inodes have (ACL, extended attributes, storage policy of a directory, type quotas) follows the inode in a line of its own, so
// that a namespace without any has the checksum that older programs give it.
// Of an inode: id, parent, name, permission, owner, group, times; of a file its replication, block size, length, storage policy and
// lease holder; of a directory its number of entries, quotas and subtree totals. Of a block: id, index, stamp, length, state.
// What does not count: the last transaction id (it is told beside the checksum), the edit log and how much of it is kept, what the
// store keeps for itself (ids of the cluster, states of nodes), and where replicas lie.
//
// The walk takes one consistent view, which the caller provides: a copy, or a store between two turns. It comes in steps, so that
// a caller with other work can do that in between, as long as nothing is committed.
import { graveyardInodeId, rootInodeId } from '../../common/limits.ts'
import { extrasOf } from './extras.ts'
import type { BlockRecord, Inode, NamespaceView } from './model.ts'

/** SHA-256 of one line of JSON for each record. A change of what counts gets another number. */
export const checksumAlgorithm = 'quarry-namespace-1/sha-256'

/** A cryptographic digest (SHA-256) in progress. */
export interface Digest {
  update(text: string): unknown
  hex(): string
}

export interface NamespaceChecksum {
  readonly txid: number
  readonly algorithm: string
  readonly hex: string
  readonly files: number
  readonly directories: number
  readonly blocks: number
}

const PAGE = 1000

/** Yields after each page of records. */
export function* checksumSteps(view: NamespaceView, digest: Digest): Generator<undefined, NamespaceChecksum> {
  for (const top of [rootInodeId, graveyardInodeId]) yield* digestTree(view, top, digest)
  const { nextInodeId, nextBlockId, nextGenstamp, lastTxid, files, directories, blocks } = view.counters()
  digest.update(line(['counters', nextInodeId, nextBlockId, nextGenstamp, files, directories, blocks]))
  return { txid: lastTxid, algorithm: checksumAlgorithm, hex: digest.hex(), files, directories, blocks }
}

/** All steps at once. */
export function namespaceChecksum(view: NamespaceView, digest: Digest): NamespaceChecksum {
  for (const steps = checksumSteps(view, digest); ;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

/** A directory whose entries are being walked; a stack of them, since trees may be deeper than the call stack should be. */
interface Open {
  readonly id: number
  page: Inode[]
  at: number
}

function* digestTree(view: NamespaceView, topId: number, digest: Digest): Generator<undefined, void> {
  const top = view.inode(topId)
  if (top === undefined) return
  digestInode(view, top, digest)
  const stack: Open[] = [{ id: topId, page: view.children(topId, '', PAGE), at: 0 }]
  for (let open = stack.at(-1); open !== undefined; open = stack.at(-1)) {
    const inode = open.page[open.at++]
    if (inode === undefined) {
      yield
      if (open.page.length < PAGE) {
        stack.pop()
        continue
      }
      open.page = view.children(open.id, open.page.at(-1)!.name, PAGE)
      open.at = 0
    } else {
      digestInode(view, inode, digest)
      if (inode.kind === 'file') for (const block of view.blocks(inode.id)) digest.update(lineOfBlock(block))
      else if (inode.children > 0) stack.push({ id: inode.id, page: view.children(inode.id, '', PAGE), at: 0 })
    }
  }
}

function digestInode(view: NamespaceView, inode: Inode, digest: Digest): void {
  digest.update(lineOfInode(inode))
  if (inode.flags === 0) return
  const { acl, xattrs, storagePolicy, typeQuotas } = extrasOf(view, inode)
  digest.update(
    line([
      'extras',
      inode.id,
      inode.flags,
      ...acl.flatMap(({ scope, type, name, permission }) => ['acl', scope, type, name, permission]),
      ...xattrs.flatMap(({ namespace, name, value }) => ['xattr', namespace, name, value]),
      storagePolicy,
      ...typeQuotas.flatMap(({ type, quota, consumed }) => ['type', type, quota, consumed]),
    ]),
  )
}

function lineOfInode(inode: Inode): string {
  const { id, parentId, name, permission, owner, group, mtimeMs, atimeMs } = inode
  const common = [id, parentId, name, permission, owner, group, mtimeMs, atimeMs]
  if (inode.kind === 'file') {
    return line(['file', ...common, inode.replication, inode.blockSize, inode.length, inode.storagePolicy, inode.holder])
  }
  const { files, directories, bytes, space } = inode.totals
  return line(['directory', ...common, inode.children, inode.nameQuota, inode.spaceQuota, files, directories, bytes, space])
}

function lineOfBlock(block: BlockRecord): string {
  return line(['block', block.blockId, block.fileId, block.index, block.genstamp, block.length, block.state])
}

/** JSON, so that no two lists of fields give one text. */
const line = (fields: readonly (string | number)[]): string => `${JSON.stringify(fields)}\n`
