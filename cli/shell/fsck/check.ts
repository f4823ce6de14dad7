// Checks all files below a path. Groups of files are looked up while the group before them is counted and printed, so that memory
// is bounded by two groups however many files there are.
import type { FileInfo, FileSystem } from '../../../client/index.ts'
import type { ShellStreams } from '../shell.ts'
import type { FsckFlag } from './arguments.ts'
import { BlockLoader } from './blocks.ts'
import type { FsckFile } from './blocks.ts'
import { rescue } from './lost-and-found.ts'
import { StoragePolicies } from './storage-policies.ts'
import { summary } from './summary.ts'
import { Tally } from './tally.ts'

/** Of the streams of a command, those that fsck writes to. */
export type FsckStreams = Pick<ShellStreams, 'out' | 'err' | 'signal'>

/** Files looked up together: as many calls travel at the same time. */
const groupFiles = 32
/** Blocks that one call may name (namenode.proto). */
const replicateMax = 1000

export interface CheckOutcome {
  readonly healthy: boolean
  /** The summary, without the line that says how it ended. */
  readonly text: string
}

/** Throws what the namenode refuses. */
export async function checkTree(fs: FileSystem, root: FileInfo, flags: ReadonlySet<FsckFlag>, streams: FsckStreams): Promise<CheckOutcome> {
  const { signal } = streams
  const nodes = await fs.datanodes('live', { signal })
  const racks = new Set(nodes.map((node) => node.datanode?.rack)).size
  const check = new Check(fs, flags, streams, racks)
  for await (const group of loadAhead(groupsOf(fs, root, signal), new BlockLoader(fs, signal))) await check.group(group)
  await check.replicate()
  const { replication } = await fs.serverDefaults({ signal })
  const policies = flags.has('storagepolicies') ? check.policies.text() : ''
  return {
    healthy: check.tally.healthy,
    text: summary(check.tally.totals, { defaultReplication: replication, nodes: nodes.length, racks }) + policies,
  }
}

type Entry = { readonly info: FileInfo; readonly file: FsckFile | undefined }

async function* groupsOf(fs: FileSystem, root: FileInfo, signal: AbortSignal): AsyncGenerator<FileInfo[], void, undefined> {
  let group: FileInfo[] = [root]
  let files = root.isFile ? 1 : 0
  if (root.isDirectory) {
    for await (const info of fs.walk(root.path, { signal })) {
      group.push(info)
      if (info.isFile) files++
      if (files < groupFiles && group.length < groupFiles * 8) continue
      yield group
      group = []
      files = 0
    }
  }
  if (group.length > 0) yield group
}

/** The blocks of the next group are on their way while this one is used. */
async function* loadAhead(groups: AsyncIterable<FileInfo[]>, loader: BlockLoader): AsyncGenerator<Entry[], void, undefined> {
  let pending: Promise<Entry[]> | undefined
  try {
    for await (const infos of groups) {
      const next = loadGroup(infos, loader)
      next.catch(() => {}) // awaited in its turn
      const ready = pending
      pending = next
      if (ready) yield await ready
    }
    if (pending) yield await pending
  } finally {
    await Promise.allSettled([pending])
  }
}

async function loadGroup(infos: readonly FileInfo[], loader: BlockLoader): Promise<Entry[]> {
  const files = infos.filter((info) => info.isFile)
  const loaded = await loader.load(files)
  return infos.map((info) => ({ info, file: info.isFile ? loaded[files.indexOf(info)] : undefined }))
}

class Check {
  readonly tally: Tally
  readonly policies = new StoragePolicies()
  readonly #fs: FileSystem
  readonly #flags: ReadonlySet<FsckFlag>
  readonly #streams: FsckStreams
  #misplaced: number[] = []

  constructor(fs: FileSystem, flags: ReadonlySet<FsckFlag>, streams: FsckStreams, racks: number) {
    this.#fs = fs
    this.#flags = flags
    this.#streams = streams
    this.tally = new Tally(flags, fs.namenode.poolId, racks)
  }

  async group(entries: readonly Entry[]): Promise<void> {
    for (const { info, file } of entries) {
      if (info.isDirectory) await this.#streams.out.write(this.tally.directory(info.path))
      else if (file) await this.#file(file)
    }
  }

  async #file(file: FsckFile): Promise<void> {
    const { text, broken, misplaced } = this.tally.file(file)
    await this.#streams.out.write(text)
    if (this.#flags.has('storagepolicies')) for (const block of file.blocks) this.policies.add(block)
    if (broken) await this.#repair(file)
    if (!this.#flags.has('replicate')) return
    this.#misplaced.push(...misplaced)
    if (this.#misplaced.length >= replicateMax) await this.replicate()
  }

  /** -move and -delete. What could not be copied is not deleted. */
  async #repair(file: FsckFile): Promise<void> {
    const { err, signal } = this.#streams
    const { path } = file.info
    if (this.#flags.has('move')) {
      const outcome = await rescue(this.#fs, file, signal)
      if (outcome.kind === 'there') await err.write(`fsck: the remains of ${path} lie in ${outcome.target} already\n`)
      if (outcome.kind === 'failed') {
        await err.write(`fsck: could not copy all that remains of ${path} to /lost+found: ${outcome.reason}\n`)
        return
      }
    }
    if (this.#flags.has('delete')) await this.#fs.delete(path, { signal })
  }

  /** -replicate: orders the misplaced blocks found so far. */
  async replicate(): Promise<void> {
    while (this.#misplaced.length > 0) {
      const some = this.#misplaced.splice(0, replicateMax)
      await this.#fs.admin.replicateBlocks(some, { signal: this.#streams.signal })
      this.tally.totals.queued += some.length
    }
  }
}
