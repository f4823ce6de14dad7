// A whole cluster in one process, for tests: one namenode, some datanodes, real sockets on 127.0.0.1, a temporary directory that is
// gone after close(). Times are short so that a lost datanode is noticed in two seconds. Exported as `quarry/testing`.
//
//   await using cluster = await MiniCluster.start({ datanodes: 3 })
//   const fs = await cluster.connect()
//   await fs.writeFile('/hello', 'world')
//   await cluster.killDatanode(0)
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { FileSystem } from '../../client/index.ts'
import type { ConnectOptions } from '../../client/types.ts'
import { must } from '../../common/assert.ts'
import { checkSettings, defaultSettings, parseNamenodeUri } from '../../common/config.ts'
import type { Logger } from '../../common/env.ts'
import type { Settings } from '../../common/options.ts'
import { systemEnv } from '../../common/system-env.ts'
import { startDatanode, type RunningDatanode } from '../../datanode/main.ts'
import { datanodeGateway, namenodeGateway } from '../../gateway/index.ts'
import { startNamenode, type RunningNamenode } from '../../namenode/main.ts'
import { DatanodeFilter } from '../../proto/ports.ts'
import { waitFor } from './wait-for.ts'

export { waitFor }

type DatanodeServices = Parameters<typeof startDatanode>[0]['services']

export interface MiniClusterOptions {
  /** Default 3. */
  readonly datanodes?: number
  /** Over miniClusterSettings; they hold for all roles. New files get as many copies as there are datanodes, at most 3. */
  readonly settings?: Partial<Settings>
  /** Settings of one datanode, over `settings`: another capacity, another rack. Asked at every start, so a restart may differ. */
  readonly datanodeSettings?: (index: number) => Partial<Settings>
  /** Kept after close(). Default: a temporary directory that is removed. */
  readonly dir?: string
  /** Where the roles log; default nowhere. */
  readonly log?: Logger
  /** What else a datanode serves, such as a compute agent. */
  readonly services?: DatanodeServices
  /** Default true: start() waits until all datanodes are live and safe mode is over. */
  readonly waitReady?: boolean
}

/** What differs from the defaults of a real cluster: quick detection, small blocks, no space held back. */
export const miniClusterSettings = {
  'heartbeat.interval': 200,
  'stale.after': 1_000,
  'dead.after': 2_000,
  'redundancy.interval': 200,
  'redundancy.timeout': 5_000,
  'reserved': 0,
  'drain.timeout': 2_000,
  'min.block.size': 512,
} as const satisfies Partial<Settings>

export class MiniCluster implements AsyncDisposable {
  readonly dir: string
  readonly #options: MiniClusterOptions
  readonly #connections = new Set<FileSystem>()
  readonly #datanodes: (RunningDatanode | undefined)[] = []
  /** Native and HTTP port that each datanode had: it keeps them over a restart, as a machine keeps its address. */
  readonly #datanodePorts: ({ readonly port: number; readonly httpPort: number } | undefined)[] = []
  #namenode: RunningNamenode | undefined
  #namenodePort = 0
  #closing: Promise<void> | undefined

  private constructor(options: MiniClusterOptions) {
    this.#options = options
    this.dir = options.dir ?? mkdtempSync(path.join(tmpdir(), 'quarry-mini-'))
  }

  static async start(options: MiniClusterOptions = {}): Promise<MiniCluster> {
    const cluster = new MiniCluster(options)
    try {
      await cluster.restartNamenode()
      const count = options.datanodes ?? 3
      await Promise.all(Array.from({ length: count }, (_, index) => cluster.restartDatanode(index)))
      if (options.waitReady !== false) await cluster.waitReady()
      return cluster
    } catch (error) {
      await cluster.close().catch(() => {})
      throw error
    }
  }

  /** quarry://127.0.0.1:port; the same after restartNamenode(). */
  get uri(): string {
    return `quarry://127.0.0.1:${this.#namenodePort}`
  }

  get namenode(): RunningNamenode {
    return must(this.#namenode, 'the namenode is down')
  }

  /** Running ones and gaps: datanodes[1] is undefined after killDatanode(1). */
  get datanodes(): readonly (RunningDatanode | undefined)[] {
    return this.#datanodes
  }

  /** A client of this cluster; closed with it. */
  async connect(options: ConnectOptions = {}): Promise<FileSystem> {
    const fs = await FileSystem.connect(this.uri, options)
    this.#connections.add(fs)
    return fs
  }

  /** Directory of the identity and the blocks of a datanode. */
  datanodeDir(index: number): string {
    return path.join(this.dir, `datanode-${index}`)
  }

  /** Stops a datanode without draining: its connections break as when its process is killed. */
  async killDatanode(index: number): Promise<void> {
    const node = must(this.#datanodes[index], `there is no datanode ${index}`)
    this.#datanodes[index] = undefined
    await node.close()
  }

  /** Starts one more datanode; answers its index. It has `own` settings over the others. */
  async addDatanode(own: Partial<Settings> = {}): Promise<number> {
    const index = Math.max(this.#datanodes.length, this.#options.datanodes ?? 3)
    await this.restartDatanode(index, own)
    return index
  }

  /** Index of the datanode with this uuid, such as a host of `blockLocations`; -1 when it does not run. */
  indexOf(uuid: string | undefined): number {
    return this.#datanodes.findIndex((node) => node !== undefined && node.uuid === uuid)
  }

  /**
   * Starts a stopped datanode again on its own data and with the ports it had, or a new one with the next index. `own` settings hold
   * for this start, over all others; `{ port: 0 }` gives it another address.
   */
  async restartDatanode(index: number, own: Partial<Settings> = {}): Promise<RunningDatanode> {
    if (this.#datanodes[index] !== undefined) await this.killDatanode(index)
    const ports = this.#datanodePorts[index]
    const dir = this.datanodeDir(index)
    mkdirSync(dir, { recursive: true })
    const settings = this.#settings({
      'dir': dir,
      'data.dirs': [path.join(dir, 'data')],
      'namenode': this.uri,
      'port': ports?.port ?? 0,
      'http.port': ports?.httpPort ?? 0,
      ...this.#options.datanodeSettings?.(index),
      ...own,
    })
    const env = this.#env(`datanode-${index}`)
    const node = await startDatanode({
      settings,
      env,
      web: [datanodeGateway(settings, env)],
      ...(this.#options.services && { services: this.#options.services }),
    })
    this.#datanodes[index] = node
    this.#datanodePorts[index] = { port: portOf(node.grpc), httpPort: portOf(node.http) }
    return node
  }

  /** Stops a datanode as SIGTERM does: no new streams, open ones finish within drain.timeout. */
  async stopDatanode(index: number): Promise<void> {
    const node = must(this.#datanodes[index], `there is no datanode ${index}`)
    this.#datanodes[index] = undefined
    await node.drain()
    await node.close()
  }

  /** Stops the namenode without draining. */
  async killNamenode(): Promise<void> {
    const namenode = this.namenode
    this.#namenode = undefined
    await namenode.close()
  }

  /** Starts the namenode, on the port it had, with `own` settings over the others. Datanodes and clients find it again by themselves. */
  async restartNamenode(own: Partial<Settings> = {}): Promise<RunningNamenode> {
    if (this.#namenode !== undefined) await this.killNamenode()
    const dir = path.join(this.dir, 'namenode')
    mkdirSync(dir, { recursive: true })
    const settings = this.#settings({ dir, port: this.#namenodePort, ...own })
    this.#namenode = await startNamenode({ settings, env: this.#env('namenode'), gateway: namenodeGateway })
    this.#namenodePort = parseNamenodeUri(this.#namenode.uri).port
    return this.#namenode
  }

  /** Waits until every running datanode is live and the namenode has left safe mode. */
  async waitReady(): Promise<void> {
    await using fs = await FileSystem.connect(this.uri)
    const wanted = this.#datanodes.filter((node) => node !== undefined).map((node) => node.uuid)
    await waitFor(async () => {
      const report = await fs.namenode.call('getDatanodeReport', { filter: DatanodeFilter.DATANODES_LIVE })
      const live = new Set(report.datanodes.map((node) => node.datanode?.uuid))
      if (!wanted.every((uuid) => live.has(uuid)))
        return `${wanted.filter((uuid) => live.has(uuid)).length} of ${wanted.length} datanodes are live`
      const stats = await fs.stats()
      return stats.safeMode ? `safe mode: ${stats.safeModeReason}` : undefined
    }, 'the cluster to be ready')
  }

  /** Stops everything and removes the temporary directory. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    const stopped = await Promise.allSettled([...this.#connections].map((fs) => fs.close()))
    const datanodes = this.#datanodes.filter((node) => node !== undefined)
    stopped.push(...(await Promise.allSettled(datanodes.map((node) => node.close()))))
    if (this.#namenode !== undefined) stopped.push(...(await Promise.allSettled([this.#namenode.close()])))
    if (this.#options.dir === undefined) rmSync(this.dir, { recursive: true, force: true, maxRetries: 3 })
    const failure = stopped.find((outcome) => outcome.status === 'rejected')
    if (failure !== undefined) throw failure.reason
  }

  #settings(own: Partial<Settings>): Settings {
    const replication = Math.max(1, Math.min(3, this.#options.datanodes ?? 3))
    const settings = defaultSettings({ replication, ...miniClusterSettings, ...this.#options.settings, ...own })
    checkSettings(settings)
    return settings
  }

  #env(node: string) {
    return systemEnv(this.#options.log?.child({ node }))
  }
}

const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(':') + 1))
