// Records what a real HDFS does with Hadoop's contract tests: `tsx test/interop/record-contract.ts hdfs://HOST:PORT http://HOST:PORT`.
// The cluster loses all its files. It needs dfs.namenode.fs-limits.min-block-size=0, and better 4 datanodes than 3: with 3 the client
// gives up on an append now and then, when one datanode says that it is busy. What passes in both of two runs counts.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Baseline, Door, TestOutcome } from './contract-suites.ts'
import { baselineFile, doors, runSuites } from './contract-suites.ts'

const withinMs = 1_200_000
const rounds = 2

const [hdfs, webhdfs] = process.argv.slice(2)
if (hdfs === undefined || webhdfs === undefined) throw new Error('usage: record-contract hdfs://HOST:PORT http://HOST:PORT')
const cwd = mkdtempSync(path.join(tmpdir(), 'record-contract-'))
const recorded: Partial<Record<Door, Baseline>> = {}
try {
  for (const door of doors) {
    const worst = new Map<string, TestOutcome>()
    for (let round = 0; round < rounds; round++) {
      const outcomes = await runSuites(door, { hdfs, webhdfs }, { log: path.join(cwd, 'java.log'), env: process.env, cwd, withinMs })
      for (const [name, outcome] of outcomes) if ((worst.get(name)?.outcome ?? 'passed') === 'passed') worst.set(name, outcome)
    }
    const passed = [...worst].filter(([, { outcome }]) => outcome === 'passed').map(([name]) => name)
    const otherwise = [...worst].filter(([, { outcome }]) => outcome !== 'passed')
    recorded[door] = {
      passed,
      otherwise: Object.fromEntries(otherwise.map(([name, { outcome, trace }]) => [name, `${outcome}: ${trace.split('\n')[0]}`])),
    }
    console.log(`${door}: ${passed.length} passed, ${otherwise.length} did not`)
  }
  writeFileSync(baselineFile, `${JSON.stringify(recorded, null, 1)}\n`)
} finally {
  rmSync(cwd, { recursive: true, force: true })
}
