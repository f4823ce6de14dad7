// The pipeline machine among replicas and a namenode that obey its effects as real ones would, in whatever order chance picks.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createPipeline, step } from './pipeline.ts'
import { isLive } from './pipeline-state.ts'
import type { PipelineEffect, PipelineEvent, PipelineRules, PipelineState } from './pipeline-state.ts'

const bytes = (length: number): Uint8Array => new Uint8Array(length)

interface FakeReplica {
  length: number
  genstamp: number
  final: boolean
  alive: boolean
}

/** Kinds of states that any run came to. */
const seen = new Set<string>()

class World {
  state: PipelineState
  readonly replicas = new Map<string, FakeReplica>()
  /** What is on its way to the machine, in order for each source. */
  streamEvents: PipelineEvent[] = []
  namenodeEvents: PipelineEvent[] = []
  toReplicas: (PipelineEffect & { kind: 'send' })[] = []
  awaited: (PipelineEffect & { kind: 'await' }) | undefined
  readonly spares: string[]
  namenodeStamp = 1001
  namenodeNodes: readonly string[]
  nextStamp = 1002
  ackedPromise = 0
  pipeline: { attempt: number; nodes: readonly string[] } | undefined

  constructor(names: readonly string[], spares: readonly string[], rules: PipelineRules) {
    this.spares = [...spares]
    this.namenodeNodes = names
    for (const name of [...names, ...spares]) this.replicas.set(name, { length: 0, genstamp: 0, final: false, alive: true })
    const first = createPipeline(
      names.map((node) => ({ node, storage: '' })),
      this.namenodeStamp,
      rules,
    )
    this.state = first.state
    this.obey(first.effects)
  }

  dispatch(event: PipelineEvent): void {
    const before = this.state
    const next = step(this.state, event)
    this.state = next.state
    seen.add(next.state.kind)
    if (isLive(next.state)) {
      const { acked, queue, nodes, attempt } = next.state
      expect(acked).toBeGreaterThanOrEqual(this.ackedPromise) // P1
      this.ackedPromise = acked
      for (const node of nodes) expect(this.replicas.get(node)!.length).toBeGreaterThanOrEqual(acked) // P1
      let at = acked
      for (const one of queue) {
        expect(one.offset).toBeLessThanOrEqual(at) // P2
        at = Math.max(at, one.offset + one.data.length)
      }
      expect(new Set(nodes).size).toBe(nodes.length)
      if (isLive(before)) expect(attempt).toBeGreaterThanOrEqual(before.attempt) // P4
    }
    this.obey(next.effects)
  }

  obey(effects: readonly PipelineEffect[]): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case 'open':
          this.setUp(effect)
          break
        case 'send':
          this.toReplicas.push(effect)
          break
        case 'await':
          this.awaited = effect
          break
        case 'stamp':
          this.namenodeEvents.push({ kind: 'stamped', attempt: effect.attempt, genstamp: this.nextStamp++ })
          break
        case 'replace':
          this.namenodeEvents.push(this.join(effect))
          break
        case 'update':
          expect(effect.genstamp).toBe(this.namenodeStamp)
          this.namenodeStamp = effect.newGenstamp
          this.namenodeNodes = effect.nodes
          this.namenodeEvents.push({ kind: 'updated', attempt: effect.attempt })
          break
        case 'cancel':
          if (this.pipeline?.attempt !== effect.attempt) break
          this.pipeline = undefined
          this.toReplicas = []
          break
        case 'finish':
        case 'release':
      }
    }
  }

  join({ attempt, nodes, excluded, source }: PipelineEffect & { kind: 'replace' }): PipelineEvent {
    expect(nodes).toContain(source)
    const node = this.spares.find((one) => !nodes.includes(one) && !excluded.includes(one))
    if (node === undefined) return { kind: 'unjoined', attempt, node, reason: 'no datanode is left' }
    const [from, to] = [this.replicas.get(source)!, this.replicas.get(node)!]
    if (!from.alive) return { kind: 'lost', attempt, node: source, reason: 'down' }
    if (!to.alive) return { kind: 'unjoined', attempt, node, reason: 'the copy failed' }
    Object.assign(to, { length: from.length, genstamp: from.genstamp, final: from.final })
    return { kind: 'joined', attempt, node, storage: '' }
  }

  setUp(effect: PipelineEffect & { kind: 'open' }): void {
    this.streamEvents = []
    const dead = effect.nodes.find((node) => !this.replicas.get(node)!.alive)
    if (dead) return void this.streamEvents.push({ kind: 'lost', attempt: effect.attempt, node: dead, reason: 'down' })
    for (const node of effect.nodes) {
      const replica = this.replicas.get(node)!
      if (effect.stage !== 'create') {
        expect(replica.length).toBeGreaterThanOrEqual(effect.minBytes)
        if (effect.stage === 'streaming-recovery') expect([replica.final, replica.length <= effect.maxBytes]).toEqual([false, true])
        if (effect.stage === 'close-recovery') {
          expect(replica.length).toBe(effect.minBytes)
          replica.final = true
        }
      }
      replica.genstamp = effect.newGenstamp
    }
    this.pipeline = { attempt: effect.attempt, nodes: effect.nodes }
    this.streamEvents.push({ kind: 'connected', attempt: effect.attempt, storages: [] })
  }

  /** One packet passes down the pipeline; it may stop at a datanode that is dead. */
  deliver(): void {
    const next = this.toReplicas.shift()
    if (!next || this.pipeline?.attempt !== next.attempt) return
    for (const node of this.pipeline.nodes) {
      const replica = this.replicas.get(node)!
      if (!replica.alive) {
        this.streamEvents.push({ kind: 'lost', attempt: next.attempt, node, reason: 'down' })
        this.pipeline = undefined
        return
      }
      if (next.packet.last) replica.final = true
      else {
        expect(next.packet.offset).toBeLessThanOrEqual(replica.length)
        replica.length = Math.max(replica.length, next.packet.offset + next.packet.data.length)
      }
    }
    this.streamEvents.push({ kind: 'acked', attempt: next.attempt, seqno: next.packet.seqno })
  }

  /** The datanode that is awaited comes back, or its time is over. */
  endWait(back: boolean): void {
    const awaited = this.awaited
    if (!awaited) return
    this.awaited = undefined
    const { attempt, node } = awaited
    if (back && this.replicas.get(node)!.alive) this.dispatch({ kind: 'returned', attempt })
    else this.dispatch({ kind: 'lost', attempt, node, reason: 'it did not come back' })
  }

  restart(index: number): void {
    const node = this.pipeline?.nodes[index]
    if (node !== undefined) this.streamEvents.push({ kind: 'restarting', attempt: this.pipeline!.attempt, node })
  }

  /** Lets everything that is under way arrive. */
  settle(): void {
    for (let i = 0; i < 1000 && isLive(this.state); i++) {
      const event = this.streamEvents.shift() ?? this.namenodeEvents.shift()
      if (event) this.dispatch(event)
      else if (this.awaited) this.endWait(i % 2 === 0)
      else this.deliver()
    }
  }
}

const rules = fc.record({
  replication: fc.integer({ min: 1, max: 4 }),
  replacement: fc.record({ mode: fc.constantFrom('default' as const, 'always' as const, 'never' as const), bestEffort: fc.boolean() }),
})

const move = fc.oneof(
  { weight: 5, arbitrary: fc.constant('packet' as const) },
  { weight: 6, arbitrary: fc.constant('deliver' as const) },
  { weight: 6, arbitrary: fc.constant('stream' as const) },
  { weight: 4, arbitrary: fc.constant('namenode' as const) },
  { weight: 1, arbitrary: fc.record({ kill: fc.nat(6) }) },
  { weight: 1, arbitrary: fc.record({ restart: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.constant('back' as const) },
  { weight: 1, arbitrary: fc.constant('late' as const) },
  { weight: 1, arbitrary: fc.constant('flap' as const) },
  { weight: 1, arbitrary: fc.constant('flush' as const) },
)

test('any interleaving of packets, acks, failures, restarts and replacements ends sealed with every byte on every datanode that the namenode counts, or failed', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), fc.nat(3), rules, fc.array(move, { maxLength: 80 }), (nodes, spares, given, moves) => {
      const names = Array.from({ length: nodes + spares }, (_, i) => `n${i}`)
      const world = new World(names.slice(0, nodes), names.slice(nodes), given)
      let written = 0
      for (const one of moves) {
        if (!isLive(world.state)) break
        if (one === 'packet' && world.state.kind !== 'connecting' && world.state.queue.length < 8) {
          const from = Math.max(0, written - (written % 512))
          world.dispatch({ kind: 'packet', packet: { offset: from, data: bytes(written - from + 300), checksums: bytes(4) }, sync: false })
          written += 300
        } else if (one === 'deliver') world.deliver()
        else if (one === 'stream' && world.streamEvents.length > 0) world.dispatch(world.streamEvents.shift()!)
        else if (one === 'namenode' && world.namenodeEvents.length > 0) world.dispatch(world.namenodeEvents.shift()!)
        else if (one === 'flush') world.dispatch({ kind: 'flush' })
        else if (one === 'back' || one === 'late') world.endWait(one === 'back')
        else if (one === 'flap' && world.pipeline)
          world.streamEvents.push({ kind: 'lost', attempt: world.pipeline.attempt, node: undefined, reason: 'reset' })
        else if (typeof one === 'object' && 'restart' in one) world.restart(one.restart)
        else if (typeof one === 'object' && 'kill' in one) {
          const replica = world.replicas.get(`n${one.kill}`)
          if (replica) replica.alive = false
        }
      }
      if (isLive(world.state)) world.dispatch({ kind: 'seal' })
      world.settle()
      const { state } = world
      expect(['sealed', 'failed', 'unplaced']).toContain(state.kind) // P5: nothing is stuck
      if (state.kind !== 'sealed') return
      expect(state.length).toBe(written)
      expect(state.genstamp).toBe(world.namenodeStamp)
      for (const node of world.namenodeNodes)
        expect(world.replicas.get(node)).toMatchObject({ final: true, length: written, genstamp: state.genstamp })
    }),
    { numRuns: 1000 },
  )
  for (const kind of ['awaiting', 'connecting', 'failed', 'replacing', 'sealed', 'stamping', 'streaming', 'updating'])
    expect(seen).toContain(kind)
})
