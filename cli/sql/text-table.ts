// Rows as a table of text. Widths come from the first rows, so that a long result is printed as it arrives; later rows that are
// wider only push their line out.
import { valueToText, type Column, type Value } from '../../compute/index.ts'

/** Rows that decide the widths. */
const sampleRows = 1000
/** A column takes at most this much room; longer values are printed whole and push the rest of their line. */
const widthMax = 60

const numeric = /^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL)/

export class TextTable {
  readonly #columns: readonly Column[]
  readonly #right: readonly boolean[]
  #held: string[][] | undefined = []
  #widths: readonly number[] = []
  #rows = 0

  constructor(columns: readonly Column[]) {
    this.#columns = columns
    this.#right = columns.map((column) => numeric.test(column.type))
  }

  /** Takes a row; answers the lines that can be printed. */
  add(row: readonly Value[]): string[] {
    this.#rows++
    const cells = row.map((value, i) => printable(valueToText(value, this.#columns[i]!.shape)))
    if (this.#held === undefined) return [this.#line(cells)]
    this.#held.push(cells)
    return this.#held.length < sampleRows ? [] : this.#begin()
  }

  /** The rest, and how many rows there were. */
  end(): string[] {
    return [...this.#begin(), `(${this.#rows} row${this.#rows === 1 ? '' : 's'})\n`]
  }

  #begin(): string[] {
    if (this.#held === undefined) return []
    const rows = this.#held
    this.#held = undefined
    const names = this.#columns.map((column) => printable(column.name))
    this.#widths = names.map((name, i) => Math.min(widthMax, Math.max(width(name), ...rows.map((cells) => width(cells[i]!)))))
    return [this.#line(names), `${this.#widths.map((one) => '-'.repeat(one)).join('  ')}\n`, ...rows.map((cells) => this.#line(cells))]
  }

  #line(cells: readonly string[]): string {
    const padded = cells.map((cell, i) => {
      const space = ' '.repeat(Math.max(0, this.#widths[i]! - width(cell)))
      return this.#right[i] ? space + cell : cell + space
    })
    return `${padded.join('  ').trimEnd()}\n`
  }
}

/** Characters as a terminal counts them, roughly: code points. */
const width = (text: string): number => [...text].length

const escapes: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** One line whatever the value holds: control characters are shown, not sent to the terminal. */
function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what this is about
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f]/g,
    (character) => escapes[character] ?? `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}
