// Ten times the load that a namenode can serve: what a client that asks little still gets, and what a datanode's heartbeats get,
// before, during and after. The floods are processes of lower priority, since they would be other machines.
//
// Served load: 16 connections with one call each keep the namenode busy. Ten times: 160 connections with sixteen calls each, which ask
// again the moment they are refused; once for comparison with the SDK's sessions, which wait.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { FileSystem } from '../../client/index.ts'
import { residentMib, sleep } from '../process.ts'
import { QuarryCluster } from '../systems/quarry.ts'
import { columns, summaryOf, type Summary } from './latencies.ts'
import { WireDatanode } from './wire-datanode.ts'

const floodProgram = fileURLToPath(new URL('flood.ts', import.meta.url))
const probePauseMs = 4

interface Flood {
  readonly answered: number
  readonly codes: Readonly<Record<string, number>>
  readonly stat: Summary
}

interface Phase {
  readonly name: string
  readonly stat: Summary
  readonly heartbeat: Summary
  readonly floods: readonly Flood[]
  readonly namenodeMib: number
}

export async function overload(options: { readonly base: string; readonly seconds: number }): Promise<void> {
  const dir = mkdtempSync(path.join(options.base, 'quarry-overload-'))
  try {
    await using cluster = await QuarryCluster.up(path.join(dir, 'cluster'))
    await using fs = await FileSystem.connect(cluster.uri)
    for (const user of ['greedy', 'other']) await fill(fs, user)
    await using probe = await FileSystem.connect(cluster.uri, { user: 'probe' })
    const node = await WireDatanode.join(new URL(cluster.uri).host)
    await measure(probe, node, 2_000)
    const phases: Phase[] = []
    const phase = async (name: string, floods: readonly (readonly string[])[]) =>
      phases.push(await runPhase({ name, floods, seconds: options.seconds, cluster, probe, node }))
    await phase('unloaded', [])
    await phase('served load', [['greedy', '16', '1', 'mixed', 'polite']])
    await phase('10x, mixed', [['greedy', '160', '16', 'mixed', 'rude']])
    await phase('10x, stat only', [['greedy', '160', '16', 'stat', 'rude']])
    await phase('10x, create only', [['greedy', '160', '16', 'create', 'rude']])
    await phase('100x, mixed', [['greedy', '160', '160', 'mixed', 'rude']])
    await phase('10x, mixed, SDK', [['greedy', '160', '16', 'mixed', 'polite']])
    await phase('10x, and another user', [
      ['greedy', '160', '16', 'mixed', 'rude'],
      ['other', '16', '1', 'mixed', 'polite'],
    ])
    await phase('after', [])
    node.close()
    print(phases)
    const dead = await fs.datanodes('dead')
    // The session of the bench itself is over by now; it is not one of the cluster's.
    console.log(`datanodes declared dead: ${dead.filter((one) => one.datanode?.uuid !== node.uuid).length}`)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

async function fill(fs: FileSystem, user: string): Promise<void> {
  await Promise.all(
    Array.from({ length: 1000 }, async (_, i) => {
      const writer = await fs.create(`/flood-${user}/list/${i}`)
      await writer.close()
    }),
  )
  await fs.mkdir(`/flood-${user}/made`)
  await fs.setPermission(`/flood-${user}/made`, 0o777)
}

async function runPhase(given: {
  readonly name: string
  readonly floods: readonly (readonly string[])[]
  readonly seconds: number
  readonly cluster: QuarryCluster
  readonly probe: FileSystem
  readonly node: WireDatanode
}): Promise<Phase> {
  const { name, seconds, cluster, probe, node } = given
  const floods = given.floods.map(([user, connections, inFlight, mix, manners]) =>
    startFlood([cluster.uri, user!, connections!, inFlight!, `${seconds + 4}`, mix!, manners!]),
  )
  await Promise.all(floods.map((flood) => flood.ready))
  // The collector and the window settle first.
  if (floods.length > 0) await sleep(2_000)
  const seen = await measure(probe, node, seconds * 1000)
  const namenodeMib = residentMib(cluster.namenodePid)
  const results = await Promise.all(floods.map((flood) => flood.result))
  return { name, ...seen, floods: results, namenodeMib }
}

async function measure(probe: FileSystem, node: WireDatanode, ms: number): Promise<{ stat: Summary; heartbeat: Summary }> {
  const endMs = performance.now() + ms
  const statMs: number[] = []
  const heartbeatMs: number[] = []
  const stats = async () => {
    while (performance.now() < endMs) {
      const startedMs = performance.now()
      await probe.stat('/flood-greedy/list/0')
      statMs.push(performance.now() - startedMs)
      await sleep(probePauseMs)
    }
  }
  const heartbeats = async () => {
    while (performance.now() < endMs) {
      heartbeatMs.push(await node.heartbeat())
      await sleep(probePauseMs)
    }
  }
  await Promise.all([stats(), heartbeats()])
  return { stat: summaryOf(statMs), heartbeat: summaryOf(heartbeatMs) }
}

function startFlood(args: readonly string[]): { ready: Promise<unknown>; result: Promise<Flood> } {
  const child: ChildProcess = spawn('nice', ['-n', '10', process.execPath, '--import', 'tsx', floodProgram, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let printed = ''
  let saidReady = () => {}
  const ready = new Promise<void>((resolve) => (saidReady = resolve))
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    printed += text
    if (printed.includes('ready')) saidReady()
  })
  const result = once(child, 'close').then(([code]) => {
    const line = printed.split('\n').find((text) => text.startsWith('{'))
    if (line === undefined) throw new Error(`a flood ended (${code}) without a result`)
    return JSON.parse(line) as Flood
  })
  return { ready: Promise.race([ready, result]), result }
}

function print(phases: readonly Phase[]): void {
  console.log(columns(['', 'stat p50 ms', 'p99', 'max', 'heartbeat', 'p99', 'max', 'namenode MiB', 'flood ok', 'its stat p99', 'refused']))
  for (const { name, stat, heartbeat, namenodeMib, floods } of phases) {
    const [flood] = floods
    console.log(
      columns([
        name,
        stat.p50Ms,
        stat.p99Ms,
        stat.maxMs,
        heartbeat.p50Ms,
        heartbeat.p99Ms,
        heartbeat.maxMs,
        `${Math.round(namenodeMib)}`,
        flood ? `${flood.answered}` : '-',
        flood ? flood.stat.p99Ms : '-',
        flood ? JSON.stringify(flood.codes) : '-',
      ]),
    )
    for (const other of floods.slice(1))
      console.log(
        columns(['  the other user', '', '', '', '', '', '', '', `${other.answered}`, other.stat.p99Ms, JSON.stringify(other.codes)]),
      )
  }
}
