// Latencies of one kind of call in one phase.

export interface Summary {
  readonly count: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

export function summaryOf(latenciesMs: readonly number[]): Summary {
  const sorted = Float64Array.from(latenciesMs).sort()
  const at = (part: number): number => (sorted.length === 0 ? 0 : sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!)
  return { count: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) }
}

export const columns = (cells: readonly (string | number)[]): string =>
  cells
    .map((cell, i) => (i === 0 ? String(cell).padEnd(26) : String(typeof cell === 'number' ? cell.toFixed(2) : cell).padStart(12)))
    .join('')
