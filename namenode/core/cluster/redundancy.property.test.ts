// Datanodes that hold replicas, carry out what they are told after a while, die, come back, rot, and are taken out of service and put
// back, in random order. What must hold:
//
//   - no order of the namenode ever takes the last good copy of a block away, dead datanodes' copies counted
//   - a node that has left holds no block of which there is no good copy elsewhere
//   - once everything is back and quiet, every block has exactly the copies it should have, none corrupt, and the namenode knows it
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { assert } from '../../../common/assert.ts'
import { SeededRandom } from '../../../common/testing/seeded-random.ts'
import type { Init, NameMessage } from '../../../proto/ports.ts'
import { ReceivedKind } from '../../../proto/ports.ts'
import type { BlockRecord } from '../model.ts'
import { ClusterFixture, FakeNode } from './testing/cluster-fixture.ts'

const nodeCount = 5
const blockCount = 12

interface Held {
  readonly genstamp: number
  readonly length: number
  bad: boolean
}

class SimulatedNode extends FakeNode {
  readonly held = new Map<number, Held>()
  up = true
  readonly #world: World

  constructor(world: World, index: number) {
    super(world.cluster, index, { rack: index % 2 === 0 ? '/a' : '/b' })
    this.#world = world
  }

  override send(message: Init<NameMessage>): void {
    if (this.up) this.#world.orders.push({ node: this, message })
  }
}

class World {
  readonly cluster = new ClusterFixture({ copyTimeoutMs: 20_000 })
  readonly orders: { readonly node: SimulatedNode; readonly message: Init<NameMessage> }[] = []
  readonly nodes: SimulatedNode[]
  readonly blocks: BlockRecord[] = []
  readonly #random: SeededRandom
  readonly #left = new Set<SimulatedNode>()

  constructor(seed: number) {
    this.#random = new SeededRandom(seed)
    this.nodes = Array.from({ length: nodeCount }, (_, i) => new SimulatedNode(this, i + 1))
    this.cluster.nodes.push(...this.nodes)
    for (const node of this.nodes) this.back(node)
    for (let id = 1; id <= blockCount; id++) this.write(id)
  }

  /** A closed file of one block on two nodes, which may want up to four copies. */
  write(id: number): void {
    const block = this.cluster.addBlock(id, { replication: 1 + this.#random.int(4) })
    this.blocks.push(block)
    const first = this.#random.int(nodeCount)
    for (const node of [this.nodes[first]!, this.nodes[(first + 1) % nodeCount]!]) {
      node.held.set(id, { genstamp: block.genstamp, length: block.length, bad: false })
      node.received(block)
    }
  }

  goodCopies(id: number): SimulatedNode[] {
    return this.nodes.filter((node) => node.held.get(id)?.bad === false)
  }

  isLeaving(node: SimulatedNode, id: number): boolean {
    return this.orders.some((order) => order.node === node && order.message.invalidate?.blocks?.some((block) => block.blockId === id))
  }

  back(node: SimulatedNode): void {
    node.up = true
    node.register()
    node.report([...node.held].map(([blockId, { genstamp, length }]) => ({ block: { blockId, genstamp, length } })))
  }

  down(node: SimulatedNode): void {
    node.up = false
    node.disconnect()
    for (let i = this.orders.length - 1; i >= 0; i--) if (this.orders[i]!.node === node) this.orders.splice(i, 1)
  }

  rot(node: SimulatedNode, id: number): void {
    const held = node.held.get(id)
    // Only what the rules can mend: another good copy must be on a node that runs and has not been told to delete it.
    if (!node.up || !held || held.bad || !this.goodCopies(id).some((other) => other.up && other !== node && !this.isLeaving(other, id)))
      return
    held.bad = true
    const { genstamp, length } = held
    this.cluster.manager.badReplicas(node.node, [{ storageUuid: node.storage(), block: { blockId: id, genstamp, length }, reason: 'rot' }])
    this.cluster.settle()
  }

  setState(node: SimulatedNode, action: 'in-service' | 'decommission' | 'maintenance'): void {
    this.cluster.manager.admin.setNodeState([node.uuid], action, 0)
    this.cluster.settle()
    this.checkLeft()
  }

  stateOf(node: SimulatedNode): string {
    return this.cluster.manager.datanodes(0).find((one) => one.datanode?.uuid === node.uuid)!.adminState
  }

  /** What a node holds that has just left must be elsewhere. */
  checkLeft(): void {
    for (const node of this.nodes) {
      const state = this.stateOf(node)
      const left = state === 'Decommissioned'
      if (left && !this.#left.has(node)) {
        for (const [id, held] of node.held) {
          if (held.bad) continue
          expect(this.goodCopies(id).filter((other) => other !== node).length, `block ${id} on ${node.uuid}, which left`).toBeGreaterThan(0)
        }
      }
      if (left) this.#left.add(node)
      else this.#left.delete(node)
    }
  }

  setReplication(id: number, replication: number): void {
    const block = this.blocks[id - 1]!
    const file = this.cluster.store.tx.inode(block.fileId)!
    assert(file.kind === 'file', 'blocks belong to files')
    this.cluster.store.tx.putInode({ ...file, replication })
    this.cluster.manager.committed([{ kind: 'replication-changed', blocks: [block], replication }])
    this.cluster.settle()
  }

  pass(ms: number): void {
    this.cluster.silence(
      ms,
      this.nodes.filter((node) => !node.up),
    )
    for (const node of this.nodes) {
      if (node.up)
        this.cluster.manager.heartbeat(node.node, {
          storages: node.registration().storages,
          xceivers: 0,
          transfers: 1,
          nonDfsUsed: 0,
          slowPeers: [],
        })
    }
    this.cluster.manager.redundancyRound()
    this.cluster.settle()
    this.checkLeft()
  }

  /** One order, not necessarily the oldest one of all, is carried out. */
  carryOut(choice: number): void {
    const [order] = this.orders.splice(choice % Math.max(1, this.orders.length), 1)
    if (!order) return
    const { node, message } = order
    if (message.replicate) this.#copy(node, message.replicate)
    for (const block of message.invalidate?.blocks ?? []) this.#delete(node, block.blockId!, block.genstamp!)
    if (message.sendReport) node.report([...node.held].map(([blockId, { genstamp, length }]) => ({ block: { blockId, genstamp, length } })))
    this.cluster.settle()
  }

  #copy(source: SimulatedNode, order: NonNullable<Init<NameMessage>['replicate']>): void {
    const id = order.block!.blockId!
    const held = source.held.get(id)
    if (!held) return
    // A datanode checks what it sends: a rotten source reports itself instead.
    if (held.bad)
      return this.cluster.manager.badReplicas(source.node, [
        { storageUuid: source.storage(), block: { blockId: id, genstamp: held.genstamp, length: held.length }, reason: 'rot' },
      ])
    for (const target of order.targets ?? []) {
      const node = this.nodes.find((one) => one.uuid === target.datanode?.uuid)
      if (!node?.up || node.held.has(id)) continue
      node.held.set(id, { ...held })
      node.received({ blockId: id, genstamp: held.genstamp, length: held.length })
    }
  }

  #delete(node: SimulatedNode, id: number, genstamp: number): void {
    const held = node.held.get(id)
    if (!held || held.genstamp > genstamp) return
    if (!held.bad) expect(this.goodCopies(id).length, `the last good copy of block ${id}`).toBeGreaterThan(1)
    node.held.delete(id)
    node.received({ blockId: id, genstamp: held.genstamp, length: held.length }, ReceivedKind.DELETED)
  }
}

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ op: fc.constant('carryOut' as const), choice: fc.nat(1000) }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('down' as const), node: fc.nat(nodeCount - 1) }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('back' as const), node: fc.nat(nodeCount - 1) }) },
  {
    weight: 2,
    arbitrary: fc.record({ op: fc.constant('rot' as const), node: fc.nat(nodeCount - 1), block: fc.integer({ min: 1, max: blockCount }) }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('pass' as const), ms: fc.constantFrom(1_000, 15_000, 61_000) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant('setState' as const),
      node: fc.nat(nodeCount - 1),
      action: fc.constantFrom('in-service' as const, 'decommission' as const, 'maintenance' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant('setReplication' as const),
      block: fc.integer({ min: 1, max: blockCount }),
      replication: fc.integer({ min: 1, max: 4 }),
    }),
  },
)

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

function live(seed: number, steps: readonly Step[]): World {
  const world = new World(seed)
  for (const one of steps) {
    if (one.op === 'carryOut') world.carryOut(one.choice)
    else if (one.op === 'pass') world.pass(one.ms)
    else if (one.op === 'setReplication') world.setReplication(one.block, one.replication)
    else {
      const node = world.nodes[one.node]!
      if (one.op === 'rot') world.rot(node, one.block)
      else if (one.op === 'setState') world.setState(node, one.action)
      else if (one.op === 'down' && node.up) world.down(node)
      else if (one.op === 'back' && !node.up) world.back(node)
    }
  }
  return world
}

function quiet(world: World): void {
  for (const node of world.nodes) if (!node.up) world.back(node)
  for (let round = 0; round < 40; round++) {
    world.pass(2_000)
    while (world.orders.length > 0) world.carryOut(0)
  }
}

function wantedOf(world: World, block: BlockRecord): number {
  const file = world.cluster.store.tx.inode(block.fileId)
  assert(file?.kind === 'file', 'the files stay')
  return file.replication
}

const nothingToDo = { underReplicated: 0, missingBlocks: 0, corruptBlocks: 0, postponed: 0, pendingDeletion: 0 }
const history = [fc.integer(), fc.array(step, { minLength: 20, maxLength: 120 })] as const

test('copies converge on what is wanted, and no order takes the last good copy, whatever dies, returns, rots and is taken out of service', () => {
  fc.assert(
    fc.property(...history, (seed, steps) => {
      const world = live(seed, steps)
      for (const node of world.nodes) world.setState(node, 'in-service')
      quiet(world)
      for (const block of world.blocks) {
        const holders = world.nodes.filter((node) => node.held.has(block.blockId))
        const wanted = wantedOf(world, block)
        expect([
          block.blockId,
          holders.length,
          holders.filter((node) => node.held.get(block.blockId)!.bad).length,
          world.cluster.manager.liveReplicas(block),
        ]).toEqual([block.blockId, wanted, 0, wanted])
      }
      expect(world.cluster.manager.counts()).toMatchObject(nothingToDo)
    }),
    { numRuns: 60 },
  )
})

test('a node that is to leave gets away after any history, and what is wanted is on the others', () => {
  fc.assert(
    fc.property(...history, (seed, steps) => {
      const world = live(seed, steps)
      const [leaving, ...others] = world.nodes
      for (const node of others) world.setState(node, 'in-service')
      world.setState(leaving!, 'decommission')
      quiet(world)
      expect(world.stateOf(leaving!)).toBe('Decommissioned')
      for (const block of world.blocks) {
        const good = others.filter((node) => node.held.get(block.blockId)?.bad === false)
        expect([block.blockId, good.length]).toEqual([block.blockId, wantedOf(world, block)])
      }
      expect(world.cluster.manager.counts()).toMatchObject(nothingToDo)
    }),
    { numRuns: 60 },
  )
})
