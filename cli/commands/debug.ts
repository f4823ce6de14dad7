// `quarry debug`: what is inside, for those who look for a fault.
import type { Command } from 'commander'
import { QuarryError } from '../../common/errors.ts'

interface EditsOptions {
  readonly after: number
  readonly limit: number
}

const count =
  (name: string) =>
  (text: string): number => {
    if (!/^\d{1,15}$/.test(text)) throw new QuarryError('INVALID_ARGUMENT', `${name} is "${text}"; expected a whole number`)
    return Number(text)
  }

export function register(program: Command): void {
  const debug = program.command('debug').description('look inside')
  debug
    .command('edits')
    .description('print the edit log of the namespace, one JSON object a line (superuser only)')
    .option('--after <txid>', 'begin after this transaction', count('--after'), 0)
    .option('--limit <n>', 'stop after so many', count('--limit'), Number.MAX_SAFE_INTEGER)
    .action(async (options: EditsOptions, command: Command) => {
      const { connectShell } = await import('../shell/connect.ts')
      await using fs = await connectShell(command.optsWithGlobals<{ fs?: string; user?: string }>())
      await printEdits(fs.edits(options.after), options.limit)
    })
}

interface Edit {
  readonly txid: number
  readonly atMs: number
  readonly op: string
  readonly json: string
}

async function printEdits(edits: AsyncIterable<Edit>, limit: number): Promise<void> {
  if (limit === 0) return
  const { StreamOutput } = await import('../output/output.ts')
  const out = new StreamOutput(process.stdout)
  let printed = 0
  for await (const { txid, atMs, op, json } of edits) {
    await out.write(`${JSON.stringify({ txid, at: new Date(atMs).toISOString(), op, edit: JSON.parse(json) as unknown })}\n`)
    if (++printed === limit) break
  }
  await out.flush()
}
