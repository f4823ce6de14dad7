// The workers of the block layer and of the leases.
import type { Env } from '../../common/env.ts'
import type { Settings } from '../../common/options.ts'
import type { BlockManager } from '../core/cluster/block-manager.ts'
import type { Engine } from '../core/engine.ts'
import { Periodic } from './periodic.ts'

/** HDFS (LeaseManager) looks for expired leases every 2 s. */
const leaseCheckMs = 2_000
/** HDFS rolls its count of scheduled blocks every 10 min (BlocksMap's BLOCKS_SCHEDULED_ROLL_INTERVAL). */
const rollScheduledMs = 600_000
/** How soon the replicas of a datanode that died, or is to leave, are looked at. */
const scanPollMs = 200
/** A sweep that comes this much too late says more about this process than about the datanodes. */
const starvedAfterMs = 1_000

export function startClusterWorkers(deps: {
  readonly env: Env
  readonly settings: Settings
  readonly cluster: BlockManager
  readonly engine: Engine
}): Periodic[] {
  const { env, settings, cluster, engine } = deps
  // A datanode that is gone is noticed within an eighth more than gone.after.
  const sweepMs = Math.max(20, Math.min(settings['heartbeat.interval'], settings['stale.after'] / 4, settings['gone.after'] / 8))
  const leaseMs = Math.max(20, Math.min(leaseCheckMs, settings['lease.hard'] / 4))
  let sweptMs = env.clock.monotonicMs()
  return [
    new Periodic(env, {
      name: 'liveness',
      intervalMs: () => sweepMs,
      run() {
        const nowMs = env.clock.monotonicMs()
        const starved = nowMs - sweptMs > 2 * sweepMs + starvedAfterMs
        sweptMs = nowMs
        // The heartbeats that came meanwhile are worth waiting a round for.
        if (!starved) cluster.sweepLiveness()
      },
    }),
    new Periodic(env, {
      name: 'redundancy',
      intervalMs: () => settings['redundancy.interval'],
      run: () => cluster.redundancyRound(),
    }),
    new Periodic(env, {
      name: 'scans',
      intervalMs: () => Math.min(scanPollMs, settings['redundancy.interval']),
      async run(signal) {
        if (!cluster.scanPending) return
        for (let startedMs = env.clock.monotonicMs(); !signal.aborted && cluster.scanStep(); startedMs = env.clock.monotonicMs()) {
          // As much pause as work: a look at millions of blocks must not take the namenode away from its callers.
          await env.clock.sleep(env.clock.monotonicMs() - startedMs)
        }
      },
    }),
    new Periodic(env, { name: 'leases', intervalMs: () => leaseMs, run: () => engine.checkLeases() }),
    new Periodic(env, { name: 'scheduled-blocks', intervalMs: () => rollScheduledMs, run: () => cluster.rollScheduled() }),
  ]
}
