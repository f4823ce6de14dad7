// Several of these fight for the same few names: each brings files of its own there, takes away what it finds, and looks. The
// history of every name must be explained by some order of the calls (model/register.ts).
import type { FileSystem } from '../../../client/filesystem.ts'
import type { Random } from '../../../common/env.ts'
import type { NameCall } from '../model/register.ts'
import { isLinearizable } from '../model/register.ts'
import { Violation } from '../run/violation.ts'
import { between } from '../world/random.ts'
import { attempt, isPassing } from './attempt.ts'
import type { Attempt } from './attempt.ts'

const names = 4
/** Calls on one name: a search over more may take long. */
const callsMax = 400

/** What all sharers of a run know together. */
export class SharedNames {
  readonly root = '/shared'
  readonly #histories: NameCall[][] = Array.from({ length: names }, () => [])
  #clock = 0

  begin(name: number, kind: NameCall['kind'], id: number): NameCall | undefined {
    const history = this.#histories[name]!
    if (history.length >= callsMax) return undefined
    const call: NameCall = { kind, id, begin: this.#clock++, end: Infinity, result: undefined }
    history.push(call)
    return call
  }

  end(call: NameCall, result: number | boolean): void {
    call.end = this.#clock++
    call.result = result
  }

  /** The call did not happen. */
  drop(name: number, call: NameCall): void {
    const history = this.#histories[name]!
    history.splice(history.indexOf(call), 1)
  }

  check(): void {
    for (const [name, history] of this.#histories.entries())
      if (!isLinearizable(history))
        throw new Violation('I5', `no order of the ${history.length} calls on ${this.root}/n${name} explains their answers`)
  }
}

export class Sharer {
  readonly #shared: SharedNames
  readonly #random: Random
  readonly #name: string
  readonly #pauseMs: number
  #next = 1
  operations = 0

  constructor(shared: SharedNames, options: { readonly name: string; readonly random: Random; readonly pauseMs: number }) {
    this.#shared = shared
    this.#name = options.name
    this.#random = options.random
    this.#pauseMs = options.pauseMs
  }

  killed(): void {}

  async work(fs: FileSystem, sleep: (ms: number) => Promise<void>, over: () => boolean): Promise<void> {
    for (const path of [this.#shared.root, `/${this.#name}`])
      while (!over() && (await attempt(() => fs.mkdir(path, { recursive: true }))).kind !== 'done') await sleep(500)
    while (!over()) {
      await this.#step(fs)
      this.operations++
      await sleep(between(this.#random, 0.2, 1.8) * this.#pauseMs)
    }
  }

  async #step(fs: FileSystem): Promise<void> {
    const name = this.#random.int(names)
    const path = `${this.#shared.root}/n${name}`
    const draw = this.#random.float()
    if (draw < 0.4) await this.#put(fs, name, path)
    else if (draw < 0.6) {
      const call = this.#shared.begin(name, 'take', 0)
      if (call) this.#settle(name, call, await attempt(() => fs.delete(path)))
    } else {
      const call = this.#shared.begin(name, 'get', 0)
      if (!call) return
      const found = await attempt(() => fs.stat(path))
      if (found.kind === 'refused' && found.error.code === 'NOT_FOUND') this.#shared.end(call, 0)
      else if (found.kind === 'done') this.#shared.end(call, found.value.fileId)
      else this.#shared.drop(name, call)
    }
  }

  async #put(fs: FileSystem, name: number, path: string): Promise<void> {
    const own = `/${this.#name}/own${this.#next++}`
    const made = await attempt(async () => {
      const writer = await fs.create(own, { overwrite: false })
      await writer.close()
      return (await fs.stat(own)).fileId
    })
    if (made.kind !== 'done') return
    const call = this.#shared.begin(name, 'put', made.value)
    if (!call) return
    const moved = await attempt(() => fs.rename(own, path))
    if (moved.kind === 'refused' && moved.error.code === 'ALREADY_EXISTS') this.#shared.end(call, false)
    else this.#settle(name, call, moved.kind === 'done' ? { kind: 'done', value: true } : moved)
  }

  #settle(name: number, call: NameCall, outcome: Attempt<boolean>): void {
    if (outcome.kind === 'done') this.#shared.end(call, outcome.value)
    else if (outcome.kind === 'refused') {
      if (!isPassing(outcome.error)) throw new Violation('I5', `${call.kind} on a shared name was refused: ${outcome.error.message}`)
      this.#shared.drop(name, call)
    }
  }
}
