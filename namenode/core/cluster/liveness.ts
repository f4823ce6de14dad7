// When a datanode counts as stale or dead. Three clocks, by how sure the namenode can be:
//
//   silence         a node that says nothing on an open stream may only be slow: stale after `stale.after`, dead after `dead.after`
//   a broken stream its process or its machine is gone, or cannot be reached: dead after `gone.after`, unless it is back by then
//   a goodbye       it was stopped on purpose and will be back: only silence counts

export type NodeState = 'live' | 'stale' | 'dead'

export interface LivenessLimits {
  readonly staleAfterMs: number
  readonly deadAfterMs: number
  /** After a stream broke without a goodbye. */
  readonly goneAfterMs: number
}

export interface Heard {
  readonly state: NodeState
  readonly lastContactMs: number
  /** When its stream broke without a goodbye; undefined while there is one, and after a goodbye. */
  readonly brokenMs: number | undefined
}

/** Times are monotonic. Only a registration brings a dead node back. */
export function livenessOf(node: Heard, nowMs: number, limits: LivenessLimits): NodeState {
  if (node.state === 'dead') return 'dead'
  const silentMs = nowMs - node.lastContactMs
  if (silentMs >= limits.deadAfterMs) return 'dead'
  if (node.brokenMs !== undefined && nowMs - node.brokenMs >= limits.goneAfterMs) return 'dead'
  return silentMs >= limits.staleAfterMs ? 'stale' : node.state
}
