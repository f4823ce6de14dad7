// A client that uses the command line: put, appendToFile, get, mv, rm, one command at a time, each a process.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { SeededRandom } from '../../common/testing/seeded-random.ts'
import { contentOf, hashOf, sha256 } from './content.ts'
import type { Ledger, Step } from './ledger.ts'
import { run } from './verify.ts'

interface OwnFile {
  readonly file: number
  path: string
  length: number
}

const betweenMs = 1_500
const directory = '/chaos/shell'
/** What a command says when the cluster is in trouble; anything else is a promise that was broken. */
const fair =
  /Cannot reach|could only be written|is in safe mode|safe mode|no answer|does not answer|not respond|time|unavailable|retry|Connection|connect|lease|recover|being created|No live|replica|pipeline|could not be|cannot be read|full|closed|missing|lost/i

export class ShellClient {
  readonly #parts: { readonly dir: string; readonly uri: string; readonly ledger: Ledger; readonly program: string; readonly seed: number }
  readonly #random: SeededRandom
  readonly #files: OwnFile[] = []
  #next: number
  #stopping = false
  #loop: Promise<void> = Promise.resolve()

  constructor(parts: { dir: string; uri: string; ledger: Ledger; program: string; seed: number }) {
    this.#parts = parts
    this.#random = new SeededRandom(parts.seed ^ 0x5e11)
    this.#next = parts.ledger.takeNumbers()
  }

  start(): void {
    this.#loop = this.#run().catch((error: unknown) => void this.#parts.ledger.violations.push(`the shell client broke: ${String(error)}`))
  }

  /** Lets the command that runs finish. */
  async stop(): Promise<boolean> {
    this.#stopping = true
    await this.#loop
    return true
  }

  async kill(): Promise<void> {
    await this.stop()
  }

  async #run(): Promise<void> {
    let made = false
    while (!this.#stopping) {
      made ||= (await this.#quarry('mkdir', '-p', directory)).code === 0
      if (made) await this.#deed(this.#random.float())
      await sleep(betweenMs)
    }
  }

  async #deed(draw: number): Promise<void> {
    const own = this.#files.length === 0 ? undefined : this.#files.splice(this.#random.int(this.#files.length), 1)[0]
    if (own === undefined || draw < 0.4) {
      if (own !== undefined) this.#files.push(own)
      return this.#put()
    }
    if (draw < 0.55) return this.#append(own)
    if (draw < 0.8) return this.#get(own)
    if (draw < 0.9) {
      const target = `${directory}/moved-${own.file}-${this.#random.int(1_000_000)}`
      if (!(await this.#step({ kind: 'rename', file: own.file, target }, ['mv', own.path, target]))) return
      own.path = target
      this.#files.push(own)
      return
    }
    await this.#step({ kind: 'delete', file: own.file }, ['rm', '-skipTrash', own.path])
  }

  async #put(): Promise<void> {
    const file = this.#next++
    const own = { file, path: `${directory}/put-${file}`, length: this.#random.int(5 * 2 ** 20) }
    const { ledger } = this.#parts
    ledger.begin({ kind: 'create', file, path: own.path })
    ledger.begin({ kind: 'send', file, length: own.length })
    await this.#withLocal(contentOf(file, 0, own.length), async (local) => {
      if (!(await this.#step({ kind: 'close', file, length: own.length }, ['put', local, own.path]))) return
      ledger.acknowledge({ kind: 'create', file, path: own.path }, 0)
      this.#files.push(own)
    })
  }

  async #append(own: OwnFile): Promise<void> {
    const end = own.length + 1 + this.#random.int(2 ** 20)
    this.#parts.ledger.begin({ kind: 'send', file: own.file, length: end })
    await this.#withLocal(contentOf(own.file, own.length, end), async (local) => {
      if (!(await this.#step({ kind: 'close', file: own.file, length: end }, ['appendToFile', local, own.path]))) return
      own.length = end
      this.#files.push(own)
    })
  }

  async #get(own: OwnFile): Promise<void> {
    const local = path.join(this.#parts.dir, `got-${own.file}`)
    const ok = await this.#step({ kind: 'read', file: own.file }, ['get', own.path, local])
    if (ok && sha256(readFileSync(local)) !== hashOf(own.file, own.length))
      this.#parts.ledger.violations.push(`get of ${own.path}: other bytes than the ${own.length} that were put`)
    rmSync(local, { force: true })
    this.#files.push(own)
  }

  async #withLocal(bytes: Uint8Array, body: (local: string) => Promise<void>): Promise<void> {
    const local = path.join(this.#parts.dir, 'shell-input')
    writeFileSync(local, bytes)
    try {
      await body(local)
    } finally {
      rmSync(local, { force: true })
    }
  }

  async #step(step: Step, args: readonly string[]): Promise<boolean> {
    const { ledger } = this.#parts
    ledger.begin(step)
    const startedMs = performance.now()
    const { code, out } = await this.#quarry(...args)
    if (code === 0) {
      ledger.acknowledge(step, performance.now() - startedMs)
      return true
    }
    ledger.fail(step, `by shell, exit ${code}`)
    if (code !== 1 || !fair.test(out)) ledger.violations.push(`quarry ${args.join(' ')} ended with ${code}: ${out.slice(-500)}`)
    return false
  }

  #quarry(...[verb, ...args]: string[]): Promise<{ code: number | null; out: string }> {
    return run(this.#parts.program, ['dfs', '-fs', this.#parts.uri, `-${verb}`, ...args])
  }
}
