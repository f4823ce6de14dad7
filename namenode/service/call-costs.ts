// What calls cost the namenode, in units of about 10 us, and which of them go before others.
import { isQuarryError } from '../../common/errors.ts'
import { removeAtOnceMax } from '../../common/limits.ts'
import type { Command, Method } from '../../proto/ports.ts'
import { mutations } from '../../proto/ports.ts'
import type { NamespaceView } from '../core/model.ts'
import { resolve } from '../core/resolve.ts'

/** Milliseconds of one unit of cost. */
export const unitMs = 0.01

/** Calls that are dear or may be; the others cost a unit for a query and readily more for a change. */
const known: { readonly [M in Method]?: number } = {
  renewLease: 1,
  getListing: 5,
  getContentSummary: 5,
  getBlockLocations: 2,
  getEdits: 50,
  getDatanodeReport: 20,
  getFsStats: 5,
  metasave: 100,
  listOpenFiles: 50,
  listCorruptFiles: 50,
  getReplicas: 50,
  getNodeBlocks: 50,
  namespaceChecksum: 100,
  reportBadBlocks: 10,
  rename2: 5,
  concat: 10,
}
const queryCost = 1
const changeCost = 4

/** What a change costs that can be told from its target: removing a tree, up to the records that one commit removes. */
export function treeCost(view: NamespaceView, command: Command): number {
  if (command.method !== 'delete' || !command.request.recursive) return 0
  try {
    const { last } = resolve(view, command.request.path)
    if (last?.kind !== 'directory') return 0
    return Math.min(removeAtOnceMax, last.totals.files + last.totals.directories)
  } catch (error) {
    if (isQuarryError(error)) return 0
    throw error
  }
}

/**
 * Calls by which a writer ends what it has begun. They hold resources of the whole cluster while they wait, and refusing them
 * would waste what was spent already: they go before everything else, and are not refused while there is any room.
 */
export const isFinishing: ReadonlySet<Method> = new Set<Method>([
  'complete',
  'fsync',
  'abandonBlock',
  'updateBlockForPipeline',
  'updatePipeline',
])

/** Changes that may wait for datanodes rather than for the disk: the time they take says nothing about the engine. */
const mayWait: ReadonlySet<Method> = new Set<Method>(['addBlock', 'complete'])

/** Which queue a call waits in when it must. */
export type Lane = 'finishing' | 'changes' | 'queries'

/** All that is known of a method before it is called: asked once for every call, so it is one look-up. */
export interface CallProfile {
  readonly lane: Lane
  readonly cost: number
  /** A query whose time is measured, because it depends on what it finds. */
  readonly isMeasured: boolean
  readonly mayWait: boolean
}

const profiles = new Map<Method, CallProfile>()

export function profileOf(method: Method): CallProfile {
  let profile = profiles.get(method)
  if (profile === undefined) {
    const isChange = mutations.has(method)
    profile = {
      lane: isFinishing.has(method) ? 'finishing' : isChange ? 'changes' : 'queries',
      cost: known[method] ?? (isChange ? changeCost : queryCost),
      isMeasured: !isChange && (known[method] ?? 0) > 1,
      mayWait: mayWait.has(method),
    }
    profiles.set(method, profile)
  }
  return profile
}
