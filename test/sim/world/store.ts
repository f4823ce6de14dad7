// The namespace's store of a simulated namenode: in memory, and exactly as far as the last commit after a crash. Faults at a commit:
// it is refused (full disk), or the machine dies in it, before or after it is durable.
import { QuarryError } from '../../../common/errors.ts'
import type { EditRecord } from '../../../namenode/core/edits.ts'
import { MemoryStore } from '../../../namenode/core/testing/memory-store.ts'

/** What becomes of the next commits. */
export type CommitFault = { readonly kind: 'refused' } | { readonly kind: 'crash'; readonly durable: boolean; readonly die: () => void }

/** Thrown into a process that is no more, so that it stops where it is. */
class Died extends Error {}

export class CrashingStore extends MemoryStore {
  /** Asked before each commit. */
  faultOf: () => CommitFault | undefined = () => undefined
  commits = 0

  override commit(edits: readonly EditRecord[]): void {
    const fault = this.faultOf()
    if (fault?.kind === 'refused') throw new QuarryError('DISK_FULL', 'no space left on the simulated disk')
    if (fault?.kind === 'crash') {
      if (fault.durable) super.commit(edits)
      else this.rollback()
      fault.die()
      throw new Died('the namenode died in a commit')
    }
    this.commits++
    super.commit(edits)
  }
}
