// `quarry up`: starts the embedded cluster and stays with it, or leaves it running.
import process from 'node:process'
import { parseDefinitions } from '../../common/config.ts'
import { clusterDir, readRunning } from './directory.ts'
import type { ClusterDescription } from './description.ts'
import { EmbeddedCluster } from './embedded-cluster.ts'
import { askCluster, contentsText, durationText } from './status.ts'
import { Supervision } from './supervision.ts'

export interface UpArguments {
  readonly dir?: string
  readonly datanodes?: number
  readonly replication?: number
  readonly port?: number
  readonly hdfsPort?: number
  readonly httpPort?: number
  readonly define?: readonly string[]
  readonly detach?: boolean
  readonly json?: boolean
  readonly insecure?: boolean
}

const terminalRefreshMs = 1_000
const plainRefreshMs = 2_000
const askWithinMs = 2_000

export async function up(args: UpArguments): Promise<void> {
  const interrupt = interrupts()
  const dir = clusterDir(args.dir)
  const say = (text: string) => process.stderr.write(`${text}\n`)
  if (!args.json && process.stderr.isTTY) process.stderr.write(`Starting a cluster in ${dir} …\n`)
  let cluster: EmbeddedCluster
  try {
    cluster = await EmbeddedCluster.start({
      dir,
      datanodes: args.datanodes,
      replication: args.replication,
      port: args.port,
      hdfsPort: args.hdfsPort,
      httpPort: args.httpPort,
      flags: { ...parseDefinitions(args.define ?? []), ...(args.insecure && { insecure: 'true' }) },
      env: process.env,
      detached: args.detach ?? false,
      signal: interrupt.signal,
      onNote: say,
    })
  } catch (error) {
    if (!interrupt.signal.aborted) throw error
    say('Stopped while starting.')
    process.exitCode = 130
    return
  }
  process.stdout.write(args.json ? `${JSON.stringify(cluster.describe())}\n` : readyText(cluster, args))
  if (args.detach) {
    await cluster.detach()
    interrupt.release()
    return
  }
  await attend(cluster, args, interrupt, say)
}

function readyText(cluster: EmbeddedCluster, args: UpArguments): string {
  const description: ClusterDescription = cluster.describe()
  const own = args.dir === undefined ? [] : [`  use it from another terminal:  export QUARRY_FS=${description.uri}`]
  return [
    `Quarry is ready after ${(cluster.startedInMs / 1000).toFixed(1)} s: 1 namenode and ${description.datanodes.length} datanodes.`,
    `  address    ${description.uri}`,
    ...(description.hdfs === undefined ? [] : [`  Hadoop     ${description.hdfs}`]),
    `  WebHDFS    ${description.webhdfs}`,
    `  directory  ${description.dir}`,
    ...own,
    args.detach
      ? `  stop it with: quarry down${args.dir === undefined ? '' : ` --dir ${description.dir}`}`
      : '  Ctrl-C stops it; the data stays.',
    '',
  ].join('\n')
}

/** Stays with the cluster: a status line, roles that died started again, and an orderly stop. */
async function attend(cluster: EmbeddedCluster, args: UpArguments, interrupt: Interrupts, say: (text: string) => void): Promise<void> {
  const view = args.json ? undefined : new StatusLine(cluster)
  const supervision = new Supervision(cluster, (text) => {
    view?.clear()
    say(text)
  })
  view?.start()
  const reason = await Promise.race([interrupt.asked, supervision.allGone.then(() => 'gone' as const)])
  supervision.stop()
  view?.stop()
  if (reason === 'gone') {
    await cluster.stop()
    say('Every process of the cluster has ended.')
    process.exitCode = 1
    return
  }
  say('Stopping: open work is finished first. Ctrl-C again ends it at once.')
  interrupt.onSecond(() => {
    cluster.kill()
    process.exit(130)
  })
  await cluster.stop()
  say(`Stopped. The data stays in ${cluster.dir}.`)
  interrupt.release()
}

/** On a terminal one line that is written over every second; elsewhere a line whenever something changed. */
class StatusLine {
  readonly #cluster: EmbeddedCluster
  readonly #terminal = process.stderr.isTTY === true
  #timer: NodeJS.Timeout | undefined
  #shown = ''
  #asking = false

  constructor(cluster: EmbeddedCluster) {
    this.#cluster = cluster
  }

  start(): void {
    this.#timer = setInterval(() => void this.#refresh(), this.#terminal ? terminalRefreshMs : plainRefreshMs)
    void this.#refresh()
  }

  /** Makes room for lines that stay. */
  clear(): void {
    if (this.#terminal && this.#shown !== '') process.stderr.write('\r\u001b[2K')
  }

  stop(): void {
    clearInterval(this.#timer)
    this.clear()
  }

  async #refresh(): Promise<void> {
    if (this.#asking) return
    this.#asking = true
    try {
      this.#show(await this.#ask())
    } finally {
      this.#asking = false
    }
  }

  async #ask(): Promise<string> {
    const running = readRunning(this.#cluster.dir)
    if (running === undefined) return 'the cluster is gone'
    try {
      const status = await askCluster(this.#cluster.dir, running, askWithinMs)
      const datanodes = status.roles.filter((role) => role.name !== 'namenode')
      return `${datanodes.filter((role) => role.live).length}/${datanodes.length} datanodes live, ${status.fs === undefined ? '' : contentsText(status.fs)}`
    } catch {
      return 'the namenode does not answer'
    }
  }

  #show(text: string): void {
    if (this.#terminal) {
      const line = `${text}, up ${durationText(performance.now())}`.slice(0, Math.max(20, (process.stderr.columns || 80) - 1))
      process.stderr.write(`\r\u001b[2K${line}`)
    } else if (text !== this.#shown) {
      process.stderr.write(`${text}\n`)
    }
    this.#shown = text
  }
}

interface Interrupts {
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal
  readonly asked: Promise<'asked'>
  onSecond(action: () => void): void
  release(): void
}

function interrupts(): Interrupts {
  const controller = new AbortController()
  let second: (() => void) | undefined
  let resolveAsked: (value: 'asked') => void
  const asked = new Promise<'asked'>((resolve) => (resolveAsked = resolve))
  const listener = () => {
    if (controller.signal.aborted) return second?.()
    controller.abort(new Error('interrupted'))
    resolveAsked('asked')
  }
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const name of names) process.on(name, listener)
  return {
    signal: controller.signal,
    asked,
    onSecond: (action) => (second = action),
    release: () => names.forEach((name) => process.off(name, listener)),
  }
}
