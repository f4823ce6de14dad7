// A client process of the workload, seen from the run: killed, started anew under another directory, or stopped in order.
import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { ClientLines, type Ledger } from './ledger.ts'
import { environment } from './role.ts'

const program = fileURLToPath(new URL('worker.ts', import.meta.url))
/** What an operation may take to its end when a client is told to stop: its longest time-out and some. */
const stopWithinMs = 100_000

export class Client {
  kills = 0
  readonly #parts: { readonly dir: string; readonly uri: string; readonly ledger: Ledger; readonly number: number; readonly seed: number }
  #child: ChildProcess | undefined
  #exited: Promise<void> = Promise.resolve()
  #expected = false
  #life = 0

  constructor(parts: { dir: string; uri: string; ledger: Ledger; number: number; seed: number }) {
    this.#parts = parts
  }

  start(): void {
    const { dir, uri, ledger, number, seed } = this.#parts
    const life = ++this.#life
    const log = openSync(path.join(dir, 'logs', `client-${number}.log`), 'a')
    const child = spawn(
      process.execPath,
      [
        '--import',
        'tsx',
        program,
        uri,
        `/chaos/client-${number}-${life}`,
        String(ledger.takeNumbers()),
        String(seed * 1000 + number * 100 + life),
        String(number % 2 === 1),
      ],
      { stdio: ['ignore', 'pipe', log, 'ipc'], env: environment() },
    )
    closeSync(log)
    this.#child = child
    this.#expected = false
    const lines = new ClientLines(ledger)
    child.stdout?.setEncoding('utf8').on('data', (text: string) => lines.take(text))
    this.#exited = new Promise((resolve) =>
      child.once('close', (code, signal) => {
        if (!this.#expected && code !== 0)
          ledger.violations.push(`client ${number} ended by itself: ${signal ?? `exit code ${code}`}; see logs/client-${number}.log`)
        resolve()
      }),
    )
  }

  /** SIGKILL in the middle of whatever it does; another one takes its place. */
  async killAndReplace(): Promise<void> {
    this.kills++
    await this.kill()
    this.start()
  }

  async kill(): Promise<void> {
    this.#expected = true
    this.#child?.kill('SIGKILL')
    await this.#exited
  }

  /** Lets it finish what it does. Answers false when it had to be killed. */
  async stop(): Promise<boolean> {
    this.#child?.kill('SIGTERM')
    let overdue = false
    const timer = setTimeout(() => {
      overdue = true
      this.#expected = true
      this.#child?.kill('SIGKILL')
    }, stopWithinMs)
    await this.#exited
    clearTimeout(timer)
    return !overdue
  }
}
