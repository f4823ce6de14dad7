// Whether a pipeline that lost a datanode takes on another: HDFS's replace-datanode-on-failure (ReplaceDatanodeOnFailure.java).
//
// A replacement costs the time of copying what the block has so far. DEFAULT pays it only where much would be lost by the next
// failure: half the replicas are gone already, or bytes were promised to readers (hflush) or to an earlier close (append).

export type ReplacementMode = 'default' | 'always' | 'never'

export interface ReplacementPolicy {
  readonly mode: ReplacementMode
  /** Go on with the survivors when no other datanode can be had; else the write fails. */
  readonly bestEffort: boolean
}

export interface PipelineLoss {
  /** Replicas that the file should have. */
  readonly replication: number
  readonly survivors: number
  readonly appended: boolean
  readonly flushed: boolean
}

/** Whether another datanode is to be taken on. */
export function wantsReplacement(mode: ReplacementMode, loss: PipelineLoss): boolean {
  const { replication, survivors, appended, flushed } = loss
  if (survivors === 0 || survivors >= replication) return false
  if (mode !== 'default') return mode === 'always'
  return replication >= 3 && (survivors <= Math.floor(replication / 2) || appended || flushed)
}
