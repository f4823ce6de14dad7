// Child processes of the side-by-side runner, and what the kernel says of them.
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'

export interface Finished {
  readonly stdout: string
  readonly wallMs: number
}

/** Runs a program to its end. Throws with its last lines when it fails or takes longer than `timeoutMs`. */
export function run(
  program: string,
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; timeoutMs?: number } = {},
): Promise<Finished> {
  const startedMs = performance.now()
  return new Promise((resolve, reject) => {
    execFile(
      program,
      args,
      { env: { ...process.env, ...options.env }, timeout: options.timeoutMs ?? 900_000, maxBuffer: 64 * 2 ** 20 },
      (error, stdout, stderr) => {
        if (error === null) return resolve({ stdout, wallMs: performance.now() - startedMs })
        const tail = `${stdout}\n${stderr}`.trim().split('\n').slice(-8).join('\n')
        reject(new Error(`${program} ${args.join(' ')} failed:\n${tail}`, { cause: error }))
      },
    )
  })
}

/** The JSON object that a program printed on a line of its own. */
export function jsonLine<T>(stdout: string): T {
  const line = stdout.split('\n').findLast((text) => text.startsWith('{'))
  if (line === undefined) throw new Error(`no JSON in the output:\n${stdout.slice(-500)}`)
  return JSON.parse(line) as T
}

/** Resident set (VmRSS) of a process in MiB: what is in memory, pages shared with other processes counted in full. */
export function residentMib(pid: number): number {
  return kibOf(readFileSync(`/proc/${pid}/status`, 'utf8'), 'VmRSS') / 1024
}

/** Proportional set (Pss) of a process in MiB: shared pages divided among those who share them. */
export function proportionalMib(pid: number): number {
  return kibOf(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'), 'Pss') / 1024
}

/** Clock ticks of the kernel's accounting a second: 100 wherever Linux runs Node. */
const ticksPerSecond = 100

/** Processor time that a process has used in all its threads, in seconds. */
export function cpuSeconds(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name in parentheses may hold spaces; user and system time are the 12th and 13th fields behind it.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}

function kibOf(text: string, name: string): number {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)
  if (found === null) throw new Error(`the kernel does not tell ${name}`)
  return Number(found[1])
}

/** A port of 127.0.0.1 that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
