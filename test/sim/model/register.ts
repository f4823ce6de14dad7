// Is a history of calls on one name explained by some order of them? (Wing and Gong's search, as Knossos and Porcupine do it.)
//
// A name holds one file or none. `put` fails when there is one, `take` says whether there was one, `get` says which. A call with an
// unknown outcome may take effect at any time after it began, or never.

export interface NameCall {
  readonly kind: 'put' | 'take' | 'get'
  /** The file that a put brings. */
  readonly id: number
  /** Place of its beginning and end among all such events of the run. */
  readonly begin: number
  end: number
  /** put and take: whether it did something; get: the file found, 0 = none. Undefined: nobody knows. */
  result: number | boolean | undefined
}

/** Calls looked at before the search gives up; histories of a run are far shorter. */
const stepsMax = 2_000_000

export function isLinearizable(calls: readonly NameCall[]): boolean {
  const sorted = [...calls].filter((call) => call.kind !== 'get' || call.result !== undefined).sort((a, b) => a.begin - b.begin)
  const done = new Uint8Array(sorted.length)
  const seen = new Set<string>()
  let steps = 0
  const search = (from: number, state: number): boolean => {
    let first = from
    while (first < sorted.length && done[first]) first++
    if (steps++ > stepsMax) throw new Error('the history of a name is too tangled to be searched')
    // Nothing that must have happened is left.
    let rest = false
    for (let i = first; i < sorted.length; i++) if (!done[i] && sorted[i]!.result !== undefined) rest = true
    if (!rest) return true
    const key = `${first}:${state}:${open(first)}`
    if (seen.has(key)) return false
    seen.add(key)
    let soonestEnd = Infinity
    for (let i = first; i < sorted.length; i++) if (!done[i]) soonestEnd = Math.min(soonestEnd, sorted[i]!.end)
    for (let i = first; i < sorted.length && sorted[i]!.begin < soonestEnd; i++) {
      if (done[i]) continue
      const next = step(sorted[i]!, state)
      if (next === undefined) continue
      done[i] = 1
      if (search(first, next)) return true
      done[i] = 0
    }
    return false
  }
  const open = (first: number): string => {
    let text = ''
    for (let i = first; i < sorted.length; i++) if (done[i]) text += `${i},`
    return text
  }
  return search(0, 0)
}

/** The state after a call, or undefined when its result does not fit. */
function step(call: NameCall, state: number): number | undefined {
  switch (call.kind) {
    case 'put':
      if (call.result === undefined) return state === 0 ? call.id : undefined
      if (call.result === true) return state === 0 ? call.id : undefined
      return state === 0 ? undefined : state
    case 'take':
      if (call.result === undefined) return 0
      return (call.result === true) === (state !== 0) ? 0 : undefined
    case 'get':
      return call.result === state ? state : undefined
    default:
      return call.kind satisfies never
  }
}
