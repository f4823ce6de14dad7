// How many changes the engine is given for one turn. All of them share one fsync: the more, the cheaper each, and the longer
// everybody else waits for the turn to end.
//
// A turn takes a fixed time (the fsync) and some for each change. Both are learned from the turns, by a line through their sizes
// and times that forgets old ones. The window is what fits into a turn of the length aimed at; on a disk whose fsync alone is
// long, small turns would only waste it, so there the aim is a few times the fixed part.

const sizeMin = 64
const sizeMax = 1024
const sizeAtFirst = 256
/** A turn with its fsync should take no longer than this. */
const aimMs = 4
/** The fixed part of a turn may be a third of it. */
const fixedParts = 3
/** What a turn weighs after each later one. */
const forgetting = 0.97
/** Every fourth group is smaller, so that turns of different sizes are seen under steady load. */
const ditherTurns = 4
const ditherPart = 0.6
/** Below this no change is worth reckoning with, in ms. */
const changeMinMs = 0.001

export class CommitWindow {
  #size = sizeAtFirst
  /** Changes given since the engine last took what it had. */
  #given = 0
  #turnSize = 0
  #turns = 0
  #sampling = false
  #sampleMs = 0
  // Sums over turns: weight, changes, milliseconds, and their products.
  #w = 0
  #n = 0
  #t = 0
  #nn = 0
  #nt = 0

  get size(): number {
    return this.#size
  }

  get given(): number {
    return this.#given
  }

  get hasRoom(): boolean {
    return this.#given < (this.#turns % ditherTurns === 0 ? this.#size * ditherPart : this.#size)
  }

  /** A change goes to the engine. True when it is the first of a turn that is to be measured: `began`, `taken`, `measured`. */
  took(measurable = true): boolean {
    this.#given++
    if (this.#sampling || !measurable) return false
    this.#sampling = true
    return true
  }

  began(nowMs: number): void {
    this.#sampleMs = nowMs
  }

  /** The engine has had its turn: told with its first answer, or when a whole turn of the event loop brought none. */
  taken(): void {
    if (this.#given === 0) return
    this.#turnSize = this.#given
    this.#given = 0
  }

  /** After `taken`. */
  measured(nowMs: number): void {
    this.#sampling = false
    this.#turns++
    const changes = this.#turnSize
    const turnMs = nowMs - this.#sampleMs
    this.#w = this.#w * forgetting + 1
    this.#n = this.#n * forgetting + changes
    this.#t = this.#t * forgetting + turnMs
    this.#nn = this.#nn * forgetting + changes * changes
    this.#nt = this.#nt * forgetting + changes * turnMs
    const spread = this.#w * this.#nn - this.#n * this.#n
    if (spread < this.#n) return
    const changeMs = Math.max(changeMinMs, (this.#w * this.#nt - this.#n * this.#t) / spread)
    const fixedMs = Math.max(0, (this.#t - changeMs * this.#n) / this.#w)
    const fits = (Math.max(aimMs, fixedParts * fixedMs) - fixedMs) / changeMs
    this.#size = Math.round(Math.min(sizeMax, Math.max(sizeMin, 0.75 * this.#size + 0.25 * fits)))
  }
}
