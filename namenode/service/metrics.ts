// The namenode's figures: measured where they arise, shown by /metrics (Prometheus text) and /status (JSON).
import { createHistogram, monitorEventLoopDelay } from 'node:perf_hooks'
import type { BlockManager } from '../core/cluster/block-manager.ts'
import type { NamespaceStore } from '../core/model.ts'
import type { Front } from './front.ts'

const NS_PER_S = 1e9
/** How finely the event loop's delay is sampled, in ms. */
const loopResolutionMs = 20

/** Users named in the figures: each is a time series of whoever collects them. */
export const dearestShown = 10

export class Metrics {
  readonly #commits = createHistogram()
  readonly #loop = monitorEventLoopDelay({ resolution: loopResolutionMs })
  #commitNs = 0
  #edits = 0

  constructor() {
    this.#loop.enable()
  }

  /** Times every commit of a store. */
  meter(store: NamespaceStore): void {
    const commit = store.commit.bind(store)
    store.commit = (edits) => {
      const startNs = process.hrtime.bigint()
      commit(edits)
      const tookNs = Number(process.hrtime.bigint() - startNs)
      this.#commits.record(Math.max(1, tookNs))
      this.#commitNs += tookNs
      this.#edits += edits.length
    }
  }

  commitSummary(): {
    readonly commits: number
    readonly edits: number
    readonly meanMs: number
    readonly p50Ms: number
    readonly p99Ms: number
  } {
    const ms = (percentile: number) => (this.#commits.count === 0 ? 0 : this.#commits.percentile(percentile) / 1e6)
    return {
      commits: this.#commits.count,
      edits: this.#edits,
      meanMs: this.#commitNs / 1e6 / Math.max(1, this.#commits.count),
      p50Ms: ms(50),
      p99Ms: ms(99),
    }
  }

  prometheus(front: Front, cluster: BlockManager, hadoopConnections: number): string {
    const lines: string[] = []
    const family = (name: string, type: 'gauge' | 'counter' | 'summary', help: string, samples: readonly (readonly [string, number])[]) => {
      lines.push(`# HELP quarry_namenode_${name} ${help}`, `# TYPE quarry_namenode_${name} ${type}`)
      for (const [labels, value] of samples) lines.push(`quarry_namenode_${name}${labels} ${Number.isFinite(value) ? value : 0}`)
    }
    const stats = front.fsStats()
    const counts = cluster.counts()
    const { counters } = front
    const memory = process.memoryUsage()
    family(
      'calls_total',
      'counter',
      'Calls by method.',
      counters.byMethod().map(([method, n]) => [`{method="${method}"}`, n]),
    )
    family(
      'call_failures_total',
      'counter',
      'Calls refused, by error code.',
      counters.failuresByCode().map(([code, n]) => [`{code="${code}"}`, n]),
    )
    family('calls_in_flight', 'gauge', 'Calls accepted and not answered.', [['', counters.inFlight]])
    family('client_sessions', 'gauge', 'Open client streams.', [['', counters.sessions]])
    family('hadoop_connections', 'gauge', 'Open connections of Hadoop clients (hdfs://).', [['', hadoopConnections]])
    const { admission } = front
    const load = admission.counts
    family(
      'calls_waiting',
      'gauge',
      'Calls that wait for their turn, by queue.',
      (['finishing', 'changes', 'queries'] as const).map((queue) => [`{queue="${queue}"}`, load[queue]]),
    )
    family('calls_overloaded_total', 'counter', 'Calls refused because more waited than can be served in time.', [['', load.refused]])
    family('commit_window', 'gauge', 'Changes that the engine is given at a time.', [['', load.commitWindow]])
    family('users', 'gauge', 'Users that are connected or were lately.', [['', load.users]])
    family(
      'user_recent_seconds',
      'gauge',
      'Time of the namenode that users have taken, halved every 5 s; those that have taken most.',
      admission.dearest(dearestShown).map(({ user, recentMs }) => [`{user="${labelText(user)}"}`, recentMs / 1000]),
    )
    family('commit_seconds', 'summary', 'Duration of a commit of the namespace.', [
      ...[50, 90, 99, 100].map(
        (p) => [`{quantile="${p / 100}"}`, this.#commits.count === 0 ? 0 : this.#commits.percentile(p) / NS_PER_S] as const,
      ),
      ['_sum', this.#commitNs / NS_PER_S],
      ['_count', this.#commits.count],
    ])
    family('edits_total', 'counter', 'Edits committed since the start.', [['', this.#edits]])
    family('last_txid', 'gauge', 'Transaction id of the last edit.', [['', stats.lastTxid]])
    family('files', 'gauge', 'Files in the namespace.', [['', stats.files]])
    family('directories', 'gauge', 'Directories in the namespace.', [['', stats.directories]])
    family('blocks', 'gauge', 'Blocks in the namespace.', [['', stats.blocks]])
    family('safe_mode', 'gauge', '1 while in safe mode.', [['', stats.safeMode ? 1 : 0]])
    family('capacity_bytes', 'gauge', 'Bytes usable on live datanodes.', [['', stats.capacity]])
    family('used_bytes', 'gauge', 'Bytes in replicas.', [['', stats.used]])
    family('remaining_bytes', 'gauge', 'Bytes that may still be written.', [['', stats.remaining]])
    const states = ['live', 'stale', 'dead'] as const
    const nodes = cluster.datanodeStates()
    family(
      'datanodes',
      'gauge',
      'Datanodes by state.',
      states.map((state) => [`{state="${state}"}`, nodes[state]]),
    )
    family(
      'datanodes_admin',
      'gauge',
      'Datanodes by what operators want of them.',
      Object.entries(cluster.adminStates()).map(([state, count]) => [`{state="${state}"}`, count]),
    )
    const moves = cluster.admin.moveReplicas([])
    family('pending_moves', 'gauge', 'Moves of the balancer under way.', [['', moves.pending]])
    family('moved_bytes_total', 'counter', 'Bytes moved for the balancer since the start.', [['', moves.movedBytes]])
    family('low_redundancy_blocks', 'gauge', 'Blocks with fewer copies than wanted.', [['', counts.underReplicated]])
    family('missing_blocks', 'gauge', 'Blocks with no good copy.', [['', counts.missingBlocks]])
    family('corrupt_blocks', 'gauge', 'Blocks with a corrupt copy.', [['', counts.corruptBlocks]])
    family('pending_copies', 'gauge', 'Blocks with copies under way.', [['', counts.pendingCopies]])
    family('pending_deletions', 'gauge', 'Replicas whose deletion is still to be ordered.', [['', counts.pendingDeletion]])
    family('postponed_blocks', 'gauge', 'Blocks whose surplus copies wait for a full report.', [['', counts.postponed]])
    family('replicas', 'gauge', 'Replicas known.', [['', counts.replicas]])
    family('replica_map_bytes', 'gauge', 'Memory of the replica map.', [['', counts.replicaMapBytes]])
    family('event_loop_delay_seconds', 'gauge', 'Delay of the event loop since the last scrape.', [
      ...[50, 99, 100].map((p) => [`{quantile="${p / 100}"}`, this.#loop.percentile(p) / NS_PER_S] as const),
    ])
    family('resident_bytes', 'gauge', 'Resident memory of the process.', [['', memory.rss]])
    family('heap_used_bytes', 'gauge', 'JavaScript heap in use.', [['', memory.heapUsed]])
    this.#loop.reset()
    return `${lines.join('\n')}\n`
  }

  close(): void {
    this.#loop.disable()
  }
}

/** Callers choose their names: quotes and line ends would break the format. */
function labelText(name: string): string {
  return name.replace(/["\\\n]/g, (char) => (char === '\n' ? '\\n' : `\\${char}`))
}
