// The cluster under test: a namenode and datanodes as processes, each door behind a proxy of its own.
//
//   clients ──► clientDoor ──► namenode ◄── sessionDoors[i] ◄── datanode i
//   clients and other datanodes ──► doors[i] ──► datanode i      (advertise.port)
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { FileSystem } from '../../client/index.ts'
import { must } from '../../common/assert.ts'
import { TcpProxy } from '../support/tcp-proxy.ts'
import { Role } from './role.ts'
import { SmallDisk } from './small-disk.ts'

export interface ClusterPlan {
  readonly dir: string
  readonly program: string
  readonly datanodes: number
  readonly onDeath: (name: string, how: string) => void
  readonly say: (text: string) => void
}

/** Quick detection, small blocks, short leases, and scanners that come round within a run. */
const settings = {
  'heartbeat.interval': '300ms',
  'stale.after': '1500ms',
  'dead.after': '4s',
  'redundancy.interval': '300ms',
  'redundancy.timeout': '5s',
  'block.report.interval': '20s',
  'lease.soft': '4s',
  'lease.hard': '10s',
  'block.size': '2m',
  'min.block.size': '64k',
  'reserved': 0,
  'drain.timeout': '2s',
  'compute': false,
  'scan.period': '15s',
  'scan.bytes.per.second': '64m',
  'directory.scan.interval': '5s',
  'trash.interval': 0,
}

const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(':') + 1))

export class ChaosCluster implements AsyncDisposable {
  readonly dir: string
  readonly namenode: Role
  readonly datanodes: readonly Role[]
  readonly dataDirs: readonly string[]
  readonly clientDoor: TcpProxy
  readonly sessionDoors: readonly TcpProxy[]
  readonly doors: readonly TcpProxy[]
  /** The disk of the last datanode, where one of its own can be had. */
  readonly smallDisk: SmallDisk | undefined
  readonly #ports: number[]
  #namenodePort = 0

  private constructor(plan: ClusterPlan, proxies: { client: TcpProxy; session: TcpProxy[]; door: TcpProxy[] }, ports: number[]) {
    this.dir = plan.dir
    this.clientDoor = proxies.client
    this.sessionDoors = proxies.session
    this.doors = proxies.door
    this.#ports = ports
    const role = (kind: 'namenode' | 'datanode', name: string, own: Record<string, string | number>) => {
      const dir = path.join(plan.dir, name)
      mkdirSync(dir, { recursive: true })
      return new Role({ kind, name, dir, program: plan.program, settings: { ...settings, dir, ...own }, onDeath: plan.onDeath })
    }
    this.namenode = role('namenode', 'namenode', {})
    const last = path.join(plan.dir, `datanode-${proxies.door.length}`)
    mkdirSync(last, { recursive: true })
    this.smallDisk = SmallDisk.mount(last, plan.say)
    this.dataDirs = proxies.door.map((_, index) => path.join(plan.dir, `datanode-${index + 1}`, 'data'))
    this.datanodes = proxies.door.map((door, index) =>
      role('datanode', `datanode-${index + 1}`, {
        'data.dirs': must(this.dataDirs[index]),
        'namenode': `quarry://127.0.0.1:${must(proxies.session[index]).port}`,
        'advertise.port': door.port,
      }),
    )
  }

  static async start(plan: ClusterPlan): Promise<ChaosCluster> {
    mkdirSync(path.join(plan.dir, 'logs'), { recursive: true })
    const at: { cluster?: ChaosCluster } = {}
    const ports: number[] = Array.from({ length: plan.datanodes }, () => 0)
    const toNamenode = () => TcpProxy.listen(() => at.cluster?.namenodePort ?? 0)
    const client = await toNamenode()
    const session = await Promise.all(ports.map(() => toNamenode()))
    const door = await Promise.all(ports.map((_, index) => TcpProxy.listen(() => ports[index] ?? 0)))
    const cluster = (at.cluster = new ChaosCluster(plan, { client, session, door }, ports))
    try {
      await cluster.startNamenode()
      await Promise.all(cluster.datanodes.map((_, index) => cluster.startDatanode(index)))
      return cluster
    } catch (error) {
      await cluster.close()
      throw error
    }
  }

  /** Where clients go: the proxy. */
  get uri(): string {
    return `quarry://127.0.0.1:${this.clientDoor.port}`
  }

  get namenodePort(): number {
    return this.namenode.running ? this.#namenodePort : 0
  }

  async startNamenode(): Promise<void> {
    const ready = await this.namenode.start(this.#namenodePort === 0 ? {} : { port: this.#namenodePort })
    this.#namenodePort = portOf(ready.grpc)
  }

  /** `own`: settings of this start, such as a capacity. */
  async startDatanode(index: number, own: Record<string, string | number> = {}): Promise<void> {
    const ready = await must(this.datanodes[index]).start(own)
    // It says the port it listens on, whatever it advertises to others, in the file of its settings or not at all.
    this.#ports[index] = portOf(ready.grpc)
  }

  healNetwork(): void {
    for (const proxy of [this.clientDoor, ...this.sessionDoors, ...this.doors]) proxy.heal()
  }

  connect(): Promise<FileSystem> {
    return FileSystem.connect(this.uri, { user: process.env['USER'] ?? 'root', connectTimeoutMs: 60_000 })
  }

  async close(): Promise<void> {
    for (const role of [...this.datanodes, this.namenode]) await role.kill()
    this.smallDisk?.unmount()
    await Promise.all([this.clientDoor, ...this.sessionDoors, ...this.doors].map((proxy) => proxy.close()))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
