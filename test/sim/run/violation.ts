// A promise that was broken: which invariant, and what was seen.

export type Invariant = 'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'I6' | 'I7' | 'crash'

export const invariants: Record<Invariant, string> = {
  I1: 'no acknowledged byte is lost or changed',
  I2: 'a file has one writer at a time',
  I3: 'every block has its copies again once faults stop',
  I4: 'blocks of deleted files vanish',
  I5: 'the namespace is as the calls made it, each path as if they had come one after another',
  I6: 'the totals of a directory are those of its subtree',
  I7: 'every file closes once faults stop',
  crash: 'no process ends by a bug of its own',
}

export class Violation extends Error {
  readonly invariant: Invariant

  constructor(invariant: Invariant, what: string) {
    super(`${invariant} (${invariants[invariant]}): ${what}`)
    this.invariant = invariant
  }
}
