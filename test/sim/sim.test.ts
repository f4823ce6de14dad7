// The simulation itself: the same seed gives the same run, scenarios hold, and what it is there to find is found.
import { describe, expect, test } from 'vitest'
import { hunt } from './planted/hunt.ts'
import { plantedBugs } from './planted/list.ts'
import { scenarioOf, scenarios } from './run/scenarios.ts'
import { simulate } from './run/simulation.ts'

const everythingSeeds = 20
const minutes = 3

test('the same seed gives the same trace, another seed another', async () => {
  const options = { scenario: scenarioOf('everything'), minutes: 2 }
  const first = await simulate({ ...options, seed: 7 })
  const again = await simulate({ ...options, seed: 7 })
  const other = await simulate({ ...options, seed: 8 })
  expect(again).toEqual(first)
  expect(other.hash).not.toBe(first.hash)
})

test.each(scenarios.map(({ name }) => name))('a cluster keeps its promises in the scenario %s', async (name) => {
  const { failure, operations } = await simulate({ seed: 1, scenario: scenarioOf(name), minutes })
  expect(failure).toBeUndefined()
  expect(operations).toBeGreaterThan(50)
})

test(`a cluster keeps its promises under everything at once, over ${everythingSeeds} seeds`, async () => {
  for (let seed = 1; seed <= everythingSeeds; seed++) {
    const { failure } = await simulate({ seed, scenario: scenarioOf('everything'), minutes })
    expect(failure, `npm run sim -- --seed ${seed} --scenario everything --minutes ${minutes}`).toBeUndefined()
  }
})

describe('a planted bug is found within its number of seeds', () => {
  test.each(plantedBugs.map((bug) => [bug.name, bug] as const))('%s', async (_, bug) => {
    const found = await hunt(bug)
    expect(found.seed).toBeDefined()
    expect(bug.caughtBy).toContain(found.invariant)
  })
})
