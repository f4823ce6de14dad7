// `quarry admin restore BACKUP --into DIR`: the directory of a namenode, from a backup and later edits.
import { restore } from '../../namenode/store/restore.ts'
import type { ShellStreams } from '../shell/shell.ts'
import { editSource } from './edit-sources.ts'

export interface RestoreArguments {
  readonly into: string
  readonly toTxid?: number | undefined
  readonly edits?: string | undefined
  readonly user?: string | undefined
  readonly json: boolean
}

export async function runRestore(backup: string, args: RestoreArguments, { out }: ShellStreams): Promise<number> {
  const report = await restore({
    backup,
    into: args.into,
    toTxid: args.toTxid,
    edits: args.edits === undefined ? undefined : editSource(args.edits, args.user),
    nowMs: Date.now(),
    say: (step) => void (args.json || out.write(`${step}\n`)),
  })
  if (args.json) await out.write(`${JSON.stringify(report)}\n`)
  return 0
}
