// Generation stamps of a history that a restore has taken back.
//
// A namenode restored from a backup gives out ids and stamps from beyond all that the lost history can have used, so that no replica
// of it is ever taken for one of a new block. Replicas with stamps in between belong to files that the restored namespace does not
// know, or to later versions of those it knows. They are what an operator who restored the wrong backup still needs: they hold safe
// mode like replicas from the future, and are deleted only after he has said (-safemode forceExit) that they may go.

/** From `from` (the next stamp of the backup) to before `to` (the next stamp of the restored namespace). */
export interface StampRange {
  readonly from: number
  readonly to: number
}

/** Where the ranges are kept over restarts: JSON under a key of the store. */
export interface StampRecords {
  load(): string | undefined
  save(text: string): void
}

export class LostStamps {
  readonly #records: StampRecords
  #ranges: readonly StampRange[]

  constructor(records: StampRecords) {
    this.#records = records
    const text = records.load()
    this.#ranges = text === undefined || text === '' ? [] : (JSON.parse(text) as StampRange[])
  }

  has(genstamp: number): boolean {
    return this.#ranges.some(({ from, to }) => genstamp >= from && genstamp < to)
  }

  /** The operator goes on without them. */
  accept(): void {
    if (this.#ranges.length === 0) return
    this.#records.save('')
    this.#ranges = []
  }
}

/** The record with one range more. */
export function withRange(text: string | undefined, range: StampRange): string {
  const ranges = text === undefined || text === '' ? [] : (JSON.parse(text) as StampRange[])
  return JSON.stringify([...ranges, range])
}

/** Key of the record in the store. */
export const lostStampsKey = 'restore.lost-stamps'
