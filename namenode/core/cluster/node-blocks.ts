// A walk over the replicas of one node, in parts: from a random place of the replica map to its end, and on from its beginning to
// where it began, so that one walk meets every replica that is there all the time, and walks that are broken off early begin elsewhere.
//
// Where a walk is goes to the caller and comes back as one number: nothing is kept here, and no block that goes meanwhile ends it.
import { QuarryError } from '../../../common/errors.ts'
import type { ReplicaMap } from './replica-map.ts'

/** Entries of the replica map looked at before what was found is asked whether it is enough. Places are counted in such steps. */
const entriesPerStep = 256
/** Entries looked at in one call, in steps. */
const stepsPerCall = 800
/** A place has two numbers of steps, of where the walk began and where it is, of 26 bits each: enough for 2^34 entries. */
const placeRange = 2 ** 26

/** `place` is 0 to begin, else the answer of the part before. Ends a part when `enough()`. Answers 0 when it is back where it began. */
export function walkPart(
  replicas: ReplicaMap,
  place: number,
  random: (limit: number) => number,
  visit: (blockId: number) => void,
  enough: () => boolean,
): number {
  if (place < 0 || place > placeRange ** 2)
    throw new QuarryError('INVALID_ARGUMENT', `${place} is no place to go on from: use 0, or what the last answer ended with.`)
  const steps = Math.ceil(replicas.entries / entriesPerStep)
  if (steps === 0) return 0
  const began = place === 0 ? random(steps) : Math.min(Math.floor((place - 1) / placeRange), steps - 1)
  let at = place === 0 ? began : Math.min((place - 1) % placeRange, steps - 1)
  for (let step = 0; step < stepsPerCall; step++) {
    replicas.scan(at * entriesPerStep, entriesPerStep, visit)
    at = at + 1 < steps ? at + 1 : 0
    if (at === began) return 0
    if (enough()) break
  }
  return 1 + began * placeRange + at
}
