// Which replicas take part in a block recovery, and at which length they agree. The rules of HDFS's BlockRecoveryWorker.

export interface Candidate<T> {
  readonly from: T
  readonly found: boolean
  readonly genstamp: number
  readonly length: number
  readonly finalized: boolean
  /** Was being written when its node went down (RWR): less trusted than one that is still open. */
  readonly waiting: boolean
}

export function agreeOnLength<T>(
  candidates: readonly Candidate<T>[],
  genstamp: number,
): { readonly length: number; readonly parties: readonly Candidate<T>[] } {
  const usable = candidates.filter((one) => one.found && one.genstamp >= genstamp && one.length > 0)
  const finalized = usable.filter((one) => one.finalized)
  if (finalized.length > 0) {
    // Finalised replicas of one stamp are equal; should they not be, the bytes that all have are the ones that were acknowledged.
    const length = Math.min(...finalized.map((one) => one.length))
    // An open replica of that length lacks nothing but its closing.
    return { length, parties: usable.filter((one) => one.finalized || (!one.waiting && one.length === length)) }
  }
  const open = usable.filter((one) => !one.waiting)
  const parties = open.length > 0 ? open : usable
  return { length: parties.length === 0 ? 0 : Math.min(...parties.map((one) => one.length)), parties }
}
