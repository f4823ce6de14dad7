// Replays edits, and compares namespaces: the edit log's promise is that both agree record for record.
import type { EditRecord } from './edits.ts'
import { apply } from './apply.ts'
import type { BlockRecord, Inode, NamespaceStore, NamespaceView } from './model.ts'

const PAGE = 1000

/** Applies all edits that `from` still has after `into`'s last transaction; the number of edits applied. */
export function replay(from: NamespaceStore, into: NamespaceStore): number {
  let applied = 0
  for (let after = into.tx.counters().lastTxid; ;) {
    const page = from.editsAfter(after, PAGE)
    if (page.length === 0) return applied
    applyEdits(into, page)
    applied += page.length
    after = page.at(-1)!.txid
  }
}

export function applyEdits(into: NamespaceStore, edits: readonly EditRecord[]): void {
  for (const { edit, atMs } of edits) apply(into.tx, edit, atMs, [])
  into.commit(edits)
}

/** Every record below an inode, parents first, entries in the order of listings; then the blocks of each file. */
export function* walk(view: NamespaceView, id: number): Generator<Inode | BlockRecord> {
  const inode = view.inode(id)
  if (inode === undefined) return
  yield inode
  if (inode.kind === 'file') {
    yield* view.blocks(id)
    return
  }
  for (let after = ''; ;) {
    const page = view.children(id, after, PAGE)
    for (const child of page) yield* walk(view, child.id)
    if (page.length < PAGE) return
    after = page.at(-1)!.name
  }
}
