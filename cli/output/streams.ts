// The process's own streams, as a shell sees them.
import { setMaxListeners } from 'node:events'
import { createInterface } from 'node:readline'
import { addAbortSignal } from 'node:stream'
import type { ShellStreams } from '../shell/shell.ts'
import { exitCodes } from './errors.ts'
import { StreamOutput } from './output.ts'

/** As a program that a closed pipe ends: 128 + SIGPIPE. */
const exitBrokenPipe = 141

export function processStreams(): ShellStreams {
  const interrupt = new AbortController()
  // Every call under way listens; their number has a bound where they are made.
  setMaxListeners(0, interrupt.signal)
  process.on('SIGINT', () => {
    // The first Ctrl-C lets the verb clean up; the second does not wait for it.
    if (interrupt.signal.aborted) process.exit(exitCodes.interrupted)
    interrupt.abort(new Error('Interrupted'))
  })
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(exitBrokenPipe)
  })
  const err = new StreamOutput(process.stderr)
  return {
    out: new StreamOutput(process.stdout),
    // Errors are never kept back: they must stand where they happened.
    err: { write: (data) => void process.stderr.write(data), flush: () => err.flush() },
    input: () => addAbortSignal(interrupt.signal, process.stdin) as AsyncIterable<Uint8Array>,
    ask,
    progress: process.stderr.isTTY ? err : undefined,
    signal: interrupt.signal,
  }
}

function ask(question: string): Promise<string> {
  return new Promise((resolve) => {
    const lines = createInterface({ input: process.stdin, output: process.stderr })
    lines.question(question, (answer) => {
      resolve(answer)
      lines.close()
    })
    lines.on('close', () => resolve(''))
  })
}
