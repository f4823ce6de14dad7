// A page of a directory as columns (ListingReply of namenode.proto).
import type { ListingReply } from '../../proto/ports.ts'
import { FileKind } from '../../proto/ports.ts'
import { utf8Length } from '../../common/path.ts'
import { HAS_ACL } from './extras.ts'
import type { Inode, NamespaceView } from './model.ts'
import { ownPolicy } from './storage-policies.ts'

const encoder = new TextEncoder()

export function emptyListing(exists: boolean): ListingReply {
  return {
    exists,
    isFile: false,
    more: false,
    entries: 0,
    names: new Uint8Array(0),
    nameLengths: [],
    kindPermission: [],
    length: [],
    mtimeMs: [],
    atimeMs: [],
    owner: [],
    group: [],
    principals: [],
    replication: [],
    blockSize: [],
    fileId: [],
    children: [],
    locations: [],
    storagePolicy: [],
  }
}

/** `name` stands in for the names of the entries: '' in the listing of a file. Storage policies are the entries' own. */
export function listingOf(view: NamespaceView, inodes: readonly Inode[], more: boolean, name?: string): ListingReply {
  const page = emptyListing(true)
  page.more = more
  page.entries = inodes.length
  const principals = new Map<string, number>()
  const indexOf = (principal: string): number => {
    let index = principals.get(principal)
    if (index === undefined) {
      index = principals.size
      principals.set(principal, index)
    }
    return index
  }
  let names = ''
  let anyPolicy = false
  for (const inode of inodes) {
    const shown = name ?? inode.name
    names += shown
    page.nameLengths.push(utf8Length(shown))
    page.mtimeMs.push(inode.mtimeMs)
    page.atimeMs.push(inode.atimeMs)
    page.owner.push(indexOf(inode.owner))
    page.group.push(indexOf(inode.group))
    page.fileId.push(inode.id)
    if (inode.kind === 'directory') {
      page.kindPermission.push((FileKind.KIND_DIRECTORY << 16) | aclBit(inode) | inode.permission)
      page.length.push(0)
      page.replication.push(0)
      page.blockSize.push(0)
      page.children.push(inode.children)
      const policy = ownPolicy(view, inode)
      page.storagePolicy.push(policy)
      anyPolicy ||= policy !== 0
    } else {
      page.kindPermission.push((FileKind.KIND_FILE << 16) | (inode.holder === '' ? 0 : 1 << 15) | aclBit(inode) | inode.permission)
      page.length.push(inode.length)
      page.replication.push(inode.replication)
      page.blockSize.push(inode.blockSize)
      page.children.push(0)
      page.storagePolicy.push(inode.storagePolicy)
      anyPolicy ||= inode.storagePolicy !== 0
    }
  }
  page.names = encoder.encode(names)
  page.principals = [...principals.keys()]
  if (!anyPolicy) page.storagePolicy = []
  return page
}

const aclBit = (inode: Inode): number => ((inode.flags & HAS_ACL) === 0 ? 0 : 1 << 14)
