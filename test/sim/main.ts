// npm run sim -- --seed N [--scenario S] [--seeds COUNT] [--minutes M] [--twice] [--trace]
//
// npm run sim -- --planted NAME|all
//
// Runs COUNT seeds from N on, each M minutes of simulated time under faults, and ends at the first that breaks a promise.
import { parseArgs } from 'node:util'
import { hunt } from './planted/hunt.ts'
import { plantedBugs } from './planted/list.ts'
import { scenarioOf, scenarios } from './run/scenarios.ts'
import { simulate } from './run/simulation.ts'
import type { RunResult } from './run/simulation.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    scenario: { type: 'string', default: 'everything' },
    minutes: { type: 'string', default: '10' },
    twice: { type: 'boolean', default: false },
    trace: { type: 'boolean', default: false },
    planted: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

const say = (line: string): void => console.log(line)

if (values.help) {
  say('npm run sim -- --seed N [--scenario S] [--seeds COUNT] [--minutes M] [--twice] [--trace]')
  for (const { name, about } of scenarios) say(`  ${name.padEnd(24)} ${about}`)
  say('npm run sim -- --planted NAME|all')
  for (const { name, about } of plantedBugs) say(`  ${name.padEnd(24)} ${about}`)
  process.exit(0)
}

if (values.planted !== undefined) process.exit((await huntAll(values.planted)) ? 0 : 1)

const first = Number(values.seed)
const count = Number(values.seeds)
const minutes = Number(values.minutes)
const names = values.scenario === 'all' ? scenarios.map(({ name }) => name) : values.scenario.split(',')
let simulatedMs = 0
let failed = false
const beganMs = performance.now()

for (const name of names) {
  for (let seed = first; seed < first + count && !failed; seed++) {
    const options = { seed, scenario: scenarioOf(name), minutes, onLine: values.trace ? say : undefined }
    const startedMs = performance.now()
    const result = await simulate(options)
    const wallMs = performance.now() - startedMs
    simulatedMs += result.simulatedMs
    const again = values.twice ? await simulate({ ...options, onLine: undefined }) : undefined
    if (again) simulatedMs += again.simulatedMs
    const speed = Math.round(result.simulatedMs / wallMs)
    say(
      `seed ${seed} ${name}: ${result.failure ? 'FAILED' : 'ok'}, ${(result.simulatedMs / 60_000).toFixed(1)} min, ${result.operations} operations, ${result.faults} faults, ${result.events} events, ${speed}x, trace hash ${result.hash}`,
    )
    if (again && again.hash !== result.hash) {
      say(`NOT DETERMINISTIC: the second run of the seed has trace hash ${again.hash}`)
      failed = true
    }
    if (result.failure) failed = true
    if (failed) explain(result, `npm run sim -- --seed ${seed} --scenario ${name} --minutes ${minutes}`)
  }
}

const wallMs = performance.now() - beganMs
say(
  `simulated ${(simulatedMs / 3_600_000).toFixed(2)} h in ${(wallMs / 1000).toFixed(1)} s: ${Math.round(simulatedMs / wallMs)} simulated seconds a second`,
)
// What a run leaves behind waits for a clock that stands still.
process.exit(failed ? 1 : 0)

/** Whether every bug was found within its number of seeds. */
async function huntAll(names: string): Promise<boolean> {
  let all = true
  for (const bug of plantedBugs.filter(({ name }) => names === 'all' || names.split(',').includes(name))) {
    const startedMs = performance.now()
    const { seed, invariant, message } = await hunt(bug)
    const tookS = ((performance.now() - startedMs) / 1000).toFixed(1)
    if (seed === undefined) {
      say(`${bug.name} (${bug.about}): NOT FOUND in ${bug.seedsMax} seeds of ${bug.scenario}, ${tookS} s`)
      all = false
    } else say(`${bug.name} (${bug.about}): found by seed ${seed} of at most ${bug.seedsMax}, ${tookS} s: ${message}`)
    if (seed !== undefined && invariant === 'crash') all = false
  }
  return all
}

function explain({ failure, hash }: RunResult, replay: string): void {
  if (failure) {
    say('')
    say('the last events:')
    for (const line of failure.last) say(`  ${line}`)
    say('')
    say(failure.message)
    if (failure.invariant === 'crash') say(failure.stack)
  }
  say(`replay: ${replay}`)
  say(`trace hash ${hash}`)
}
