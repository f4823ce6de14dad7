// A fresh cluster for one measurement, and what failures need of it.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import path from 'node:path'
import { identityOf, signalProcess, waitForExit } from '../../../cli/cluster/process-identity.ts'
import { FileSystem } from '../../../client/index.ts'
import { sleep } from '../../process.ts'
import { QuarryCluster } from '../../systems/quarry.ts'
import type { FailureBench } from './measures.ts'

const untilWithinMs = 120_000
const pollMs = 20

/** Runs `body` against a cluster with embedded defaults but for `settings`, then stops it and removes its files. */
export async function withCluster<T>(
  bench: FailureBench,
  given: { readonly datanodes?: number; readonly settings?: readonly string[] },
  body: (cluster: QuarryCluster, fs: FileSystem, dir: string) => Promise<T>,
): Promise<T> {
  const dir = mkdtempSync(path.join(bench.base, 'cluster-'))
  try {
    await using cluster = await QuarryCluster.up(dir, given.settings ?? [], given.datanodes ?? 3)
    await using fs = await FileSystem.connect(cluster.uri, { localReads: false })
    return await body(cluster, fs, dir)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

/** SIGKILL; the moment it was sent. */
export function kill(pid: number): number {
  process.kill(pid, 'SIGKILL')
  return performance.now()
}

/** Starts a killed datanode again, and leaves it running until its cluster is stopped by `stop`. */
export async function startAgain(dir: string, name: string, binary: string): Promise<{ stop(): Promise<void>; pid: number }> {
  const child = spawn(process.execPath, [binary, 'datanode', '--config', path.join(dir, name, 'role.conf')], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve())
    child.once('exit', () => reject(new Error(`${name} did not start again`)))
  })
  const identity = identityOf(child.pid ?? 0)
  return {
    pid: child.pid ?? 0,
    async stop() {
      if (identity !== undefined && signalProcess(identity, 'SIGKILL')) await waitForExit(identity, untilWithinMs)
    },
  }
}

/** Asks until it is true; the milliseconds since `sinceMs`. */
export async function until(sinceMs: number, what: string, done: () => Promise<boolean>, withinMs = untilWithinMs): Promise<number> {
  for (;;) {
    if (await done()) return performance.now() - sinceMs
    if (performance.now() - sinceMs > withinMs) throw new Error(`waited ${withinMs / 1000} s for ${what}`)
    await sleep(pollMs)
  }
}

/** The data of benchmarks: does not compress, is made once. */
export function sampleBytes(length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  let state = 0x9e3779b9
  for (let at = 0; at + 4 <= length; at += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    bytes.writeUInt32LE(state, at)
  }
  return bytes
}
