// `quarry debug`: what is inside, for those who look for a fault.
import type { Command } from 'commander'
import { QuarryError } from '../../common/errors.ts'
import type { ShellStreams } from '../shell/shell.ts'

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
  addHadoop(debug, 'recoverLease', 'close a file whose writer is gone: -path PATH [-retries N]', recoverLease)
  addHadoop(debug, 'verifyMeta', 'check a block file against its checksum file: -meta FILE [-block FILE]', verifyMeta)
  addHadoop(debug, 'computeMeta', 'refused: checksums made from a block would hide its damage', async () => {
    const why = 'Checksums made from a block file would call it whole, whatever it holds.'
    throw new QuarryError(
      'UNSUPPORTED',
      `computeMeta: Quarry does not have this. ${why} Take a good replica: quarry fsck -blockId blk_ID names them.`,
    )
  })
}

type HadoopCommand = (words: readonly string[], globals: Globals, streams: ShellStreams) => Promise<number>

interface Globals {
  readonly fs?: string
  readonly user?: string
}

/** A command with HDFS's own grammar: its words go through as they are. */
function addHadoop(debug: Command, name: string, description: string, run: HadoopCommand): void {
  debug
    .command(name)
    .description(description)
    .argument('[words...]')
    .allowUnknownOption()
    .action(async (words: string[], _own, command: Command) => {
      const [{ processStreams }, { exitCodes }] = await Promise.all([import('../output/streams.ts'), import('../output/errors.ts')])
      const streams = processStreams()
      try {
        process.exitCode = await run(words, command.optsWithGlobals<Globals>(), streams)
      } catch (error) {
        if (!streams.signal.aborted) throw error
        process.exitCode = exitCodes.interrupted
      } finally {
        await streams.out.flush()
      }
    })
}

const recoverLease: HadoopCommand = async (words, globals, streams) => {
  const [{ runRecoverLease }, { connectShell }] = await Promise.all([import('../debug/recover-lease.ts'), import('../shell/connect.ts')])
  return runRecoverLease(words, () => connectShell(globals), streams)
}

const verifyMeta: HadoopCommand = async (words, _globals, streams) => {
  const [{ runVerifyMeta }, { verifyMetaFile }] = await Promise.all([import('../debug/verify-meta.ts'), import('../../datanode/main.ts')])
  return runVerifyMeta(words, verifyMetaFile, streams)
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
