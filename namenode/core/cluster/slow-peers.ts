// Which datanodes are slow, from what their neighbours in pipelines say of them. HDFS: SlowPeerTracker, and OutlierDetector on the datanodes.
//
// A neighbour's word alone proves little: its own network card may be the slow part. So a node is slow when two neighbours say so, or
// all that can (a small cluster has no second one); a neighbour that complains of most others is not believed; and at most a third of
// the cluster is slow at a time, the worst first: what everybody is, is normal.

/** HDFS keeps reports for three report intervals (30 min each); here heartbeats repeat them, and a node that recovered is used again soon. */
const validMs = 5 * 60_000
const reportersMin = 2
const slowShare = 1 / 3

export interface PeerReport {
  readonly uuid: string
  readonly latencyMs: number
}

interface Report {
  readonly peers: readonly PeerReport[]
  readonly atMs: number
}

/** Uuids of slow nodes -> the worst latency that is believed, in ms. `live`: how many nodes are live. */
export function slowNodes(reports: ReadonlyMap<string, readonly PeerReport[]>, live: number): Map<string, number> {
  const heard = new Map<string, { reporters: number; latencyMs: number }>()
  for (const [reporter, peers] of reports) {
    const others = peers.filter((peer) => peer.uuid !== reporter)
    if (live > 2 && others.length * 2 > live - 1) continue
    for (const { uuid, latencyMs } of others) {
      const known = heard.get(uuid)
      heard.set(uuid, { reporters: (known?.reporters ?? 0) + 1, latencyMs: Math.max(known?.latencyMs ?? 0, latencyMs) })
    }
  }
  const needed = Math.max(1, Math.min(reportersMin, live - 2))
  return new Map(
    [...heard]
      .filter(([, { reporters }]) => reporters >= needed)
      .sort(([, a], [, b]) => b.latencyMs - a.latencyMs)
      .slice(0, Math.floor(live * slowShare))
      .map(([uuid, { latencyMs }]) => [uuid, latencyMs]),
  )
}

export class SlowPeers {
  readonly #reports = new Map<string, Report>()

  /** Takes a heartbeat in. Returns whether anything is to be decided anew. */
  record(reporter: string, peers: readonly PeerReport[], nowMs: number): boolean {
    if (peers.length === 0) return this.#reports.delete(reporter)
    this.#reports.set(reporter, { peers, atMs: nowMs })
    return true
  }

  decide(live: number, nowMs: number): Map<string, number> {
    for (const [reporter, { atMs }] of this.#reports) if (nowMs - atMs > validMs) this.#reports.delete(reporter)
    return slowNodes(new Map([...this.#reports].map(([reporter, { peers }]) => [reporter, peers])), live)
  }
}
