// The options of dfsadmin that Quarry has; those it knows of Hadoop's and has not are refused by name.
import * as cluster from './dfsadmin/cluster.ts'
import { adminTexts } from './dfsadmin/help-texts.ts'
import type { AdminVerbName } from './dfsadmin/help-texts.ts'
import { changeQuota } from './dfsadmin/quota.ts'
import { refusedVerbs } from './dfsadmin/refused.ts'
import { exitFailure } from './dfsadmin/verb.ts'
import type { AdminOptions, AdminVerb } from './dfsadmin/verb.ts'
import { describeFailure, UsageError } from './errors.ts'
import { genericUsage } from './usage.ts'

const exitInterrupted = 130

const runs: Readonly<Record<AdminVerbName, AdminVerb['run']>> = {
  report,
  safemode: safeMode,
  saveNamespace: cluster.saveNamespace,
  refreshNodes: cluster.refreshNodes,
  setQuota: (args, options) => changeQuota('setQuota', args, options, 2),
  clrQuota: (args, options) => changeQuota('clrQuota', args, options, 1),
  setSpaceQuota: (args, options) => changeQuota('setSpaceQuota', args, options, 2),
  clrSpaceQuota: (args, options) => changeQuota('clrSpaceQuota', args, options, 1),
  printTopology: cluster.printTopology,
  setBalancerBandwidth: cluster.setBalancerBandwidth,
  metasave: cluster.metasave,
  listOpenFiles: cluster.listOpenFiles,
  help,
}

const isVerb = (name: string): name is AdminVerbName => Object.hasOwn(adminTexts, name)
const texts = Object.entries(adminTexts)
const line = (name: string, usage: string): string => `[-${name}${usage === '' ? '' : ` ${usage}`}]`

export async function runDfsadmin(words: readonly string[], options: AdminOptions): Promise<number> {
  const { err, signal } = options.streams
  const [command, ...args] = words
  if (command === undefined) return fail(options, adminUsage())
  const name = command.replace(/^-+/, '')
  if (!command.startsWith('-') || !isVerb(name)) {
    if (Object.hasOwn(refusedVerbs, name)) return fail(options, `${name}: Quarry does not have this. ${refusedVerbs[name]}\n`)
    return fail(options, `${name}: Unknown command\n${adminUsage()}`)
  }
  try {
    return await runs[name](args, options)
  } catch (error) {
    if (error instanceof UsageError) {
      const message = error.message === '' ? '' : `${name}: ${error.message}\n`
      return fail(options, `${message}${verbUsage(name)}`)
    }
    if (signal.aborted) return exitInterrupted
    const { code, message } = describeFailure(error)
    // The namenode leaves it to the caller to name the operation.
    const operation =
      code === 'PERMISSION_DENIED' && /Superuser privilege is required$/.test(message) ? ` for operation ${operationOf(name, args)}` : ''
    await err.write(`${name}: ${message}${operation}\n`)
    return exitFailure
  }
}

/** As HDFS calls it. */
function operationOf(name: AdminVerbName, args: readonly string[]): string {
  if (name === 'safemode') return `safemode_${args[0]}`
  return name === 'metasave' ? 'metaSave' : name
}

async function fail({ streams }: AdminOptions, text: string): Promise<number> {
  await streams.err.write(text)
  return exitFailure
}

function verbUsage(name: AdminVerbName): string {
  // Hadoop leaves the angle brackets out of this one.
  const usage = name === 'safemode' ? 'enter | leave | get | wait | forceExit' : adminTexts[name].usage
  return `Usage: hdfs dfsadmin ${line(name, usage)}\n`
}

function adminUsage(): string {
  const lines = texts.map(([name, { usage }]) => `\t${line(name, usage)}\n`)
  return `Usage: hdfs dfsadmin\nNote: Administrative commands can only be run as the HDFS superuser.\n${lines.join('')}\n${genericUsage}`
}

async function help(args: readonly string[], { streams }: AdminOptions): Promise<number> {
  const [name = ''] = args
  if (isVerb(name)) {
    await streams.out.write(`${adminTexts[name].help}\n`)
    return 0
  }
  const usages = texts.map(([verbName, { usage }]) => `\t${line(verbName, usage)}\n`).join('')
  const helps = texts.map(([, one]) => `${one.help}\n`).join('')
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
  const code = await cluster.safeMode(args, options)
  if (code !== undefined) return code
  await options.streams.err.write(verbUsage('safemode'))
  return 0
}
