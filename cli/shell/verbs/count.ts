// count: directories, files and bytes below a path, and the quotas on it.
import type { ContentSummary } from '../../../client/index.ts'
import { parseArguments } from '../command-format.ts'
import { UsageError } from '../errors.ts'
import { humanSize } from '../format.ts'
import type { Item, RemoteStore } from '../store.ts'
import { Verb } from '../verb.ts'

const columns = (cells: readonly string[], widths: readonly number[]): string =>
  cells.map((cell, i) => `${cell.padStart(widths[i] as number)} `).join('')

const quotaWidths = [12, 15, 15, 15]
const summaryWidths = [12, 12, 18]
const policyWidths = [20]
const snapshotWidths = [18, 24, 24, 28]
const typeWidths = [14, 18]

/** Kinds of storage that Hadoop has quotas for, in its order. */
const storageTypes = ['RAM_DISK', 'SSD', 'DISK', 'ARCHIVE', 'PROVIDED', 'NVDIMM']
const quotaTypes = storageTypes.filter((type) => type !== 'RAM_DISK')

export class Count extends Verb {
  #flags: ReadonlySet<string> = new Set()
  #types: readonly string[] | undefined

  protected async options(words: string[]): Promise<string[]> {
    const { flags, values, paths } = parseArguments(words, { min: 1, flags: ['q', 'h', 'v', 'u', 'x', 'e', 's'], valued: ['t'] })
    this.#flags = flags
    const withQuota = flags.has('q') || flags.has('u')
    const types = values.get('t')
    if (withQuota && types !== undefined) this.#types = parseTypes(types)
    if (withQuota && flags.has('x')) await this.print('q or u option is given, the -x option is ignored.')
    if (flags.has('v')) await this.print(`${this.#header()}PATHNAME`)
    return paths
  }

  protected override async processPath(item: Item): Promise<void> {
    const summary = await (item.store as RemoteStore).fs.contentSummary(item.path)
    return this.print(this.#cells(summary, item) + item.text, { path: item.path, ...summary })
  }

  #header(): string {
    const flags = this.#flags
    const policy = flags.has('e') ? columns(['ERASURECODING_POLICY'], policyWidths) : ''
    const snapshot = flags.has('s')
      ? columns(['SNAPSHOT_LENGTH', 'SNAPSHOT_FILE_COUNT', 'SNAPSHOT_DIR_COUNT', 'SNAPSHOT_SPACE_CONSUMED'], snapshotWidths)
      : ''
    return this.#mainHeader() + policy + snapshot
  }

  #mainHeader(): string {
    const quota = columns(['QUOTA', 'REM_QUOTA', 'SPACE_QUOTA', 'REM_SPACE_QUOTA'], quotaWidths)
    const summary = columns(['DIR_COUNT', 'FILE_COUNT', 'CONTENT_SIZE'], summaryWidths)
    if (this.#types) return this.#types.map((type) => columns([`${type}_QUOTA`, `REM_${type}_QUOTA`], typeWidths)).join('')
    if (this.#flags.has('u')) return quota
    return this.#flags.has('q') ? quota + summary : summary
  }

  #cells(summary: ContentSummary, item: Item): string {
    const flags = this.#flags
    // A directory has no policy of its own where none was set; files are copied whole.
    const policy = flags.has('e') ? columns([item.isDirectory ? 'EC:' : 'EC:Replicated'], policyWidths) : ''
    const snapshot = flags.has('s') ? columns(['0', '0', '0', '0'], snapshotWidths) : ''
    return this.#mainCells(summary) + policy + snapshot
  }

  #mainCells(summary: ContentSummary): string {
    const size = (value: number): string => (this.#flags.has('h') ? humanSize(value) : String(value))
    const { quota, spaceQuota, files, directories, length, spaceConsumed } = summary
    const names = quota > 0 ? [size(quota), size(quota - files - directories)] : ['none', 'inf']
    const space = spaceQuota >= 0 ? [size(spaceQuota), size(spaceQuota - spaceConsumed)] : ['none', 'inf']
    if (this.#types) return this.#types.map((type) => columns(this.#typeCells(summary, type, size), typeWidths)).join('')
    const quotas = columns([...names, ...space], quotaWidths)
    if (this.#flags.has('u')) return quotas
    const counts = columns([size(directories), size(files), size(length)], summaryWidths)
    return this.#flags.has('q') ? quotas + counts : counts
  }

  #typeCells({ types }: ContentSummary, type: string, size: (value: number) => string): string[] {
    const { quota = -1, consumed = 0 } = types.find((one) => one.type === type) ?? {}
    return quota >= 0 ? [size(quota), size(quota - consumed)] : ['none', 'inf']
  }
}

function parseTypes(text: string): readonly string[] {
  if (text === '' || text.toLowerCase() === 'all') return quotaTypes
  return text.split(',').map((type) => {
    const name = type.toUpperCase()
    if (!storageTypes.includes(name)) throw new UsageError(`No enum constant org.apache.hadoop.fs.StorageType.${name}`)
    return name
  })
}
