// Measures how fast a cluster gets over failures, and what its upkeep costs; writes the part `failures` of bench/RESULTS.md.
// Start it with `npm run bench:failures -- [options]`. Our own figures only: there is no HDFS in it.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { buildProgram } from '../scripts/build.mjs'
import { failureMeasures, type FailureBench } from './parts/failures/measures.ts'
import { keepRows, rowLine } from './results.ts'
import { runFacts } from './run-facts.ts'

const usage = `usage: npm run bench:failures -- [options]

  --only a,b      ${Object.keys(failureMeasures).join(', ')}; default: all
  --rounds N      of each measurement; the median counts, of stalls the worst; default 3
  --dir DIR       directory on the disk to measure; default: the system's temporary directory
  --quick         small sizes, one round, nothing written: tries the runner
`

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      rounds: { type: 'string' },
      dir: { type: 'string' },
      quick: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  })
  if (values.help) return void process.stdout.write(usage)
  const chosen = values.only?.split(',') ?? Object.keys(failureMeasures)
  const unknown = chosen.find((name) => !Object.hasOwn(failureMeasures, name))
  if (unknown !== undefined) throw new Error(`there is no measurement "${unknown}"; there are ${Object.keys(failureMeasures).join(', ')}`)
  const quick = values.quick ?? false
  const rounds = quick ? 1 : Number(values.rounds ?? 3)
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds takes a whole number from 1')
  await buildProgram()
  const base = mkdtempSync(path.join(values.dir ?? tmpdir(), 'quarry-bench-'))
  const bench: FailureBench = { base, rounds, quick, say: (text) => console.log(`   ${text}`) }
  let failed = 0
  try {
    for (const name of chosen) {
      console.log(`== ${name}`)
      try {
        const rows = await failureMeasures[name]!(bench)
        for (const row of rows) console.log(rowLine(row))
        if (!quick) keepRows(rows, runFacts('failures', `npm run bench:failures -- --only ${name} --rounds ${rounds}`))
      } catch (error) {
        // One measurement that cannot be made does not keep the others from it.
        failed++
        console.error(`${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
      }
    }
  } finally {
    rmSync(base, { recursive: true, force: true })
  }
  if (failed > 0) process.exitCode = 1
}

await main()
