// What was measured side by side, and the page that shows it. bench/results.json keeps the last figure of every row, so that a run
// of one part renews its rows and leaves the others; bench/RESULTS.md is written from it. Benchmarks never fail a build.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/** A row of the comparison. `reach` and `aim` bound the ratio ours / HDFS, or, without a figure of HDFS, our own figure. */
export interface Row {
  /** Stable name; a new figure of the same row replaces the old one. */
  readonly id: string
  readonly what: string
  readonly unit: string
  /** Absent where the row has an absolute bound. */
  readonly hdfs?: number
  readonly ours: number
  readonly better: 'more' | 'less'
  readonly reach?: number
  readonly aim?: number
  readonly note?: string
}

interface Stored extends Row {
  readonly part: string
  readonly command: string
  readonly commit: string
  readonly measuredAt: string
  readonly machine: string
  /** Where the time of a miss goes: written by hand after profiling, kept until the row is reached. */
  readonly profile?: string
}

export interface RunFacts {
  readonly part: string
  readonly command: string
  readonly commit: string
  readonly machine: string
  readonly measuredAt: string
}

const here = path.dirname(fileURLToPath(import.meta.url))
const dataFile = path.join(here, 'results.json')
const pageFile = path.join(here, 'RESULTS.md')

export type Verdict = 'aim' | 'reached' | 'missed' | 'stated'

/** What the bounds apply to: the ratio to HDFS where it was measured, else our figure. */
function measureOf(row: Row): number {
  return row.hdfs === undefined ? row.ours : row.ours / row.hdfs
}

export function verdictOf(row: Row): Verdict {
  const value = measureOf(row)
  const meets = (bound: number | undefined): boolean => bound !== undefined && (row.better === 'more' ? value >= bound : value <= bound)
  if (row.reach === undefined && row.aim === undefined) return 'stated'
  if (meets(row.aim)) return 'aim'
  return meets(row.reach) ? 'reached' : 'missed'
}

function figure(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US')
  return String(Number(value.toPrecision(3)))
}

function bound(row: Row, value: number | undefined): string {
  if (value === undefined) return ''
  const sign = row.better === 'more' ? '≥' : '≤'
  return row.hdfs === undefined ? `${sign} ${figure(value)} ${row.unit}` : `${sign} ${figure(value)}x`
}

/** One line for the terminal while a run goes on. */
export function rowLine(row: Row): string {
  const peer = row.hdfs === undefined ? '' : `hdfs ${figure(row.hdfs)}, ratio ${figure(measureOf(row))}x, `
  return `${row.what}: ours ${figure(row.ours)} ${row.unit}, ${peer}${[bound(row, row.reach), verdictOf(row)].filter(Boolean).join(': ')}`
}

/** Renews the rows of one part and writes both files. */
export function keepRows(rows: readonly Row[], facts: RunFacts): void {
  const before: Stored[] = existsSync(dataFile) ? (JSON.parse(readFileSync(dataFile, 'utf8')) as Stored[]) : []
  const kept = before.filter((old) => old.part !== facts.part || !rows.some((row) => row.id === old.id))
  const renewed = rows.map((row): Stored => {
    const profile = before.find((old) => old.id === row.id)?.profile
    return { ...row, ...facts, ...(profile !== undefined && verdictOf(row) === 'missed' && { profile }) }
  })
  const all = [...kept, ...renewed].toSorted((a, b) => order(a) - order(b))
  writeFileSync(dataFile, JSON.stringify(all, null, 2) + '\n')
  writeFileSync(pageFile, page(all))
}

/** Writes the page anew, after a profile was noted by hand. */
export function renderPage(): void {
  writeFileSync(pageFile, page(JSON.parse(readFileSync(dataFile, 'utf8')) as Stored[]))
}

const partOrder = ['ns', 'bulk', 'io', 'cli', 'cluster', 'million', 'memory', 'failures', 'load', 'hdfs-ns', 'hdfs-io', 'webhdfs']
const order = (row: Stored): number => partOrder.indexOf(row.part)

function page(rows: readonly Stored[]): string {
  const lines = [
    '# Measured against HDFS',
    '',
    '<!-- Written by `npm run bench:vs-hdfs` from bench/results.json. -->',
    '',
    'Both systems ran in turn on the same machine and disk, one namenode and three datanodes each, the other one stopped; HDFS is',
    'unmodified Apache Hadoop driven by its own Java client and tools. Figures are medians of the rounds of one run. Compare ratios,',
    'not figures: those drift from run to run and from machine to machine. Data just written is read from the page cache on both sides.',
    '`reach` must hold, `aim` is the goal. Where no figure of HDFS stands, the bounds are absolute.',
    '',
    '| part | what | HDFS | Quarry | unit | ratio | reach | aim | verdict |',
    '|---|---|---:|---:|---|---:|---|---|---|',
  ]
  for (const row of rows) {
    const ratio = row.hdfs === undefined ? '' : `${figure(measureOf(row))}x`
    const cells = [
      row.part,
      row.what,
      row.hdfs === undefined ? '' : figure(row.hdfs),
      figure(row.ours),
      row.unit,
      ratio,
      bound(row, row.reach),
      bound(row, row.aim),
      verdictOf(row),
    ]
    lines.push(`| ${cells.join(' | ')} |`)
  }
  const notes = rows.filter((row) => row.note !== undefined)
  if (notes.length > 0) lines.push('', '## Notes', '', ...notes.map((row) => `- **${row.what}**: ${row.note}`))
  const missed = rows.filter((row) => verdictOf(row) === 'missed')
  if (missed.length > 0)
    lines.push(
      '',
      '## Misses, and where their time goes',
      '',
      ...missed.map((row) => `- **${row.what}**: ${row.profile ?? 'not profiled yet.'}`),
    )
  lines.push('', '## Runs', '', '| part | command | commit | when (UTC) | machine |', '|---|---|---|---|---|')
  const runs = new Set(rows.map((row) => `| ${row.part} | \`${row.command}\` | ${row.commit} | ${row.measuredAt} | ${row.machine} |`))
  lines.push(...runs)
  return lines.join('\n') + '\n'
}
