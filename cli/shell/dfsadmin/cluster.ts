// Options of dfsadmin about the cluster as a whole: safe mode, topology, open files, hosts, bandwidth, metasave, saveNamespace.
import { setTimeout as sleep } from 'node:timers/promises'
import { nodeName } from '../../nodes/node.ts'
import { UsageError } from '../errors.ts'
import { parseAmount } from './quota.ts'
import { exitFailure } from './verb.ts'
import type { AdminOptions } from './verb.ts'

const safeModePollMs = 500
const noArguments = (args: readonly string[]): void => {
  if (args.length > 0) throw new UsageError('')
}

/** Answers undefined where the word is none of Hadoop's: it shows the usage then, and calls it a success. */
export async function safeMode(args: readonly string[], options: AdminOptions): Promise<number | undefined> {
  const [action] = args
  if (args.length !== 1 || action === undefined) throw new UsageError('')
  const actions = { get: 'get', enter: 'enter', leave: 'leave', forceExit: 'force-exit', wait: 'get' } as const
  if (!Object.hasOwn(actions, action)) return undefined
  const { signal } = options.streams
  await using fs = await options.connect()
  let { on } = await fs.safeMode(actions[action as keyof typeof actions], { signal })
  while (on && action === 'wait') {
    await sleep(safeModePollMs, undefined, { signal })
    on = (await fs.safeMode('get', { signal })).on
  }
  await options.streams.out.write(`Safe mode is ${on ? 'ON' : 'OFF'}\n`)
  return 0
}

export async function printTopology(args: readonly string[], options: AdminOptions): Promise<number> {
  noArguments(args)
  await using fs = await options.connect()
  const racks = new Map<string, string[]>()
  for (const node of await fs.datanodes('all')) {
    const rack = node.datanode?.rack ?? ''
    const line = `   ${nodeName(node)} (${node.datanode?.hostname}) ${node.adminState === '' ? 'In Service' : node.adminState}\n`
    racks.set(rack, [...(racks.get(rack) ?? []), line])
  }
  for (const [rack, lines] of [...racks].toSorted()) await options.streams.out.write(`Rack: ${rack}\n${lines.toSorted().join('')}\n`)
  if (racks.size === 0) await options.streams.out.write('No DataNodes\n')
  return 0
}

export async function refreshNodes(args: readonly string[], options: AdminOptions): Promise<number> {
  noArguments(args)
  await using fs = await options.connect()
  await fs.admin.refreshNodes()
  await options.streams.out.write('Refresh nodes successful\n')
  return 0
}

export async function metasave(args: readonly string[], options: AdminOptions): Promise<number> {
  const [name] = args
  if (args.length !== 1 || name === undefined) throw new UsageError('')
  await using fs = await options.connect()
  const path = await fs.admin.metasave(name)
  await options.streams.out.write(
    `Created metasave file ${name} in the log directory of namenode ${fs.uri}\nOn the machine of the namenode it is ${path}\n`,
  )
  return 0
}

export async function setBalancerBandwidth(args: readonly string[], options: AdminOptions): Promise<number> {
  const [text] = args
  if (args.length !== 1 || text === undefined) throw new UsageError('')
  const bytes = parseAmount(text)
  if (bytes < 0) {
    await options.streams.err.write('Bandwidth should be a non-negative integer\n')
    return exitFailure
  }
  await using fs = await options.connect()
  try {
    await fs.admin.setBalancerBandwidth(bytes)
  } catch (error) {
    await options.streams.err.write('Balancer bandwidth is set failed.\n')
    throw error
  }
  await options.streams.out.write(`Balancer bandwidth is set to ${bytes}\n`)
  return 0
}

/** Other words are ignored, as Hadoop ignores them, but not more than its own flags would take. */
export async function listOpenFiles(args: readonly string[], { streams, connect }: AdminOptions): Promise<number> {
  if (args.length > 3) throw new UsageError('')
  const at = args.indexOf('-path')
  const typed = at < 0 ? '/' : args[at + 1]
  if (typed === undefined) throw new UsageError('option -path requires 1 argument.')
  await using fs = await connect()
  const path = fs.resolve(typed)
  const row = (host: string, client: string, file: string): string => `${host.padEnd(20)}\t${client.padEnd(20)}\t${file}\n`
  await streams.out.write(row('Client Host', 'Client Name', 'Open File Path'))
  const blockingDecommission = args.includes('-blockingDecommission')
  try {
    for await (const file of fs.admin.openFiles({ path: path === '/' ? '' : path, blockingDecommission, signal: streams.signal })) {
      await streams.out.write(row(file.client, file.holder, file.path.padStart(20)))
    }
  } catch (error) {
    await streams.err.write('List open files failed.\n')
    throw error
  }
  return 0
}

/**
 * Hadoop writes an image of what it holds in memory. Quarry's namenode has every acknowledged change in its store already, so this
 * only checks what Hadoop checks: the caller and the safe mode.
 */
export async function saveNamespace(args: readonly string[], options: AdminOptions): Promise<number> {
  // Hadoop ignores what is not -beforeShutdown.
  if (args.length > 1) throw new UsageError('')
  await using fs = await options.connect()
  // Only the superuser may read the log; of it nothing is wanted.
  await fs.namenode.call('getEdits', { afterTxid: Number.MAX_SAFE_INTEGER, limit: 1 })
  const { on } = await fs.safeMode('get')
  if (!on) {
    await options.streams.err.write('saveNamespace: Safe mode should be turned ON in order to create namespace image.\n')
    return exitFailure
  }
  await options.streams.out.write('Save namespace successful\n')
  return 0
}
