// What a parent says to an executor process and back, over the IPC channel of node:child_process (structured clone).
// One statement at a time; only `interrupt` may overtake. Rows are pulled, so a slow parent never piles them up in the child.
import type { Column, Value } from '../values.ts'

/** How an engine is locked down when it starts. */
export interface EngineOptions {
  /** The only directory it may see; also for temporary files. */
  readonly jail: string
  /** Bytes DuckDB may use. */
  readonly memoryLimit: number
  readonly threads: number
  /** Bytes of temporary files. */
  readonly spillLimit: number
}

export type ExecutorCall =
  | { readonly op: 'open'; readonly options: EngineOptions }
  /** Runs a statement; its result is dropped. */
  | { readonly op: 'run'; readonly sql: string }
  /** The text in the first column of the first row; '' for NULL. */
  | { readonly op: 'text'; readonly sql: string; readonly parameters: readonly string[] }
  /** Starts a query; answers its columns. */
  | { readonly op: 'start'; readonly sql: string }
  /** The next rows of the started query; undefined at the end. */
  | { readonly op: 'next' }

export type ExecutorRequest = { readonly id: number; readonly call: ExecutorCall } | { readonly interrupt: true }

export type ExecutorValue = undefined | string | readonly Column[] | readonly (readonly Value[])[]

export type ExecutorReply =
  | { readonly id: number; readonly value: ExecutorValue }
  /** DuckDB's message; `kind` is its class of error, such as 'Binder'. */
  | { readonly id: number; readonly error: string; readonly kind: string }
  | { readonly ready: true }

/** A locked-down DuckDB, in this process or in another. */
export interface SqlEngine {
  run(sql: string): Promise<void>
  text(sql: string, parameters: readonly string[]): Promise<string>
  start(sql: string): Promise<readonly Column[]>
  next(): Promise<readonly (readonly Value[])[] | undefined>
  /** Breaks off the running statement, which then fails with CANCELLED. */
  interrupt(): void
  close(): Promise<void>
}
