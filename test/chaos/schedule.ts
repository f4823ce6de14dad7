// When which fault happens: a pure function of the seed. The run itself depends on the clock of the machine and is not repeatable to
// the byte; the schedule is.
//
// Budget, so that recovery stays possible: at most two of the datanodes are out at the same time (killed, stopped or cut off), none
// twice at once, and the namenode has one trouble at a time. What a disk may lose is decided when it happens, by what is on the
// disks then (disk-damage.ts).
import { SeededRandom } from '../../common/testing/seeded-random.ts'

export const faultKinds = [
  'kill-datanode',
  'stop-datanode',
  'kill-namenode',
  'stop-namenode',
  'kill-client',
  'partition',
  'one-way',
  'delay',
  'bandwidth',
  'reset',
  'half-open',
  'flip',
  'delete-block',
  'disk-full',
] as const
export type FaultKind = (typeof faultKinds)[number]

/** Which connections a network fault hits: clients and other datanodes to a datanode, a datanode to its namenode, or clients to it. */
export type Door = 'datanode' | 'session' | 'clients'

export interface Fault {
  readonly number: number
  readonly atMs: number
  readonly kind: FaultKind
  /** Index of the datanode, or of the client; 0 where there is one only. */
  readonly target: number
  /** Until it is healed; 0 = nothing to heal. */
  readonly forMs: number
  readonly door: Door
  /** For one-way: the direction that is cut. */
  readonly direction: 'to-server' | 'to-client'
  /** Milliseconds of delay, bytes a second, or which of the candidates: a draw whose meaning the kind decides. */
  readonly amount: number
}

export interface SchedulePlan {
  readonly seed: number
  readonly durationMs: number
  readonly datanodes: number
  readonly clients: number
  readonly kinds?: readonly FaultKind[] | undefined
}

const outMax = 2
/** Between two faults, on average. */
const gapMs = 2_500
/** No fault begins in the first moments, when files are made that they can hit, and none lasts beyond the end. */
const calmMs = 3_000

/** How often each kind is drawn, and how long it lasts: [weight, shortest, longest]. */
const rates: Readonly<Record<FaultKind, readonly [number, number, number]>> = {
  'kill-datanode': [5, 300, 9_000],
  'stop-datanode': [4, 500, 9_000],
  'kill-namenode': [2, 300, 4_000],
  'stop-namenode': [1, 500, 5_000],
  'kill-client': [2, 0, 0],
  'partition': [3, 500, 9_000],
  'one-way': [2, 500, 9_000],
  'delay': [2, 2_000, 8_000],
  'bandwidth': [2, 2_000, 8_000],
  'reset': [3, 0, 0],
  'half-open': [2, 1_000, 8_000],
  'flip': [4, 0, 0],
  'delete-block': [3, 0, 0],
  'disk-full': [2, 3_000, 9_000],
}

/** Kinds that take a datanode out while they last. */
const takesOut: ReadonlySet<FaultKind> = new Set(['kill-datanode', 'stop-datanode', 'partition', 'one-way', 'half-open', 'disk-full'])
const hitsDatanode: ReadonlySet<FaultKind> = new Set([...takesOut, 'delay', 'bandwidth', 'reset', 'flip', 'delete-block'])
const network: ReadonlySet<FaultKind> = new Set(['partition', 'one-way', 'delay', 'bandwidth', 'reset', 'half-open'])

export function schedule(plan: SchedulePlan): Fault[] {
  const random = new SeededRandom(plan.seed)
  const kinds = plan.kinds ?? faultKinds
  const faults: Fault[] = []
  /** Per resource ('datanode 2', 'namenode'): until when it has a trouble. */
  const busyUntil = new Map<string, number>()
  const between = (low: number, high: number) => low + random.int(high - low + 1)
  let atMs = calmMs
  for (let number = 1; ; number++) {
    atMs += between(gapMs / 5, (gapMs * 9) / 5)
    // The same draws for every fault, whatever becomes of it: what is added to one kind does not move the others.
    const kind = weighted(kinds, random)
    const [, shortest, longest] = rates[kind]
    const forMs = longest === 0 ? 0 : between(shortest, longest)
    const draw = { target: random.int(1_000_000), door: random.float(), direction: random.float(), amount: random.int(1_000_000) }
    if (atMs + forMs + calmMs > plan.durationMs) return faults
    const door: Door = !network.has(kind) || draw.door < 0.5 ? 'datanode' : draw.door < 0.8 ? 'session' : 'clients'
    const onDatanode = hitsDatanode.has(kind) && door !== 'clients'
    const target = onDatanode ? draw.target % plan.datanodes : kind === 'kill-client' ? draw.target % plan.clients : 0
    const resource = onDatanode ? `datanode ${target}` : kind === 'kill-client' ? `client ${target}` : 'namenode'
    if ((busyUntil.get(resource) ?? 0) > atMs) continue
    if (onDatanode && takesOut.has(kind) && out(busyUntil, atMs) >= outMax) continue
    // A moment to come back before the next trouble.
    if (forMs > 0) busyUntil.set(resource, atMs + forMs + between(500, 3_000))
    const direction = draw.direction < 0.5 ? 'to-server' : 'to-client'
    faults.push({ number: faults.length + 1, atMs, kind, target, forMs, door, direction, amount: draw.amount })
  }
}

function out(busyUntil: ReadonlyMap<string, number>, atMs: number): number {
  return [...busyUntil].filter(([resource, until]) => resource.startsWith('datanode') && until > atMs).length
}

function weighted(kinds: readonly FaultKind[], random: SeededRandom): FaultKind {
  const total = kinds.reduce((sum, kind) => sum + rates[kind][0], 0)
  let draw = random.float() * total
  for (const kind of kinds) {
    draw -= rates[kind][0]
    if (draw < 0) return kind
  }
  return kinds[kinds.length - 1]!
}

/** One line for people. */
export function describeFault(fault: Fault): string {
  const lasts = fault.forMs > 0 ? ` for ${(fault.forMs / 1000).toFixed(1)} s` : ''
  const node = `datanode-${fault.target + 1}`
  const place = { datanode: `to ${node}`, session: `of ${node} with the namenode`, clients: 'of clients with the namenode' }[fault.door]
  switch (fault.kind) {
    case 'kill-datanode':
      return `SIGKILL ${node}, started again after ${(fault.forMs / 1000).toFixed(1)} s`
    case 'stop-datanode':
      return `SIGSTOP ${node}${lasts}`
    case 'kill-namenode':
      return `SIGKILL namenode, started again after ${(fault.forMs / 1000).toFixed(1)} s`
    case 'stop-namenode':
      return `SIGSTOP namenode${lasts}`
    case 'kill-client':
      return `SIGKILL client ${fault.target + 1}`
    case 'partition':
      return `partition: connections ${place} cut${lasts}`
    case 'one-way':
      return `one-way partition: connections ${place}, nothing passes ${fault.direction.replace('-', ' the ')}${lasts}`
    case 'delay':
      return `delay: connections ${place}, ${delayMs(fault)} ms each way${lasts}`
    case 'bandwidth':
      return `bandwidth: connections ${place}, ${Math.round(bytesPerSecond(fault) / 1024)} KiB/s${lasts}`
    case 'reset':
      return `reset: connections ${place}`
    case 'half-open':
      return `half-open: connections ${place}, the server's side gone${lasts}`
    case 'flip':
      return `flip a bit in a block of ${node}`
    case 'delete-block':
      return `delete a block file of ${node}`
    case 'disk-full':
      return `disk of ${node} full${lasts}`
  }
}

export const delayMs = (fault: Fault): number => 20 + (fault.amount % 480)
export const bytesPerSecond = (fault: Fault): number => 64 * 1024 + (fault.amount % (2 * 1024 * 1024))
