// What disks and clocks do.
import { ReplicaState } from '../../../proto/ports.ts'
import type { Simulation } from '../run/simulation.ts'
import type { DatanodeRole } from '../world/datanode.ts'
import { between, chance, pick } from '../world/random.ts'
import type { Fault, FaultContext } from './driver.ts'

/** Damages of the run: blocks of which one replica is bad (F2). */
const damaged = new WeakMap<Simulation, Set<number>>()

interface Victim {
  readonly node: DatanodeRole
  readonly blockId: number
  readonly dataPath: string
  readonly checksumPath: string
}

/** A good finalised replica of a closed file whose block has another one on a machine that runs. The file is frozen. */
function replicaToDamage({ simulation, random }: FaultContext): Victim | undefined {
  const { cluster, owners } = simulation
  let known = damaged.get(simulation)
  if (!known) damaged.set(simulation, (known = new Set()))
  const owner = pick(random, owners)
  const record = owner && pick(random, owner.files.idle())
  const block = record && pick(random, blocksOf(simulation, record.path))
  if (!record || !block || known.has(block.blockId)) return undefined
  const holders = cluster.datanodes.filter((node) => {
    const replica = node.store?.get(block.blockId)
    return replica?.state === ReplicaState.REPLICA_FINALIZED && replica.genstamp === block.genstamp && replica.length === block.length
  })
  const node = pick(random, holders)
  if (!node || holders.length < 2) return undefined
  known.add(block.blockId)
  record.version.frozen = true
  const replica = node.store!.get(block.blockId)!
  return { node, blockId: block.blockId, dataPath: node.store!.dataPath(replica), checksumPath: node.store!.checksumPath(replica) }
}

function blocksOf(simulation: Simulation, path: string) {
  const { store } = simulation.cluster.namenode
  let inode = store.inode(16385)
  for (const name of path.split('/').slice(1)) inode = inode && store.child(inode.id, name)
  return inode?.kind === 'file' && inode.holder === '' ? store.blocks(inode.id) : []
}

const rot: Fault = (context) => {
  const victim = replicaToDamage(context)
  if (!victim) return
  const { node, blockId } = victim
  const path = chance(context.random, 0.8) ? victim.dataPath : victim.checksumPath
  const { disk } = node.machine
  const at = context.random.int(4_000)
  for (let position = at; position >= 0; position = Math.floor(position / 2) - (position === 0 ? 1 : 0))
    if (disk.rot(path, position, context.random.int(8))) {
      context.simulation.cluster.trace.add(node.machine.name, `FAULT a bit of block ${blockId} rots at ${position} of ${path}`)
      return
    }
}

const loseFile: Fault = (context) => {
  const victim = replicaToDamage(context)
  if (!victim) return
  const { node, blockId } = victim
  context.simulation.cluster.trace.add(node.machine.name, `FAULT the file of block ${blockId} vanishes`)
  node.machine.disk.lose(victim.dataPath)
}

const fillDisk: Fault = ({ simulation, random, lasts, claimDatanode }) => {
  const release = claimDatanode()
  const node = pick(random, simulation.cluster.datanodes)
  if (!release || !node) return
  const { disk, name } = node.machine
  const before = disk.capacity
  disk.capacity = disk.used + random.int(40_000)
  simulation.cluster.trace.add(name, 'FAULT the disk is full')
  lasts(between(random, 2_000, 60_000), () => {
    disk.capacity = before
    simulation.cluster.trace.add(name, 'the disk has room again')
    release()
  })
}

const fillNamenode: Fault = ({ simulation, random, lasts }) => {
  const { cluster } = simulation
  cluster.trace.add('nn', 'FAULT the disk is full')
  cluster.namenode.store.faultOf = () => ({ kind: 'refused' })
  lasts(between(random, 500, 15_000), () => {
    cluster.namenode.store.faultOf = () => undefined
    cluster.trace.add('nn', 'the disk has room again')
  })
}

const slowDisk: Fault = ({ simulation, random, lasts, claimDatanode }) => {
  const release = claimDatanode()
  const node = pick(random, simulation.cluster.datanodes)
  if (!release || !node) return
  const { disk, name } = node.machine
  const before = disk.latency
  disk.latency = { call: between(random, 5, 300), sync: between(random, 50, 5_000) }
  simulation.cluster.trace.add(name, `FAULT the disk is slow: ${disk.latency.call.toFixed(0)} ms a call`)
  lasts(between(random, 5_000, 60_000), () => {
    disk.latency = before
    release()
  })
}

/** The disk of the first datanode lies for a while, then its machine loses its power: no other may be hit meanwhile. */
const lie: Fault = ({ simulation, random, lasts, claimDatanode }) => {
  const release = claimDatanode()
  const [node] = simulation.cluster.datanodes
  if (!release || !node?.machine.running) return release?.()
  const { cluster } = simulation
  node.machine.disk.lying = true
  cluster.trace.add(node.machine.name, 'FAULT the disk lies about syncs')
  lasts(between(random, 5_000, 30_000), () => {
    cluster.crash(node, 'power')
    simulation.powerFailed()
    node.machine.disk.lying = false
    lasts(between(random, 5_000, 30_000), () => {
      cluster.startAgain(node)
      release()
    })
  })
}

const jumpClock: Fault = ({ simulation, random }) => {
  const { cluster } = simulation
  const machine = pick(random, cluster.network.machines())
  if (!machine) return
  const jumpMs = Math.round(between(random, -1, 1) * 10 ** between(random, 2, 7))
  machine.wallAheadMs += jumpMs
  cluster.trace.add(machine.name, `FAULT the clock jumps by ${jumpMs} ms`)
}

export const diskFaults = {
  'bit-rot': rot,
  'lost-file': loseFile,
  'disk-full': fillDisk,
  'namenode-full': fillNamenode,
  'slow-disk': slowDisk,
  'lying-disk': lie,
  'clock-jump': jumpClock,
}
