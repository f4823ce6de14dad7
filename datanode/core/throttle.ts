// A token bucket: bytes may flow at a rate, with at most a part of a second's worth at once. Pure: the caller brings the time, and
// waits as long as it is told.

/** What may flow at once after a pause. */
const burstMs = 100

export class Throttle {
  #bytesPerSecond: number
  /** Bytes that may flow now; below zero when more was taken than was there. */
  #tokens = 0
  #atMs: number | undefined

  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond
  }

  get bytesPerSecond(): number {
    return this.#bytesPerSecond
  }

  /** Takes effect with what is taken next. */
  setRate(bytesPerSecond: number, nowMs: number): void {
    this.#refill(nowMs)
    this.#bytesPerSecond = bytesPerSecond
    this.#tokens = Math.min(this.#tokens, this.#burst())
  }

  /** Takes `bytes` in any case; answers how many milliseconds to wait before they are sent. */
  take(bytes: number, nowMs: number): number {
    this.#refill(nowMs)
    this.#tokens -= bytes
    return this.#tokens >= 0 ? 0 : Math.ceil((-this.#tokens / this.#bytesPerSecond) * 1000)
  }

  #burst(): number {
    return (this.#bytesPerSecond * burstMs) / 1000
  }

  #refill(nowMs: number): void {
    const passedMs = this.#atMs === undefined ? burstMs : Math.max(0, nowMs - this.#atMs)
    this.#atMs = nowMs
    this.#tokens = Math.min(this.#burst(), this.#tokens + (passedMs * this.#bytesPerSecond) / 1000)
  }
}
