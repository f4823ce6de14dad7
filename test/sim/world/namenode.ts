// The namenode of a simulated cluster: the real one, over a store that survives its process.
import type { Settings } from '../../../common/options.ts'
import { assembleNamenode } from '../../../namenode/assembly.ts'
import type { NamenodeCore } from '../../../namenode/assembly.ts'
import { Groups } from '../../../namenode/service/groups.ts'
import type { Cluster } from './cluster.ts'
import type { Machine } from './machine.ts'
import { SimServer } from './server.ts'
import { CrashingStore } from './store.ts'

export const superuser = 'hdfs'
const clusterId = 'CID-simulated'
const poolId = 'BP-1-10.0.0.1-1'

export class NamenodeRole {
  readonly machine: Machine
  readonly store = new CrashingStore()
  readonly #cluster: Cluster
  readonly #settings: Settings
  /** Of the process that runs now. */
  core: NamenodeCore | undefined

  constructor(cluster: Cluster, machine: Machine, settings: Settings) {
    this.#cluster = cluster
    this.machine = machine
    this.#settings = settings
  }

  start(): void {
    const env = this.machine.boot()
    const { life } = this.machine
    const server = new SimServer(this.#cluster.network, this.machine)
    const core = assembleNamenode({
      settings: this.#settings,
      env,
      store: this.store,
      groups: new Groups(env.clock, () => Promise.resolve([])),
      superuser,
      clusterId,
      poolId,
      onFailure: (error) => {
        // The process ends, and whoever watches over it starts another.
        if (this.machine.life === life && this.machine.running) this.#cluster.restartLater(this, `it stopped: ${error.message}`)
      },
    })
    for (const door of core.doors) server.add(door.definition, door.handlers)
    core.startWorkers()
    this.core = core
  }

  /** The process is gone between two events, or in the middle of a commit. */
  stopped(): void {
    this.core = undefined
    this.store.rollback()
  }
}
