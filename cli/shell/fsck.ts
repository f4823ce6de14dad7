// fsck: walks a path, looks at every block, and prints Hadoop's summary. Exit 0 healthy (a missing path too), 1 corrupt, 255 failed.
import type { BlockLocation, FileInfo, FileSystem } from '../../client/index.ts'
import { isQuarryError } from '../../common/errors.ts'
import { describeFailure, firstLine } from './errors.ts'
import { javaDate } from './format.ts'
import type { ShellStreams } from './shell.ts'
import { genericUsage } from './usage.ts'

export interface FsckOptions {
  readonly streams: ShellStreams
  readonly connect: () => Promise<FileSystem>
}

const exitCorrupt = 1
const exitFailure = 255
/** Files whose blocks are asked for at the same time. */
const lookAhead = 32
/** A dot of progress for so many files, as Hadoop prints. */
const filesPerDot = 100

const printed = new Set(['-files', '-blocks', '-locations', '-openforwrite', '-showprogress'])
/** What Hadoop's fsck can do and Quarry's cannot yet. */
const refused = new Set([
  '-list-corruptfileblocks',
  '-move',
  '-delete',
  '-racks',
  '-replicaDetails',
  '-upgradedomains',
  '-includeSnapshots',
  '-storagepolicies',
  '-maintenance',
  '-blockId',
  '-replicate',
])

const usage = `Usage: hdfs fsck <path> [-openforwrite] [-files [-blocks [-locations]]] [-showprogress]
\t<path>\tstart checking from this path
\t-files\tprint out files being checked
\t-openforwrite\tprint out files opened for write
\t-files -blocks\tprint out block report
\t-files -blocks -locations\tprint out locations for every block
\t-showprogress\tDeprecated. Progress is now shown by default

Please Note:

\t1. By default fsck ignores files opened for write, use -openforwrite to report such files. They are usually  tagged CORRUPT or HEALTHY depending on their block allocation status

`

export async function runFsck(words: readonly string[], options: FsckOptions): Promise<number> {
  const { err } = options.streams
  const flags = new Set<string>()
  let path: string | undefined
  for (const word of words) {
    if (printed.has(word)) flags.add(word)
    else if (refused.has(word)) return fail(err, `fsck: Quarry does not support ${word} yet.\n`)
    else if (word.startsWith('-')) return fail(err, `fsck: Illegal option '${word}'\n${usage}${genericUsage}`)
    else if (path !== undefined) return fail(err, `fsck: can only operate on one path at a time '${word}'\n${usage}${genericUsage}`)
    else path = word
  }
  if (path === undefined) return fail(err, usage + genericUsage)
  try {
    await using fs = await options.connect()
    return await check(fs, fs.resolve(path), flags, options.streams)
  } catch (error) {
    await err.write(`fsck: ${describeFailure(error).message}\n`)
    return exitFailure
  }
}

async function fail(err: ShellStreams['err'], text: string): Promise<number> {
  await err.write(text)
  return exitFailure
}

async function check(fs: FileSystem, path: string, flags: ReadonlySet<string>, streams: ShellStreams): Promise<number> {
  const { out, err, signal } = streams
  const startedMs = Date.now()
  let root: FileInfo
  try {
    root = await fs.stat(path)
  } catch (error) {
    if (!isQuarryError(error, 'NOT_FOUND')) throw error
    await err.write(`FileSystem is inaccessible due to:\njava.io.FileNotFoundException: File does not exist: ${path}\nDFSck exiting.\n`)
    return 0
  }
  const checker = new Checker(fs, flags, streams)
  await err.write(`Connecting to namenode via ${fs.uri}\n`)
  await out.write(`FSCK started by ${fs.user} (auth:SIMPLE) from /127.0.0.1 for path ${path} at ${javaDate(startedMs)}\n\n`)
  try {
    await checker.walk(root, signal)
  } catch (error) {
    if (!isQuarryError(error, 'PERMISSION_DENIED')) throw error
    await out.write(`${ended(startedMs)}${firstLine(error.message)}\n\n\nFsck on path '${path}' FAILED\n`)
    return exitFailure
  }
  const replication = (await fs.serverDefaults()).replication
  const nodes = await fs.datanodes('live')
  await out.write(
    checker.summary({
      defaultReplication: replication,
      nodes: nodes.length,
      racks: new Set(nodes.map((node) => node.datanode?.rack)).size,
    }),
  )
  await out.write(`${ended(startedMs)}\n\nThe filesystem under path '${path}' is ${checker.healthy ? 'HEALTHY' : 'CORRUPT'}\n`)
  return checker.healthy ? 0 : exitCorrupt
}

const ended = (startedMs: number): string => `FSCK ended at ${javaDate(Date.now())} in ${Date.now() - startedMs} milliseconds\n`

/** Counts, and prints lines of files as it goes. */
class Checker {
  readonly #fs: FileSystem
  readonly #flags: ReadonlySet<string>
  readonly #out: ShellStreams['out']
  #directories = 0
  #files = 0
  #bytes = 0
  #openFiles = 0
  #openBytes = 0
  #blocks = 0
  #replicas = 0
  #wantedReplicas = 0
  #minimal = 0
  #over = 0
  #under = 0
  #missing = 0
  #missingBytes = 0
  #corrupt = 0
  #corruptFiles = 0
  #missingReplicas = 0

  constructor(fs: FileSystem, flags: ReadonlySet<string>, streams: ShellStreams) {
    this.#fs = fs
    this.#flags = flags
    this.#out = streams.out
  }

  get healthy(): boolean {
    return this.#missing + this.#corrupt === 0
  }

  async walk(root: FileInfo, signal: AbortSignal): Promise<void> {
    if (root.isFile) return this.#file(root, this.#fs.blockLocations(root.path, {}, { signal }))
    await this.#directory(root)
    // Blocks of the next files are asked for while those of this one are counted.
    const queue: { info: FileInfo; blocks: Promise<BlockLocation[]> | undefined }[] = []
    const next = async (): Promise<void> => {
      const { info, blocks } = queue.shift() as (typeof queue)[number]
      if (blocks) await this.#file(info, blocks)
      else await this.#directory(info)
    }
    try {
      for await (const info of this.#fs.walk(root.path, { signal })) {
        const blocks = info.isFile ? this.#fs.blockLocations(info.path, {}, { signal }) : undefined
        blocks?.catch(() => {}) // awaited in its turn
        queue.push({ info, blocks })
        if (queue.length >= lookAhead) await next()
      }
      while (queue.length > 0) await next()
    } finally {
      await Promise.allSettled(queue.flatMap(({ blocks }) => blocks ?? []))
    }
  }

  async #directory(info: FileInfo): Promise<void> {
    this.#directories++
    if (this.#flags.has('-files')) await this.#out.write(`${info.path} <dir>\n`)
  }

  async #file(info: FileInfo, pending: Promise<BlockLocation[]>): Promise<void> {
    let blocks: readonly BlockLocation[]
    try {
      blocks = await pending
    } catch (error) {
      // Deleted while we walked.
      if (isQuarryError(error, 'NOT_FOUND')) return
      throw error
    }
    if (info.isOpen) {
      this.#openFiles++
      this.#openBytes += info.length
      if (!this.#flags.has('-openforwrite')) return
    }
    this.#files++
    this.#bytes += info.length
    const { lines, verdicts } = this.#count(info, blocks)
    if (this.#flags.has('-files')) await this.#describe(info, blocks, lines, verdicts)
    else await this.#complain(info, lines, verdicts)
  }

  /** -files: a line of the file, what is wrong with it, and with -blocks its blocks. */
  async #describe(info: FileInfo, blocks: readonly BlockLocation[], lines: readonly string[], verdicts: readonly string[]): Promise<void> {
    const open = info.isOpen ? ' OPENFORWRITE: ' : ''
    await this.#out.write(
      `${info.path} ${info.length} bytes, replicated: replication=${info.replication}, ${blocks.length} block(s): ${open}`,
    )
    const wrong = [...lines, ...verdicts]
    await this.#out.write((wrong.length > 0 ? wrong : [' OK']).map((line) => `${line}\n`).join(''))
    if (this.#flags.has('-blocks')) await this.#out.write(`${blocks.map((block, index) => this.#blockLine(block, index)).join('')}\n`)
  }

  /** Otherwise: only what is wrong, and a dot now and then. */
  async #complain(info: FileInfo, lines: readonly string[], verdicts: readonly string[]): Promise<void> {
    if (this.#files % filesPerDot === 0) await this.#out.write('.')
    for (const line of lines) await this.#out.write(`\n${info.path}: ${line}\n`)
    for (const verdict of verdicts) await this.#out.write(`\n${info.path}:${verdict}.`)
  }

  /** What is wrong with the blocks of a file, and with the file as a whole. */
  #count(info: FileInfo, blocks: readonly BlockLocation[]): { readonly lines: readonly string[]; readonly verdicts: readonly string[] } {
    const lines: string[] = []
    const missing = blocks.filter((block) => !block.corrupt && block.hosts.length === 0)
    const corrupt = blocks.filter((block) => block.corrupt)
    for (const block of blocks) {
      const live = block.corrupt ? 0 : block.hosts.length
      this.#blocks++
      this.#replicas += live
      this.#wantedReplicas += info.replication
      if (live > 0) this.#minimal++
      if (live > info.replication) this.#over++
      if (block.corrupt) lines.push(` CORRUPT blockpool ${this.#fs.namenode.poolId} block blk_${block.blockId}`)
      if (live > 0 && live < info.replication) {
        this.#under++
        this.#missingReplicas += info.replication - live
        lines.push(
          ` Under replicated ${this.#blockName(block)}. Target Replicas is ${info.replication} but found ${live} live replica(s), 0 decommissioned replica(s), 0 decommissioning replica(s).`,
        )
      }
    }
    this.#missing += missing.length
    this.#missingBytes += sizeOf(missing)
    this.#corrupt += corrupt.length
    if (missing.length + corrupt.length > 0) this.#corruptFiles++
    const verdict = (word: string, bad: readonly BlockLocation[]): string[] =>
      bad.length === 0 ? [] : [` ${word} ${bad.length} blocks of total size ${sizeOf(bad)} B`]
    return { lines, verdicts: [...verdict('MISSING', missing), ...verdict('CORRUPT', corrupt)] }
  }

  #blockName(block: BlockLocation): string {
    return `${this.#fs.namenode.poolId}:blk_${block.blockId}_${block.genstamp}`
  }

  #blockLine(block: BlockLocation, index: number): string {
    const places = block.hosts.map((host) => `DatanodeInfoWithStorage[${host.address},${host.storageUuid},DISK]`).join(', ')
    const locations = this.#flags.has('-locations') ? `  [${places}]` : ''
    return `${index}. ${this.#blockName(block)} len=${block.length} ${block.hosts.length === 0 ? 'MISSING!' : `Live_repl=${block.hosts.length}`}${locations}\n`
  }

  summary(cluster: { readonly defaultReplication: number; readonly nodes: number; readonly racks: number }): string {
    const blocks = this.#blocks
    const share = (count: number): string => (blocks === 0 ? `${count}` : `${count} (${javaFloat((count * 100) / blocks)} %)`)
    const average = blocks === 0 ? '' : ` (avg. block size ${Math.floor(this.#bytes / blocks)} B)`
    const open = this.#openFiles === 0 ? '' : ` (Files currently being written: ${this.#openFiles})`
    const openBytes = this.#openBytes === 0 ? '' : ` (Total open files size: ${this.#openBytes} B)`
    const missingReplicas =
      this.#replicas === 0
        ? `${this.#missingReplicas}`
        : `${this.#missingReplicas} (${javaFloat((this.#missingReplicas * 100) / this.#wantedReplicas)} %)`
    return [
      '',
      `Status: ${this.healthy ? 'HEALTHY' : 'CORRUPT'}`,
      ` Number of data-nodes:\t${cluster.nodes}`,
      ` Number of racks:\t\t${cluster.racks}`,
      ` Total dirs:\t\t\t${this.#directories}`,
      ' Total symlinks:\t\t0',
      '',
      'Replicated Blocks:',
      ` Total size:\t${this.#bytes} B${openBytes}`,
      ` Total files:\t${this.#files}${open}`,
      ` Total blocks (validated):\t${blocks}${average}`,
      ...this.#warnings(share),
      ` Minimally replicated blocks:\t${share(this.#minimal)}`,
      ` Over-replicated blocks:\t${share(this.#over)}`,
      ` Under-replicated blocks:\t${share(this.#under)}`,
      ` Mis-replicated blocks:\t\t${share(0)}`,
      ` Default replication factor:\t${cluster.defaultReplication}`,
      ` Average block replication:\t${blocks === 0 ? '0.0' : javaFloat(this.#replicas / blocks)}`,
      ` Missing blocks:\t\t${this.#missing}`,
      ` Corrupt blocks:\t\t${this.#corrupt}`,
      ` Missing replicas:\t\t${missingReplicas}`,
      ' Blocks queued for replication:\t0',
      '',
      'Erasure Coded Block Groups:',
      ' Total size:\t0 B',
      ' Total files:\t0',
      ' Total block groups (validated):\t0',
      ' Minimally erasure-coded block groups:\t0',
      ' Over-erasure-coded block groups:\t0',
      ' Under-erasure-coded block groups:\t0',
      ' Unsatisfactory placement block groups:\t0',
      ' Average block group size:\t0.0',
      ' Missing block groups:\t\t0',
      ' Corrupt block groups:\t\t0',
      ' Missing internal blocks:\t0',
      ' Blocks queued for replication:\t0',
      '',
    ].join('\n')
  }

  #warnings(share: (count: number) => string): string[] {
    if (this.healthy) return []
    return [
      '  ********************************',
      `  UNDER MIN REPL'D BLOCKS:\t${share(this.#missing + this.#corrupt)}`,
      '  MINIMAL BLOCK REPLICATION:\t1',
      `  CORRUPT FILES:\t${this.#corruptFiles}`,
      ...(this.#missing > 0 ? [`  MISSING BLOCKS:\t${this.#missing}`, `  MISSING SIZE:\t\t${this.#missingBytes} B`] : []),
      ...(this.#corrupt > 0 ? [`  CORRUPT BLOCKS: \t${this.#corrupt}`] : []),
      '  ********************************',
    ]
  }
}

const sizeOf = (blocks: readonly BlockLocation[]): number => blocks.reduce((sum, block) => sum + block.length, 0)

/** As Java prints a float: the fewest digits that tell it from its neighbours, and at least one behind the point. */
export function javaFloat(value: number): string {
  const wanted = Math.fround(value)
  for (let digits = 1; digits < 10; digits++) {
    const text = String(Number(wanted.toPrecision(digits)))
    if (Math.fround(Number(text)) === wanted) return text.includes('.') ? text : `${text}.0`
  }
  return String(wanted)
}
