// The part of `quarry admin` that is about the namenode's store: backup, restore, checksums, checks, the edit log.
import type { Command } from 'commander'
import { QuarryError } from '../../common/errors.ts'
import type { ShellStreams } from '../shell/shell.ts'

interface Globals {
  readonly fs?: string
  readonly user?: string
  readonly json?: boolean
}

const count =
  (flag: string, min: number) =>
  (text: string): number => {
    if (!/^\d{1,15}$/.test(text) || Number(text) < min)
      throw new QuarryError('INVALID_ARGUMENT', `${flag} is "${text}"; expected a whole number from ${min}`)
    return Number(text)
  }

const restoreHelp = `
A restored namespace is as old as its backup, or as the transaction that --to-txid names; quarry debug edits shows transactions.
Files that came later are not in it; their blocks hold the namenode in safe mode after its start, since they are what you still
have of them if this was the wrong backup. When all is well: quarry dfsadmin -safemode forceExit, and they are deleted.
A file that was appended to after the transaction shows as corrupt; one that was deleted after it has lost its blocks.

the last moment before a mistake:
  quarry admin restore /backups/20261122T020000Z-81234 --into ~/nn2 --to-txid 90211 --edits ~/nn
`

export function registerStoreCommands(admin: Command): void {
  registerBackup(admin)
  registerRestore(admin)
  admin
    .command('checksum')
    .description('a checksum over the namespace: equal for equal namespaces')
    .option('--dir <dir>', 'of a stopped namenode, or of a backup, instead of the running one')
    .option('--json', 'print one object')
    .action(async (_own, command: Command) => {
      const { dir, json = false, ...globals } = command.optsWithGlobals<Globals & { dir?: string }>()
      await perform(async (streams) => {
        const [{ runChecksum }, { connectShell }] = await Promise.all([import('../admin/look.ts'), import('../shell/connect.ts')])
        if (dir !== undefined) return runChecksum(dir, json, streams)
        await using fs = await connectShell(globals)
        return await runChecksum(fs, json, streams)
      })
    })
  admin
    .command('check')
    .description('check the store of a stopped namenode, or a backup: every page, every record; changes nothing')
    .argument('<dir>', 'its directory')
    .option('--json', 'print one object')
    .addHelpText('after', '\nExit code 0: sound; 1: damaged, or it could not be read. Reads a copy in $TMPDIR.\n')
    .action(async (dir: string, _own, command: Command) => {
      const { json = false } = command.optsWithGlobals<Globals>()
      await perform(async (streams) => (await import('../admin/look.ts')).runCheck(dir, json, streams))
    })
  registerExport(admin)
}

function registerBackup(admin: Command): void {
  admin
    .command('backup')
    .description('copy the store of the running namenode to DIR/<time>-<transaction>, consistent while it serves')
    .argument('<dir>', 'where backups are kept')
    .option('--keep <n>', 'then remove all but the newest n backups of this cluster', count('--keep', 1))
    .option('--json', 'print one object')
    .action(async (dir: string, _own, command: Command) => {
      const { keep, json = false, ...globals } = command.optsWithGlobals<Globals & { keep?: number }>()
      await perform(async (streams) => {
        const [{ runBackup }, { connectShell }] = await Promise.all([import('../admin/backup.ts'), import('../shell/connect.ts')])
        await using fs = await connectShell(globals)
        return await runBackup(fs, { dir, keep, json }, streams)
      })
    })
}

function registerRestore(admin: Command): void {
  admin
    .command('restore')
    .description('make the directory of a namenode from a backup, and later edits where they are given; no namenode may run on it')
    .argument('<backup>', 'a folder that quarry admin backup made')
    .requiredOption('--into <dir>', 'a new or empty directory')
    .option('--to-txid <n>', 'replay edits up to this transaction', count('--to-txid', 1))
    .option('--edits <from>', 'where they are: quarry://HOST:PORT, the directory of a stopped namenode, a backup, or an export')
    .option('--json', 'print one object')
    .addHelpText('after', restoreHelp)
    .action(async (backup: string, _own, command: Command) => {
      const options = command.optsWithGlobals<Globals & { into: string; toTxid?: number; edits?: string }>()
      const { into, toTxid, edits, user, json = false } = options
      await perform(async (streams) =>
        (await import('../admin/restore.ts')).runRestore(backup, { into, toTxid, edits, user, json }, streams),
      )
    })
}

function registerExport(admin: Command): void {
  admin
    .command('edits-export')
    .description('write the edit log to a file, one JSON object a line: for a later restore to a point in time')
    .argument('<file>', 'a new file')
    .option('--after <txid>', 'begin after this transaction', count('--after', 0), 0)
    .option('--dir <dir>', 'of a stopped namenode, or of a backup, instead of the running one')
    .option('--json', 'print one object')
    .action(async (file: string, _own, command: Command) => {
      const { after, dir, fs, user, json = false } = command.optsWithGlobals<Globals & { after: number; dir?: string }>()
      await perform(async ({ out }) => {
        const [{ editSource, exportEdits }, { clusterUri }] = await Promise.all([
          import('../admin/edit-sources.ts'),
          import('../shell/connect.ts'),
        ])
        const { edits, lastTxid } = await exportEdits(editSource(dir ?? (await clusterUri(fs)), user)(after), file)
        await out.write(
          json ? `${JSON.stringify({ file, edits, lastTxid })}\n` : `${file}: ${edits} edits, up to transaction ${lastTxid}\n`,
        )
        return 0
      })
    })
}

async function perform(work: (streams: ShellStreams) => Promise<number>): Promise<void> {
  const [{ processStreams }, { exitCodes }] = await Promise.all([import('../output/streams.ts'), import('../output/errors.ts')])
  const streams = processStreams()
  try {
    process.exitCode = await work(streams)
  } catch (error) {
    if (!streams.signal.aborted) throw error
    process.exitCode = exitCodes.interrupted
  } finally {
    await streams.out.flush()
  }
}
