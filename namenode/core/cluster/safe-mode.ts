// Safe mode by the HDFS rules: from start until enough blocks and datanodes have been reported, plus an extension; or by hand,
// until somebody leaves it. While it is on nothing changes the namespace and no replica is copied or deleted.

export interface SafeModeSettings {
  /** Share of the blocks that must have their minimum of replicas. */
  readonly threshold: number
  readonly datanodesMin: number
  readonly extensionMs: number
}

/** Replicas from the future that are counted: more change nothing. */
const futureMax = 1_000_000

type Phase =
  | { readonly kind: 'off' }
  | { readonly kind: 'waiting' }
  | { readonly kind: 'extension'; readonly untilMs: number }
  | { readonly kind: 'manual' }

const OFF = { on: false, reason: '' } as const

export class SafeMode {
  readonly #settings: SafeModeSettings
  readonly #total: number
  readonly #needed: number
  #phase: Phase = { kind: 'waiting' }
  #safe = 0
  #datanodes = 0
  /** Replicas whose generation stamp this namenode has never given out, and their bytes: its directory may be an old copy. */
  readonly #future = new Map<string, number>()

  /** `blocks`: complete blocks of the namespace at start. */
  constructor(settings: SafeModeSettings, blocks: number) {
    this.#settings = settings
    this.#total = blocks
    this.#needed = Math.floor(blocks * settings.threshold)
  }

  get on(): boolean {
    return this.#phase.kind !== 'off'
  }

  /** Still counting blocks after a start. */
  get starting(): boolean {
    return this.#phase.kind === 'waiting' || this.#phase.kind === 'extension'
  }

  get futureReplicas(): number {
    return this.#future.size
  }

  /** A block gained (+1) or lost (-1) its minimum of replicas. */
  countSafe(change: 1 | -1): void {
    if (this.starting) this.#safe += change
  }

  /** The same replica may be reported again. While safe mode is off nothing is held back, and the replica is left alone. */
  countFuture(replica: string, bytes: number): void {
    if (this.on && this.#future.size < futureMax) this.#future.set(replica, bytes)
  }

  /** Looks whether a phase is over. Returns true when safe mode has just ended. */
  update(nowMs: number, datanodes: number): boolean {
    this.#datanodes = datanodes
    if (!this.starting) return false
    if (!this.#thresholdsMet()) {
      this.#phase = { kind: 'waiting' }
      return false
    }
    if (this.#phase.kind === 'waiting')
      this.#phase = { kind: 'extension', untilMs: nowMs + (this.#total === 0 ? 0 : this.#settings.extensionMs) }
    if (this.#phase.kind === 'extension' && nowMs < this.#phase.untilMs) return false
    this.#phase = { kind: 'off' }
    return true
  }

  enter(): void {
    this.#phase = { kind: 'manual' }
  }

  /** Returns whether safe mode has just ended. Replicas from the future hold it unless forced. */
  leave(force: boolean): boolean {
    if (this.#phase.kind === 'off') return false
    if (this.#future.size > 0 && !force) return false
    this.#future.clear()
    this.#phase = { kind: 'off' }
    return true
  }

  state(nowMs: number): { readonly on: boolean; readonly reason: string } {
    return this.#phase.kind === 'off' ? OFF : { on: true, reason: this.#reason(this.#phase, nowMs) }
  }

  #thresholdsMet(): boolean {
    return this.#safe >= this.#needed && this.#datanodes >= this.#settings.datanodesMin && this.#future.size === 0
  }

  #reason(phase: Exclude<Phase, { kind: 'off' }>, nowMs: number): string {
    if (phase.kind === 'manual') {
      return (
        'It was turned on manually. Use "quarry dfsadmin -safemode leave" to turn safe mode off.' +
        (this.#future.size > 0 ? ` ${this.#futureText()}` : '')
      )
    }
    const threshold = this.#settings.threshold.toFixed(4)
    const blocks =
      this.#safe < this.#needed
        ? `The reported blocks ${this.#safe} needs additional ${this.#needed - this.#safe} blocks to reach the threshold ${threshold} of total blocks ${this.#total}.`
        : `The reported blocks ${this.#safe} has reached the threshold ${threshold} of total blocks ${this.#total}.`
    const min = this.#settings.datanodesMin
    const nodes =
      this.#datanodes < min
        ? `The number of live datanodes ${this.#datanodes} needs an additional ${min - this.#datanodes} live datanodes to reach the minimum number ${min}.`
        : `The number of live datanodes ${this.#datanodes} has reached the minimum number ${min}.`
    if (this.#future.size > 0) return `${blocks} ${nodes} ${this.#futureText()}`
    const end =
      phase.kind === 'extension'
        ? `In safe mode extension. Safe mode will be turned off automatically in ${Math.max(0, Math.ceil((phase.untilMs - nowMs) / 1000))} seconds.`
        : 'Safe mode will be turned off automatically once the thresholds have been reached.'
    return `${blocks} ${nodes} ${end}`
  }

  /** HDFS's text (BlockManagerSafeMode.getSafeModeTip). */
  #futureText(): string {
    const bytes = [...this.#future.values()].reduce((sum, one) => sum + one, 0)
    return (
      'Name node detected blocks with generation stamps in future. This means that Name node metadata is inconsistent. ' +
      'This can happen if Name node metadata files have been manually replaced. ' +
      `Exiting safe mode will cause loss of ${bytes} byte(s). Please restart name node with right metadata or use ` +
      '"quarry dfsadmin -safemode forceExit" if you are certain that the NameNode was started with the correct FsImage and edit logs.'
    )
  }
}
