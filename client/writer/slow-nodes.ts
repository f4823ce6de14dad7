// Finds a datanode of a pipeline that is slow while the others are not, from the times that come with the acknowledgements.
//
// One slow packet says nothing (a disk flushes, a process collects its garbage), and when all are slow it is the writer or the
// machine. So a node counts as slow when it, and no other, took longer than the threshold for several packets in a row.

/** As HDFS looks at ten acknowledgements of 64 KiB; ours are of 1 MiB. */
const slowPacketsMin = 5

export interface SlowNode {
  readonly node: string
  readonly tookMs: number
  readonly othersMs: number
}

export class SlowNodes {
  readonly #thresholdMs: number
  #suspect: string | undefined
  #packets = 0

  /** A threshold of 0 never finds any. */
  constructor(thresholdMs: number) {
    this.#thresholdMs = thresholdMs
  }

  /** Times of one packet in the order of `nodes`. Answers the node that is slow for certain now. */
  acknowledged(nodes: readonly string[], tookMs: readonly number[]): SlowNode | undefined {
    if (this.#thresholdMs === 0 || nodes.length < 2 || tookMs.length !== nodes.length) return undefined
    let slowest = 0
    let othersMs = 0
    for (let i = 1; i < tookMs.length; i++) {
      if (tookMs[i]! > tookMs[slowest]!) {
        othersMs = tookMs[slowest]!
        slowest = i
      } else othersMs = Math.max(othersMs, tookMs[i]!)
    }
    const suspect = tookMs[slowest]! > this.#thresholdMs && othersMs <= this.#thresholdMs ? nodes[slowest] : undefined
    this.#packets = suspect !== undefined && suspect === this.#suspect ? this.#packets + 1 : 1
    this.#suspect = suspect
    if (suspect === undefined || this.#packets < slowPacketsMin) return undefined
    this.#suspect = undefined
    return { node: suspect, tookMs: tookMs[slowest]!, othersMs }
  }
}
