// What a run may be: who works on the cluster, and which faults it meets.
import type { Settings } from '../../../common/options.ts'
import type { FaultKind } from '../faults/kinds.ts'

export interface Scenario {
  readonly name: string
  readonly about: string
  readonly datanodes: number
  readonly racks: number
  readonly owners: number
  readonly sharers: number
  readonly logWriters: number
  readonly onlookers: number
  readonly operators: number
  /** Mean pause of an actor between two operations. */
  readonly pauseMs: number
  /** Copies of files. */
  readonly replication: readonly [number, number]
  readonly faults: readonly FaultKind[]
  /** Mean time between two faults of a kind. */
  readonly faultEveryMs: number
  readonly settings: Partial<Settings>
}

const ordinary: Omit<Scenario, 'name' | 'about' | 'faults'> = {
  datanodes: 4,
  racks: 2,
  owners: 3,
  sharers: 2,
  logWriters: 2,
  onlookers: 1,
  operators: 0,
  pauseMs: 2_000,
  replication: [1, 3],
  faultEveryMs: 30_000,
  settings: {},
}
/** Where copies are lost, a file has more than one. */
const safe: Pick<Scenario, 'replication'> = { replication: [2, 3] }

const scenario = (name: string, about: string, faults: readonly FaultKind[], changes: Partial<Scenario> = {}): Scenario => ({
  ...ordinary,
  name,
  about,
  faults,
  ...changes,
})

export const scenarios: readonly Scenario[] = [
  scenario('calm', 'no faults', []),
  scenario('pipeline-loss', 'datanodes are killed, and connections break, under many writers', ['datanode-kill', 'breaks'], {
    faultEveryMs: 12_000,
    owners: 5,
  }),
  scenario('namenode-crash', 'the namenode is killed, also in the middle of commits', ['namenode-kill', 'commit-crash'], {
    faultEveryMs: 25_000,
  }),
  scenario(
    'datanode-crash',
    'datanodes are killed or lose their power, clients are killed',
    ['datanode-kill', 'datanode-power', 'client-kill'],
    safe,
  ),
  scenario(
    'slow-pipelines',
    'datanodes are killed while links are slow, so that much is under way',
    ['clog', 'datanode-kill', 'client-kill'],
    {
      faultEveryMs: 15_000,
      owners: 6,
      onlookers: 3,
      pauseMs: 1_000,
    },
  ),
  scenario(
    'slow-sessions',
    'connections break while links are slow, so that sessions take long to begin',
    ['clog', 'breaks', 'partition'],
    {
      faultEveryMs: 15_000,
      owners: 6,
      pauseMs: 1_000,
    },
  ),
  scenario('power', 'the power of the whole cluster fails', ['all-power'], { faultEveryMs: 90_000 }),
  scenario('partitions', 'machines are cut off from each other, in one direction or both; links are slow', [
    'partition',
    'one-way',
    'clog',
    'breaks',
  ]),
  scenario('bit-rot', 'bits of replicas on disks rot, and files vanish from disks', ['bit-rot', 'lost-file'], {
    ...safe,
    faultEveryMs: 15_000,
  }),
  scenario('disk-full', 'disks fill up, the disk of the namenode too; disks are slow', ['disk-full', 'namenode-full', 'slow-disk']),
  scenario('clock-jump', 'the clocks of machines are set forward and back', ['clock-jump', 'datanode-kill']),
  scenario('lying-disk', 'one disk says it synced and did not, and its machine loses its power', ['lying-disk'], safe),
  scenario(
    'operators',
    'an operator decommissions, maintains, balances and uses safe mode while processes are killed and connections break',
    ['datanode-kill', 'breaks', 'namenode-kill', 'client-kill'],
    { ...safe, operators: 1, datanodes: 5, faultEveryMs: 40_000 },
  ),
  scenario(
    'everything',
    'all of them at once',
    [
      'datanode-kill',
      'datanode-power',
      'client-kill',
      'namenode-kill',
      'commit-crash',
      'partition',
      'one-way',
      'clog',
      'breaks',
      'bit-rot',
      'disk-full',
      'namenode-full',
      'slow-disk',
      'clock-jump',
    ],
    { ...safe, operators: 1, datanodes: 5, faultEveryMs: 60_000 },
  ),
]

export function scenarioOf(name: string): Scenario {
  const found = scenarios.find((one) => one.name === name)
  if (!found) throw new Error(`there is no scenario '${name}': take one of ${scenarios.map((one) => one.name).join(', ')}`)
  return found
}
