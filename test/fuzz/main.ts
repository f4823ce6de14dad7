// Fuzzing of what meets the network and the disk. `npm run fuzz -- --help` says how.
import { parseArgs } from 'node:util'
import { buildProgram } from '../../scripts/build.mjs'
import { fuzz, type Finding, type FuzzResult } from './fuzz.ts'
import { fuzzPorts } from './ports.ts'
import { allTargets } from './targets/all.ts'

const usage = `usage: npm run fuzz -- [options]

  --seconds S     how long; default 60. A quarter of it goes to the ports of a running namenode and datanode
  --seed N        default: by date, printed
  --target a,b    only these decoders, or ports
`

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { seconds: { type: 'string' }, seed: { type: 'string' }, target: { type: 'string' }, help: { type: 'boolean' } },
  })
  const targets = await allTargets()
  try {
    if (values.help) {
      process.stdout.write(`${usage}\n  there are: ${[...targets.map((target) => target.name), 'ports'].join(', ')}\n`)
      return 0
    }
    const seconds = Number(values.seconds ?? 60)
    const seed = Number(values.seed ?? Math.floor(Date.now() / 1000) % 1_000_000)
    const only = values.target?.split(',')
    const chosen = targets.filter((target) => only?.includes(target.name) ?? true)
    const ports = only === undefined || only.includes('ports')
    console.log(`fuzz: seed ${seed}, ${seconds} s`)
    const findings: Finding[] = []
    if (chosen.length > 0) {
      const result = await fuzz(chosen, { seed, seconds: ports ? seconds * 0.75 : seconds })
      print(result)
      findings.push(...result.findings)
    }
    if (ports) {
      await buildProgram()
      const result = await fuzzPorts({ seed, seconds: chosen.length > 0 ? seconds * 0.25 : seconds })
      console.log(result.summary)
      findings.push(...result.findings)
    }
    for (const finding of findings.slice(0, 20))
      console.log(`FOUND in ${finding.target}: ${finding.what}\n  input ${finding.input.slice(0, 400)}`)
    console.log(
      findings.length > 0
        ? `fuzz: FAILED seed ${seed}; again: npm run fuzz -- --seed ${seed} --seconds ${seconds}`
        : `fuzz: OK seed ${seed}`,
    )
    return findings.length > 0 ? 1 : 0
  } finally {
    for (const target of targets) await target.close?.()
  }
}

function print(result: FuzzResult): void {
  for (const [name, inputs] of result.inputs)
    console.log(
      `  ${name.padEnd(20)} ${inputs} inputs, ${result.refused.get(name) ?? 0} refused, slowest ${(result.slowestMs.get(name) ?? 0).toFixed(1)} ms`,
    )
  console.log(`  memory grew by ${result.grownMib.toFixed(0)} MiB`)
}

process.exit(await main())
