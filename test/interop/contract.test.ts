// Hadoop's own contract tests over hdfs:// and webhdfs://: everything that passes against HDFS passes against Quarry. The names are
// those of a recorded run (record-contract.ts), so that none disappears unnoticed.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { must } from '../../common/assert.ts'
import { Sandbox } from '../support/processes.ts'
import type { TestOutcome } from './contract-suites.ts'
import { doors, readBaseline, runSuites } from './contract-suites.ts'

const withinMs = 540_000
const baseline = readBaseline()

describe.each(doors)('contract tests over %s', (door) => {
  const sandbox = new Sandbox()
  let outcomes: Map<string, TestOutcome>

  beforeAll(async () => {
    // Files of hundreds of blocks of a kilobyte: Hadoop's tests use the smallest sizes, and HDFS does not sync them either.
    const cluster = await sandbox.up({ args: ['-D', 'min.block.size=512', '-D', 'sync.on.close=false'] })
    outcomes = await runSuites(
      door,
      { hdfs: must(cluster.hdfs), webhdfs: must(cluster.webhdfs) },
      { log: sandbox.path('java.log'), env: sandbox.environment(), cwd: sandbox.dir, withinMs },
    )
  }, withinMs + 60_000)
  afterAll(() => sandbox[Symbol.asyncDispose]())

  it.each(baseline[door].passed)('%s', (name) => {
    const { outcome, trace } = outcomes.get(name) ?? { outcome: 'missing', trace: 'It was not run.' }
    expect(outcome, trace).toBe('passed')
  })
})
