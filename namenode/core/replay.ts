// Replays edits, and compares namespaces: the edit log's promise is that both agree record for record.
import { isQuarryError, QuarryError } from '../../common/errors.ts'
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
  for (const record of edits) applyOne(into, record)
  into.commit(edits)
}

/** An edit that does not fit what is there was not written for it: the log is damaged, or another namespace's. */
function applyOne(into: NamespaceStore, { txid, edit, atMs }: EditRecord): void {
  try {
    apply(into.tx, edit, atMs, [])
  } catch (error) {
    if (isQuarryError(error)) throw error
    throw new QuarryError(
      'INTERNAL',
      `Edit ${txid} (${edit.op}) cannot be applied: the edit log is damaged, or does not continue this namespace.`,
      { txid },
      { cause: error },
    )
  }
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
