// One line of progress on a terminal, redrawn in place.
import type { Output } from './output.ts'
import { humanSize } from '../shell/format.ts'

const redrawMs = 200
/** Copies that are over before this show nothing. */
const quietMs = 500

export class Progress {
  readonly #out: Output
  readonly #label: string
  readonly #total: number | undefined
  readonly #startedMs = performance.now()
  #drawnMs = 0
  #drawn = false

  constructor(out: Output, label: string, total: number | undefined) {
    this.#out = out
    this.#label = label
    this.#total = total
  }

  update(bytes: number): void {
    const nowMs = performance.now()
    if (nowMs - this.#drawnMs < redrawMs || nowMs - this.#startedMs < quietMs) return
    this.#drawnMs = nowMs
    this.#drawn = true
    const share = this.#total ? `${Math.floor((bytes / this.#total) * 100)}%`.padStart(4) : ''
    const rate = humanSize((bytes / (nowMs - this.#startedMs)) * 1000, 1, 'B')
    void this.#out.write(`\r\u001b[K${this.#label} ${share} ${humanSize(bytes, 1, 'B')} (${rate}/s)`)
    void this.#out.flush()
  }

  /** Leaves the terminal as if nothing had been there. */
  close(): void {
    if (!this.#drawn) return
    void this.#out.write('\r\u001b[K')
    void this.#out.flush()
  }
}
