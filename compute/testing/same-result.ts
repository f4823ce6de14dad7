// Whether two results are the same: exactly, but for floating-point numbers, which fragments add up in another order.
import type { Column, Value } from '../values.ts'

/** Sums and averages of doubles may differ by their rounding: this much of the larger one, or of 1. */
export const relativeTolerance = 1e-9

/** What differs, or undefined. Columns must have the same names and types; rows the same order unless `anyOrder`. */
export function difference(
  left: { readonly columns: readonly Column[]; readonly rows: readonly (readonly Value[])[] },
  right: { readonly columns: readonly Column[]; readonly rows: readonly (readonly Value[])[] },
  anyOrder: boolean,
): string | undefined {
  const header = (columns: readonly Column[]) => columns.map((column) => `${column.name} ${column.type}`).join(', ')
  if (header(left.columns) !== header(right.columns)) return `columns ${header(left.columns)} instead of ${header(right.columns)}`
  if (left.rows.length !== right.rows.length) return `${left.rows.length} rows instead of ${right.rows.length}`
  const order = (rows: readonly (readonly Value[])[]) => (anyOrder ? rows.toSorted((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1)) : rows)
  const [a, b] = [order(left.rows), order(right.rows)]
  for (const [i, row] of a.entries()) {
    const bad = row.findIndex((value, at) => !same(value, b[i]![at]!))
    if (bad >= 0) return `row ${i}, ${left.columns[bad]!.name}: ${show(row[bad]!)} instead of ${show(b[i]![bad]!)}`
  }
  return undefined
}

function same(a: Value, b: Value): boolean {
  if (typeof a === 'number' && typeof b === 'number')
    return Object.is(a, b) || a === b || Math.abs(a - b) <= relativeTolerance * Math.max(1, Math.abs(a), Math.abs(b))
  return show(a) === show(b)
}

const show = (value: Value): string =>
  JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'bigint' ? `${inner}n` : typeof inner === 'number' ? String(inner) : inner,
  )

/** What rounding may change does not decide the order. */
const sortKey = (row: readonly Value[]): string =>
  show(row.map((value) => (typeof value === 'number' ? Number(value.toPrecision(6)) : value)))
