// From a path to records, with the errors of HDFS for paths that lead through a file.
import { rootInodeId } from '../../common/limits.ts'
import { assert } from '../../common/assert.ts'
import { QuarryError } from '../../common/errors.ts'
import { joinPath, splitPath } from '../../common/path.ts'
import type { DirectoryInode, Inode, NamespaceView } from './model.ts'

export interface Resolved {
  /** Where it was looked up. */
  readonly view: NamespaceView
  /** As asked for, without a '/' at the end. */
  readonly path: string
  readonly names: readonly string[]
  /** What exists of root, names[0], names[1], ...: the root at index 0, so at most names.length + 1 records. */
  readonly nodes: readonly Inode[]
  /** The record of the whole path, if it exists. */
  readonly last: Inode | undefined
}

/** Below it, files are named by the ids of their inodes, as in HDFS: a handle that keeps its meaning when files are renamed. */
const byIdPrefix = '/.reserved/.inodes/'

export function resolve(view: NamespaceView, asked: string): Resolved {
  const path = asked.startsWith(byIdPrefix) ? pathOfId(view, asked) : asked
  const names = splitPath(path)
  let at = view.inode(rootInodeId)
  assert(at !== undefined, 'the namespace has no root')
  const nodes: Inode[] = [at]
  for (let i = 0; i < names.length; i++) {
    if (at.kind !== 'directory') break
    const next: Inode | undefined = view.child(at.id, names[i]!)
    if (next === undefined) break
    nodes.push(next)
    at = next
  }
  const clean = path.length > 1 && path.charCodeAt(path.length - 1) === 0x2f ? path.slice(0, -1) : path
  return { view, path: clean, names, nodes, last: nodes.length === names.length + 1 ? at : undefined }
}

/** What /.reserved/.inodes/ID/rest stands for now. */
function pathOfId(view: NamespaceView, asked: string): string {
  const [id = '', ...rest] = splitPath(asked).slice(2)
  const names: string[] = []
  let at = /^[1-9][0-9]{0,15}$/.test(id) ? view.inode(Number(id)) : undefined
  // Of a tree that is being deleted bit by bit the way up does not lead to the root any more.
  while (at !== undefined && at.id !== rootInodeId) {
    names.unshift(at.name)
    at = view.inode(at.parentId)
  }
  if (at === undefined) throw new QuarryError('NOT_FOUND', `File for given inode path does not exist: ${asked}`, { path: asked })
  return joinPath([...names, ...rest])
}

/** The path of the record at `index` of `nodes`. */
export function pathOfNode(resolved: Resolved, index: number): string {
  return joinPath(resolved.names.slice(0, index))
}

/** The file in the way, when the path leads through one; its index in `nodes`. */
export function fileInTheWay(resolved: Resolved): number {
  const { nodes, names } = resolved
  const index = nodes.length - 1
  return index < names.length && nodes[index]!.kind === 'file' ? index : -1
}

/** The directory that holds the last component; undefined when it is missing. */
export function parentDirectory(resolved: Resolved): DirectoryInode | undefined {
  const parent = resolved.nodes[resolved.names.length - 1]
  return parent?.kind === 'directory' ? parent : undefined
}

export const notFound = (path: string): QuarryError => new QuarryError('NOT_FOUND', `File does not exist: ${path}`, { path })

/** HDFS's words where only an owner may do something and nothing is there. */
export const nothingToOwn = (path: string): QuarryError => new QuarryError('NOT_FOUND', `Directory/File does not exist ${path}`, { path })
