// Quarry as a user has it: the built binary starts a cluster of processes and drives it.
import { fileURLToPath } from 'node:url'
import path from 'node:path'
import { jsonLine, run, type Finished } from '../process.ts'
import type { IoReport } from '../io.ts'
import type { NsReport } from '../ns.ts'

const binary = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../bin/quarry.js')

/** The line that `quarry up --json` prints when the cluster is ready. */
interface Ready {
  readonly uri: string
  readonly hdfs: string
  readonly webhdfs: string
  readonly dir: string
  readonly namenode: { readonly pid: number; readonly grpc: string; readonly http: string }
  readonly datanodes: readonly {
    readonly id: string
    readonly name: string
    readonly pid: number
    readonly grpc: string
    readonly dir: string
  }[]
}

function quarry(...args: string[]): Promise<Finished> {
  return run(process.execPath, [binary, ...args])
}

export class QuarryCluster implements AsyncDisposable {
  readonly readyMs: number
  readonly #ready: Ready

  constructor(ready: Ready, readyMs: number) {
    this.#ready = ready
    this.readyMs = readyMs
  }

  /** One namenode and `datanodes` (3) datanodes in `dir`; `readyMs` is the time until all were live. */
  static async up(dir: string, settings: readonly string[] = [], datanodes = 3): Promise<QuarryCluster> {
    const definitions = settings.flatMap((setting) => ['-D', setting])
    const started = await quarry('up', '--dir', dir, '--datanodes', `${datanodes}`, '--detach', '--json', ...definitions)
    return new QuarryCluster(jsonLine<Ready>(started.stdout), started.wallMs)
  }

  get uri(): string {
    return this.#ready.uri
  }

  /** The door of Hadoop's clients. */
  get hdfs(): string {
    return this.#ready.hdfs
  }

  /** As Hadoop's clients write it. */
  get webhdfs(): string {
    return this.#ready.webhdfs.replace(/^http:/, 'webhdfs:')
  }

  async benchNs(threads: number, files: number, connections: 'shared' | 'own', extra: readonly string[] = []): Promise<NsReport> {
    const { stdout } = await quarry(
      'bench',
      'ns',
      '--fs',
      this.uri,
      '--clients',
      `${threads}`,
      '--files',
      `${files}`,
      '--connections',
      connections,
      '--json',
      ...extra,
    )
    return jsonLine<NsReport>(stdout)
  }

  async benchIo(streams: number, bytes: number, replication: number, extra: readonly string[] = []): Promise<IoReport> {
    const { stdout } = await quarry(
      'bench',
      'io',
      '--fs',
      this.uri,
      '--streams',
      `${streams}`,
      '--bytes',
      `${bytes}`,
      '--replication',
      `${replication}`,
      '--json',
      ...extra,
    )
    return jsonLine<IoReport>(stdout)
  }

  dfs(...args: string[]): Promise<Finished> {
    return run(process.execPath, [binary, 'dfs', ...args], { env: { QUARRY_FS: this.uri } })
  }

  get namenodePid(): number {
    return this.#ready.namenode.pid
  }

  get datanodes(): readonly { readonly id: string; readonly name: string; readonly pid: number }[] {
    return this.#ready.datanodes
  }

  get datanodePids(): number[] {
    return this.#ready.datanodes.map((node) => node.pid)
  }

  pids(): number[] {
    return [this.namenodePid, ...this.datanodePids]
  }

  async close(): Promise<void> {
    await quarry('down', '--dir', this.#ready.dir)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
