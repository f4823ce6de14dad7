// Counts the health of files, and says what is wrong with each in HDFS's words. Pure: no calls, no output.
import type { FsckFlag } from './arguments.ts'
import type { FsckBlock, FsckFile, FsckReplicaState } from './blocks.ts'

/** Replicas of a block by what they are good for. */
export interface ReplicaCounts {
  readonly live: number
  readonly stale: number
  readonly excess: number
  readonly corrupt: number
  readonly decommissioned: number
  readonly decommissioning: number
  readonly enteringMaintenance: number
  readonly inMaintenance: number
}

/** A dot of progress for so many files, as HDFS prints. */
const filesPerDot = 100
/** HDFS's dfs.namenode.replication.min, which Quarry does not change. */
export const minimalReplication = 1

const isLive = (state: FsckReplicaState): boolean => state === 'LIVE' || state.startsWith('STALE_')

export function countReplicas(states: readonly FsckReplicaState[]): ReplicaCounts {
  const of = (state: FsckReplicaState): number => states.filter((one) => one === state).length
  return {
    live: states.filter(isLive).length,
    stale: of('STALE_NODE'),
    excess: of('EXCESS'),
    corrupt: of('CORRUPT'),
    decommissioned: of('DECOMMISSIONED'),
    decommissioning: of('DECOMMISSIONING'),
    enteringMaintenance: of('ENTERING_MAINTENANCE'),
    inMaintenance: of('IN_MAINTENANCE'),
  }
}

/** Figures of the summary. */
export interface Totals {
  directories: number
  files: number
  bytes: number
  blocks: number
  openFiles: number
  openBytes: number
  openBlocks: number
  replicas: number
  wantedReplicas: number
  missingReplicas: number
  minimal: number
  over: number
  under: number
  misplaced: number
  queued: number
  missing: number
  missingBytes: number
  corrupt: number
  corruptBytes: number
  corruptFiles: number
  decommissioned: number
  decommissioning: number
  enteringMaintenance: number
  inMaintenance: number
}

export interface FileReport {
  readonly text: string
  /** Blocks are missing or corrupt, and nobody writes the file. */
  readonly broken: boolean
  /** Blocks on too few racks. */
  readonly misplaced: readonly number[]
}

const nothing: FileReport = { text: '', broken: false, misplaced: [] }

interface BlockReport {
  /** A line of -blocks. */
  readonly line: string
  /** What is printed as soon as it is found. */
  readonly complaint: string
  readonly isMissing: boolean
  readonly isUnder: boolean
}

export class Tally {
  readonly totals: Totals = {
    directories: 0,
    files: 0,
    bytes: 0,
    blocks: 0,
    openFiles: 0,
    openBytes: 0,
    openBlocks: 0,
    replicas: 0,
    wantedReplicas: 0,
    missingReplicas: 0,
    minimal: 0,
    over: 0,
    under: 0,
    misplaced: 0,
    queued: 0,
    missing: 0,
    missingBytes: 0,
    corrupt: 0,
    corruptBytes: 0,
    corruptFiles: 0,
    decommissioned: 0,
    decommissioning: 0,
    enteringMaintenance: 0,
    inMaintenance: 0,
  }
  readonly #flags: ReadonlySet<FsckFlag>
  readonly #poolId: string
  readonly #racks: number

  constructor(flags: ReadonlySet<FsckFlag>, poolId: string, racks: number) {
    this.#flags = flags
    this.#poolId = poolId
    this.#racks = racks
  }

  get healthy(): boolean {
    return this.totals.missing + this.totals.corrupt === 0
  }

  directory(path: string): string {
    this.totals.directories++
    return this.#flags.has('files') ? `${path} <dir>\n` : ''
  }

  file(file: FsckFile): FileReport {
    const { info, isOpen, blocks } = file
    const { totals } = this
    if (isOpen && !this.#flags.has('openforwrite')) {
      totals.openFiles++
      totals.openBytes += info.length
      totals.openBlocks += blocks.length
      return nothing
    }
    totals.files++
    totals.bytes += info.length
    totals.blocks += blocks.length
    const reports: BlockReport[] = []
    for (const [index, block] of blocks.entries()) {
      reports.push(
        this.#block(
          file,
          block,
          index,
          reports.some((report) => report.isUnder),
        ),
      )
    }
    const missing = blocks.filter((_, index) => reports[index]?.isMissing)
    const corrupt = blocks.filter((block) => block.corrupt)
    const misplaced = blocks.filter((block) => block.misplaced).map((block) => block.blockId)
    totals.missing += missing.length
    totals.missingBytes += sizeOf(missing)
    totals.corrupt += corrupt.length
    totals.corruptBytes += sizeOf(corrupt)
    if (missing.length + corrupt.length > 0) totals.corruptFiles++
    const verdicts = [...verdict('MISSING', missing), ...verdict('CORRUPT', corrupt)]
    const unharmed = misplaced.length === 0 && !reports.some((report) => report.isUnder)
    const text = [
      this.#heading(file),
      ...reports.map((report) => report.complaint),
      ...(this.#flags.has('files')
        ? [
            ...verdicts.map((line) => ` ${line}\n`),
            verdicts.length === 0 && unharmed ? ' OK\n' : '',
            this.#flags.has('blocks') ? this.#blockLines(file, reports) : '',
          ]
        : verdicts.map((line) => `\n${info.path}: ${line}.`)),
    ].join('')
    return { text, broken: verdicts.length > 0 && !isOpen, misplaced }
  }

  #heading({ info, isOpen, blocks }: FsckFile): string {
    const what = `${info.path} ${info.length} bytes, replicated: replication=${info.replication}, ${blocks.length} block(s)`
    if (isOpen) return `${what}, OPENFORWRITE: `
    if (this.#flags.has('files')) return `${what}: `
    return this.totals.files % filesPerDot === 0 ? '.' : ''
  }

  /** Counts one block. `underBefore`: an earlier block of the file lacks replicas. */
  #block({ info }: FsckFile, block: FsckBlock, index: number, underBefore: boolean): BlockReport {
    const { totals } = this
    const counts = countReplicas(block.replicas.map((replica) => replica.state))
    const { live, decommissioned, decommissioning, enteringMaintenance, inMaintenance } = counts
    const total = live + decommissioned + decommissioning + enteringMaintenance + inMaintenance
    totals.replicas += total
    totals.wantedReplicas += info.replication
    totals.decommissioned += decommissioned
    totals.decommissioning += decommissioning
    totals.enteringMaintenance += enteringMaintenance
    totals.inMaintenance += inMaintenance
    if (block.queued) totals.queued++
    if (total >= minimalReplication) totals.minimal++
    if (live > info.replication) totals.over++
    const isMissing = total === 0 && !block.corrupt
    const isUnder = total > 0 && total < info.replication
    if (isUnder) {
      totals.under++
      totals.missingReplicas += info.replication - total
    }
    if (block.misplaced) totals.misplaced++
    const before = this.#flags.has('files') ? '' : `${info.path}: `
    const complaint = [
      block.corrupt ? `\n${info.path}: CORRUPT blockpool ${this.#poolId} block blk_${block.blockId}\n` : '',
      isUnder ? `${before === '' ? '' : '\n'}${before}${this.#underText(block, info.replication, counts)}\n` : '',
      block.misplaced
        ? `${before === '' || isUnder || underBefore ? '' : '\n'}${before} Replica placement policy is violated for ${this.#name(block)}. ` +
          `Block should be additionally replicated on ${block.racksMissing} more rack(s). Total number of racks in the cluster: ${this.#racks}\n`
        : '',
    ].join('')
    const found = isMissing ? 'MISSING!' : `Live_repl=${live}${this.#places(block)}`
    return { line: `${index}. ${this.#name(block)} len=${block.length} ${found}\n`, complaint, isMissing, isUnder }
  }

  #underText(block: FsckBlock, wanted: number, counts: ReplicaCounts): string {
    const maintenance = this.#flags.has('maintenance')
      ? `, ${counts.enteringMaintenance} entering maintenance replica(s) and ${counts.inMaintenance} in maintenance replica(s).`
      : '.'
    return (
      ` Under replicated ${this.#name(block)}. Target Replicas is ${wanted} but found ${counts.live} live replica(s), ` +
      `${counts.decommissioned} decommissioned replica(s), ${counts.decommissioning} decommissioning replica(s)${maintenance}`
    )
  }

  #blockLines({ blocks, growing }: FsckFile, reports: readonly BlockReport[]): string {
    const lines = reports.map((report) => report.line).join('')
    if (!growing) return `${lines}\n`
    const open = `${blocks.length}. ${this.#name(growing)} len=${growing.length} Expected_repl=${growing.replicas.length}${this.#places(growing)}`
    return `${lines}\nUnder Construction Block:\n${open}\n`
  }

  #name(block: FsckBlock): string {
    return `${this.#poolId}:blk_${block.blockId}_${block.genstamp}`
  }

  /** Where the replicas lie, as the flags ask for. */
  #places(block: FsckBlock): string {
    const flags = this.#flags
    if (!flags.has('locations') && !flags.has('racks') && !flags.has('replicaDetails') && !flags.has('upgradedomains')) return ''
    const places = block.replicas.map((replica) => {
      const place = flags.has('racks')
        ? `${replica.rack}/${replica.address}`
        : `DatanodeInfoWithStorage[${replica.address},${replica.storageUuid},${replica.storageType}]`
      const state = flags.has('replicaDetails') ? `(${stateText(replica.state, flags.has('maintenance'))})` : ''
      return `${place}${state}${flags.has('upgradedomains') ? '(ud=undefined)' : ''}`
    })
    return `  [${places.join(', ')}]`
  }
}

/** Without -maintenance HDFS does not tell such nodes from others. */
function stateText(state: FsckReplicaState, showMaintenance: boolean): string {
  if (state !== 'ENTERING_MAINTENANCE' && state !== 'IN_MAINTENANCE') return state
  return showMaintenance ? state.replace('_', ' ') : 'LIVE'
}

function verdict(word: string, bad: readonly FsckBlock[]): string[] {
  return bad.length === 0 ? [] : [`${word} ${bad.length} blocks of total size ${sizeOf(bad)} B`]
}

const sizeOf = (blocks: readonly FsckBlock[]): number => blocks.reduce((sum, block) => sum + block.length, 0)
