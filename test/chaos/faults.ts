// Carries faults out, heals them, and counts.
import { setTimeout as sleep } from 'node:timers/promises'
import { must } from '../../common/assert.ts'
import type { TcpProxy } from '../support/tcp-proxy.ts'
import type { Client } from './client.ts'
import type { ChaosCluster } from './cluster.ts'
import type { DiskDamage } from './disk-damage.ts'
import { bytesPerSecond, delayMs, describeFault, type Fault, type FaultKind } from './schedule.ts'

/** What a full disk still takes: less than a block. */
const roomWhenFullBytes = 256 * 1024

export interface FaultTargets {
  readonly cluster: ChaosCluster
  readonly clients: readonly Client[]
  readonly damage: DiskDamage
  /** Bytes below a datanode's data directory. */
  readonly usedBytes: (index: number) => number
  readonly say: (text: string) => void
}

export class Faults {
  readonly counts = new Map<FaultKind, number>()
  /** Faults that found nothing to hit. */
  skipped = 0
  readonly #targets: FaultTargets
  readonly #open = new Set<Promise<void>>()
  /** Roles that a fault has in hand: on a slow machine a restart takes longer than the schedule allows for. */
  readonly #inHand = new Set<string>()

  constructor(targets: FaultTargets) {
    this.#targets = targets
  }

  get underWay(): number {
    return this.#open.size
  }

  /** Begins a fault and returns; it heals itself when its time is over. */
  begin(fault: Fault): void {
    const doing = this.#alone(fault)
      .then((hit) => {
        if (hit) this.counts.set(fault.kind, (this.counts.get(fault.kind) ?? 0) + 1)
        else this.skipped++
      })
      .finally(() => this.#open.delete(doing))
    doing.catch(() => {})
    this.#open.add(doing)
  }

  /** All faults have healed. Throws what one of them threw: a role that did not start again. */
  async settled(): Promise<void> {
    await Promise.all(this.#open)
  }

  /** Answers false where the role is still busy with an earlier fault. */
  async #alone(fault: Fault): Promise<boolean> {
    const role = roleOf(fault)
    if (role === undefined) return this.#carryOut(fault)
    if (this.#inHand.has(role)) return false
    this.#inHand.add(role)
    try {
      return await this.#carryOut(fault)
    } finally {
      this.#inHand.delete(role)
    }
  }

  async #carryOut(fault: Fault): Promise<boolean> {
    const { cluster, clients, damage, say } = this.#targets
    const { kind, target, forMs } = fault
    const describe = (more = '') => say(`fault ${fault.number}: ${describeFault(fault)}${more}`)
    switch (kind) {
      case 'kill-datanode':
        describe()
        await must(cluster.datanodes[target]).kill()
        await sleep(forMs)
        await cluster.startDatanode(target)
        return true
      case 'stop-datanode':
      case 'stop-namenode': {
        describe()
        const role = kind === 'stop-datanode' ? must(cluster.datanodes[target]) : cluster.namenode
        role.signal('SIGSTOP')
        await sleep(forMs)
        role.signal('SIGCONT')
        return true
      }
      case 'kill-namenode':
        describe()
        await cluster.namenode.kill()
        await sleep(forMs)
        await cluster.startNamenode()
        return true
      case 'kill-client':
        describe()
        await must(clients[target]).killAndReplace()
        return true
      case 'flip':
      case 'delete-block': {
        const hit = kind === 'flip' ? damage.flip(target, fault.amount) : damage.delete(target, fault.amount)
        if (hit !== undefined) describe(`: ${hit}`)
        return hit !== undefined
      }
      case 'disk-full': {
        const { smallDisk } = cluster
        if (smallDisk !== undefined && target === cluster.datanodes.length - 1) {
          describe(', its file system, while it runs')
          smallDisk.fill()
          await sleep(forMs)
          smallDisk.empty()
          return true
        }
        describe()
        const capacity = this.#targets.usedBytes(target) + roomWhenFullBytes
        await must(cluster.datanodes[target]).kill()
        await cluster.startDatanode(target, { capacity })
        await sleep(forMs)
        await must(cluster.datanodes[target]).kill()
        await cluster.startDatanode(target)
        return true
      }
      case 'partition':
      case 'one-way':
      case 'delay':
      case 'bandwidth':
      case 'reset':
      case 'half-open':
        describe()
        await this.#network(fault, this.#proxy(fault))
        return true
    }
  }

  async #network(fault: Fault, proxy: TcpProxy): Promise<void> {
    if (fault.kind === 'reset') return proxy.reset()
    if (fault.kind === 'partition') proxy.partition = 'both'
    else if (fault.kind === 'one-way') proxy.partition = fault.direction
    else if (fault.kind === 'delay') proxy.delayMs = delayMs(fault)
    else if (fault.kind === 'bandwidth') proxy.bytesPerSecond = bytesPerSecond(fault)
    else proxy.halfOpen()
    await sleep(fault.forMs)
    proxy.heal()
  }

  #proxy(fault: Fault): TcpProxy {
    const { cluster } = this.#targets
    if (fault.door === 'clients') return cluster.clientDoor
    return must(fault.door === 'session' ? cluster.sessionDoors[fault.target] : cluster.doors[fault.target])
  }
}

/** The process that a fault ends or stops. */
function roleOf({ kind, target }: Fault): string | undefined {
  if (kind === 'kill-namenode' || kind === 'stop-namenode') return 'namenode'
  if (kind === 'kill-client') return `client ${target}`
  return ['kill-datanode', 'stop-datanode', 'disk-full'].includes(kind) ? `datanode ${target}` : undefined
}
