// Java programs of java/, with Hadoop's own artifacts on their class path. test/interop/install builds them.
import { spawn } from 'node:child_process'
import { openSync, closeSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { must } from '../../common/assert.ts'
import type { Outcome } from '../support/processes.ts'
import { Running } from '../support/processes.ts'

const built = path.join(process.env['INTEROP_CACHE'] ?? fileURLToPath(new URL('../../.cache/interop', import.meta.url)), 'java')

export interface JavaOptions {
  /** System properties. */
  readonly properties?: Readonly<Record<string, string>>
  /** Before everything else on the class path. */
  readonly conf?: string
  readonly env?: NodeJS.ProcessEnv
  /** A file for standard error; without one it is kept beside standard output. */
  readonly log?: string
  readonly cwd?: string
  /** -Xmx in MiB. */
  readonly heapMb?: number
}

/** Starts a class and goes on. Its standard input is open. */
export function startJava(name: string, args: readonly string[], options: JavaOptions = {}): Running {
  const classPath = [
    ...(options.conf === undefined ? [] : [options.conf]),
    path.join(built, 'classes'),
    readFileSync(path.join(built, 'classpath'), 'utf8').trim(),
  ].join(':')
  const log = options.log === undefined ? undefined : openSync(options.log, 'a')
  const child = spawn(
    'java',
    [
      // Short runs: time goes into starting, not into the fastest code.
      `-Xmx${options.heapMb ?? 512}m`,
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      '-Djava.net.preferIPv4Stack=true',
      ...['java.lang', 'java.nio', 'java.util', 'sun.nio.ch'].map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`),
      ...Object.entries(options.properties ?? {}).map(([key, value]) => `-D${key}=${value}`),
      '-cp',
      classPath,
      name,
      ...args,
    ],
    { stdio: ['pipe', 'pipe', log ?? 'pipe'], env: options.env, cwd: options.cwd },
  )
  if (log !== undefined) closeSync(log)
  must(child.stdin).on('error', () => {})
  return new Running(child)
}

/** Runs a class to its end, for at most `withinMs`. */
export async function runJava(name: string, args: readonly string[], options: JavaOptions & { withinMs: number }): Promise<Outcome> {
  const running = startJava(name, args, options)
  running.stdin.end()
  const timer = setTimeout(() => running.kill(), options.withinMs)
  try {
    return await running.done
  } finally {
    clearTimeout(timer)
  }
}
