// Which datanodes below this one in pipelines are slower than the others: HDFS's outlier detection (OutlierDetector.java), for
// clusters that may be small.
//
// A peer is slow when the mean of its latencies over the last minutes is above a floor, and above three times the median of all
// peers' means, and above that median by three deviations. Fewer than three peers cannot be compared, a few packets say nothing.

/** Latencies below this are never slow: a packet of 1 MiB takes as long on an ordinary disk. */
const floorMs = 50
const peersMin = 3
const samplesMin = 20
const medianFactor = 3
const deviationFactor = 3
/** Turns the median of absolute deviations into a standard deviation of a normal distribution. */
const deviationScale = 1.4826
/** What is older than one to two of these is forgotten. */
const windowMs = 3 * 60_000
/** Peers kept; those heard of longest ago go first. */
const peersMax = 1000

interface Peer {
  /** Of the window that runs, and of the one before it. */
  sumMs: number
  samples: number
  lastSumMs: number
  lastSamples: number
  windowAtMs: number
}

export interface SlowPeerReport {
  readonly uuid: string
  readonly latencyMs: number
}

export class SlowPeers {
  readonly #peers = new Map<string, Peer>()

  record(uuid: string, latencyMs: number, nowMs: number): void {
    let peer = this.#peers.get(uuid)
    if (peer === undefined) {
      if (this.#peers.size >= peersMax) this.#peers.delete(this.#peers.keys().next().value!)
      this.#peers.set(uuid, (peer = { sumMs: 0, samples: 0, lastSumMs: 0, lastSamples: 0, windowAtMs: nowMs }))
    }
    turn(peer, nowMs)
    peer.sumMs += latencyMs
    peer.samples++
  }

  /** The outliers, the slowest first. */
  slow(nowMs: number): SlowPeerReport[] {
    const means: SlowPeerReport[] = []
    for (const [uuid, peer] of this.#peers) {
      turn(peer, nowMs)
      const samples = peer.samples + peer.lastSamples
      if (samples === 0) this.#peers.delete(uuid)
      else if (samples >= samplesMin) means.push({ uuid, latencyMs: (peer.sumMs + peer.lastSumMs) / samples })
    }
    if (means.length < peersMin) return []
    const middle = median(means.map((one) => one.latencyMs))
    const deviation = deviationScale * median(means.map((one) => Math.abs(one.latencyMs - middle)))
    const limit = Math.max(floorMs, middle * medianFactor, middle + deviation * deviationFactor)
    return means
      .filter((one) => one.latencyMs > limit)
      .map(({ uuid, latencyMs }) => ({ uuid, latencyMs: Math.round(latencyMs) }))
      .sort((a, b) => b.latencyMs - a.latencyMs)
  }
}

/** Begins another window when this one is over. */
function turn(peer: Peer, nowMs: number): void {
  const over = nowMs - peer.windowAtMs
  if (over < windowMs) return
  const follows = over < 2 * windowMs
  peer.lastSumMs = follows ? peer.sumMs : 0
  peer.lastSamples = follows ? peer.samples : 0
  peer.sumMs = 0
  peer.samples = 0
  peer.windowAtMs = nowMs
}

function median(values: number[]): number {
  const sorted = values.sort((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2
}
