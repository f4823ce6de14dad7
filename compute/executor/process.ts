// The parent's end of an executor process. Whatever happens to the process becomes an error of the call that waits for it.
//
// Cancelling first interrupts DuckDB, which stops within a millisecond or so; a process that does not answer within `killAfterMs`
// is killed. The process has nothing of the parent's environment but what it needs: no credentials, no NODE_OPTIONS.
import { fork, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { QuarryError, isErrorCode } from '../../common/errors.ts'
import type { Column, Value } from '../values.ts'
import type { EngineOptions, ExecutorCall, ExecutorReply, ExecutorValue, SqlEngine } from './protocol.ts'

/** An interrupted statement that has not ended after this long is stuck. */
const killAfterMs = 2_000
/** Boot takes about a second on a quiet machine. */
const bootWithinMs = 60_000
/** Threads of libuv beside the one a query holds. */
const threadPoolSize = 12

interface Waiting {
  resolve(value: ExecutorValue): void
  reject(error: QuarryError): void
}

export class ExecutorProcess implements SqlEngine {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, Waiting>()
  readonly #exited: Promise<void>
  #nextId = 0
  #ended: QuarryError | undefined
  #killTimer: NodeJS.Timeout | undefined

  /** Starts a process and locks its engine down. */
  static async start(options: EngineOptions): Promise<ExecutorProcess> {
    const entry = executorEntry()
    const child = fork(entry.file, [], {
      execArgv: entry.execArgv,
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: options.jail,
        TMPDIR: process.env['TMPDIR'] ?? '/tmp',
        TZ: 'UTC',
        UV_THREADPOOL_SIZE: String(threadPoolSize),
      },
    })
    const executor = new ExecutorProcess(child)
    const timer = setTimeout(() => executor.kill(), bootWithinMs)
    try {
      await executor.#ready
      await executor.#call({ op: 'open', options })
      return executor
    } catch (error) {
      await executor.close()
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  readonly #ready: Promise<void>

  private constructor(child: ChildProcess) {
    this.#child = child
    let ready = (): void => {}
    let failed = (_: QuarryError): void => {}
    this.#ready = new Promise<void>((resolve, reject) => {
      ready = resolve
      failed = reject
    })
    this.#ready.catch(() => {})
    this.#exited = new Promise((resolve) => {
      const ended = (why: string) => {
        this.#ended ??= new QuarryError('UNAVAILABLE', `The executor process ${child.pid ?? ''} ended: ${why}.`)
        clearTimeout(this.#killTimer)
        failed(this.#ended)
        for (const waiting of this.#waiting.values()) waiting.reject(this.#ended)
        this.#waiting.clear()
        resolve()
      }
      child.once('error', (error) => ended(error.message))
      child.once('exit', (code, signal) => ended(signal ?? `exit code ${code}`))
    })
    child.on('message', (reply: ExecutorReply) => {
      if ('ready' in reply) return ready()
      const waiting = this.#waiting.get(reply.id)
      this.#waiting.delete(reply.id)
      if (this.#waiting.size === 0) this.#quiet()
      if ('error' in reply) waiting?.reject(new QuarryError(isErrorCode(reply.kind) ? reply.kind : 'INTERNAL', reply.error))
      else waiting?.resolve(reply.value)
    })
    // An idle executor does not keep its parent alive; a call that waits does.
    child.unref()
    child.channel?.unref()
  }

  get pid(): number {
    return this.#child.pid ?? -1
  }

  /** Whether it can take another call. */
  get alive(): boolean {
    return this.#ended === undefined
  }

  async run(sql: string): Promise<void> {
    await this.#call({ op: 'run', sql })
  }

  async text(sql: string, parameters: readonly string[]): Promise<string> {
    return (await this.#call({ op: 'text', sql, parameters })) as string
  }

  async start(sql: string): Promise<readonly Column[]> {
    return (await this.#call({ op: 'start', sql })) as readonly Column[]
  }

  async next(): Promise<readonly (readonly Value[])[] | undefined> {
    return (await this.#call({ op: 'next' })) as readonly (readonly Value[])[] | undefined
  }

  interrupt(): void {
    if (!this.alive || this.#waiting.size === 0) return
    this.#child.send({ interrupt: true }, () => {})
    this.#killTimer ??= setTimeout(() => this.kill(), killAfterMs).unref()
  }

  /** Ends the process at once; what waits fails with UNAVAILABLE. */
  kill(): void {
    this.#child.kill('SIGKILL')
  }

  async close(): Promise<void> {
    if (this.alive) this.kill()
    await this.#exited
  }

  #call(call: ExecutorCall): Promise<ExecutorValue> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended)
    return new Promise((resolve, reject) => {
      const id = this.#nextId++
      this.#waiting.set(id, { resolve, reject })
      this.#child.ref()
      this.#child.channel?.ref()
      this.#child.send({ id, call }, (error) => {
        if (error === null) return
        this.#waiting.delete(id)
        reject(this.#ended ?? new QuarryError('UNAVAILABLE', `The executor process cannot be reached: ${error.message}`))
      })
    })
  }

  #quiet(): void {
    clearTimeout(this.#killTimer)
    this.#killTimer = undefined
    this.#child.unref()
    this.#child.channel?.unref()
  }
}

/** The program of an executor: dist/executor.js where this is bundled, else the source beside this file through tsx. */
function executorEntry(): { readonly file: string; readonly execArgv: string[] } {
  if (import.meta.url.endsWith('.ts')) {
    const tsx = createRequire(import.meta.url).resolve('tsx')
    return { file: fileURLToPath(new URL('./main.ts', import.meta.url)), execArgv: ['--import', pathToFileURL(tsx).href] }
  }
  for (const relative of ['./executor.js', '../executor.js']) {
    const file = fileURLToPath(new URL(relative, import.meta.url))
    if (existsSync(file)) return { file, execArgv: [] }
  }
  throw new QuarryError('INTERNAL', 'dist/executor.js is missing: run npm run build.')
}
