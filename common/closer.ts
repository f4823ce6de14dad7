// Closes what was opened, in reverse order, once. Stands in for AsyncDisposableStack, which Node 20 lacks.

export class Closer implements AsyncDisposable {
  #steps: (() => unknown)[] = []
  #closing: Promise<void> | undefined

  /** Registers a step; it runs before the steps registered earlier. */
  add(step: () => unknown): void {
    this.#steps.push(step)
  }

  /** Registers something disposable and returns it. */
  use<T extends { close(): unknown }>(resource: T): T {
    this.#steps.push(() => resource.close())
    return resource
  }

  /** Runs every step even when one fails, then throws the first failure. Later calls wait for the first. */
  close(): Promise<void> {
    this.#closing ??= this.#run()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #run(): Promise<void> {
    const failures: unknown[] = []
    for (const step of this.#steps.reverse()) {
      try {
        await step()
      } catch (error) {
        failures.push(error)
      }
    }
    this.#steps = []
    if (failures.length > 0) throw failures[0]
  }
}
