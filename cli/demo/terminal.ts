// What the demo prints: steps with their time, progress (a bar on a terminal, a few lines elsewhere), checks that were made.
const terminal = process.stdout.isTTY === true
const bold = (text: string) => (terminal ? `\u001b[1m${text}\u001b[0m` : text)
const startedMs = performance.now()

export class CheckFailed extends Error {}

export function say(text = ''): void {
  process.stdout.write(`${text}\n`)
}

/** Announces a step, runs it, and prints what it answers with the time it took. */
export async function step<T>(title: string, work: () => Promise<readonly [T, string]>): Promise<T> {
  say(`\n${bold(title)}`)
  const beganMs = performance.now()
  const [value, summary] = await work()
  say(`  ${summary} (${seconds(performance.now() - beganMs)})`)
  return value
}

/** A fact that the demo claims: printed when it holds, the end of the demo when it does not. */
export function check(holds: boolean, claim: string): void {
  if (!holds) throw new CheckFailed(`this should hold and does not: ${claim}`)
  say(`  ok: ${claim}`)
}

/** Draws a share from 0 to 1 of something. */
export class Progress {
  readonly #label: string
  readonly #beganMs = performance.now()
  #drawnMs = 0
  #quarter = -1

  constructor(label: string) {
    this.#label = label
  }

  at(done: number, total: number, note = ''): void {
    const share = total === 0 ? 1 : Math.min(1, done / total)
    const nowMs = performance.now()
    if (terminal) {
      if (share < 1 && nowMs - this.#drawnMs < 100) return
      const filled = Math.round(share * 30)
      process.stdout.write(`\r\u001b[2K  ${this.#label} [${'#'.repeat(filled)}${'.'.repeat(30 - filled)}] ${percent(share)} ${note}`)
    } else if (Math.floor(share * 4) > this.#quarter) {
      this.#quarter = Math.floor(share * 4)
      say(`  ${this.#label} ${percent(share)} after ${seconds(nowMs - this.#beganMs)} ${note}`)
    }
    this.#drawnMs = nowMs
  }

  /** Removes the bar; what stays is the summary of the step. */
  end(): void {
    if (terminal) process.stdout.write('\r\u001b[2K')
  }
}

export const percent = (share: number) => `${String(Math.floor(share * 100)).padStart(3)} %`
export const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`
export const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(bytes < 100 * 2 ** 20 ? 1 : 0)} MiB`
export const rate = (bytes: number, ms: number) => `${Math.round(bytes / 1e6 / (ms / 1000))} MB/s`
export const elapsed = () => seconds(performance.now() - startedMs)

/** Rows as a table of text, numbers to the right. */
export function table(rows: readonly Readonly<Record<string, unknown>>[]): string[] {
  const columns = Object.keys(rows[0] ?? {})
  const cell = (value: unknown) => (typeof value === 'number' && !Number.isInteger(value) ? value.toFixed(3) : String(value))
  const lines = [columns, ...rows.map((row) => columns.map((column) => cell(row[column])))]
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => (line[index] as string).length)))
  return lines.map(
    (line) =>
      `  ${line.map((text, index) => (index === 0 ? text.padEnd(widths[index] as number) : text.padStart(widths[index] as number))).join('  ')}`,
  )
}
