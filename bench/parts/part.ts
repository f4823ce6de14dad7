// A part of the side-by-side comparison: brings up what it needs, measures, answers its rows.
import { mkdtempSync, rmSync } from 'node:fs'
import path from 'node:path'
import type { Row } from '../results.ts'
import type { HdfsCluster, HdfsKit } from '../systems/hdfs.ts'
import { QuarryCluster } from '../systems/quarry.ts'

export interface Bench {
  readonly kit: HdfsKit
  /** Directory on the disk to measure. */
  readonly base: string
  readonly rounds: number
  /** Smaller sizes: for trying the runner, not for figures. */
  readonly quick: boolean
  say(text: string): void
}

export type Part = (bench: Bench) => Promise<Row[]>

/** Runs `body` against a fresh HDFS, then stops it and removes its files. */
export function withHdfs<T>(bench: Bench, settings: readonly string[], body: (cluster: HdfsCluster) => Promise<T>): Promise<T> {
  bench.say(`HDFS ${settings.join(' ')}`)
  return inDirectory(bench, 'hdfs', async (dir) => {
    await using cluster = await bench.kit.up(dir, settings)
    return await body(cluster)
  })
}

/** Runs `body` against a fresh Quarry cluster, then stops it and removes its files. */
export function withQuarry<T>(
  bench: Bench,
  settings: readonly string[],
  body: (cluster: QuarryCluster, dir: string) => Promise<T>,
): Promise<T> {
  bench.say(`Quarry ${settings.join(' ')}`)
  return inDirectory(bench, 'quarry', async (dir) => {
    await using cluster = await QuarryCluster.up(dir, settings)
    return await body(cluster, dir)
  })
}

export async function inDirectory<T>(bench: Bench, name: string, body: (dir: string) => Promise<T>): Promise<T> {
  const dir = mkdtempSync(path.join(bench.base, `${name}-`))
  try {
    return await body(dir)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

/** The results of `rounds` runs, one after another. */
export async function repeat<T>(rounds: number, body: (round: number) => Promise<T>): Promise<T[]> {
  const results: T[] = []
  for (let round = 0; round < rounds; round++) results.push(await body(round))
  return results
}
