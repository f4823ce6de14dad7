// A token bucket: bytes may flow at a rate, with at most a part of a second's worth at once. Pure: the caller brings the time, and
// waits as long as it is told. Who takes bytes gets a ticket: the total that must have been paid for before they may flow, so that
// all who share the bucket go in order and another rate holds at once, also for those who wait.

/** What may flow at once after a pause. */
const burstMs = 100

export class Throttle {
  #bytesPerSecond: number
  /** Bytes taken so far, and bytes that time has paid for: at most a burst more. */
  #taken = 0
  #paid = 0
  #atMs: number | undefined

  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond
  }

  get bytesPerSecond(): number {
    return this.#bytesPerSecond
  }

  setRate(bytesPerSecond: number, nowMs: number): void {
    this.#pay(nowMs)
    this.#bytesPerSecond = bytesPerSecond
  }

  /** Answers the ticket. */
  take(bytes: number, nowMs: number): number {
    this.#pay(nowMs)
    return (this.#taken += bytes)
  }

  /** Milliseconds until the bytes of the ticket may flow, at the rate of this moment. */
  waitMs(ticket: number, nowMs: number): number {
    this.#pay(nowMs)
    return this.#paid >= ticket ? 0 : Math.ceil(((ticket - this.#paid) / this.#bytesPerSecond) * 1000)
  }

  #pay(nowMs: number): void {
    const passedMs = this.#atMs === undefined ? burstMs : Math.max(0, nowMs - this.#atMs)
    this.#atMs = nowMs
    const burst = (this.#bytesPerSecond * burstMs) / 1000
    this.#paid = Math.min(this.#taken + burst, this.#paid + (passedMs * this.#bytesPerSecond) / 1000)
  }
}
