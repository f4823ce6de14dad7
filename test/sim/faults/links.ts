// What networks do.
import type { Machine } from '../world/machine.ts'
import { between, chance, pick } from '../world/random.ts'
import type { Fault, FaultContext } from './driver.ts'

/** A machine of any kind; a datanode only when its turn may be taken. */
function anyMachine({ simulation, random, claimDatanode }: FaultContext): { machine: Machine; release: () => void } | undefined {
  const { cluster } = simulation
  if (chance(random, 0.5)) {
    const release = claimDatanode()
    const node = pick(random, cluster.datanodes)
    if (release && node) return { machine: node.machine, release }
  }
  const machine = pick(random, [cluster.namenode.machine, ...cluster.clients])
  return machine && { machine, release: () => {} }
}

/** Cuts a machine off from all others, or from some. */
const partition: Fault = (context) => {
  const { simulation, random, lasts } = context
  const found = anyMachine(context)
  if (!found) return
  const { cluster } = simulation
  const { machine, release } = found
  const others = cluster.network.machines().filter((other) => other !== machine && chance(random, 0.7))
  cluster.trace.add(machine.name, `FAULT is cut off from ${others.map(({ name }) => name).join(' ')}`)
  for (const other of others) {
    cluster.network.block(machine, other)
    cluster.network.block(other, machine)
  }
  lasts(between(random, 1_000, 100_000), () => {
    cluster.trace.add(machine.name, 'is no longer cut off')
    for (const other of others) {
      cluster.network.unblock(machine, other)
      cluster.network.unblock(other, machine)
    }
    release()
  })
}

/** What a machine says to others is lost, what they say arrives; or the other way round. */
const oneWay: Fault = (context) => {
  const { simulation, random, lasts } = context
  const found = anyMachine(context)
  if (!found) return
  const { cluster } = simulation
  const { machine, release } = found
  const outwards = chance(random, 0.5)
  cluster.trace.add(machine.name, `FAULT ${outwards ? 'is not heard' : 'hears nothing'}`)
  const others = cluster.network.machines().filter((other) => other !== machine)
  const ways = others.map((other): [Machine, Machine] => (outwards ? [machine, other] : [other, machine]))
  for (const [from, to] of ways) cluster.network.block(from, to)
  lasts(between(random, 1_000, 60_000), () => {
    cluster.trace.add(machine.name, 'is connected both ways')
    for (const [from, to] of ways) cluster.network.unblock(from, to)
    release()
  })
}

/** Messages of a machine take very long. */
const clog: Fault = ({ simulation, random, lasts }) => {
  const { cluster } = simulation
  const machine = pick(random, cluster.network.machines())
  if (!machine) return
  const delayMs = between(random, 20, 1_500)
  cluster.trace.add(machine.name, `FAULT has slow links: ${delayMs.toFixed(0)} ms`)
  const links = cluster.network.machines().flatMap((other) => [cluster.network.link(machine, other), cluster.network.link(other, machine)])
  const before = links.map((link) => link.delayMs)
  for (const link of links) link.delayMs = delayMs
  lasts(between(random, 2_000, 40_000), () => {
    for (const [i, link] of links.entries()) link.delayMs = before[i]!
  })
}

/** Connections break, one after another. */
const breaks: Fault = ({ simulation, random, lasts }) => {
  const { cluster } = simulation
  const machine = pick(random, cluster.network.machines())
  if (!machine) return
  cluster.trace.add(machine.name, 'FAULT has links that break')
  const links = cluster.network.machines().flatMap((other) => [cluster.network.link(machine, other), cluster.network.link(other, machine)])
  for (const link of links) link.breaks = 0.05
  lasts(between(random, 1_000, 20_000), () => {
    for (const link of links) link.breaks = 0
  })
}

export const networkFaults = { 'partition': partition, 'one-way': oneWay, 'clog': clog, 'breaks': breaks }
