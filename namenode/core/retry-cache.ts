// Replies of calls that must happen at most once, so that a retry whose first answer was lost gets that answer.
//
// Two generations: a reply lives for at least one period and at most two, and memory stays bounded without a timer.
import { retryCacheEntriesMax, retryCacheMs } from '../../common/limits.ts'

export class RetryCache {
  #young = new Map<string, object>()
  #old = new Map<string, object>()
  #sinceMs = 0

  get(key: string): object | undefined {
    return this.#young.get(key) ?? this.#old.get(key)
  }

  set(key: string, reply: object, nowMs: number): void {
    if (nowMs - this.#sinceMs >= retryCacheMs || this.#young.size >= retryCacheEntriesMax / 2) {
      this.#old = this.#young
      this.#young = new Map()
      this.#sinceMs = nowMs
    }
    this.#young.set(key, reply)
  }

  delete(key: string): void {
    this.#young.delete(key)
    this.#old.delete(key)
  }
}
