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

  /** Metadata operations of Hadoop's own client against any endpoint it speaks to: hdfs:// or webhdfs://. */
  async benchNs(uri: string, threads: number, files: number, extra: readonly string[] = []): Promise<NsReport> {
    const { stdout } = await this.run('bench-ns', '--fs', uri, '--threads', `${threads}`, '--files', `${files}`, '--json', ...extra)
    return jsonLine<NsReport>(stdout)
  }

  /** Streams of Hadoop's own client to and from any endpoint. */
  async benchIo(uri: string, streams: number, bytes: number, replication: number): Promise<IoReport> {
    const sizes = ['--streams', `${streams}`, '--bytes', `${bytes}`, '--replication', `${replication}`]
    const { stdout } = await this.run('bench-io', '--fs', uri, ...sizes, '--json')
    return jsonLine<IoReport>(stdout)
  }

  /** A cluster of one NameNode and three DataNodes in `dir`; `readyMs` is the time until all were live. */
  async up(dir: string, settings: readonly string[] = []): Promise<HdfsCluster> {
    const [port, httpPort] = [await freePort(), await freePort()]
    const definitions = settings.flatMap((setting) => ['-D', setting])
    const started = await this.run('up', '--dir', dir, '--port', `${port}`, '--http-port', `${httpPort}`, ...definitions)
    const uri = started.stdout.trim().split('\n').at(-1)!
    return new HdfsCluster(this, dir, uri, `webhdfs://127.0.0.1:${httpPort}`, started.wallMs)
  }
}

export class HdfsCluster implements AsyncDisposable {
  readonly uri: string
  readonly webhdfs: string
  readonly readyMs: number
  readonly #kit: HdfsKit
  readonly #dir: string

  constructor(kit: HdfsKit, dir: string, uri: string, webhdfs: string, readyMs: number) {
    this.#kit = kit
    this.#dir = dir
    this.uri = uri
    this.webhdfs = webhdfs
    this.readyMs = readyMs
  }

  benchNs(threads: number, files: number, extra: readonly string[] = []): Promise<NsReport> {
    return this.#kit.benchNs(this.uri, threads, files, extra)
  }

  benchIo(streams: number, bytes: number, replication: number): Promise<IoReport> {
    return this.#kit.benchIo(this.uri, streams, bytes, replication)
  }

  dfs(...args: string[]): Promise<Finished> {
    return this.#kit.run('dfs', '--fs', this.uri, ...args)
  }

  get namenodePid(): number {
    return Number(readFileSync(path.join(this.#dir, 'pids', 'namenode'), 'utf8'))
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
