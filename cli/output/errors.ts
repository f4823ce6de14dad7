// How a command says that it failed: one line on standard error, `quarry: what happened; what to do`, or with --json one object.
import { isQuarryError, toQuarryError } from '../../common/errors.ts'
import type { Advice } from '../../common/errors.ts'

/** Exit codes of every command but dfs, dfsadmin and fsck, which have Hadoop's (0, 1, 255, 130). */
export const exitCodes = { ok: 0, failure: 1, usage: 2, interrupted: 130 } as const

/** The next step, where the message alone leaves it open. */
const nextSteps: Readonly<Record<Advice, string>> = {
  'fix-request': '',
  'reopen': 'open the file again',
  'retry': 'try again in a moment; `quarry status` shows the cluster',
  'other-replica': 'try again: another copy is used',
  'operator': 'see `quarry status` and the logs of the cluster',
  'bug': 'this is a bug of Quarry; please report it with QUARRY_DEBUG=1 and what it prints',
}

/** Prints a failure and answers the exit code. */
export function reportFailure(error: unknown, options: { readonly json?: boolean } = {}): number {
  const failure = toQuarryError(error)
  const isUsage = failure.code === 'CONFIG' || failure.code === 'INVALID_ARGUMENT'
  if (options.json) {
    const { code, message, advice, details } = failure
    process.stderr.write(`${JSON.stringify({ error: { code, message, advice, details } })}\n`)
  } else {
    const [first = ''] = failure.message.split('\n', 1)
    const step = nextSteps[failure.advice]
    // Messages that already end in an instruction need no second one.
    const line = step === '' || /[;.:] |with:|--/.test(first) ? first : `${first.replace(/\.$/, '')}; ${step}`
    process.stderr.write(`quarry: ${line}\n`)
  }
  if (process.env['QUARRY_DEBUG'] && error instanceof Error) process.stderr.write(`${error.stack ?? ''}\n`)
  return isUsage && isQuarryError(error) ? exitCodes.usage : exitCodes.failure
}
