// The options of dfsadmin that Quarry has; those it knows of Hadoop's and has not are refused by name.
import { setTimeout as sleep } from 'node:timers/promises'
import type { FileSystem } from '../../client/index.ts'
import { isQuarryError } from '../../common/errors.ts'
import { checkCount } from './command-format.ts'
import { describeFailure, UsageError } from './errors.ts'
import type { ShellStreams } from './shell.ts'
import { genericUsage } from './usage.ts'

export interface AdminOptions {
  readonly streams: ShellStreams
  readonly connect: () => Promise<FileSystem>
}

/** Hadoop: whatever goes wrong here is -1, which the caller sees as 255. */
const exitFailure = 255
const safeModePollMs = 500
/** Hadoop has quotas by kind of storage; these are its words for what a quota may be. */
const prefixes = 'kmgtpe'
/** Hadoop's largest long, which it names where a quota is left as it is. */
const leaveText = '9223372036854775807'

interface AdminVerb {
  readonly usage: string
  readonly help: string
  readonly run: (args: readonly string[], options: AdminOptions) => Promise<number>
}

const quotaHelp = (kind: string): string => `\t\tFor each directory, attempt to ${kind} the quota. An error will be reported if\n`

const adminVerbs: Readonly<Record<string, AdminVerb>> = {
  report: {
    usage: '[-live] [-dead] [-decommissioning] [-enteringmaintenance] [-inmaintenance] [-slownodes]',
    help:
      '-report [-live] [-dead] [-decommissioning] [-enteringmaintenance] [-inmaintenance] [-slownodes]:\n' +
      '\tReports basic filesystem information and statistics. \n\tThe dfs usage can be different from "du" usage, because it\n' +
      '\tmeasures raw space used by replication, checksums, snapshots\n\tand etc. on all the DNs.\n' +
      '\tOptional flags may be used to filter the list of displayed DNs.\n',
    run: report,
  },
  safemode: {
    usage: '<enter | leave | get | wait | forceExit>',
    help:
      '-safemode <enter|leave|get|wait|forceExit>:  Safe mode maintenance command.\n' +
      '\t\tSafe mode is a Namenode state in which it\n\t\t\t1.  does not accept changes to the name space (read-only)\n' +
      '\t\t\t2.  does not replicate or delete blocks.\n\t\tSafe mode is entered automatically at Namenode startup, and\n' +
      '\t\tleaves safe mode automatically when the configured minimum\n\t\tpercentage of blocks satisfies the minimum replication\n' +
      '\t\tcondition.  Safe mode can also be entered manually, but then\n\t\tit can only be turned off manually as well.\n',
    run: safeMode,
  },
  setQuota: {
    usage: '<quota> <dirname>...<dirname>',
    help:
      '-setQuota <quota> <dirname>...<dirname>: Set the quota <quota> for each directory <dirName>.\n' +
      '\t\tThe directory quota is a long integer that puts a hard limit\n\t\ton the number of names in the directory tree\n' +
      `${quotaHelp('set')}\t\t1. quota is not a positive integer, or\n\t\t2. User is not an administrator, or\n` +
      '\t\t3. The directory does not exist or is a file.\n\t\tNote: A quota of 1 would force the directory to remain empty.\n',
    run: (args, options) => changeQuota('setQuota', args, options, 2),
  },
  clrQuota: {
    usage: '<dirname>...<dirname>',
    help:
      '-clrQuota <dirname>...<dirname>: Clear the quota for each directory <dirName>.\n' +
      `${quotaHelp('clear')}\t\t1. the directory does not exist or is a file, or\n\t\t2. user is not an administrator.\n` +
      '\t\tIt does not fault if the directory has no quota.',
    run: (args, options) => changeQuota('clrQuota', args, options, 1),
  },
  setSpaceQuota: {
    usage: '<quota> [-storageType <storagetype>] <dirname>...<dirname>',
    help:
      '-setSpaceQuota <quota> [-storageType <storagetype>] <dirname>...<dirname>: Set the space quota <quota> for each directory <dirName>.\n' +
      '\t\tThe space quota is a long integer that puts a hard limit\n\t\ton the total size of all the files under the directory tree.\n' +
      '\t\tThe extra space required for replication is also counted. E.g.\n\t\ta 1GB file with replication of 3 consumes 3GB of the quota.\n\n' +
      '\t\tQuota can also be specified with a binary prefix for terabytes,\n\t\tpetabytes etc (e.g. 50t is 50TB, 5m is 5MB, 3p is 3PB).\n' +
      `${quotaHelp('set')}\t\t1. quota is not a positive integer or zero, or\n\t\t2. user is not an administrator, or\n` +
      '\t\t3. the directory does not exist or is a file.\n\t\tQuotas by storage type are not supported by Quarry.',
    run: (args, options) => changeQuota('setSpaceQuota', args, options, 2),
  },
  clrSpaceQuota: {
    usage: '[-storageType <storagetype>] <dirname>...<dirname>',
    help:
      '-clrSpaceQuota [-storageType <storagetype>] <dirname>...<dirname>: Clear the space quota for each directory <dirName>.\n' +
      `${quotaHelp('clear')}\t\t1. the directory does not exist or is a file, or\n\t\t2. user is not an administrator.\n` +
      '\t\tIt does not fault if the directory has no quota.\n\t\tQuotas by storage type are not supported by Quarry.',
    run: (args, options) => changeQuota('clrSpaceQuota', args, options, 1),
  },
  help: {
    usage: '[cmd]',
    help: '-help [cmd]: \tDisplays help for the given command or all commands if none\n\t\tis specified.\n',
    run: help,
  },
}

/** Options of Hadoop's that Quarry knows and does not have. */
const refused = new Set([
  'saveNamespace',
  'rollEdits',
  'restoreFailedStorage',
  'refreshNodes',
  'finalizeUpgrade',
  'rollingUpgrade',
  'upgrade',
  'refreshServiceAcl',
  'refreshUserToGroupsMappings',
  'refreshSuperUserGroupsConfiguration',
  'refreshCallQueue',
  'refresh',
  'reconfig',
  'printTopology',
  'refreshNamenodes',
  'getVolumeReport',
  'deleteBlockPool',
  'setBalancerBandwidth',
  'getBalancerBandwidth',
  'fetchImage',
  'allowSnapshot',
  'disallowSnapshot',
  'provisionSnapshotTrash',
  'shutdownDatanode',
  'evictWriters',
  'getDatanodeInfo',
  'metasave',
  'triggerBlockReport',
  'listOpenFiles',
])

export async function runDfsadmin(words: readonly string[], options: AdminOptions): Promise<number> {
  const { err } = options.streams
  const [command, ...args] = words
  if (command === undefined) return fail(options, adminUsage())
  const name = command.replace(/^-+/, '')
  const verb = command.startsWith('-') && Object.hasOwn(adminVerbs, name) ? adminVerbs[name] : undefined
  if (!verb) {
    if (refused.has(name)) return fail(options, `${name}: Quarry does not support this yet.\n`)
    return fail(options, `${name}: Unknown command\n${adminUsage()}`)
  }
  try {
    return await verb.run(args, options)
  } catch (error) {
    if (error instanceof UsageError) {
      const message = error.message === '' ? '' : `${name}: ${error.message}\n`
      return fail(options, `${message}${verbUsage(name)}`)
    }
    await err.write(`${name}: ${describeFailure(error).message}\n`)
    return exitFailure
  }
}

async function fail({ streams }: AdminOptions, text: string): Promise<number> {
  await streams.err.write(text)
  return exitFailure
}

function verbUsage(name: string): string {
  // Hadoop leaves the angle brackets out of this one.
  const usage = name === 'safemode' ? 'enter | leave | get | wait | forceExit' : (adminVerbs[name]?.usage ?? '')
  return `Usage: hdfs dfsadmin [-${name} ${usage}]\n`
}

function adminUsage(): string {
  const lines = Object.entries(adminVerbs).map(([name, { usage }]) => `\t[-${name} ${usage}]\n`)
  return `Usage: hdfs dfsadmin\nNote: Administrative commands can only be run as the HDFS superuser.\n${lines.join('')}\n${genericUsage}`
}

async function help(args: readonly string[], { streams }: AdminOptions): Promise<number> {
  const [name = ''] = args
  const verb = Object.hasOwn(adminVerbs, name) ? adminVerbs[name] : undefined
  if (verb) {
    await streams.out.write(`${verb.help}\n`)
    return 0
  }
  const usages = Object.entries(adminVerbs)
    .map(([verbName, { usage }]) => `\t[-${verbName} ${usage}]\n`)
    .join('')
  const helps = Object.values(adminVerbs)
    .map((one) => `${one.help}\n`)
    .join('')
  await streams.out.write(
    'hdfs dfsadmin performs DFS administrative commands.\nNote: Administrative commands can only be run with superuser permission.\n' +
      `The full syntax is: \n\nhdfs dfsadmin\n${usages}\n${helps}\n\n${genericUsage}`,
  )
  return 0
}

async function report(args: readonly string[], options: AdminOptions): Promise<number> {
  const { writeReport } = await import('./report.ts')
  await using fs = await options.connect()
  await options.streams.out.write(await writeReport(fs, new Set(args)))
  return 0
}

async function safeMode(args: readonly string[], options: AdminOptions): Promise<number> {
  const [action] = args
  if (args.length !== 1 || action === undefined) throw new UsageError('')
  const actions = { get: 'get', enter: 'enter', leave: 'leave', forceExit: 'force-exit', wait: 'get' } as const
  if (!Object.hasOwn(actions, action)) {
    // Hadoop shows the usage and calls it a success.
    await options.streams.err.write(verbUsage('safemode'))
    return 0
  }
  await using fs = await options.connect()
  let { on } = await fs.safeMode(actions[action as keyof typeof actions])
  while (on && action === 'wait') {
    await sleep(safeModePollMs, undefined, { signal: options.streams.signal })
    on = (await fs.safeMode('get')).on
  }
  await options.streams.out.write(`Safe mode is ${on ? 'ON' : 'OFF'}\n`)
  return 0
}

type QuotaVerb = 'setQuota' | 'clrQuota' | 'setSpaceQuota' | 'clrSpaceQuota'

async function changeQuota(verb: QuotaVerb, args: readonly string[], options: AdminOptions, min: number): Promise<number> {
  checkCount(args.length, min, Number.MAX_SAFE_INTEGER)
  if (args.includes('-storageType')) throw new UsageError('-storageType: quotas by storage type are not supported by Quarry')
  const sets = verb.startsWith('set')
  const paths = sets ? args.slice(1) : args
  const amount = sets ? parseQuota(args[0] as string) : -1
  const isNames = verb === 'setQuota' || verb === 'clrQuota'
  if (sets && (amount < 0 || (isNames && amount === 0))) {
    throw new UsageError(`Invalid values for quota : ${isNames ? `${amount} and ${leaveText}` : `${leaveText} and ${amount}`}`)
  }
  await using fs = await options.connect()
  for (const path of paths) await setOne(fs, fs.resolve(path), isNames ? { names: amount } : { space: amount })
  return 0
}

async function setOne(fs: FileSystem, path: string, quota: { names?: number; space?: number }): Promise<void> {
  try {
    await fs.setQuota(path, quota)
  } catch (error) {
    // Hadoop does not tell a file from nothing here.
    if (isQuarryError(error, 'NOT_FOUND') || isQuarryError(error, 'NOT_A_DIRECTORY')) throw new Error(`Directory does not exist: ${path}`)
    throw error
  }
}

function parseQuota(text: string): number {
  const match = /^(-?\d+)([a-z]?)$/i.exec(text.trim())
  const letter = text.trim().slice(-1)
  const power = match?.[2] ? prefixes.indexOf(match[2].toLowerCase()) + 1 : 0
  if (/[a-z]$/i.test(text.trim()) && !prefixes.includes(letter.toLowerCase())) {
    throw new UsageError(`Invalid size prefix '${letter}' in '${text}'. Allowed prefixes are k, m, g, t, p, e(case insensitive)`)
  }
  if (!match) throw new UsageError(`For input string: "${text}"`)
  const amount = Number(match[1]) * 1024 ** power
  if (!Number.isSafeInteger(amount)) throw new UsageError(`${text} does not fit in a Long`)
  return amount
}
