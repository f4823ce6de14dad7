// What `quarry up` is going to start: how many roles, on which ports, with which settings. Everything that can be refused is refused
// here, before anything is made.
import path from 'node:path'
import { loadSettings } from '../../common/config.ts'
import { QuarryError } from '../../common/errors.ts'
import type { OptionName, Settings } from '../../common/options.ts'
import { datanodeName, layoutVersion, type ClusterRecord } from './directory.ts'
import { withEmbeddedDefaults } from './embedded-defaults.ts'
import { probePort } from './ports.ts'
import type { RoleName } from './role-messages.ts'

export interface ClusterOptions {
  readonly dir: string
  /** Default: as many as before, else 3. */
  readonly datanodes?: number | undefined
  /** Copies of new files. Default: as before, else min(3, datanodes). */
  readonly replication?: number | undefined
  /** Native port of the namenode. Default: as before, else a free one. */
  readonly port?: number | undefined
  /** Options for all roles, as given by -D. */
  readonly flags?: Readonly<Record<string, string>>
  readonly env?: NodeJS.ProcessEnv
  readonly detached?: boolean
  readonly signal?: AbortSignal
  /** Remarks for the user that are no errors. */
  readonly onNote?: (text: string) => void
}

const datanodesMax = 64
/** Options that `up` decides for each role by itself. */
const ownOptions: readonly OptionName[] = ['dir', 'data.dirs', 'namenode', 'advertise']

export interface RolePlan {
  readonly role: RoleName
  readonly name: string
  readonly settings: Settings
}

export interface ClusterPlan {
  readonly record: ClusterRecord
  readonly settings: Settings
  readonly uri: string
  readonly roles: readonly RolePlan[]
}

/** Throws CONFIG or IN_USE. */
export async function planCluster(options: ClusterOptions, before: ClusterRecord | undefined): Promise<ClusterPlan> {
  const flags = { ...options.flags }
  for (const name of ownOptions) {
    if (Object.hasOwn(flags, name))
      throw new QuarryError(
        'CONFIG',
        `-D ${name}: quarry up decides this for each role; start the roles alone to set it (quarry namenode --help)`,
      )
  }
  const { QUARRY_DIR: _dir, ...env } = options.env ?? {}
  const { replication, count } = copies(options, flags, env, before)
  const given = loadSettings({
    env,
    flags: {
      ...withEmbeddedDefaults(flags, env),
      replication: String(replication.value),
      ...(options.port !== undefined && { port: String(options.port) }),
    },
    role: 'client',
  })
  const port = await choosePort(options, given, before)
  // The namenode keeps its HTTP port, too, when it is started again by hand.
  const settings: Settings = { ...given, port, 'http.port': await probePort(given['bind'], given['http.port']) }
  const record: ClusterRecord = {
    layout: layoutVersion,
    port,
    datanodes: count,
    ...(replication.asked && { replication: replication.value }),
  }
  const { dir } = options
  const uri = `quarry://${settings['bind']}:${port}`
  const namenodeDir = path.join(dir, 'namenode')
  const roles: RolePlan[] = [{ role: 'namenode', name: 'namenode', settings: { ...settings, 'dir': namenodeDir, 'data.dirs': [] } }]
  for (let number = 1; number <= count; number++) {
    const own = path.join(dir, datanodeName(number))
    roles.push({
      role: 'datanode',
      name: datanodeName(number),
      settings: { ...settings, 'dir': own, 'data.dirs': [path.join(own, 'data')], 'namenode': uri, 'port': 0, 'http.port': 0 },
    })
  }
  return { record, settings, uri, roles }
}

/** How many datanodes, and how many copies of a new file. */
function copies(
  options: ClusterOptions,
  flags: Readonly<Record<string, string>>,
  env: NodeJS.ProcessEnv,
  before: ClusterRecord | undefined,
): { count: number; replication: { value: number; asked: boolean } } {
  const count = options.datanodes ?? before?.datanodes ?? 3
  if (!Number.isSafeInteger(count) || count < 1 || count > datanodesMax)
    throw new QuarryError('CONFIG', `--datanodes is ${count}; it must be from 1 to ${datanodesMax}`)
  if (before !== undefined && count < before.datanodes) {
    options.onNote?.(
      `${before.datanodes - count} of ${before.datanodes} datanodes stay off; their blocks are copied again from the others where copies exist, and are back with --datanodes ${before.datanodes}`,
    )
  }
  const configured = flags['replication'] ?? env['QUARRY_REPLICATION']
  const asked = options.replication ?? (configured === undefined ? undefined : loadSettings({ env, flags, role: 'client' })['replication'])
  if (asked !== undefined && asked > count)
    throw new QuarryError(
      'CONFIG',
      `replication ${asked} needs ${asked} datanodes, and this cluster has ${count}; raise --datanodes or lower --replication`,
    )
  const remembered = before?.replication
  const value = asked ?? Math.min(remembered ?? 3, count)
  return { count, replication: { value, asked: asked !== undefined || remembered !== undefined } }
}

async function choosePort(options: ClusterOptions, given: Settings, before: ClusterRecord | undefined): Promise<number> {
  if (given['port'] !== 0) return await probePort(given['bind'], given['port'])
  if (before === undefined || options.port === 0) return await probePort(given['bind'], 0)
  return await probePort(given['bind'], before.port)
}
