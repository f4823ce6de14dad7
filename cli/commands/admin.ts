// `quarry admin`: what an operator does to a running cluster, without editing files.
import type { Command } from 'commander'
import { QuarryError } from '../../common/errors.ts'
import type { NodeOrder } from '../nodes/change.ts'
import { registerStoreCommands } from './admin-store.ts'

interface Globals {
  readonly fs?: string
  readonly user?: string
  readonly json?: boolean
}

interface ChangeArguments extends Globals {
  readonly wait?: boolean
  readonly for?: number
}

const unitMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `90s`, `30m`, `2h`, `1d` as milliseconds. */
function duration(flag: string): (text: string) => number {
  return (text) => {
    const match = /^(\d{1,9})([smhd])$/.exec(text)
    if (!match || Number(match[1]) === 0)
      throw new QuarryError('INVALID_ARGUMENT', `${flag} is "${text}"; expected a time such as 90s, 30m, 2h or 1d`)
    return Number(match[1]) * (unitMs[match[2] as string] as number)
  }
}

const nodesHelp = `
A NODE is a name of quarry admin nodes: uuid, host, address, host:port or address:port. What is set stays over restarts of the
namenode. Exit code 0: done; 1: failed, nothing changed; 130: interrupted, what was ordered goes on.
`

export function register(program: Command): void {
  const admin = program
    .command('admin')
    .description("operate a cluster: its datanodes, and the namenode's store (superuser only)")
    .addHelpText(
      'after',
      `
take a datanode away for good:    quarry admin decommission 10.0.0.7 --wait
for an hour's work on it:         quarry admin maintenance 10.0.0.7 --for 1h --wait
and back:                         quarry admin recommission 10.0.0.7
`,
    )
  admin
    .command('nodes')
    .description('list the datanodes, their states and how full they are')
    .option('--json', 'print an array of objects')
    .action(async (_own, command: Command) => {
      process.exitCode = await showNodes(command.optsWithGlobals<Globals>())
    })
  addOrder(admin, 'decommission', 'copy the blocks of datanodes elsewhere, then take them out of service')
  addOrder(admin, 'maintenance', 'take datanodes out for a while: their copies count as long as another one is live').option(
    '--for <time>',
    'be back in service after so long, such as 90s, 30m, 2h, 1d (default: until recommissioned)',
    duration('--for'),
  )
  addOrder(admin, 'recommission', 'put datanodes back into service; ends a decommission or a maintenance, also one under way')
  registerStoreCommands(admin)
}

function addOrder(admin: Command, order: NodeOrder, description: string): Command {
  return admin
    .command(order)
    .description(description)
    .argument('<node...>', 'which datanodes')
    .option('--wait', 'return when it is done, and show how far it is')
    .option('--json', 'print the datanodes as an array of objects')
    .addHelpText('after', nodesHelp)
    .action(async (nodes: string[], _own, command: Command) => {
      process.exitCode = await change(order, nodes, command.optsWithGlobals<ChangeArguments>())
    })
}

async function showNodes(options: Globals): Promise<number> {
  const [{ connectShell }, { nodeRecord, nodeRows, numberColumns }, { table }] = await Promise.all([
    import('../shell/connect.ts'),
    import('../nodes/node.ts'),
    import('../shell/format.ts'),
  ])
  await using fs = await connectShell(options)
  const nodes = await fs.datanodes('all')
  process.stdout.write(options.json ? `${JSON.stringify(nodes.map(nodeRecord))}\n` : table(nodeRows(nodes, Date.now()), numberColumns))
  return 0
}

async function change(order: NodeOrder, nodes: readonly string[], options: ChangeArguments): Promise<number> {
  const [{ connectShell }, { changeNodes }, { processStreams }, { exitCodes }] = await Promise.all([
    import('../shell/connect.ts'),
    import('../nodes/change.ts'),
    import('../output/streams.ts'),
    import('../output/errors.ts'),
  ])
  const streams = processStreams()
  try {
    await using fs = await connectShell(options)
    return await changeNodes(fs, { order, nodes, forMs: options.for, wait: options.wait ?? false, json: options.json ?? false }, streams)
  } catch (error) {
    if (streams.signal.aborted) return exitCodes.interrupted
    throw error
  } finally {
    await streams.out.flush()
  }
}
