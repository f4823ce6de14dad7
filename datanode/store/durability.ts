// The one place that says in which order a finished block becomes durable and known.
//
//   1 data         every byte has been handed to the system
//   2 checksums    every checksum too
//   3 sync         both files are on disk                        (skipped when sync.on.close is off)
//   4 rename       both files have their final names, the checksums first: a block whose data file has its final name is whole
//   5 sync names   those names are on disk                       (skipped likewise)
//   6 report       the namenode hears of the replica before the writer does, so that complete() finds it
//   7 acknowledge  the writer hears
//
// A crash between any two steps leaves either a replica that the restart scan cuts back to its last good chunk, or a whole one;
// an acknowledged replica is always whole. The test stops at every step.

export const durabilitySteps = ['data', 'checksums', 'sync', 'rename', 'sync names', 'report', 'acknowledge'] as const
export type DurabilityStep = (typeof durabilitySteps)[number]

export interface Durable {
  writeData(): Promise<void>
  writeChecksums(): Promise<void>
  syncFiles(): Promise<void>
  rename(): Promise<void>
  syncNames(): Promise<void>
  report(): void
  acknowledge(): Promise<void>
}

/** `before` is called before each step; a test throws from it to stop the world there. */
export async function makeDurable(block: Durable, sync: boolean, before: (step: DurabilityStep) => void = () => {}): Promise<void> {
  before('data')
  await block.writeData()
  before('checksums')
  await block.writeChecksums()
  before('sync')
  if (sync) await block.syncFiles()
  before('rename')
  await block.rename()
  before('sync names')
  if (sync) await block.syncNames()
  before('report')
  block.report()
  before('acknowledge')
  await block.acknowledge()
}
