import fc from 'fast-check'
import { expect, test } from 'vitest'
import { appendPipeline, createPipeline, isLive, step } from './pipeline.ts'
import type { PipelineEffect, PipelineEvent, PipelineState, Step } from './pipeline.ts'

const targets = ['a', 'b', 'c'].map((node) => ({ node, storage: `s-${node}` }))
const bytes = (length: number): Uint8Array => new Uint8Array(length)

/** Runs events one after another; answers the last state and every effect. */
function run(first: Step, events: PipelineEvent[]): { state: PipelineState; effects: PipelineEffect[] } {
  let { state } = first
  const effects = [...first.effects]
  for (const event of events) {
    const next = step(state, event)
    state = next.state
    effects.push(...next.effects)
  }
  return { state, effects }
}

const packet = (offset: number, length: number): PipelineEvent => ({
  kind: 'packet',
  packet: { offset, data: bytes(length), checksums: bytes(4) },
  sync: false,
})

test('a block without trouble: set up, packets, the last packet only after all acks, sealed', () => {
  const { state, effects } = run(createPipeline(targets, 1001), [
    { kind: 'connected', attempt: 1, storages: ['s-a', 's-b', 's-c'] },
    packet(0, 512),
    packet(512, 100),
    { kind: 'seal' },
    { kind: 'acked', attempt: 1, seqno: 0 },
    { kind: 'acked', attempt: 1, seqno: 1 },
    { kind: 'acked', attempt: 1, seqno: 2 },
  ])
  expect(state).toEqual({ kind: 'sealed', length: 612, genstamp: 1001 })
  expect(
    effects.map((effect) =>
      effect.kind === 'send' || effect.kind === 'release'
        ? `${effect.kind} ${effect.packet.seqno}${effect.packet.last ? ' last' : ''}`
        : effect.kind,
    ),
  ).toEqual(['open', 'send 0', 'send 1', 'release 0', 'release 1', 'send 2 last', 'release 2 last', 'finish'])
})

test('the middle datanode is lost: the others go on under a new stamp and get every packet that was not acknowledged', () => {
  const { state, effects } = run(createPipeline(targets, 1001), [
    { kind: 'connected', attempt: 1, storages: [] },
    packet(0, 512),
    packet(512, 512),
    packet(1024, 512),
    { kind: 'acked', attempt: 1, seqno: 0 },
    { kind: 'lost', attempt: 1, node: 'b', reason: 'reset' },
    { kind: 'stamped', attempt: 2, genstamp: 1007 },
    { kind: 'connected', attempt: 2, storages: [] },
    { kind: 'updated', attempt: 2 },
  ])
  expect(state).toMatchObject({ kind: 'streaming', nodes: ['a', 'c'], genstamp: 1007, acked: 512, sent: 2 })
  expect(effects.slice(-6).map((effect) => effect.kind)).toEqual(['cancel', 'stamp', 'open', 'update', 'send', 'send'])
  expect(effects.find((effect) => effect.kind === 'open' && effect.attempt === 2)).toEqual({
    kind: 'open',
    attempt: 2,
    stage: 'streaming-recovery',
    nodes: ['a', 'c'],
    storages: ['s-a', 's-c'],
    genstamp: 1001,
    newGenstamp: 1007,
    minBytes: 512,
    maxBytes: 1536,
  })
  expect(effects.find((effect) => effect.kind === 'update')).toMatchObject({
    genstamp: 1001,
    newGenstamp: 1007,
    length: 512,
    nodes: ['a', 'c'],
  })
})

test('a loss while the block closes is mended by a set-up that closes it', () => {
  const { state, effects } = run(createPipeline(targets, 1001), [
    { kind: 'connected', attempt: 1, storages: [] },
    packet(0, 512),
    { kind: 'seal' },
    { kind: 'acked', attempt: 1, seqno: 0 },
    { kind: 'lost', attempt: 1, node: undefined, reason: 'reset' },
    { kind: 'stamped', attempt: 2, genstamp: 1002 },
    { kind: 'connected', attempt: 2, storages: [] },
    { kind: 'lost', attempt: 2, node: undefined, reason: 'it ended the stream' },
    { kind: 'updated', attempt: 2 },
  ])
  expect(state).toEqual({ kind: 'sealed', length: 512, genstamp: 1002 })
  expect(effects.find((effect) => effect.kind === 'open' && effect.attempt === 2)).toMatchObject({
    stage: 'close-recovery',
    nodes: ['b', 'c'],
    minBytes: 512,
    maxBytes: 512,
  })
})

test('a loss while the namenode is told waits for its answer, so that the stamp is certain', () => {
  const { state, effects } = run(createPipeline(targets, 1001), [
    { kind: 'connected', attempt: 1, storages: [] },
    packet(0, 512),
    { kind: 'lost', attempt: 1, node: 'a', reason: 'reset' },
    { kind: 'stamped', attempt: 2, genstamp: 1002 },
    { kind: 'connected', attempt: 2, storages: [] },
    { kind: 'lost', attempt: 2, node: 'b', reason: 'reset' },
    { kind: 'updated', attempt: 2 },
    { kind: 'stamped', attempt: 3, genstamp: 1003 },
  ])
  expect(state).toMatchObject({ kind: 'connecting', nodes: ['c'], genstamp: 1002, newGenstamp: 1003 })
  expect(effects.at(-1)).toMatchObject({ kind: 'open', attempt: 3, genstamp: 1002, newGenstamp: 1003 })
})

test('a new block whose pipeline cannot be set up is to be placed elsewhere', () => {
  const { state } = run(createPipeline(targets, 1001), [{ kind: 'lost', attempt: 1, node: 'c', reason: 'disk full' }])
  expect(state).toEqual({ kind: 'unplaced', bad: 'c', reason: 'disk full' })
})

test('an append asks for a stamp first, and when its set-up fails goes on without the bad datanode', () => {
  const { state, effects } = run(appendPipeline(targets, 1001, 700), [
    { kind: 'stamped', attempt: 2, genstamp: 1005 },
    { kind: 'lost', attempt: 2, node: 'a', reason: 'gone' },
    { kind: 'stamped', attempt: 3, genstamp: 1006 },
    { kind: 'connected', attempt: 3, storages: [] },
    { kind: 'updated', attempt: 3 },
  ])
  expect(effects.filter((effect) => effect.kind === 'open').map((effect) => effect.stage)).toEqual(['append', 'append-recovery'])
  expect(state).toMatchObject({ kind: 'streaming', nodes: ['b', 'c'], genstamp: 1006, acked: 700 })
})

test('no datanode left: failed, with what happened to each', () => {
  const { state } = run(createPipeline(targets.slice(0, 1), 1001), [
    { kind: 'connected', attempt: 1, storages: [] },
    packet(0, 512),
    { kind: 'lost', attempt: 1, node: 'a', reason: 'disk full' },
  ])
  expect(state).toEqual({ kind: 'failed', reason: 'All datanodes of the pipeline are lost (a: disk full)', acked: 0 })
})

test('a packet that loses more than five pipelines fails the write', () => {
  const many = Array.from({ length: 9 }, (_, i) => ({ node: `n${i}`, storage: '' }))
  let { state } = run(createPipeline(many, 1001), [{ kind: 'connected', attempt: 1, storages: [] }, packet(0, 512)])
  for (let i = 0; i < 6 && isLive(state); i++) {
    state = run({ state, effects: [] }, [
      { kind: 'lost', attempt: state.attempt, node: undefined, reason: 'reset' },
      { kind: 'stamped', attempt: state.attempt + 1, genstamp: 1002 + i },
      { kind: 'connected', attempt: state.attempt + 1, storages: [] },
      { kind: 'updated', attempt: state.attempt + 1 },
    ]).state
  }
  expect(state.kind === 'failed' && state.reason).toMatch(/^Packet 0 lost 6 pipelines in a row \(n0: reset;/)
})

test('events of an earlier attempt change nothing', () => {
  const { state } = run(createPipeline(targets, 1001), [
    { kind: 'connected', attempt: 1, storages: [] },
    packet(0, 512),
    { kind: 'lost', attempt: 1, node: 'b', reason: 'reset' },
  ])
  for (const event of [
    { kind: 'acked', attempt: 1, seqno: 0 },
    { kind: 'lost', attempt: 1, node: 'a', reason: 'x' },
    { kind: 'connected', attempt: 1, storages: [] },
  ] as const) {
    expect(step(state, event)).toEqual({ state, effects: [] })
  }
})

// --- any interleaving ------------------------------------------------------------------------------------------------------

/** Replicas and a namenode that obey the effects as real ones would, in whatever order chance picks. */
class World {
  state: PipelineState
  readonly replicas = new Map<string, { length: number; genstamp: number; final: boolean; alive: boolean }>()
  /** What is on its way to the machine, in order for each source. */
  streamEvents: PipelineEvent[] = []
  namenodeEvents: PipelineEvent[] = []
  toReplicas: (PipelineEffect & { kind: 'send' })[] = []
  namenodeStamp = 1001
  nextStamp = 1002
  ackedPromise = 0
  pipeline: { attempt: number; nodes: readonly string[] } | undefined

  constructor(names: readonly string[]) {
    for (const name of names) this.replicas.set(name, { length: 0, genstamp: 0, final: false, alive: true })
    const first = createPipeline(
      names.map((node) => ({ node, storage: '' })),
      this.namenodeStamp,
    )
    this.state = first.state
    this.obey(first.effects)
  }

  dispatch(event: PipelineEvent): void {
    const before = this.state
    const next = step(this.state, event)
    this.state = next.state
    if (isLive(next.state)) {
      expect(next.state.acked).toBeGreaterThanOrEqual(this.ackedPromise) // P1
      this.ackedPromise = next.state.acked
      let at = next.state.acked
      for (const one of next.state.queue) {
        expect(one.offset).toBeLessThanOrEqual(at) // P2
        at = Math.max(at, one.offset + one.data.length)
      }
      if (isLive(before)) expect(next.state.attempt).toBeGreaterThanOrEqual(before.attempt)
    }
    this.obey(next.effects)
  }

  obey(effects: readonly PipelineEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'open') this.setUp(effect)
      else if (effect.kind === 'send') this.toReplicas.push(effect)
      else if (effect.kind === 'stamp') this.namenodeEvents.push({ kind: 'stamped', attempt: effect.attempt, genstamp: this.nextStamp++ })
      else if (effect.kind === 'update') {
        expect(effect.genstamp).toBe(this.namenodeStamp)
        this.namenodeStamp = effect.newGenstamp
        this.namenodeEvents.push({ kind: 'updated', attempt: effect.attempt })
      } else if (effect.kind === 'cancel' && this.pipeline?.attempt === effect.attempt) {
        this.pipeline = undefined
        this.toReplicas = []
      }
    }
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

  /** Lets everything that is under way arrive. */
  settle(): void {
    for (let i = 0; i < 500 && isLive(this.state); i++) {
      const event = this.streamEvents.shift() ?? this.namenodeEvents.shift()
      if (event) this.dispatch(event)
      else this.deliver()
    }
  }
}

test('any interleaving of packets, acks and failures ends sealed with every byte on every survivor, or failed', () => {
  const move = fc.oneof(
    { weight: 5, arbitrary: fc.constant('packet' as const) },
    { weight: 6, arbitrary: fc.constant('deliver' as const) },
    { weight: 6, arbitrary: fc.constant('stream' as const) },
    { weight: 4, arbitrary: fc.constant('namenode' as const) },
    { weight: 1, arbitrary: fc.record({ kill: fc.nat(3) }) },
    { weight: 1, arbitrary: fc.constant('flap' as const) },
  )
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), fc.array(move, { maxLength: 80 }), (nodes, moves) => {
      const world = new World(Array.from({ length: nodes }, (_, i) => `n${i}`))
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
        else if (one === 'flap' && world.pipeline)
          world.streamEvents.push({ kind: 'lost', attempt: world.pipeline.attempt, node: undefined, reason: 'reset' })
        else if (typeof one === 'object') {
          const replica = world.replicas.get(`n${one.kill}`)
          if (replica) replica.alive = false
        }
      }
      if (isLive(world.state)) world.dispatch({ kind: 'seal' })
      world.settle()
      const { state } = world
      expect(['sealed', 'failed', 'unplaced']).toContain(state.kind)
      if (state.kind !== 'sealed') return
      expect(state.length).toBe(written)
      expect(state.genstamp).toBe(world.namenodeStamp)
      const holders = [...world.replicas.values()].filter(
        (replica) => replica.final && replica.length === written && replica.genstamp === state.genstamp,
      )
      expect(holders.length).toBeGreaterThan(0)
    }),
    { numRuns: 2000 },
  )
})
