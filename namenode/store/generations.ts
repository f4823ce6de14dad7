// A bounded map in two generations: when the young one is full it becomes the old one, and what the old one still held is
// forgotten. What is used moves to the young one, so that the working set stays. No list to keep, no cost for a hit.

export class Generations<K, V> {
  #young = new Map<K, V>()
  #old = new Map<K, V>()
  readonly #half: number

  constructor(entriesMax: number) {
    this.#half = Math.max(1, Math.floor(entriesMax / 2))
  }

  get(key: K): V | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const old = this.#old.get(key)
    if (old !== undefined) this.#young.set(key, old)
    return old
  }

  set(key: K, value: V): void {
    this.#young.set(key, value)
  }

  delete(key: K): void {
    this.#young.delete(key)
    if (this.#old.size > 0) this.#old.delete(key)
  }

  /** Forgets the old half when the young one is full. Not called while changes are pending: those must stay. */
  age(): void {
    if (this.#young.size < this.#half) return
    this.#old = this.#young
    this.#young = new Map()
  }

  clear(): void {
    this.#young.clear()
    this.#old.clear()
  }

  get size(): number {
    return this.#young.size + this.#old.size
  }
}
