// What `quarry up` is going to start: how many roles, on which ports, with which settings. Everything that can be refused is refused
// here, before anything is made.
import path from 'node:path'
import { loadSettings } from '../../common/config.ts'
import { isQuarryError, QuarryError } from '../../common/errors.ts'
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
  /** Port for Hadoop clients. Default: as before, else a free one; closed by the option hdfs.port=-1. */
  readonly hdfsPort?: number | undefined
  /** Default: as before, else a free one. */
  readonly httpPort?: number | undefined
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
  /** Undefined when that door stays closed. */
  readonly hdfs: string | undefined
  readonly webhdfs: string
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
      ...(options.port !== undefined && { 'port': String(options.port) }),
      ...(options.hdfsPort !== undefined && { 'hdfs.port': String(options.hdfsPort) }),
      ...(options.httpPort !== undefined && { 'http.port': String(options.httpPort) }),
    },
    role: 'client',
  })
  const { bind } = given
  const otherwise = options.onNote
  const port = await choosePort(bind, { flag: '--port', given: given['port'], asked: options.port, before: before?.port })
  const httpPort = await choosePort(bind, {
    flag: '--http-port',
    given: given['http.port'],
    asked: options.httpPort,
    before: before?.httpPort,
    otherwise,
  })
  const hdfsPort =
    given['hdfs.port'] === -1
      ? -1
      : await choosePort(bind, {
          flag: '--hdfs-port',
          given: given['hdfs.port'],
          asked: options.hdfsPort,
          before: before?.hdfsPort,
          otherwise,
        })
  const settings: Settings = { ...given, port, 'http.port': httpPort, 'hdfs.port': hdfsPort }
  const record: ClusterRecord = {
    layout: layoutVersion,
    port,
    httpPort,
    ...(hdfsPort !== -1 && { hdfsPort }),
    datanodes: count,
    ...(replication.asked && { replication: replication.value }),
  }
  const { dir } = options
  const uri = `quarry://${bind}:${port}`
  const hdfs = hdfsPort === -1 ? undefined : `hdfs://${bind}:${hdfsPort}`
  const webhdfs = `http://${bind}:${httpPort}`
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
  return { record, settings, uri, hdfs, webhdfs, roles }
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

/** The port of a door: what was asked for, else that of the time before, else a free one. */
async function choosePort(bind: string, door: Door): Promise<number> {
  const { flag, given, asked, before } = door
  if (given !== 0) return await probePort(bind, given, flag)
  if (before === undefined || asked === 0) return await probePort(bind, 0)
  try {
    return await probePort(bind, before, flag)
  } catch (error) {
    if (door.otherwise === undefined || !isQuarryError(error, 'IN_USE')) throw error
    const port = await probePort(bind, 0)
    door.otherwise(`Port ${before}, which was used before, is taken by another program: it is ${port} this time. ${flag} chooses another.`)
    return port
  }
}

interface Door {
  readonly flag: string
  /** As the settings have it; 0 = nothing was asked for, or any free one. */
  readonly given: number
  readonly asked: number | undefined
  readonly before: number | undefined
  /** Told when the port of before is taken and another one will do. */
  readonly otherwise?: ((note: string) => void) | undefined
}
