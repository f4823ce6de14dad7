// What a query did, as data and as text.

export interface ExplainAttempt {
  /** uuid of the datanode. */
  readonly node: string
  /** host:port of its native door. */
  readonly address: string
  /** Why it failed; absent when it succeeded. */
  readonly error?: string
  readonly ms: number
}

export interface ExplainFragment {
  readonly fragment: number
  readonly rowGroups: number
  readonly rows: number
  /** Bytes of the file that it reads, footer apart. */
  readonly bytes: number
  /** In order; the last one succeeded. */
  readonly attempts: readonly ExplainAttempt[]
  /** As the datanode counted them, footer included where it was copied. */
  readonly bytesLocal: number
  readonly bytesRemote: number
  readonly resultRows: number
  readonly resultBytes: number
  /** Checking and copying, then running. */
  readonly prepareMs: number
  readonly runMs: number
}

export interface Explain {
  readonly path: string
  readonly fileBytes: number
  readonly fileRows: number
  readonly blocks: number
  readonly rowGroups: number
  /** Left out by the footer's smallest and largest values. */
  readonly rowGroupsPruned: number
  /** Columns that the fragments read. */
  readonly columns: readonly string[]
  readonly partialSql: string
  readonly finalSql: string
  readonly fragments: readonly ExplainFragment[]
  /** Start of the coordinator's engine; the footer, parsing and planning; the fragments; the merge up to the first rows. */
  readonly bootMs: number
  readonly planMs: number
  readonly fragmentsMs: number
  readonly finalMs: number
}

/** The explain data as lines for people. */
export function explainText(explain: Explain): string {
  const sum = (pick: (fragment: ExplainFragment) => number) => explain.fragments.reduce((total, fragment) => total + pick(fragment), 0)
  const lines = [
    `file       ${explain.path}: ${count(explain.fileRows, 'row')}, ${bytes(explain.fileBytes)}, ${count(explain.blocks, 'block')}, ${count(explain.rowGroups, 'row group')}${explain.rowGroupsPruned > 0 ? ` (${explain.rowGroupsPruned} left out by their statistics)` : ''}`,
    `columns    ${explain.columns.join(', ') || 'none'}`,
    `partial    ${explain.partialSql}`,
    `final      ${explain.finalSql}`,
    ...explain.fragments.map(fragmentLine),
    `total      ${bytes(sum((one) => one.bytesLocal))} read beside the blocks, ${bytes(sum((one) => one.bytesRemote))} from other nodes, ${bytes(sum((one) => one.resultBytes))} of results to the coordinator`,
    `time       start ${ms(explain.bootMs)}, plan ${ms(explain.planMs)}, fragments ${ms(explain.fragmentsMs)}, merge ${ms(explain.finalMs)}`,
  ]
  return lines.join('\n')
}

function fragmentLine(one: ExplainFragment): string {
  const last = one.attempts.at(-1)
  const failed = one.attempts.slice(0, -1).map((attempt) => `${attempt.address} failed after ${ms(attempt.ms)}: ${attempt.error ?? ''}`)
  const line = `fragment ${String(one.fragment).padEnd(2)}${last?.address ?? 'coordinator'}: ${count(one.rowGroups, 'row group')}, ${count(one.rows, 'row')}, ${bytes(one.bytesLocal)} local, ${bytes(one.bytesRemote)} remote -> ${count(one.resultRows, 'row')}, ${bytes(one.resultBytes)}; prepared in ${ms(one.prepareMs)}, ran ${ms(one.runMs)}`
  return failed.length === 0 ? line : `${line}; attempt ${one.attempts.length} (${failed.join('; ')})`
}

const count = (n: number, what: string): string => `${n.toLocaleString('en-US')} ${what}${n === 1 ? '' : 's'}`
const ms = (value: number): string => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`

function bytes(n: number): string {
  if (n < 1024) return `${n} B`
  const units = ['KiB', 'MiB', 'GiB', 'TiB']
  let value = n / 1024
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${value.toFixed(1)} ${units[unit]}`
}
