// Makes faults happen: each kind by its own clockwork and its own chance, within a budget that leaves recovery possible.
//
//   F1  at most one datanode is down, cut off, full, slow or lying at a time; all of them only when everybody loses power at once
//   F2  a replica is damaged only when the block has another good copy on a machine that runs, at most one of a block ever, and the
//       file is not appended to any more
//   F3  what was flushed but not synced is not promised any more after a power failure, and only then
//   F4  everything is repaired at the end
import type { Simulation } from '../run/simulation.ts'
import type { Random } from '../../../common/env.ts'
import { between, streamOf } from '../world/random.ts'
import { crashFaults } from './crashes.ts'
import { diskFaults } from './disks.ts'
import type { FaultKind } from './kinds.ts'
import { networkFaults } from './links.ts'

/** Does one fault. `lasts` schedules its end, which also comes when all faults stop. */
export type Fault = (context: FaultContext) => void

export interface FaultContext {
  readonly simulation: Simulation
  readonly random: Random
  /** Calls back after `ms`, or when the faults stop. */
  lasts(ms: number, end: () => void): void
  /** Takes the one fault of a datanode that may be under way (F1); false when another has it. The result gives it back. */
  claimDatanode(): (() => void) | undefined
}

const faults: Record<FaultKind, Fault> = { ...crashFaults, ...networkFaults, ...diskFaults }

export class FaultDriver {
  count = 0
  readonly #simulation: Simulation
  readonly #ends = new Set<() => void>()
  #stopped = false
  #claimed = false

  constructor(simulation: Simulation) {
    this.#simulation = simulation
    for (const kind of simulation.scenario.faults) this.#schedule(kind, streamOf(simulation.cluster.seed, `fault:${kind}`))
  }

  /** No more faults; what is broken is repaired. */
  stop(): void {
    this.#stopped = true
    for (const end of [...this.#ends]) end()
    const { cluster } = this.#simulation
    for (const role of [cluster.namenode, ...cluster.datanodes]) cluster.startAgain(role)
  }

  #schedule(kind: FaultKind, random: Random): void {
    const { cluster, scenario } = this.#simulation
    cluster.clock.after(between(random, 0.1, 1.9) * scenario.faultEveryMs, () => {
      if (this.#stopped) return
      this.count++
      faults[kind](this.#context(random))
      this.#schedule(kind, random)
    })
  }

  #context(random: Random): FaultContext {
    const { cluster } = this.#simulation
    return {
      simulation: this.#simulation,
      random,
      lasts: (ms, finish) => {
        const end = () => {
          if (this.#ends.delete(end)) finish()
        }
        this.#ends.add(end)
        cluster.clock.after(ms, end)
      },
      claimDatanode: () => {
        if (this.#claimed) return undefined
        this.#claimed = true
        return () => (this.#claimed = false)
      },
    }
  }
}
