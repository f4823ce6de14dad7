// What few inodes have (model.ts, Extras): ACL, extended attributes, the storage policy and the type quotas of a directory.
//
// The flags of an inode say which of them it has, so that an inode without any costs no look-up.
import type { Extras, Inode, NamespaceTx, NamespaceView } from './model.ts'
import { patchDirectory, patchFile } from './records.ts'

/** The bit that HDFS's file status shows, too. */
export const HAS_ACL = 1
export const HAS_XATTRS = 2
export const HAS_POLICY = 4
export const HAS_TYPE_QUOTAS = 8

export const noExtras: Extras = { acl: [], xattrs: [], storagePolicy: 0, typeQuotas: [] }

export function extrasOf(view: NamespaceView, inode: Inode): Extras {
  return inode.flags === 0 ? noExtras : (view.extras(inode.id) ?? noExtras)
}

export function flagsOf(extras: Extras): number {
  return (
    (extras.acl.length > 0 ? HAS_ACL : 0) |
    (extras.xattrs.length > 0 ? HAS_XATTRS : 0) |
    (extras.storagePolicy !== 0 ? HAS_POLICY : 0) |
    (extras.typeQuotas.length > 0 ? HAS_TYPE_QUOTAS : 0)
  )
}

/** Writes what changes of them, and the flags of the inode. */
export function patchExtras(tx: NamespaceTx, inode: Inode, patch: Partial<Extras>): void {
  const extras = { ...extrasOf(tx, inode), ...patch }
  const flags = flagsOf(extras)
  tx.putExtras(inode.id, flags === 0 ? undefined : extras)
  if (flags !== inode.flags) tx.putInode(inode.kind === 'file' ? patchFile(inode, { flags }) : patchDirectory(inode, { flags }))
}
