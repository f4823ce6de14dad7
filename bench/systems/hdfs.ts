// The real HDFS, through its kit: a script `hdfs-peer` that starts Hadoop's own NameNode and DataNodes on the loopback interface
// and drives Hadoop's own client. Where the kit lies comes from --peer or QUARRY_HDFS_PEER.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { freePort, jsonLine, run, type Finished } from '../process.ts'
import type { IoReport } from '../io.ts'
import type { NsReport } from '../ns.ts'

export class HdfsKit {
  readonly #script: string

  /** `place` is the script or the directory it lies in. */
  constructor(place: string) {
    this.#script = existsSync(place) && statSync(place).isDirectory() ? path.join(place, 'hdfs-peer') : place
    if (!existsSync(this.#script)) throw new Error(`no hdfs-peer script at ${place}: give its directory with --peer or QUARRY_HDFS_PEER`)
    if (!existsSync(path.join(path.dirname(this.#script), 'target', 'classpath')))
      throw new Error(`the kit is not installed; run: ${this.#script} install`)
  }

  run(...args: string[]): Promise<Finished> {
    return run(this.#script, args)
  }

  /** A cluster of one NameNode and three DataNodes in `dir`; `readyMs` is the time until all were live. */
  async up(dir: string, settings: readonly string[] = []): Promise<HdfsCluster> {
    const [port, httpPort] = [await freePort(), await freePort()]
    const definitions = settings.flatMap((setting) => ['-D', setting])
    const started = await this.run('up', '--dir', dir, '--port', `${port}`, '--http-port', `${httpPort}`, ...definitions)
    return new HdfsCluster(this, dir, started.stdout.trim().split('\n').at(-1)!, started.wallMs)
  }
}

export class HdfsCluster implements AsyncDisposable {
  readonly uri: string
  readonly readyMs: number
  readonly #kit: HdfsKit
  readonly #dir: string

  constructor(kit: HdfsKit, dir: string, uri: string, readyMs: number) {
    this.#kit = kit
    this.#dir = dir
    this.uri = uri
    this.readyMs = readyMs
  }

  async benchNs(threads: number, files: number, extra: readonly string[] = []): Promise<NsReport> {
    const { stdout } = await this.#kit.run(
      'bench-ns',
      '--fs',
      this.uri,
      '--threads',
      `${threads}`,
      '--files',
      `${files}`,
      '--json',
      ...extra,
    )
    return jsonLine<NsReport>(stdout)
  }

  async benchIo(streams: number, bytes: number, replication: number): Promise<IoReport> {
    const { stdout } = await this.#kit.run(
      'bench-io',
      '--fs',
      this.uri,
      '--streams',
      `${streams}`,
      '--bytes',
      `${bytes}`,
      '--replication',
      `${replication}`,
      '--json',
    )
    return jsonLine<IoReport>(stdout)
  }

  dfs(...args: string[]): Promise<Finished> {
    return this.#kit.run('dfs', '--fs', this.uri, ...args)
  }

  /** Process ids of all roles. */
  pids(): number[] {
    const dir = path.join(this.#dir, 'pids')
    return readdirSync(dir).map((name) => Number(readFileSync(path.join(dir, name), 'utf8')))
  }

  async close(): Promise<void> {
    await this.#kit.run('down', '--dir', this.#dir)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
