// Bugs that a store like this could have, each as a small change of the sources. A run of the simulation over the changed sources
// must find each within the stated number of seeds: a checker that catches nothing proves nothing.
import type { Invariant } from '../run/violation.ts'

export interface PlantedBug {
  readonly name: string
  /** The promise that it breaks, in one sentence. */
  readonly about: string
  readonly changes: readonly { readonly file: string; readonly find: string; readonly replace: string }[]
  readonly scenario: string
  readonly minutes: number
  /** Seeds, from 1 on, within which it is found. */
  readonly seedsMax: number
  /** By which check, as far as one is sure. */
  readonly caughtBy: readonly Invariant[]
}

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: 'early-ack',
    about: 'a datanode acknowledges a packet before the nodes below it have',
    changes: [
      {
        file: 'datanode/core/pipeline-stream.ts',
        find: '    const below = entry.forwarded ? await this.#ackFromBelow(entry) : undefined\n',
        replace:
          '    if (entry.forwarded && !entry.internal && !entry.packet.last && entry.seqno >= 0) {\n' +
          '      if (entry.end > 0) this.#writer.acknowledge(entry.end)\n' +
          "      await this.#ports.reply({ ack: { seqno: entry.seqno, statuses: [PipelineStatus.PIPELINE_SUCCESS], message: '', tookMs: [] } })\n" +
          '      await this.#ackFromBelow(entry)\n' +
          '      return false\n' +
          '    }\n' +
          '    const below = entry.forwarded ? await this.#ackFromBelow(entry) : undefined\n',
      },
    ],
    scenario: 'slow-pipelines',
    minutes: 10,
    seedsMax: 20,
    caughtBy: ['I1'],
  },
  {
    name: 'skipped-fsync',
    about: 'a replica is reported final without its bytes being synced',
    changes: [{ file: 'datanode/store/durability.ts', find: '  if (sync) await block.syncFiles()\n', replace: '' }],
    scenario: 'power',
    minutes: 5,
    seedsMax: 5,
    caughtBy: ['I1', 'I3', 'I4', 'I7'],
  },
  {
    name: 'skipped-directory-sync',
    about: 'a replica is reported final without its name being synced',
    changes: [{ file: 'datanode/store/durability.ts', find: '  if (sync) await block.syncNames()\n', replace: '' }],
    scenario: 'power',
    minutes: 5,
    seedsMax: 5,
    caughtBy: ['I1', 'I3', 'I4', 'I7'],
  },
  {
    name: 'stamp-not-bumped',
    about: 'a pipeline recovery goes on under the generation stamp that the lost datanode has too',
    changes: [
      {
        file: 'namenode/core/verbs/write.ts',
        find: '  const genstamp = view.counters().nextGenstamp\n  const located = locatedBlock({ ...block, genstamp }',
        replace: '  const genstamp = block.genstamp\n  const located = locatedBlock({ ...block, genstamp }',
      },
      { file: 'namenode/core/verbs/write.ts', find: "edit: { op: 'nextGenstamp', genstamp, blockId: block.blockId } }", replace: '}' },
      {
        file: 'namenode/core/verbs/write.ts',
        find: '    next.genstamp <= block.genstamp ||\n',
        replace: '    next.genstamp < block.genstamp ||\n',
      },
    ],
    scenario: 'slow-pipelines',
    minutes: 10,
    seedsMax: 20,
    caughtBy: ['I1', 'I3', 'I4', 'I7'],
  },
  {
    name: 'last-copy-deleted',
    about: 'a surplus of copies is counted one too high, so that the last one goes with it',
    changes: [
      {
        file: 'namenode/core/cluster/surplus.ts',
        find: 'while (candidates.size > Math.max(1, wanted))',
        replace: 'while (candidates.size > wanted - 1)',
      },
    ],
    scenario: 'calm',
    minutes: 5,
    seedsMax: 3,
    caughtBy: ['I1', 'I3'],
  },
  {
    name: 'reply-before-commit',
    about: 'changes of the namespace are answered before they are durable',
    changes: [
      {
        file: 'namenode/core/engine.ts',
        find: '      if (records.length > 0) this.#store.commit(records)\n',
        replace:
          '      if (records.length > 0) this.#env.clock.after(20, () => void Promise.resolve(records).then((late) => this.#store.commit(late)).catch(() => {}))\n',
      },
    ],
    scenario: 'namenode-crash',
    minutes: 5,
    seedsMax: 5,
    caughtBy: ['I1', 'I2', 'I3', 'I4', 'I5', 'I6', 'I7'],
  },
  {
    name: 'stale-replica-accepted',
    about: 'a replica with an older generation stamp counts as a good copy',
    changes: [
      {
        file: 'namenode/core/cluster/block-layer.ts',
        find: '      this.replicas.genstamp(slot) === block.genstamp &&\n      this.replicas.length(slot) === block.length &&\n',
        replace: '',
      },
    ],
    scenario: 'pipeline-loss',
    minutes: 10,
    seedsMax: 5,
    caughtBy: ['I1', 'I3', 'I4', 'I7'],
  },
  {
    name: 'lease-given-twice',
    about: 'a file that somebody writes is given to a second writer',
    changes: [
      {
        file: 'namenode/core/verbs/lease.ts',
        find: "export function requireFree(context: PlanContext, file: Inode, path: string, holder: string, op: LeaseOp): Planned | undefined {\n  if (file.kind !== 'file' || file.holder === '') return undefined\n",
        replace:
          "export function requireFree(context: PlanContext, file: Inode, path: string, holder: string, op: LeaseOp): Planned | undefined {\n  if (file.kind !== 'file' || file.holder === '' || op === 'APPEND_FILE') return undefined\n",
      },
      {
        file: 'namenode/core/verbs/write.ts',
        find: '  if (last !== undefined && !isComplete(context, last)) {\n',
        replace: "  if (last !== undefined && file.holder === '' && !isComplete(context, last)) {\n",
      },
    ],
    scenario: 'calm',
    minutes: 5,
    seedsMax: 3,
    caughtBy: ['I2'],
  },
  {
    name: 'report-race',
    about: 'what happens right after a full report is taken for a part of it, and not told',
    changes: [
      {
        file: 'datanode/workers/namenode-session.ts',
        find: '  #changed(replica: ReplicaRecord, kind: ReceivedKind): void {\n',
        replace:
          '  #changed(replica: ReplicaRecord, kind: ReceivedKind): void {\n    if (this.#deps.env.clock.nowMs() - this.#reportId < 2_000) return\n',
      },
    ],
    scenario: 'slow-sessions',
    minutes: 5,
    seedsMax: 10,
    caughtBy: ['I3', 'I4', 'I7'],
  },
  {
    name: 'no-retry-cache',
    about: 'a call that is repeated after a broken connection is carried out again',
    changes: [
      {
        file: 'namenode/core/engine.ts',
        find: '    if (once) {\n      const before =',
        replace: '    if (once && retryCacheMs < 0) {\n      const before =',
      },
    ],
    scenario: 'partitions',
    minutes: 10,
    seedsMax: 10,
    caughtBy: ['I5'],
  },
  {
    name: 'unchecked-read',
    about: 'a reader does not compare what it gets with the checksums',
    changes: [
      {
        file: 'client/reader/remote-replica.ts',
        find: '        if (bad >= 0) throw mismatch(',
        replace: '        if (bad > Infinity) throw mismatch(',
      },
    ],
    scenario: 'bit-rot',
    minutes: 5,
    seedsMax: 3,
    caughtBy: ['I1'],
  },
]
