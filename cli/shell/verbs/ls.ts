// ls: rows as `ls -l` of Unix, or only paths. Column widths grow from group to group and never shrink.
import { formatMode } from '../../../client/index.ts'
import { parseArguments } from '../command-format.ts'
import { humanSize, localMinute, printable } from '../format.ts'
import type { Item, Stat } from '../store.ts'
import { Verb } from '../verb.ts'

/** What HDFS calls the policy of files that are copied whole. */
const replicatedPolicy = 'Replicated'

export class Ls extends Verb {
  #flags: ReadonlySet<string> = new Set()
  readonly #widths = { replication: 3, length: 10, owner: 0, group: 0 }

  protected options(words: string[]): string[] {
    const { flags, paths } = parseArguments(this.name === 'lsr' ? ['-R', ...words] : words, {
      min: 0,
      flags: ['C', 'd', 'h', 'q', 'R', 'r', 't', 'S', 'u', 'e'],
    })
    this.#flags = flags
    this.recursive = flags.has('R') && !flags.has('d')
    return paths.length > 0 ? paths : ['.']
  }

  protected override get sorted(): boolean {
    return !this.recursive || ['t', 'S', 'r'].some((flag) => this.#flags.has(flag))
  }

  protected override async processPathArgument(item: Item): Promise<void> {
    if (item.isDirectory && !this.#flags.has('d')) await this.recurse(item)
    else await super.processPathArgument(item)
  }

  protected override async processPaths(parent: Item | undefined, items: readonly Item[]): Promise<void> {
    let rows = items
    if (parent && !this.recursive && items.length > 0) {
      if (!this.#flags.has('C') && this.shell.style === 'hadoop') await this.print(`Found ${items.length} items`)
      rows = this.#inOrder(items)
    }
    for (const { stat } of rows) if (stat) this.#widen(stat)
    await super.processPaths(parent, rows)
  }

  protected override async processPath(item: Item): Promise<void> {
    const stat = item.stat as Stat
    if (this.#flags.has('C')) return this.print(item.text, { path: item.text })
    const replication = stat.isDirectory ? '-' : String(stat.replication)
    const policy = this.#flags.has('e') ? `${replicatedPolicy} ` : ''
    const length = this.#flags.has('h') ? humanSize(stat.length) : String(stat.length)
    const widths = this.#widths
    return this.print(
      `${stat.isDirectory ? 'd' : '-'}${formatMode(stat.permission)}${stat.hasAcl === true ? '+' : ' '}${replication.padStart(widths.replication)} ` +
        `${stat.owner.padEnd(widths.owner)} ${stat.group.padEnd(widths.group)} ${policy}${length.padStart(widths.length)} ` +
        `${localMinute(this.#flags.has('u') ? stat.atimeMs : stat.mtimeMs)} ${this.#flags.has('q') ? printable(item.text) : item.text}`,
      recordOf(item),
    )
  }

  #widen(stat: Stat): void {
    const widths = this.#widths
    widths.replication = Math.max(widths.replication, String(stat.replication).length)
    widths.length = Math.max(widths.length, String(stat.length).length)
    widths.owner = Math.max(widths.owner, stat.owner.length)
    widths.group = Math.max(widths.group, stat.group.length)
  }

  /** The listing comes in order of names; other orders are stable upon it. */
  #inOrder(items: readonly Item[]): readonly Item[] {
    const time = (item: Item): number => (this.#flags.has('u') ? item.stat?.atimeMs : item.stat?.mtimeMs) ?? 0
    const sign = this.#flags.has('r') ? -1 : 1
    if (this.#flags.has('t')) return items.toSorted((a, b) => sign * (time(b) - time(a)))
    if (this.#flags.has('S')) return items.toSorted((a, b) => sign * ((b.stat?.length ?? 0) - (a.stat?.length ?? 0)))
    return this.#flags.has('r') ? items.toReversed() : items
  }
}

/** A file as an object of JSON. */
export function recordOf(item: Item): Readonly<Record<string, unknown>> {
  const stat = item.stat as Stat
  return {
    path: item.path,
    type: stat.isDirectory ? 'directory' : 'file',
    length: stat.length,
    permission: stat.permission.toString(8).padStart(3, '0'),
    owner: stat.owner,
    group: stat.group,
    modified: new Date(stat.mtimeMs).toISOString(),
    accessed: new Date(stat.atimeMs).toISOString(),
    replication: stat.replication,
    blockSize: stat.blockSize,
  }
}
