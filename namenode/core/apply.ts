// Applies edits to the records. Deterministic: no cluster, no clock, no chance, and never a refusal; what could go wrong was
// checked when the edit was planned, so a surprise here is a bug (AssertionError) and the engine stops.
//
// Effects are what the block layer must hear after the commit; those that need the cluster's choices come from the plan instead.
import { assert, unreachable } from '../../common/assert.ts'
import { graveyardInodeId, rootInodeId } from '../../common/limits.ts'
import type { AclEntry } from '../../proto/ports.ts'
import type { BlockCommit, Edit, NewDirectories } from './edits.ts'
import type { BlockRecord, DirectoryInode, Effect, FileInode, Inode, NamespaceTx } from './model.ts'
import { extrasOf, HAS_ACL, noExtras, patchExtras } from './extras.ts'
import { emptyTotals, makeBlock, makeDirectory, makeFile, patchDirectory, patchFile } from './records.ts'
import { addEntry, addTotals, fileSpace, subtreeTotals } from './totals.ts'
import { typeSpaceBelow, watchTypes } from './type-quotas.ts'

export function apply(tx: NamespaceTx, edit: Edit, atMs: number, effects: Effect[]): void {
  const settle = tx.hasTypeQuotas() ? watchTypes(tx, edit) : undefined
  applyRecords(tx, edit, atMs, effects)
  settle?.()
}

function applyRecords(tx: NamespaceTx, edit: Edit, atMs: number, effects: Effect[]): void {
  switch (edit.op) {
    case 'format':
      tx.putInode(makeDirectory(graveyardInodeId, 0, 'deleted', 0, edit.owner, edit.group, atMs, 0, emptyTotals, 0, -1, -1))
      tx.putInode(makeDirectory(rootInodeId, 0, '', edit.permission, edit.owner, edit.group, atMs, 0, emptyTotals, 0, -1, -1))
      tx.setCounters({ directories: tx.counters().directories + 1, nextInodeId: rootInodeId + 1 })
      return
    case 'mkdirs': {
      const parent = edit.parents === undefined ? edit.parent : makeParents(tx, edit.parent, edit.parents, edit.owner, atMs)
      makeOneDirectory(tx, parent, edit.name, edit.id, edit.owner, edit.permission, edit.acl, atMs)
      return
    }
    case 'create': {
      if (edit.replaces !== undefined) removeTree(tx, edit.replaces, atMs, effects)
      const parent = edit.parents === undefined ? edit.parent : makeParents(tx, edit.parent, edit.parents, edit.owner, atMs)
      const group = directoryOf(tx, parent).group
      tx.putInode(
        makeFile(
          edit.id,
          parent,
          edit.name,
          edit.permission,
          edit.owner,
          group,
          atMs,
          atMs,
          edit.replication,
          edit.blockSize,
          0,
          edit.storagePolicy ?? 0,
          edit.holder,
          edit.acl === undefined ? 0 : HAS_ACL,
        ),
      )
      if (edit.acl !== undefined) tx.putExtras(edit.id, { ...noExtras, acl: edit.acl })
      addEntry(tx, parent, 1, atMs, 1, 0, 0, 0)
      const counters = tx.counters()
      tx.setCounters({ nextInodeId: edit.id + 1, files: counters.files + 1 })
      return
    }
    case 'append': {
      const file = fileOf(tx, edit.id)
      changeFile(tx, file, () => {
        if (edit.reopens !== undefined) tx.putBlock(withState(blockOf(tx, edit.reopens), 'under-construction'))
        tx.putInode(patchFile(file, { holder: edit.holder }))
      })
      return
    }
    case 'addBlock': {
      const file = fileOf(tx, edit.id)
      changeFile(tx, file, () => {
        if (edit.commits !== undefined) commitBlock(tx, file, edit.commits, effects)
        tx.putBlock(makeBlock(edit.blockId, file.id, tx.blocks(file.id).length, edit.genstamp, 0, 'under-construction'))
      })
      const counters = tx.counters()
      tx.setCounters({ nextBlockId: edit.blockId + 1, nextGenstamp: edit.genstamp + 1, blocks: counters.blocks + 1 })
      return
    }
    case 'abandonBlock': {
      const file = fileOf(tx, edit.id)
      changeFile(tx, file, () => dropBlock(tx, file, edit.blockId, effects))
      return
    }
    case 'close': {
      const file = fileOf(tx, edit.id)
      const { replication } = file
      changeFile(tx, file, () => {
        if (edit.commits !== undefined) commitBlock(tx, file, edit.commits, effects)
        if (edit.drops !== undefined) dropBlock(tx, file, edit.drops, effects)
        const now = fileOf(tx, edit.id)
        tx.putInode(
          makeFile(
            now.id,
            now.parentId,
            now.name,
            now.permission,
            now.owner,
            now.group,
            atMs,
            now.atimeMs,
            now.replication,
            now.blockSize,
            now.length,
            now.storagePolicy,
            '',
            now.flags,
          ),
        )
      })
      effects.push({ kind: 'file-closed', blocks: tx.blocks(file.id), replication }, { kind: 'lease-released', fileId: file.id })
      return
    }
    case 'fsync': {
      const file = fileOf(tx, edit.id)
      changeFile(tx, file, () => setBlockLength(tx, file, blockOf(tx, edit.blockId), edit.length, 'under-construction'))
      return
    }
    case 'nextGenstamp':
      tx.setCounters({ nextGenstamp: edit.genstamp + 1 })
      return
    case 'updatePipeline': {
      const file = fileOf(tx, edit.id)
      changeFile(tx, file, () => {
        const block = blockOf(tx, edit.blockId)
        setBlockLength(tx, file, { ...block, genstamp: edit.genstamp }, edit.length, 'under-construction')
      })
      return
    }
    case 'recoverBlock':
      tx.putBlock(withState(blockOf(tx, edit.blockId), 'under-recovery'))
      tx.setCounters({ nextGenstamp: edit.genstamp + 1 })
      return
    case 'truncate':
      truncate(tx, fileOf(tx, edit.id), edit.length, edit.tail, atMs, effects)
      return
    case 'concat':
      concat(tx, fileOf(tx, edit.id), edit.sources, atMs, effects)
      return
    case 'rename':
      rename(tx, edit.id, edit.parent, edit.name, edit.replaces, atMs, effects)
      return
    case 'delete':
      if (edit.later === true) bury(tx, edit.id, atMs)
      else removeTree(tx, edit.id, atMs, effects)
      return
    case 'reap':
      reap(tx, edit.records, atMs, effects)
      return
    case 'setReplication': {
      const file = fileOf(tx, edit.id)
      changeFile(tx, file, () => tx.putInode(patchFile(file, { replication: edit.replication })))
      const blocks = tx.blocks(file.id)
      if (blocks.length > 0) effects.push({ kind: 'replication-changed', blocks, replication: edit.replication })
      return
    }
    case 'setPermission':
      return patchInode(tx, edit.id, { permission: edit.permission })
    case 'setOwner': {
      const inode = inodeOf(tx, edit.id)
      return patchInode(tx, edit.id, {
        owner: edit.owner === '' ? inode.owner : edit.owner,
        group: edit.group === '' ? inode.group : edit.group,
      })
    }
    case 'setTimes': {
      const inode = inodeOf(tx, edit.id)
      return patchInode(tx, edit.id, {
        mtimeMs: edit.mtimeMs === -1 ? inode.mtimeMs : edit.mtimeMs,
        atimeMs: edit.atimeMs === -1 ? inode.atimeMs : edit.atimeMs,
      })
    }
    case 'skipIds': {
      const { nextInodeId, nextBlockId, nextGenstamp } = edit
      tx.setCounters({ nextInodeId, nextBlockId, nextGenstamp })
      return
    }
    case 'setQuota': {
      const directory = directoryOf(tx, edit.id)
      tx.putInode(
        patchDirectory(directory, {
          nameQuota: edit.names === -2 ? directory.nameQuota : edit.names,
          spaceQuota: edit.space === -2 ? directory.spaceQuota : edit.space,
        }),
      )
      return
    }
    case 'setTypeQuota': {
      const directory = directoryOf(tx, edit.id)
      const { type, quota } = edit
      const others = extrasOf(tx, directory).typeQuotas.filter((one) => one.type !== type)
      if (quota === -1) return patchExtras(tx, directory, { typeQuotas: others })
      const consumed = typeSpaceBelow(tx, directory).get(type) ?? 0
      return patchExtras(tx, directory, { typeQuotas: [...others, { type, quota, consumed }].sort((a, b) => a.type - b.type) })
    }
    case 'setAcl':
      patchInode(tx, edit.id, { permission: edit.permission })
      return patchExtras(tx, inodeOf(tx, edit.id), { acl: edit.acl })
    case 'setXAttr': {
      const { xattr } = edit
      const inode = inodeOf(tx, edit.id)
      const others = extrasOf(tx, inode).xattrs.filter((one) => one.namespace !== xattr.namespace || one.name !== xattr.name)
      return patchExtras(tx, inode, { xattrs: [xattr, ...others] })
    }
    case 'removeXAttr': {
      const inode = inodeOf(tx, edit.id)
      return patchExtras(tx, inode, {
        xattrs: extrasOf(tx, inode).xattrs.filter((one) => one.namespace !== edit.namespace || one.name !== edit.name),
      })
    }
    case 'setStoragePolicy': {
      const inode = inodeOf(tx, edit.id)
      if (inode.kind === 'file') tx.putInode(patchFile(inode, { storagePolicy: edit.policy }))
      else patchExtras(tx, inode, { storagePolicy: edit.policy })
      return
    }
    default:
      unreachable(edit, 'edit')
  }
}

// --- records by id ----------------------------------------------------------------------------------------------------------

function inodeOf(tx: NamespaceTx, id: number): Inode {
  const inode = tx.inode(id)
  assert(inode !== undefined, () => `an edit names inode ${id}, which does not exist`)
  return inode
}

function fileOf(tx: NamespaceTx, id: number): FileInode {
  const inode = inodeOf(tx, id)
  assert(inode.kind === 'file', () => `inode ${id} is not a file`)
  return inode
}

function directoryOf(tx: NamespaceTx, id: number): DirectoryInode {
  const inode = inodeOf(tx, id)
  assert(inode.kind === 'directory', () => `inode ${id} is not a directory`)
  return inode
}

function blockOf(tx: NamespaceTx, blockId: number): BlockRecord {
  const block = tx.block(blockId)
  assert(block !== undefined, () => `an edit names block ${blockId}, which does not exist`)
  return block
}

function patchInode(
  tx: NamespaceTx,
  id: number,
  patch: Partial<Pick<Inode, 'permission' | 'owner' | 'group' | 'mtimeMs' | 'atimeMs'>>,
): void {
  const inode = inodeOf(tx, id)
  tx.putInode(inode.kind === 'file' ? patchFile(inode, patch) : patchDirectory(inode, patch))
}

// --- directories ------------------------------------------------------------------------------------------------------------

function makeOneDirectory(
  tx: NamespaceTx,
  parentId: number,
  name: string,
  id: number,
  owner: string,
  permission: number,
  acl: readonly AclEntry[] | undefined,
  atMs: number,
): void {
  const group = directoryOf(tx, parentId).group
  const flags = acl === undefined ? 0 : HAS_ACL
  tx.putInode(makeDirectory(id, parentId, name, permission, owner, group, atMs, 0, emptyTotals, 0, -1, -1, flags))
  if (acl !== undefined) tx.putExtras(id, { ...noExtras, acl })
  addEntry(tx, parentId, 1, atMs, 0, 1, 0, 0)
  const counters = tx.counters()
  tx.setCounters({ nextInodeId: id + 1, directories: counters.directories + 1 })
}

/** The id of the last one made. */
function makeParents(tx: NamespaceTx, parentId: number, parents: NewDirectories, owner: string, atMs: number): number {
  let above = parentId
  for (let i = 0; i < parents.names.length; i++) {
    makeOneDirectory(tx, above, parents.names[i]!, parents.firstId + i, owner, parents.permission, parents.acl, atMs)
    above = parents.firstId + i
  }
  return above
}

// --- files and blocks -------------------------------------------------------------------------------------------------------

/** Runs a change of one file's records, then corrects the totals above it by what the change made of its bytes and charges. */
function changeFile(tx: NamespaceTx, before: FileInode, change: () => void): void {
  const space = fileSpace(tx, before)
  change()
  const after = fileOf(tx, before.id)
  addTotals(tx, after.parentId, 0, 0, after.length - before.length, fileSpace(tx, after) - space)
}

const withState = (block: BlockRecord, state: BlockRecord['state']): BlockRecord =>
  makeBlock(block.blockId, block.fileId, block.index, block.genstamp, block.length, state)

function setBlockLength(tx: NamespaceTx, file: FileInode, block: BlockRecord, length: number, state: BlockRecord['state']): BlockRecord {
  const next = makeBlock(block.blockId, block.fileId, block.index, block.genstamp, length, state)
  tx.putBlock(next)
  if (length !== block.length) tx.putInode(patchFile(file, { length: file.length - block.length + length }))
  return next
}

function commitBlock(tx: NamespaceTx, file: FileInode, commit: BlockCommit, effects: Effect[]): void {
  const before = blockOf(tx, commit.blockId)
  const block = setBlockLength(tx, file, { ...before, genstamp: commit.genstamp }, commit.length, 'committed')
  effects.push({ kind: 'block-committed', block, replication: file.replication })
}

function dropBlock(tx: NamespaceTx, file: FileInode, blockId: number, effects: Effect[]): void {
  const block = blockOf(tx, blockId)
  tx.deleteBlock(blockId)
  tx.setCounters({ blocks: tx.counters().blocks - 1 })
  if (block.length > 0) tx.putInode(patchFile(file, { length: file.length - block.length }))
  effects.push({ kind: 'blocks-deleted', blocks: [{ blockId, genstamp: block.genstamp, length: block.length }] })
}

/** Cuts at a block boundary; `tailId` is a file whose only block then follows as the kept part of the block that was cut. */
function truncate(tx: NamespaceTx, file: FileInode, length: number, tailId: number | undefined, atMs: number, effects: Effect[]): void {
  const replication = file.replication
  changeFile(tx, file, () => {
    let kept = 0
    let index = 0
    const deleted = []
    for (const block of tx.blocks(file.id)) {
      if (kept + block.length <= length) {
        kept += block.length
        index += 1
        continue
      }
      tx.deleteBlock(block.blockId)
      deleted.push({ blockId: block.blockId, genstamp: block.genstamp, length: block.length })
    }
    if (deleted.length > 0) {
      tx.setCounters({ blocks: tx.counters().blocks - deleted.length })
      effects.push({ kind: 'blocks-deleted', blocks: deleted })
    }
    if (tailId !== undefined) {
      const tail = fileOf(tx, tailId)
      const block = tx.blocks(tailId)[0]
      assert(block !== undefined, 'the tail of a truncate has no block')
      const moved = makeBlock(block.blockId, file.id, index, block.genstamp, block.length, 'committed')
      tx.putBlock(moved)
      kept += block.length
      if (tail.replication !== replication) effects.push({ kind: 'replication-changed', blocks: [moved], replication })
      removeEmptied(tx, tail, atMs)
    }
    assert(kept === length, () => `truncate of ${file.id} to ${length} kept ${kept}`)
    tx.putInode(patchFile(fileOf(tx, file.id), { length, mtimeMs: atMs }))
  })
}

function concat(tx: NamespaceTx, target: FileInode, sources: readonly number[], atMs: number, effects: Effect[]): void {
  const replication = target.replication
  changeFile(tx, target, () => {
    let index = tx.blocks(target.id).length
    let length = target.length
    for (const id of sources) {
      const source = fileOf(tx, id)
      const blocks = [...tx.blocks(id)]
      const moved = blocks.map((block) => makeBlock(block.blockId, target.id, index++, block.genstamp, block.length, block.state))
      for (const block of moved) tx.putBlock(block)
      length += source.length
      if (source.replication !== replication && moved.length > 0) effects.push({ kind: 'replication-changed', blocks: moved, replication })
      removeEmptied(tx, source, atMs)
    }
    tx.putInode(patchFile(fileOf(tx, target.id), { length, mtimeMs: atMs }))
  })
}

/** Removes a file whose blocks belong to another file by now. */
function removeEmptied(tx: NamespaceTx, file: FileInode, atMs: number): void {
  if (file.flags !== 0) tx.putExtras(file.id, undefined)
  tx.deleteInode(file.id)
  addEntry(tx, file.parentId, -1, atMs, -1, 0, -file.length, -file.length * file.replication)
  tx.setCounters({ files: tx.counters().files - 1 })
}

// --- trees ------------------------------------------------------------------------------------------------------------------

function rename(
  tx: NamespaceTx,
  id: number,
  parentId: number,
  name: string,
  replaces: number | undefined,
  atMs: number,
  effects: Effect[],
): void {
  if (replaces !== undefined) removeTree(tx, replaces, atMs, effects)
  const inode = inodeOf(tx, id)
  const totals = subtreeTotals(tx, inode)
  const patch = { parentId, name }
  if (parentId === inode.parentId) {
    tx.putInode(inode.kind === 'file' ? patchFile(inode, patch) : patchDirectory(inode, patch))
    addEntry(tx, parentId, 0, atMs, 0, 0, 0, 0)
    return
  }
  addEntry(tx, inode.parentId, -1, atMs, -totals.files, -totals.directories, -totals.bytes, -totals.space)
  tx.putInode(inode.kind === 'file' ? patchFile(inode, patch) : patchDirectory(inode, patch))
  addEntry(tx, parentId, 1, atMs, totals.files, totals.directories, totals.bytes, totals.space)
}

const PAGE = 1000

/** Removes a record and everything below it, and takes it out of its parent. */
function removeTree(tx: NamespaceTx, id: number, atMs: number, effects: Effect[]): void {
  const top = inodeOf(tx, id)
  const totals = subtreeTotals(tx, top)
  const { blocks } = tx.counters()
  const open: Inode[] = [top]
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (at.kind === 'directory' && at.children > 0) {
      for (let after = ''; ;) {
        const page = tx.children(at.id, after, PAGE)
        for (const child of page) open.push(child)
        if (page.length < PAGE) break
        after = page.at(-1)!.name
      }
    }
    removeRecord(tx, at, effects)
  }
  addEntry(tx, top.parentId, -1, atMs, -totals.files, -totals.directories, -totals.bytes, -totals.space)
  const counters = tx.counters()
  assert(counters.blocks <= blocks, 'removing a tree added blocks')
  tx.setCounters({ files: counters.files - totals.files, directories: counters.directories - totals.directories })
}

/** Removes one inode with its blocks; the totals above are the caller's. */
function removeRecord(tx: NamespaceTx, inode: Inode, effects: Effect[]): void {
  if (inode.kind === 'file') {
    if (inode.holder !== '') effects.push({ kind: 'lease-released', fileId: inode.id })
    if (inode.length > 0 || inode.holder !== '') {
      const blocks = tx.blocks(inode.id).map(({ blockId, genstamp, length }) => ({ blockId, genstamp, length }))
      for (const block of blocks) tx.deleteBlock(block.blockId)
      if (blocks.length > 0) {
        tx.setCounters({ blocks: tx.counters().blocks - blocks.length })
        const last = effects.at(-1)
        if (last?.kind === 'blocks-deleted') effects[effects.length - 1] = { kind: 'blocks-deleted', blocks: [...last.blocks, ...blocks] }
        else effects.push({ kind: 'blocks-deleted', blocks })
      }
    }
  }
  if (inode.flags !== 0) tx.putExtras(inode.id, undefined)
  tx.deleteInode(inode.id)
}

/** Takes a tree out of the namespace in one step, however large it is. */
function bury(tx: NamespaceTx, id: number, atMs: number): void {
  const top = directoryOf(tx, id)
  const { files, directories, bytes, space } = top.totals
  addEntry(tx, top.parentId, -1, atMs, -files, -directories, -bytes, -space)
  tx.putInode(patchDirectory(top, { parentId: graveyardInodeId, name: String(id) }))
  addEntry(tx, graveyardInodeId, 1, atMs, files, directories, bytes, space)
  const counters = tx.counters()
  tx.setCounters({ files: counters.files - files, directories: counters.directories - directories })
}

/** Removes up to `records` records of buried trees, leaves first, in the order of listings. */
function reap(tx: NamespaceTx, records: number, atMs: number, effects: Effect[]): void {
  for (let left = records; left > 0;) {
    let directory = directoryOf(tx, graveyardInodeId)
    let page = tx.children(directory.id, '', left)
    for (let below = page.find(hasEntries); below?.kind === 'directory'; below = page.find(hasEntries)) {
      directory = below
      page = tx.children(directory.id, '', left)
    }
    if (page.length === 0) return
    const gone = { files: 0, directories: 0, bytes: 0, space: 0 }
    for (const inode of page) {
      const totals = subtreeTotals(tx, inode)
      gone.files += totals.files
      gone.directories += totals.directories
      gone.bytes += totals.bytes
      gone.space += totals.space
      removeRecord(tx, inode, effects)
    }
    addEntry(tx, directory.id, -page.length, atMs, -gone.files, -gone.directories, -gone.bytes, -gone.space)
    left -= page.length
  }
}

const hasEntries = (inode: Inode): boolean => inode.kind === 'directory' && inode.children > 0
