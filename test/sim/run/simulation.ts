// One run: a cluster is started, actors work on it under the faults of a scenario for a while; then faults stop, everything is
// repaired, the cluster gets time to heal, and what must be true is checked.
import { LogWriter, SharedLog } from '../actors/log-writer.ts'
import { Onlooker } from '../actors/onlooker.ts'
import { Operator } from '../actors/operator.ts'
import { Owner, ordinaryHabits, powerFailed } from '../actors/owner.ts'
import { Sharer, SharedNames } from '../actors/sharer.ts'
import type { FileSystem } from '../../../client/filesystem.ts'
import { checkConverged, unhealed } from '../checks/convergence.ts'
import { checkContents } from '../checks/contents.ts'
import { checkEdits, checkTotals } from '../checks/namespace.ts'
import { FaultDriver } from '../faults/driver.ts'
import { startClient } from '../world/client.ts'
import { Cluster } from '../world/cluster.ts'
import type { Machine } from '../world/machine.ts'
import { superuser } from '../world/namenode.ts'
import { between, streamOf } from '../world/random.ts'
import type { Scenario } from './scenarios.ts'
import { Violation } from './violation.ts'

export interface RunOptions {
  readonly seed: number
  readonly scenario: Scenario
  /** Minutes of simulated time under faults. */
  readonly minutes: number
  readonly onLine?: ((line: string) => void) | undefined
  /** Done to the cluster before it starts: how planted bugs get in that are no change of the sources. */
  readonly prepare?: ((cluster: Cluster) => void) | undefined
}

export interface RunResult {
  readonly hash: string
  readonly simulatedMs: number
  readonly events: number
  readonly operations: number
  readonly faults: number
  readonly failure:
    | { readonly invariant: string; readonly message: string; readonly stack: string; readonly last: readonly string[] }
    | undefined
}

interface Actor {
  readonly operations: number
  killed(): void
  work(fs: FileSystem, sleep: (ms: number) => Promise<void>, over: () => boolean): Promise<void>
}

/** An actor at its machine. */
export interface Seat {
  readonly name: string
  readonly machine: Machine
  readonly actor: Actor
  /** Its work is over. */
  resting: boolean
}

const MINUTE_MS = 60_000
/** Actors end what they have under way within this time: a call and all its retries. */
const endMs = 15 * MINUTE_MS
/** The cluster heals within this time: dead.after, the hard limit of leases, the time-out of copies, and two of them in a row. */
const healMs = 25 * MINUTE_MS
/** The namespace is looked at this often. */
const lookMs = 10_000

export class Simulation {
  readonly cluster: Cluster
  readonly scenario: Scenario
  readonly owners: Owner[] = []
  readonly names = new SharedNames()
  readonly log: SharedLog
  readonly seats: Seat[] = []
  readonly #minutes: number
  #faults: FaultDriver | undefined
  #over = false

  constructor(options: RunOptions) {
    this.scenario = options.scenario
    this.#minutes = options.minutes
    const { seed, scenario, onLine } = options
    this.cluster = new Cluster({ seed, datanodes: scenario.datanodes, racks: scenario.racks, settings: scenario.settings, onLine })
    this.log = new SharedLog(this.cluster.settings['lease.soft'])
    options.prepare?.(this.cluster)
    this.#seatActors()
  }

  get faults(): number {
    return this.#faults?.count ?? 0
  }

  get operations(): number {
    return this.seats.reduce((sum, { actor }) => sum + actor.operations, 0)
  }

  async run(): Promise<void> {
    const { cluster } = this
    cluster.start()
    await cluster.runUntil(2_000)
    for (const seat of this.seats) this.startActor(seat)
    this.#faults = new FaultDriver(this)
    this.#watch()
    await cluster.runUntil(this.#minutes * MINUTE_MS)
    this.#over = true
    this.#faults.stop()
    cluster.trace.add('run', 'faults are over')
    await cluster.runUntil(cluster.elapsedMs + endMs, () => this.seats.every((seat) => seat.resting))
    const busy = this.seats.filter((seat) => !seat.resting)
    if (busy.length > 0)
      throw new Violation('I7', `${busy.map(({ name }) => name).join(', ')} still waits ${endMs / MINUTE_MS} minutes after faults stopped`)
    cluster.trace.add('run', 'actors are done')
    await this.#heal()
    await this.#check()
  }

  /** Starts the process of an actor; also after its death. */
  startActor(seat: Seat): void {
    const { machine, actor, name } = seat
    startClient(this.cluster, machine, superuser)
      .then(({ fs, env }) =>
        actor
          .work(
            fs,
            (ms) => env.clock.sleep(ms),
            () => this.#over,
          )
          .then(() => fs.close()),
      )
      .then(
        () => (seat.resting = true),
        (error: unknown) =>
          this.cluster.scheduler.fail(error instanceof Violation ? error : new Violation('crash', `${name}: ${String(error)}`)),
      )
  }

  /** The process of an actor dies; another is started after a while. */
  killActor(seat: Seat, restartMs: number): void {
    if (!seat.machine.running || seat.resting) return
    this.cluster.killClient(seat.machine)
    seat.actor.killed()
    this.cluster.clock.after(restartMs, () => this.startActor(seat))
  }

  /** Power failed somewhere: what was flushed and not synced is not promised any more. */
  powerFailed(): void {
    for (const owner of this.owners) powerFailed(owner.files)
    this.log.powerFailed()
  }

  #seatActors(): void {
    const { scenario, cluster } = this
    const seat = (name: string, make: (random: ReturnType<typeof streamOf>) => Actor) => {
      this.seats.push({ name, machine: cluster.addClient(), actor: make(streamOf(cluster.seed, `actor:${name}`)), resting: false })
    }
    const { pauseMs, replication } = scenario
    for (let i = 1; i <= scenario.owners; i++) {
      const name = `owner${i}`
      seat(name, (random) => {
        const owner = new Owner({ name, random, habits: ordinaryHabits, pauseMs, replication })
        this.owners.push(owner)
        return owner
      })
    }
    for (let i = 1; i <= scenario.sharers; i++)
      seat(`sharer${i}`, (random) => new Sharer(this.names, { name: `sharer${i}`, random, pauseMs }))
    const now = () => cluster.elapsedMs
    for (let i = 1; i <= scenario.logWriters; i++)
      seat(`logger${i}`, (random) => new LogWriter(this.log, { name: `logger${i}`, random, pauseMs: 2 * pauseMs, now }))
    for (let i = 1; i <= scenario.onlookers; i++) seat(`onlooker${i}`, (random) => new Onlooker({ owners: this.owners, random, pauseMs }))
    for (let i = 1; i <= scenario.operators; i++)
      seat(`operator${i}`, (random) => new Operator({ random, pauseMs: 5 * pauseMs, now: () => cluster.clock.nowMs() }))
  }

  /** Looks at the namespace now and then: between two events it is what was committed. */
  #watch(): void {
    const { cluster } = this
    const edits = checkEdits(cluster)
    const look = () => {
      if (this.#over) return
      try {
        edits()
        checkTotals(cluster)
      } catch (error) {
        cluster.scheduler.fail(error)
      }
      cluster.clock.after(lookMs * between(streamOf(cluster.seed, 'watch'), 0.9, 1.1), look)
    }
    look()
  }

  async #heal(): Promise<void> {
    const { cluster } = this
    let healed = false
    const untilMs = cluster.elapsedMs + healMs
    while (!healed && cluster.elapsedMs < untilMs) {
      await cluster.runUntil(cluster.elapsedMs + 5_000)
      healed = unhealed(cluster) === undefined
    }
    cluster.trace.add('run', healed ? 'healed' : 'not healed')
    checkConverged(cluster)
  }

  async #check(): Promise<void> {
    const { cluster } = this
    checkTotals(cluster)
    this.names.check()
    let checked = false
    const reader = cluster.addClient()
    startClient(cluster, reader, superuser)
      .then(({ fs }) => checkContents(fs, this))
      .then(
        () => (checked = true),
        (error: unknown) => cluster.scheduler.fail(error),
      )
    await cluster.runUntil(cluster.elapsedMs + endMs, () => checked)
    if (!checked) throw new Violation('I7', 'reading everything at the end does not come to an end')
  }
}

export async function simulate(options: RunOptions): Promise<RunResult> {
  const simulation = new Simulation(options)
  const { cluster } = simulation
  let failure: RunResult['failure']
  const restore = cluster.scheduler.takeOver()
  try {
    await simulation.run()
  } catch (error) {
    const { message, stack = '' } = error as Error
    failure = {
      invariant: error instanceof Violation ? error.invariant : 'crash',
      message,
      stack: stackOf(error, stack),
      last: cluster.trace.last(60),
    }
  } finally {
    restore()
  }
  const { trace, elapsedMs, scheduler } = cluster
  return {
    hash: trace.hash,
    simulatedMs: elapsedMs,
    events: scheduler.events,
    operations: simulation.operations,
    faults: simulation.faults,
    failure,
  }
}

function stackOf(error: unknown, stack: string): string {
  const cause = (error as { cause?: unknown }).cause
  return cause instanceof Error ? `${stack}\ncaused by ${cause.stack ?? cause.message}` : stack
}
