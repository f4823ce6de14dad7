// A datanode of a simulated cluster: the real one, on a simulated disk.
import { toQuarryError } from '../../../common/errors.ts'
import type { Settings } from '../../../common/options.ts'
import { assembleDatanode } from '../../../datanode/assembly.ts'
import type { DatanodeCore } from '../../../datanode/assembly.ts'
import { ReplicaStore } from '../../../datanode/store/replica-store.ts'
import { simDatanodeClients } from './channels.ts'
import type { Cluster } from './cluster.ts'
import { simNodeChannel } from './duplex.ts'
import type { Machine } from './machine.ts'
import { SimServer } from './server.ts'

export const datanodePort = 9868
export const dataDirectory = '/data'

export class DatanodeRole {
  readonly machine: Machine
  readonly rack: string
  readonly #cluster: Cluster
  readonly #settings: Settings
  /** Of the process that runs now, once it has looked through its disk. */
  store: ReplicaStore | undefined
  core: DatanodeCore | undefined

  constructor(cluster: Cluster, machine: Machine, rack: string, settings: Settings) {
    this.#cluster = cluster
    this.machine = machine
    this.rack = rack
    this.#settings = settings
  }

  start(): void {
    const env = this.machine.boot()
    const { life } = this.machine
    const alive = () => this.machine.running && this.machine.life === life
    this.#open(env).catch((error: unknown) => {
      // The process ends, and whoever watches over it starts another.
      if (alive()) this.#cluster.restartLater(this, `it could not start: ${toQuarryError(error).message}`)
    })
  }

  async #open(env: ReturnType<Machine['boot']>): Promise<void> {
    const { network } = this.#cluster
    const store = await ReplicaStore.open({
      dirs: [dataDirectory],
      limits: { reserved: 0, capacity: 0 },
      env,
      sync: this.#settings['sync.on.close'],
      disk: this.machine.disk,
    })
    const clients = simDatanodeClients(network, this.machine, env.clock)
    const core = assembleDatanode({ settings: this.#settings, env, store, clients })
    core.service.addTo(new SimServer(network, this.machine))
    const { life, ip, name } = this.machine
    const session = core.startSession({
      namenode: this.#cluster.namenodeAddress,
      channel: simNodeChannel(network, this.machine, this.#cluster.namenodeAddress),
      datanode: {
        uuid: store.datanodeUuid,
        ip,
        hostname: name,
        grpcPort: datanodePort,
        transferPort: 0,
        httpPort: 0,
        ipcPort: 0,
        rack: this.rack,
        hostId: name,
      },
    })
    session.onRefused((error) => {
      if (this.machine.running && this.machine.life === life) this.#cluster.restartLater(this, `it was refused: ${error.message}`)
    })
    this.store = store
    this.core = core
  }

  stopped(): void {
    this.store = undefined
    this.core = undefined
  }
}
