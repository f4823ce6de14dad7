// Replies of calls that must happen at most once, so that a retry whose first answer was lost gets that answer.
//
// Two generations: a reply lives for at least one period and at most two, and memory stays bounded without a timer.
import { retryCacheEntriesMax, retryCacheMs } from '../../common/limits.ts'

/** Replies by client, then by call: numbers as keys cost less than a string for every call. */
type Replies = Map<string, Map<number, object>>

export class RetryCache {
  #young: Replies = new Map()
  #old: Replies = new Map()
  #count = 0
  #sinceMs = 0

  get(clientId: string, callId: number): object | undefined {
    return this.#young.get(clientId)?.get(callId) ?? this.#old.get(clientId)?.get(callId)
  }

  set(clientId: string, callId: number, reply: object, nowMs: number): void {
    if (nowMs - this.#sinceMs >= retryCacheMs || this.#count >= retryCacheEntriesMax / 2) {
      this.#old = this.#young
      this.#young = new Map()
      this.#count = 0
      this.#sinceMs = nowMs
    }
    let replies = this.#young.get(clientId)
    if (replies === undefined) {
      replies = new Map()
      this.#young.set(clientId, replies)
    }
    replies.set(callId, reply)
    this.#count += 1
  }

  delete(clientId: string, callId: number): void {
    this.#young.get(clientId)?.delete(callId)
    this.#old.get(clientId)?.delete(callId)
  }
}
