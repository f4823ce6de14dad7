// Chaos on a real cluster of processes. `npm run chaos -- --help` says how to use it, README.md what it does.
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { buildProgram } from '../../scripts/build.mjs'
import { runChaos } from './run.ts'
import { faultKinds, type FaultKind } from './schedule.ts'

const usage = `usage: npm run chaos -- [options]

  --seed N         seed of the schedule of faults and of the workload; default: by date, printed
  --minutes M      how long faults happen; default 2. Healing and comparing come after it
  --datanodes N    default 5
  --faults a,b     only these: ${faultKinds.join(', ')}
  --dir DIR        where the cluster lives; default: the system's temporary directory
  --keep           keep the directory although all is well
`

const root = fileURLToPath(new URL('../..', import.meta.url))

interface Arguments {
  readonly seed: number
  readonly minutes: number
  readonly datanodes: number
  readonly kinds: readonly FaultKind[] | undefined
  readonly base: string
  readonly keep: boolean
}

function readArguments(): Arguments | undefined {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string' },
      minutes: { type: 'string' },
      datanodes: { type: 'string' },
      faults: { type: 'string' },
      dir: { type: 'string' },
      keep: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  })
  if (values.help) return undefined
  const number = (name: string, text: string | undefined, otherwise: number, least: number) => {
    const value = text === undefined ? otherwise : Number(text)
    if (!(value >= least)) throw new Error(`--${name} is "${text}"; expected a number from ${least}`)
    return value
  }
  const kinds = values.faults?.split(',')
  const unknown = kinds?.find((kind) => !(faultKinds as readonly string[]).includes(kind))
  if (unknown !== undefined) throw new Error(`there is no fault "${unknown}"; there are ${faultKinds.join(', ')}`)
  return {
    seed: Math.floor(number('seed', values.seed, Math.floor(Date.now() / 1000) % 1_000_000, 0)),
    minutes: number('minutes', values.minutes, 2, 0.1),
    datanodes: Math.floor(number('datanodes', values.datanodes, 5, 4)),
    kinds: kinds as FaultKind[] | undefined,
    base: values.dir ?? tmpdir(),
    keep: values.keep ?? false,
  }
}

/** A copy of the program as it is now: a build during the run must not change what is under test. */
async function copyOfProgram(dir: string): Promise<string> {
  await buildProgram()
  const own = path.join(dir, 'program')
  mkdirSync(own)
  for (const part of ['bin', 'dist', 'package.json']) cpSync(path.join(root, part), path.join(own, part), { recursive: true })
  symlinkSync(path.join(root, 'node_modules'), path.join(own, 'node_modules'))
  return path.join(own, 'bin', 'quarry.js')
}

async function main(): Promise<number> {
  const args = readArguments()
  if (args === undefined) {
    process.stdout.write(usage)
    return 0
  }
  const { seed, minutes, datanodes, kinds } = args
  const again = `npm run chaos -- --seed ${seed} --minutes ${minutes}${datanodes === 5 ? '' : ` --datanodes ${datanodes}`}${kinds === undefined ? '' : ` --faults ${kinds.join(',')}`}`
  console.log(`chaos: seed ${seed}, ${minutes} minutes`)
  const dir = mkdtempSync(path.join(args.base, 'quarry-chaos-'))
  const stop = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => stop.abort(new Error(`stopped by ${name}`)))
  let failed = true
  try {
    const program = await copyOfProgram(dir)
    const { violations, lines } = await runChaos(
      { seed, durationMs: minutes * 60_000, datanodes, kinds, dir, program, say: (text) => console.log(text) },
      stop.signal,
    )
    for (const line of lines) console.log(line)
    for (const violation of violations.slice(0, 50)) console.log(`VIOLATED: ${violation}`)
    failed = violations.length > 0
    console.log(failed ? `chaos: FAILED seed ${seed}: ${violations.length} violations` : `chaos: OK seed ${seed}`)
  } catch (error) {
    console.log(`chaos: FAILED seed ${seed}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
  }
  const stopped = stop.signal.aborted
  if (failed && !stopped) console.log(`the same faults again: ${again}\nlogs and data are kept: ${dir}`)
  if ((!failed && !args.keep) || stopped) rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
  return failed ? 1 : 0
}

process.exit(await main())
