// Numbers, times and tables as Hadoop's shell prints them.

const units = ['K', 'M', 'G', 'T', 'P', 'E']

/**
 * Binary size with one decimal: 1536 is `1.5 K`, 64 MiB is `64 M`, below 1024 plain. A value that rounds to 1024 moves up a unit
 * (1048575 is `1.0 M`). With a unit the letter carries it: `72 KB`.
 */
export function humanSize(bytes: number, decimals = 1, unit = ''): string {
  const sign = bytes < 0 ? '-' : ''
  const size = Math.abs(bytes)
  if (size < 1024) return unit === '' ? `${bytes}` : `${bytes} ${unit}`
  let power = Math.min(Math.floor(Math.log2(size) / 10), units.length)
  // Floating point: log2 of a value just below a power may round up to it.
  if (1024 ** power > size) power--
  if (size % 1024 ** power === 0) return `${sign}${size / 1024 ** power} ${units[power - 1]}${unit}`
  let text = (size / 1024 ** power).toFixed(decimals)
  if (Number(text) >= 1024 && power < units.length) {
    power++
    text = (size / 1024 ** power).toFixed(decimals)
  }
  return `${sign}${text} ${units[power - 1]}${unit}`
}

/** A share as percent: 0.3143 with two decimals is `31.43%`. Nothing of nothing is NaN, which Java prints as `NaN%`. */
export function percent(share: number, decimals: number): string {
  return `${Number.isNaN(share) ? 'NaN' : (share * 100).toFixed(decimals)}%`
}

/** As Java prints a float: the fewest digits that tell it from its neighbours, and at least one behind the point. */
export function javaFloat(value: number): string {
  const wanted = Math.fround(value)
  for (let digits = 1; digits < 10; digits++) {
    const text = String(Number(wanted.toPrecision(digits)))
    if (Math.fround(Number(text)) === wanted) return text.includes('.') ? text : `${text}.0`
  }
  return String(wanted)
}

const two = (value: number): string => String(value).padStart(2, '0')

/** Local time, `yyyy-MM-dd HH:mm`. */
export function localMinute(ms: number): string {
  const at = new Date(ms)
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}`
}

/** UTC, `yyyy-MM-dd HH:mm:ss`. */
export function utcSecond(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replace('T', ' ')
}

/** As java.util.Date prints itself: `Sun Nov 22 17:33:33 UTC 2026`. */
export function javaDate(ms: number): string {
  const at = new Date(ms)
  const [weekday, month, day, year] = at.toDateString().split(' ')
  const zone =
    new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' }).formatToParts(at).find((part) => part.type === 'timeZoneName')?.value ??
    'UTC'
  return `${weekday} ${month} ${day} ${at.toTimeString().slice(0, 8)} ${zone} ${year}`
}

/** Columns two blanks apart; the last one is not padded when it is left-aligned. */
export function table(rows: readonly (readonly string[])[], rightAligned: readonly number[] = []): string {
  const columns = rows[0]?.length ?? 0
  const widths = Array.from({ length: columns }, (_, column) =>
    rows.reduce((width, row) => Math.max(width, (row[column] as string).length), 0),
  )
  return rows
    .map(
      (row) =>
        row
          .map((cell, column) => {
            if (rightAligned.includes(column)) return cell.padStart(widths[column] as number)
            return column === columns - 1 ? cell : cell.padEnd(widths[column] as number)
          })
          .join('  ') + '\n',
    )
    .join('')
}

/** `?` for what does not print, as `ls -q` does: control, format, unassigned and private characters, line and paragraph separators. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, '?')
}
