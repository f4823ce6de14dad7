// What holds of the namenode's records at any moment between two events: totals of directories, and one writer a file.
import type { DirectoryTotals, Inode } from '../../../namenode/core/model.ts'
import { rootInodeId } from '../../../common/limits.ts'
import { Violation } from '../run/violation.ts'
import type { Cluster } from '../world/cluster.ts'

const entriesMax = 100_000

/** I6: every directory's totals are those of its subtree, counted anew. */
export function checkTotals(cluster: Cluster): void {
  const { store } = cluster.namenode
  const root = store.inode(rootInodeId)
  if (root) count(cluster, root, '/')
}

function count(cluster: Cluster, inode: Inode, path: string): DirectoryTotals {
  const { store } = cluster.namenode
  if (inode.kind === 'file') {
    const blocks = store.blocks(inode.id)
    const bytes = blocks.reduce((sum, block) => sum + block.length, 0)
    if (bytes !== inode.length) throw new Violation('I6', `${path} says ${inode.length} bytes, its blocks have ${bytes}`)
    const charged = blocks.reduce((sum, block) => sum + (block.state === 'committed' ? block.length : inode.blockSize), 0)
    return { files: 1, directories: 0, bytes, space: charged * inode.replication }
  }
  const sum = { files: 0, directories: 1, bytes: 0, space: 0 }
  const children = store.children(inode.id, '', entriesMax)
  for (const child of children) {
    const below = count(cluster, child, `${path === '/' ? '' : path}/${child.name}`)
    sum.files += below.files
    sum.directories += below.directories
    sum.bytes += below.bytes
    sum.space += below.space
  }
  const { totals } = inode
  if (inode.children !== children.length)
    throw new Violation('I6', `${path} says it has ${inode.children} entries, it has ${children.length}`)
  for (const key of ['files', 'directories', 'bytes', 'space'] as const)
    if (totals[key] !== sum[key]) throw new Violation('I6', `${path} says ${key} ${totals[key]}, its subtree has ${sum[key]}`)
  return sum
}

/** I2, as the edit log tells it: nobody opens a file that is open. Answers a look at the edits since the last look. */
export function checkEdits(cluster: Cluster): () => void {
  const { store } = cluster.namenode
  const holders = new Map<number, string>()
  let seen = 0
  return () => {
    for (;;) {
      const edits = store.editsAfter(seen, 1_000)
      for (const { txid, edit } of edits) {
        seen = txid
        switch (edit.op) {
          case 'create':
          case 'append': {
            const holder = holders.get(edit.id)
            if (holder !== undefined) throw new Violation('I2', `edit ${txid} gives ${edit.path} to ${edit.holder} while ${holder} has it`)
            holders.set(edit.id, edit.holder)
            break
          }
          case 'close':
          case 'delete':
            holders.delete(edit.id)
            break
          default:
        }
      }
      if (edits.length < 1_000) return
    }
  }
}
