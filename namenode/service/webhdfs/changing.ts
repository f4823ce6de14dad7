// Operations that change the namespace.
import { QuarryError } from '../../../common/errors.ts'
import { bool, nothing } from '../../../proto/webhdfs/answer.ts'
import { absolutePath, boolean, integer, invalidParameter, permission, required } from '../../../proto/webhdfs/parameters.ts'
import type { Query } from '../../../proto/webhdfs/request.ts'
import { truncate } from './bytes.ts'
import type { Operations } from './operation.ts'

const DIRECTORY_MODE = 0o755
/** Of a path that is said to have a mode, but not which. */
const MODE = 0o755
/** HDFS's lease holders are told apart by path; nobody concatenates a million files. */
const sourcesMax = 10_000

export const changingByPut: Operations = {
  MKDIRS: async ({ caller, target }) => {
    const { query, path } = target
    const unmasked = permission(query, 'unmaskedpermission')
    const { value } = await caller.call('mkdirs', {
      path,
      permission: permission(query) ?? DIRECTORY_MODE,
      createParent: boolean(query, 'createparent', true),
      hasUnmasked: unmasked !== undefined,
      unmasked: unmasked ?? 0,
    })
    return bool(value)
  },
  RENAME: async ({ caller, target, op }) => {
    const { query, path: source } = target
    required(query, 'destination', op)
    const destination = absolutePath(query, 'destination')!
    const options = renameOptions(query)
    if (options === undefined) return bool((await caller.call('rename', { source, target: destination })).value)
    await caller.call('rename2', {
      source,
      target: destination,
      overwrite: options.includes('OVERWRITE'),
      toTrash: options.includes('TO_TRASH'),
    })
    // HDFS answers nothing here; clients that look for the word find it, those that do not, do not mind.
    return bool(true)
  },
  SETPERMISSION: async ({ caller, target }) => {
    await caller.call('setPermission', { path: target.path, permission: permission(target.query) ?? MODE })
    return nothing
  },
  SETOWNER: async ({ caller, target }) => {
    const owner = target.query.first('owner') ?? ''
    const group = target.query.first('group') ?? ''
    if (owner === '' && group === '') throw new QuarryError('ILLEGAL_ARGUMENT', 'Both owner and group are empty.')
    await caller.call('setOwner', { path: target.path, owner, group })
    return nothing
  },
  SETTIMES: async ({ caller, target }) => {
    const mtimeMs = integer(target.query, 'modificationtime', -1) ?? -1
    const atimeMs = integer(target.query, 'accesstime', -1) ?? -1
    await caller.call('setTimes', { path: target.path, mtimeMs, atimeMs })
    return nothing
  },
  SETREPLICATION: async ({ deps, caller, target }) => {
    const replication = integer(target.query, 'replication', 1, 'short') ?? deps.defaults.replication
    return bool((await caller.call('setReplication', { path: target.path, replication })).value)
  },
  CREATESYMLINK: async ({ caller, target, op }) => {
    const { query, path: link } = target
    const destination = required(query, 'destination', op)
    await caller.call('createSymlink', {
      target: destination,
      link,
      permission: 0o777,
      createParent: boolean(query, 'createparent', false),
    })
    return nothing
  },
}

export const changingByPost: Operations = {
  TRUNCATE: async (exchange) => {
    const { query } = exchange.target
    required(query, 'newlength', exchange.op)
    return bool(await truncate(exchange, integer(query, 'newlength', 0)!))
  },
  CONCAT: async ({ caller, target, op }) => {
    const sources = required(target.query, 'sources', op)
      .split(',')
      .filter((source) => source !== '')
    if (sources.length > sourcesMax) throw invalidParameter('sources', `there are more than ${sourcesMax} of them`)
    await caller.call('concat', { target: target.path, sources })
    return nothing
  },
}

export const changingByDelete: Operations = {
  DELETE: async ({ caller, target }) =>
    bool((await caller.call('delete', { path: target.path, recursive: boolean(target.query, 'recursive', false) })).value),
}

const renameWords: readonly string[] = ['NONE', 'OVERWRITE', 'TO_TRASH']

/** Undefined where none are given: the old rename is meant. */
function renameOptions(query: Query): readonly string[] | undefined {
  const text = query.first('renameoptions')
  if (text === undefined) return undefined
  const words = text
    .toUpperCase()
    .split(',')
    .map((word) => word.trim())
  for (const word of words)
    if (!renameWords.includes(word)) throw invalidParameter('renameoptions', `No enum constant org.apache.hadoop.fs.Options.Rename.${word}`)
  return words
}
