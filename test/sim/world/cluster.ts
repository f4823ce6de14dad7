// A simulated cluster: a namenode, datanodes, machines for clients, and the network between them.
import { defaultSettings } from '../../../common/config.ts'
import type { Random } from '../../../common/env.ts'
import type { Settings } from '../../../common/options.ts'
import { VirtualClock } from '../../../common/testing/virtual-clock.ts'
import { DatanodeRole } from './datanode.ts'
import { Machine } from './machine.ts'
import { NamenodeRole } from './namenode.ts'
import { Network } from './network.ts'
import { between, streamOf } from './random.ts'
import { Scheduler } from './scheduler.ts'
import { Trace } from './trace.ts'

export interface ClusterOptions {
  readonly seed: number
  readonly datanodes: number
  readonly racks: number
  readonly settings: Partial<Settings>
  readonly onLine?: ((line: string) => void) | undefined
}

/** Small blocks, so that little data makes many; short periods, so that minutes see what days would. */
const simulatedSettings: Partial<Settings> = {
  'min.block.size': 512,
  'block.size': 16 * 1024,
  // As in production: what events tell must be enough.
  'block.report.interval': 6 * 3_600_000,
  'lease.hard': 180_000,
  'edits.retain': 5_000,
  'reserved': 0,
  'trash.interval': 0,
  'local.reads': false,
}
/** Milliseconds that disk calls take: a good disk. */
const diskLatency = { call: 0.05, sync: 3 }
/** A supervisor starts a process again that ended by itself after this long. */
const restartMs = 2_000
const firstMs = 1_700_000_000_000

export type Role = NamenodeRole | DatanodeRole

export class Cluster {
  readonly seed: number
  readonly clock = new VirtualClock(firstMs)
  readonly scheduler = new Scheduler(this.clock)
  readonly trace: Trace
  readonly network: Network
  readonly settings: Settings
  readonly namenode: NamenodeRole
  readonly datanodes: DatanodeRole[] = []
  readonly clients: Machine[] = []
  readonly #random: Random

  constructor(options: ClusterOptions) {
    this.seed = options.seed
    this.trace = new Trace(() => this.clock.monotonicMs() - firstMs, options.onLine)
    this.network = new Network(this.clock, streamOf(this.seed, 'network'), this.trace)
    this.settings = defaultSettings({ ...simulatedSettings, ...options.settings })
    this.#random = streamOf(this.seed, 'cluster')
    this.namenode = new NamenodeRole(this, this.#machine('nn', '10.0.0.1'), this.settings)
    for (let i = 1; i <= options.datanodes; i++) {
      const machine = this.#machine(`dn${i}`, `10.0.1.${i}`)
      machine.disk.latency = diskLatency
      this.datanodes.push(new DatanodeRole(this, machine, `/rack${i % options.racks}`, this.settings))
    }
  }

  get namenodeAddress(): string {
    return `${this.namenode.machine.ip}:8021`
  }

  get elapsedMs(): number {
    return this.clock.monotonicMs() - firstMs
  }

  start(): void {
    this.namenode.start()
    for (const datanode of this.datanodes) datanode.start()
  }

  /** A new machine for a client. */
  addClient(): Machine {
    const number = this.clients.length + 1
    const machine = this.#machine(`c${number}`, `10.0.2.${number}`)
    this.clients.push(machine)
    return machine
  }

  /** Runs until `untilMs` of simulated time, or until `done` says so. */
  runUntil(untilMs: number, done?: () => boolean): Promise<void> {
    return this.scheduler.run(firstMs + untilMs, done)
  }

  /** Ends the process of a role; with `power` the whole machine is gone, and nobody is told. */
  crash(role: Role, how: 'killed' | 'power'): void {
    if (!role.machine.running) return
    this.trace.add(role.machine.name, `FAULT ${how === 'power' ? 'loses its power' : 'is killed'}`)
    if (how === 'power') role.machine.losePower(this.#random)
    else role.machine.kill()
    this.network.processDied(role.machine, how === 'power')
    role.stopped()
  }

  killClient(machine: Machine): void {
    if (!machine.running) return
    this.trace.add(machine.name, 'FAULT is killed')
    machine.kill()
    this.network.processDied(machine, false)
  }

  startAgain(role: Role): void {
    if (role.machine.running) return
    this.trace.add(role.machine.name, 'starts')
    role.start()
  }

  /** A process ended by itself; its supervisor starts another. */
  restartLater(role: Role, why: string): void {
    this.trace.add(role.machine.name, `ENDS ${why}`)
    this.crash(role, 'killed')
    this.clock.after(restartMs * between(this.#random, 0.5, 1.5), () => this.startAgain(role))
  }

  #machine(name: string, ip: string): Machine {
    const machine = new Machine(this, name, ip)
    this.network.add(machine)
    return machine
  }
}
