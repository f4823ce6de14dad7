import type { Row } from '../../results.ts'
import { backupMeasure } from './backup.ts'
import { balancerMeasure } from './balancer.ts'
import { leaseMeasure } from './lease.ts'
import { readerMeasure } from './reader.ts'
import { redundancyMeasure } from './redundancy.ts'
import { scrubbingMeasure } from './scrubbing.ts'
import { writerMeasure } from './writer.ts'

export interface FailureBench {
  /** Directory on the disk to measure. */
  readonly base: string
  readonly rounds: number
  /** Smaller sizes: for trying the runner, not for figures. */
  readonly quick: boolean
  say(text: string): void
}

export type Measure = (bench: FailureBench) => Promise<Row[]>

export const failureMeasures: Record<string, Measure> = {
  redundancy: redundancyMeasure,
  writer: writerMeasure,
  reader: readerMeasure,
  lease: leaseMeasure,
  scrubbing: scrubbingMeasure,
  balancer: balancerMeasure,
  backup: backupMeasure,
}
