// The balancer's lines, as HDFS prints them.
import { humanSize } from '../shell/format.ts'

export const header = 'Time Stamp               Iteration#  Bytes Already Moved  Bytes Left To Move  Bytes Being Moved  NameNode\n'

export interface Row {
  readonly atMs: number
  readonly iteration: number
  readonly moved: number
  readonly left: number
  readonly moving: number
  readonly blocksMoved: number
  readonly uri: string
}

const bytes = (count: number): string => humanSize(count, 2, 'B')

export function rowText(row: Row): string {
  return (
    `${mediumDate(row.atMs).padEnd(24)} ${String(row.iteration).padStart(10)}  ${bytes(row.moved).padStart(19)}  ` +
    `${bytes(row.left).padStart(18)}  ${bytes(row.moving).padStart(17)}  ${String(row.blocksMoved).padStart(17)}  ${row.uri}\n`
  )
}

export function tookText(atMs: number, tookMs: number): string {
  return `${mediumDate(atMs).padEnd(24)} Balancing took ${duration(tookMs)}\n`
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** Local time as Java's medium format: `Nov 22, 2026, 8:32:12 PM`. */
export function mediumDate(ms: number): string {
  const at = new Date(ms)
  const two = (value: number): string => String(value).padStart(2, '0')
  const hours = at.getHours()
  return (
    `${months[at.getMonth()]} ${at.getDate()}, ${at.getFullYear()}, ` +
    `${hours % 12 === 0 ? 12 : hours % 12}:${two(at.getMinutes())}:${two(at.getSeconds())} ${hours < 12 ? 'AM' : 'PM'}`
  )
}

/** `88.0 milliseconds`, `1.099 seconds`, `2.5 minutes`, as Java prints a double. */
export function duration(ms: number): string {
  const units: readonly (readonly [string, number])[] = [
    ['hours', 3_600_000],
    ['minutes', 60_000],
    ['seconds', 1000],
    ['milliseconds', 1],
  ]
  const [name, size] = units.find(([, one]) => ms >= one) ?? ['milliseconds', 1]
  const value = String(ms / size)
  return `${value.includes('.') ? value : `${value}.0`} ${name}`
}

/** What a person watches between two rows. */
export function progressText(moved: number, planned: number, elapsedMs: number, cap: number | undefined): string {
  const rate = elapsedMs === 0 ? 0 : (moved / elapsedMs) * 1000
  const limit = cap === undefined ? '' : ` (at most ${humanSize(cap, 1, 'B')}/s a datanode)`
  const left = rate === 0 ? '' : `, ${timeLeft(Math.max(0, planned - moved) / rate)} left`
  return `moved ${humanSize(moved, 1, 'B')} of ${humanSize(planned, 1, 'B')}, ${humanSize(rate, 1, 'B')}/s${limit}${left}`
}

function timeLeft(seconds: number): string {
  if (seconds < 120) return `${Math.ceil(seconds)} s`
  if (seconds < 7200) return `${Math.ceil(seconds / 60)} min`
  return `${(seconds / 3600).toFixed(1)} h`
}
