// The edit log: what changed the namespace, as data. An edit names records by id, so that applying it needs no look-up by path;
// paths are there for people and for feeds.
//
// Applied in order of txid to an empty store, the edits give the same namespace record for record (apply.ts).
import type { AclEntry, StorageType, XAttrNamespace } from '../../proto/ports.ts'
import type { XAttrRecord } from './model.ts'

/** Directories that an edit creates on its way: ids firstId, firstId + 1, ... from the top. */
export interface NewDirectories {
  readonly names: readonly string[]
  readonly firstId: number
  readonly permission: number
  /** What each of them inherits (Extras.acl); absent = nothing. */
  readonly acl?: readonly AclEntry[]
}

/** Commits a block at its final length. */
export interface BlockCommit {
  readonly blockId: number
  readonly genstamp: number
  readonly length: number
}

export type Edit =
  | { readonly op: 'format'; readonly owner: string; readonly group: string; readonly permission: number }
  | {
      readonly op: 'mkdirs'
      readonly path: string
      readonly parent: number
      readonly owner: string
      readonly permission: number
      readonly name: string
      readonly id: number
      readonly parents?: NewDirectories
      readonly acl?: readonly AclEntry[]
    }
  | {
      readonly op: 'create'
      readonly path: string
      readonly parent: number
      readonly owner: string
      readonly permission: number
      readonly name: string
      readonly id: number
      readonly parents?: NewDirectories
      readonly replication: number
      readonly blockSize: number
      readonly holder: string
      readonly replaces?: number
      readonly acl?: readonly AclEntry[]
      readonly storagePolicy?: number
    }
  | { readonly op: 'append'; readonly path: string; readonly id: number; readonly holder: string; readonly reopens?: number }
  | {
      readonly op: 'addBlock'
      readonly path: string
      readonly id: number
      readonly blockId: number
      readonly genstamp: number
      readonly commits?: BlockCommit
    }
  | { readonly op: 'abandonBlock'; readonly path: string; readonly id: number; readonly blockId: number }
  | { readonly op: 'close'; readonly path: string; readonly id: number; readonly commits?: BlockCommit; readonly drops?: number }
  | { readonly op: 'fsync'; readonly path: string; readonly id: number; readonly blockId: number; readonly length: number }
  | { readonly op: 'nextGenstamp'; readonly genstamp: number; readonly blockId: number }
  | { readonly op: 'updatePipeline'; readonly id: number; readonly blockId: number; readonly genstamp: number; readonly length: number }
  | { readonly op: 'recoverBlock'; readonly path: string; readonly id: number; readonly blockId: number; readonly genstamp: number }
  | { readonly op: 'truncate'; readonly path: string; readonly id: number; readonly length: number; readonly tail?: number }
  | { readonly op: 'concat'; readonly path: string; readonly id: number; readonly sources: readonly number[] }
  | {
      readonly op: 'rename'
      readonly source: string
      readonly target: string
      readonly id: number
      readonly parent: number
      readonly name: string
      readonly replaces?: number
    }
  /** `later`: the tree goes to the graveyard, and `reap` edits remove its records. */
  | { readonly op: 'delete'; readonly path: string; readonly id: number; readonly later?: true }
  | { readonly op: 'reap'; readonly records: number }
  | { readonly op: 'setReplication'; readonly path: string; readonly id: number; readonly replication: number }
  | { readonly op: 'setPermission'; readonly path: string; readonly id: number; readonly permission: number }
  | { readonly op: 'setOwner'; readonly path: string; readonly id: number; readonly owner: string; readonly group: string }
  | { readonly op: 'setTimes'; readonly path: string; readonly id: number; readonly mtimeMs: number; readonly atimeMs: number }
  | { readonly op: 'setQuota'; readonly path: string; readonly id: number; readonly names: number; readonly space: number }
  /** `quota` -1 removes it. */
  | { readonly op: 'setTypeQuota'; readonly path: string; readonly id: number; readonly type: StorageType; readonly quota: number }
  /** The whole outcome: the permission, whose group bits may be the mask, and the entries beside it. */
  | {
      readonly op: 'setAcl'
      readonly path: string
      readonly id: number
      readonly permission: number
      readonly acl: readonly AclEntry[]
    }
  | { readonly op: 'setXAttr'; readonly path: string; readonly id: number; readonly xattr: XAttrRecord }
  | { readonly op: 'removeXAttr'; readonly path: string; readonly id: number; readonly namespace: XAttrNamespace; readonly name: string }
  /** 0 = none of its own. */
  | { readonly op: 'setStoragePolicy'; readonly path: string; readonly id: number; readonly policy: number }
  /** A restore: ids and stamps go on from here, beyond all that the history after the backup can have given out. */
  | { readonly op: 'skipIds'; readonly nextInodeId: number; readonly nextBlockId: number; readonly nextGenstamp: number }

export interface EditRecord {
  readonly txid: number
  readonly atMs: number
  readonly edit: Edit
  /** Key of the retry cache, for the calls that must happen at most once. */
  readonly clientId?: string
  readonly callId?: number
}

/** One line of JSON without the newline, for `quarry debug edits` and for tools. */
export function formatEdit(record: EditRecord): string {
  const { txid, atMs, edit, clientId, callId } = record
  return JSON.stringify({ txid, at: new Date(atMs).toISOString(), ...edit, ...(clientId === undefined ? {} : { clientId, callId }) })
}

/** The wire form of a record. */
export function wireEdit(record: EditRecord): { txid: number; atMs: number; op: string; json: string } {
  const { op, ...rest } = record.edit
  return { txid: record.txid, atMs: record.atMs, op, json: JSON.stringify(rest) }
}

/** A record from its wire form; the key of the retry cache does not travel. */
export function editOfWire(wire: { readonly txid: number; readonly atMs: number; readonly op: string; readonly json: string }): EditRecord {
  return { txid: wire.txid, atMs: wire.atMs, edit: { op: wire.op, ...(JSON.parse(wire.json) as object) } as Edit }
}
