// The clients of a benchmark: loops that run side by side in this process, each with a FileSystem.
import { FileSystem, type ConnectOptions } from '../client/index.ts'

export class Clients implements AsyncDisposable {
  readonly all: readonly FileSystem[]

  constructor(all: readonly FileSystem[]) {
    this.all = all
  }

  /** `shared`: one connection for all, as in a Node program; `own`: one each, as separate processes would have. */
  static async connect(uri: string, count: number, connections: 'shared' | 'own', options?: ConnectOptions): Promise<Clients> {
    if (connections === 'shared') {
      const fs = await FileSystem.connect(uri, options)
      return new Clients(Array.from({ length: count }, () => fs))
    }
    const opened = await settled(Array.from({ length: count }, () => FileSystem.connect(uri, options)))
    return new Clients(opened)
  }

  get first(): FileSystem {
    return this.all[0]!
  }

  /** Runs the body once for each client, side by side; the milliseconds from the start of the first to the end of the last. */
  async run(body: (fs: FileSystem, client: number) => Promise<void>): Promise<number> {
    const startedMs = performance.now()
    await settled(this.all.map((fs, client) => body(fs, client)))
    return performance.now() - startedMs
  }

  async close(): Promise<void> {
    await settled([...new Set(this.all)].map((fs) => fs.close()))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** As Promise.all, but nothing runs any more when the first failure is thrown. */
async function settled<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const outcomes = await Promise.allSettled(promises)
  return outcomes.map((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason
    return outcome.value
  })
}
