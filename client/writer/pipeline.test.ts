import { expect, test } from 'vitest'
import { appendPipeline, createPipeline, step } from './pipeline.ts'
import { isLive } from './pipeline-state.ts'
import type { PipelineEffect, PipelineEvent, PipelineRules, PipelineState, Step } from './pipeline-state.ts'

const targets = ['a', 'b', 'c'].map((node) => ({ node, storage: `s-${node}` }))
/** A lost datanode is not replaced, as is the default for two of three. */
const alone: PipelineRules = { replication: 3, replacement: { mode: 'never', bestEffort: true } }
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
  const { state, effects } = run(createPipeline(targets, 1001, alone), [
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
  const { state, effects } = run(createPipeline(targets, 1001, alone), [
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
  const { state, effects } = run(createPipeline(targets, 1001, alone), [
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
  const { state, effects } = run(createPipeline(targets, 1001, alone), [
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
  const { state } = run(createPipeline(targets, 1001, alone), [{ kind: 'lost', attempt: 1, node: 'c', reason: 'disk full' }])
  expect(state).toEqual({ kind: 'unplaced', bad: 'c', reason: 'disk full' })
})

test('an append asks for a stamp first, and when its set-up fails goes on without the bad datanode', () => {
  const { state, effects } = run(appendPipeline(targets, 1001, 700, alone), [
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
  const { state } = run(createPipeline(targets.slice(0, 1), 1001, alone), [
    { kind: 'connected', attempt: 1, storages: [] },
    packet(0, 512),
    { kind: 'lost', attempt: 1, node: 'a', reason: 'disk full' },
  ])
  expect(state).toEqual({ kind: 'failed', reason: 'All datanodes of the pipeline are lost (a: disk full)', acked: 0 })
})

test('a packet that loses more than five pipelines fails the write', () => {
  const many = Array.from({ length: 9 }, (_, i) => ({ node: `n${i}`, storage: '' }))
  let { state } = run(createPipeline(many, 1001, alone), [{ kind: 'connected', attempt: 1, storages: [] }, packet(0, 512)])
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
  const { state } = run(createPipeline(targets, 1001, alone), [
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

// --- replacement --------------------------------------------------------------------------------------------------------

const replacing = (mode: 'default' | 'always' | 'never', bestEffort = true): PipelineRules => ({
  replication: 3,
  replacement: { mode, bestEffort },
})

/** A pipeline of three that loses `b` with one packet under way, up to its new stamp. */
const loseB = (rules: PipelineRules, before: PipelineEvent[] = []): { state: PipelineState; effects: PipelineEffect[] } =>
  run(createPipeline(targets, 1001, rules), [
    { kind: 'connected', attempt: 1, storages: [] },
    packet(0, 512),
    ...before,
    { kind: 'lost', attempt: 1, node: 'b', reason: 'reset' },
    { kind: 'stamped', attempt: 2, genstamp: 1002 },
  ])

test('DEFAULT goes on with two of three, and replaces when bytes were flushed', () => {
  expect(loseB(replacing('default')).state.kind).toBe('connecting')
  const { state, effects } = loseB(replacing('default'), [{ kind: 'flush' }])
  expect(state.kind).toBe('replacing')
  expect(effects.at(-1)).toEqual({ kind: 'replace', attempt: 2, nodes: ['a', 'c'], excluded: ['b'], source: 'a' })
})

test('NEVER does not replace though bytes were flushed, ALWAYS does though they were not', () => {
  expect(loseB(replacing('never'), [{ kind: 'flush' }]).state.kind).toBe('connecting')
  expect(loseB(replacing('always')).state.kind).toBe('replacing')
})

test('the pipeline is set up with the datanode that joined at its end, and the namenode told of all', () => {
  const { state, effects } = run({ ...loseB(replacing('always')) }, [
    { kind: 'joined', attempt: 2, node: 'd', storage: 's-d' },
    { kind: 'connected', attempt: 2, storages: [] },
    { kind: 'updated', attempt: 2 },
  ])
  expect(state).toMatchObject({ kind: 'streaming', nodes: ['a', 'c', 'd'], storages: ['s-a', 's-c', 's-d'], genstamp: 1002 })
  expect(effects.find((effect) => effect.kind === 'update')).toMatchObject({ nodes: ['a', 'c', 'd'], length: 0 })
})

test('a datanode that cannot be given a copy is excluded and another tried, from another source; after three the survivors go on', () => {
  let at = loseB(replacing('always'))
  const sources: unknown[] = []
  for (const node of ['d', 'e', 'f']) {
    sources.push(at.effects.findLast((effect) => effect.kind === 'replace'))
    at = run(at, [{ kind: 'unjoined', attempt: 2, node, reason: 'disk full' }])
  }
  expect(sources).toMatchObject([
    { source: 'a', excluded: ['b'] },
    { source: 'c', excluded: ['b', 'd'] },
    { source: 'a', excluded: ['b', 'd', 'e'] },
  ])
  expect(at.state).toMatchObject({ kind: 'connecting', nodes: ['a', 'c'] })
})

test('a survivor that is gone when it is to copy is lost itself: the next copies, and nobody else is blamed', () => {
  const { state, effects } = run(loseB(replacing('always')), [
    { kind: 'lost', attempt: 2, node: 'a', reason: 'reset' },
    { kind: 'stamped', attempt: 3, genstamp: 1003 },
  ])
  expect(state).toMatchObject({ kind: 'replacing', nodes: ['c'], recoveries: 2 })
  expect(effects.at(-1)).toEqual({ kind: 'replace', attempt: 3, nodes: ['c'], excluded: ['b', 'a'], source: 'c' })
})

test('best effort off: no other datanode fails the write, with what happened to each', () => {
  const { state } = run(loseB(replacing('always', false)), [
    { kind: 'unjoined', attempt: 2, node: 'd', reason: 'disk full' },
    { kind: 'unjoined', attempt: 2, node: undefined, reason: 'no datanode is left' },
  ])
  expect(state).toMatchObject({
    kind: 'failed',
    reason:
      'A lost datanode could not be replaced, and replace.datanode.best.effort is false: no datanode is left (b: reset; d: disk full)',
  })
})

test('nobody is taken on for a block that only has to be closed', () => {
  const { state } = run(createPipeline(targets, 1001, replacing('always')), [
    { kind: 'connected', attempt: 1, storages: [] },
    { kind: 'seal' },
    { kind: 'lost', attempt: 1, node: 'b', reason: 'reset' },
    { kind: 'stamped', attempt: 2, genstamp: 1002 },
  ])
  expect(state).toMatchObject({ kind: 'connecting', stage: 'close-recovery', nodes: ['a', 'c'] })
})

// --- restarts -----------------------------------------------------------------------------------------------------------

const restartB: PipelineEvent[] = [
  { kind: 'connected', attempt: 1, storages: [] },
  packet(0, 512),
  { kind: 'restarting', attempt: 1, node: 'b' },
]

test('a datanode that restarts is waited for and stays in the pipeline under the new stamp', () => {
  const { state, effects } = run(createPipeline(targets, 1001, replacing('always')), [
    ...restartB,
    { kind: 'returned', attempt: 2 },
    { kind: 'stamped', attempt: 3, genstamp: 1002 },
    { kind: 'connected', attempt: 3, storages: [] },
    { kind: 'updated', attempt: 3 },
  ])
  expect(state).toMatchObject({ kind: 'streaming', nodes: ['a', 'b', 'c'], lost: [], genstamp: 1002, sent: 1 })
  expect(effects.map((effect) => effect.kind)).toEqual(['open', 'send', 'cancel', 'await', 'stamp', 'open', 'update', 'send'])
})

test('a datanode that does not come back in its time is lost like any other, in the same recovery', () => {
  const { state } = run(createPipeline(targets, 1001, alone), [
    ...restartB,
    { kind: 'lost', attempt: 2, node: 'b', reason: 'it did not come back' },
    { kind: 'stamped', attempt: 3, genstamp: 1002 },
  ])
  expect(state).toMatchObject({ kind: 'connecting', nodes: ['a', 'c'], recoveries: 1, stage: 'streaming-recovery' })
})

test('the only datanode restarts: the writer waits for it; its end is the end of the block', () => {
  const single = (): Step => createPipeline(targets.slice(1, 2), 1001, alone)
  expect(run(single(), [...restartB, { kind: 'returned', attempt: 2 }]).state).toMatchObject({ kind: 'stamping', nodes: ['b'] })
  const { state } = run(single(), [...restartB, { kind: 'lost', attempt: 2, node: 'b', reason: 'it did not come back' }])
  expect(state).toMatchObject({ kind: 'failed', reason: 'All datanodes of the pipeline are lost (b: it did not come back)' })
})

test('a datanode that restarts again and again for the same packet is too much at last', () => {
  let at = run(createPipeline(targets, 1001, alone), [{ kind: 'connected', attempt: 1, storages: [] }, packet(0, 512)])
  for (let i = 0; i < 6 && isLive(at.state); i++) {
    const { attempt } = at.state
    at = run(at, [
      { kind: 'restarting', attempt, node: 'b' },
      { kind: 'returned', attempt: attempt + 1 },
      { kind: 'stamped', attempt: attempt + 2, genstamp: 1002 + i },
      { kind: 'connected', attempt: attempt + 2, storages: [] },
      { kind: 'updated', attempt: attempt + 2 },
    ])
  }
  expect(at.state).toMatchObject({ kind: 'failed', reason: 'Packet 0 lost 6 pipelines in a row (b: it restarts)' })
})

test('what was acknowledged, or echoed while idle, ends the count of recoveries', () => {
  const { state } = run(loseB(alone), [
    { kind: 'connected', attempt: 2, storages: [] },
    { kind: 'updated', attempt: 2 },
  ])
  expect(state).toMatchObject({ recoveries: 1 })
  const acked = run({ state, effects: [] }, [{ kind: 'acked', attempt: 2, seqno: 0 }]).state
  expect(acked).toMatchObject({ recoveries: 0 })
  const idle = run({ state: acked, effects: [] }, [
    { kind: 'lost', attempt: 2, node: 'a', reason: 'reset' },
    { kind: 'stamped', attempt: 3, genstamp: 1003 },
    { kind: 'connected', attempt: 3, storages: [] },
    { kind: 'updated', attempt: 3 },
  ]).state
  expect(idle).toMatchObject({ recoveries: 1 })
  expect(step(idle, { kind: 'alive', attempt: 3 }).state).toMatchObject({ recoveries: 0 })
})
