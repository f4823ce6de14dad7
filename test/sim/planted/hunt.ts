// Runs seeds over sources with a planted bug until a check finds it.
import { scenarioOf } from '../run/scenarios.ts'
import { simulateWith } from './build.ts'
import type { PlantedBug } from './list.ts'

export interface Hunt {
  /** The seed that found it; undefined when none did. */
  readonly seed: number | undefined
  readonly invariant: string
  readonly message: string
}

export async function hunt(bug: PlantedBug, seedsMax: number = bug.seedsMax): Promise<Hunt> {
  const simulate = await simulateWith(bug)
  for (let seed = 1; seed <= seedsMax; seed++) {
    const { failure } = await simulate({ seed, scenario: scenarioOf(bug.scenario), minutes: bug.minutes })
    if (failure) return { seed, invariant: failure.invariant, message: failure.message }
  }
  return { seed: undefined, invariant: '', message: '' }
}
