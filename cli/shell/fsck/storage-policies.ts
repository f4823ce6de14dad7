// -storagepolicies: how many blocks lie on which kinds of storage. Quarry has HDFS's default policy, HOT: every copy on DISK.
import type { FsckBlock } from './blocks.ts'

export class StoragePolicies {
  /** Blocks by the kinds of their storages, such as `DISK:3` or `DISK:2,SSD:1`. */
  readonly #counts = new Map<string, number>()

  add(block: FsckBlock): void {
    if (block.replicas.length === 0) return
    const kinds = new Map<string, number>()
    for (const { storageType } of block.replicas) kinds.set(storageType, (kinds.get(storageType) ?? 0) + 1)
    const key = [...kinds].toSorted().map(([kind, count]) => `${kind}:${count}`)
    this.#counts.set(key.join(','), (this.#counts.get(key.join(',')) ?? 0) + 1)
  }

  text(): string {
    const total = [...this.#counts.values()].reduce((sum, count) => sum + count, 0)
    const sorted = [...this.#counts].toSorted(([, a], [, b]) => b - a)
    const share = (count: number): string => `${((count / total) * 100).toFixed(4)}%`.padStart(20)
    const satisfied = sorted.filter(([kinds]) => /^DISK:\d+$/.test(kinds))
    const violated = sorted.filter(([kinds]) => !/^DISK:\d+$/.test(kinds))
    return [
      '\nBlocks satisfying the specified storage policy:\n',
      'Storage Policy                  # of blocks       % of blocks\n',
      ...satisfied.map(([kinds, count]) => `${`${kinds}(HOT)`.padEnd(25)} ${String(count).padStart(10)}  ${share(count)}\n`),
      ...(violated.length === 0
        ? ['\nAll blocks satisfy specified storage policy.\n']
        : [
            '\nBlocks NOT satisfying the specified storage policy:\n',
            'Storage Policy                  Specified Storage Policy      # of blocks       % of blocks\n',
            ...violated.map(([kinds, count]) => `${kinds.padEnd(35)} ${'HOT'.padEnd(20)} ${String(count).padStart(10)}  ${share(count)}\n`),
          ]),
    ].join('')
  }
}
