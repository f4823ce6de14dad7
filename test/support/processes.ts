// Helpers for tests over real processes. A Sandbox owns temporary directories, the processes it started and the clusters in its
// directories; leaving it ends them all by pid, whatever the test did.
import { spawn, type ChildProcess } from 'node:child_process'
import { createCipheriv } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { readRunning } from '../../cli/cluster/directory.ts'
import type { ClusterDescription } from '../../cli/cluster/description.ts'
import { signalProcess, waitForExit } from '../../cli/cluster/process-identity.ts'
import { must } from '../../common/assert.ts'

export const binary = fileURLToPath(new URL('../../bin/quarry.js', import.meta.url))
const withinMs = 120_000

export interface Outcome {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly env?: NodeJS.ProcessEnv
  /** What it reads on stdin. */
  readonly input?: string | Uint8Array
  /** Leave stdin to the test. */
  readonly openInput?: boolean
  readonly withinMs?: number
}

/** A program that goes on running beside the test. */
export class Running {
  readonly pid: number
  readonly done: Promise<Outcome>
  #stdout = ''
  #stderr = ''
  readonly #child: ChildProcess
  readonly #listeners = new Set<() => void>()

  constructor(child: ChildProcess) {
    this.#child = child
    this.pid = child.pid ?? 0
    child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#take((this.#stdout += text)))
    child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#take((this.#stderr += text)))
    this.done = new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code, signal) => {
        resolve({ code, signal, stdout: this.#stdout, stderr: this.#stderr })
        this.#take('')
      })
    })
    this.done.catch(() => {})
  }

  get stdin(): Writable {
    return must(this.#child.stdin)
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    this.#child.kill(signal)
  }

  /** The first match in what it printed so far or prints later, on either stream. */
  waitFor(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => finish(new Error(`waited ${withinMs / 1000} s for ${pattern}; printed so far:\n${this.#stdout}\n${this.#stderr}`)),
        withinMs,
      )
      const finish = (outcome: RegExpExecArray | Error) => {
        clearTimeout(timer)
        this.#listeners.delete(look)
        if (outcome instanceof Error) reject(outcome)
        else resolve(outcome)
      }
      const look = () => {
        const match = pattern.exec(this.#stdout) ?? pattern.exec(this.#stderr)
        if (match !== null) finish(match)
        else if (this.#child.exitCode !== null || this.#child.signalCode !== null)
          finish(
            new Error(
              `ended (${this.#child.exitCode ?? this.#child.signalCode}) without ${pattern}; it printed:\n${this.#stdout}\n${this.#stderr}`,
            ),
          )
      }
      this.#listeners.add(look)
      look()
    })
  }

  #take(_text: string): void {
    for (const listener of this.#listeners) listener()
  }
}

export class Sandbox implements AsyncDisposable {
  readonly dir = mkdtempSync(path.join(tmpdir(), 'quarry-test-'))
  readonly #running = new Set<Running>()

  /** A path below the sandbox. */
  path(...parts: string[]): string {
    return path.join(this.dir, ...parts)
  }

  /** Starts `quarry …` and goes on. */
  start(args: readonly string[], options: RunOptions = {}): Running {
    const child = spawn(process.execPath, [binary, ...args], {
      cwd: this.dir,
      env: this.environment(options.env),
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    child.stdin.on('error', () => {})
    if (options.openInput !== true) child.stdin.end(options.input)
    const running = new Running(child)
    this.#running.add(running)
    void running.done.finally(() => this.#running.delete(running)).catch(() => {})
    return running
  }

  /** Runs `quarry …` to its end. */
  async quarry(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    const running = this.start(args, options)
    const timer = setTimeout(() => running.kill('SIGKILL'), options.withinMs ?? withinMs)
    try {
      return await running.done
    } finally {
      clearTimeout(timer)
    }
  }

  /** Runs `quarry …`, which must succeed; answers what it printed on stdout. */
  async ok(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const outcome = await this.quarry(args, options)
    if (outcome.code !== 0)
      throw new Error(`quarry ${args.join(' ')} ended with ${outcome.code ?? outcome.signal}\n${outcome.stdout}\n${outcome.stderr}`)
    return outcome.stdout
  }

  /** `quarry up --detach --json` in a directory of the sandbox, with quick detection of lost datanodes. */
  async up(options: { readonly name?: string; readonly args?: readonly string[] } = {}): Promise<ClusterDescription> {
    const quick = [
      'heartbeat.interval=300',
      'stale.after=2s',
      'dead.after=3s',
      'redundancy.interval=300',
      'reserved=0',
      'drain.timeout=5s',
    ].flatMap((definition) => ['-D', definition])
    const stdout = await this.ok([
      'up',
      '--dir',
      this.path(options.name ?? 'cluster'),
      '--detach',
      '--json',
      ...quick,
      ...(options.args ?? []),
    ])
    return JSON.parse(stdout) as ClusterDescription
  }

  /** No settings of the person who runs the tests, and a home of its own. */
  environment(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
    const clean = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !name.startsWith('QUARRY_') && !name.startsWith('HADOOP_')),
    )
    return { ...clean, HOME: this.dir, ...more }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const running of this.#running) running.kill('SIGKILL')
    await Promise.allSettled([...this.#running].map((running) => running.done))
    for (const name of readdirSync(this.dir)) if (existsSync(this.path(name, 'running.json'))) await killCluster(this.path(name))
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** Ends every process of the cluster in a directory, at once. */
async function killCluster(dir: string): Promise<void> {
  const running = readRunning(dir)
  const others = running === undefined ? [] : [running.supervisor, ...running.roles].filter((identity) => identity.pid !== process.pid)
  const killed = others.filter((identity) => signalProcess(identity, 'SIGKILL'))
  await Promise.all(killed.map((identity) => waitForExit(identity, withinMs)))
}

/** A seed that is printed, so that a failed run can be repeated with QUARRY_TEST_SEED. */
export function printedSeed(test: string): number {
  const seed = Number(process.env['QUARRY_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  console.log(`${test}: QUARRY_TEST_SEED=${seed}`)
  return seed
}

/** Bytes that do not compress and differ by seed: a key stream, because it comes at a gigabyte a second. */
export function seededBytes(length: number, seed: number): Buffer {
  return createCipheriv('aes-128-ctr', Buffer.alloc(16, seed % 251), Buffer.alloc(16, seed >>> 8)).update(Buffer.alloc(length))
}
