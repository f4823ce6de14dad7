// Leaves out row groups that no row of WHERE can come from, by the smallest and largest value the writer kept in the footer.
// Only comparisons of a plain integer column with a whole number count; everything else keeps the row group.
import type { RowGroup } from '../parquet/footer.ts'
import { isNode, numberTextOf, textOf, textsOf, type Expression } from './ast.ts'

interface Bound {
  readonly column: number
  readonly low: bigint | undefined
  readonly high: bigint | undefined
}

/** The row groups that may have rows for `where`. */
export function pruneRowGroups(groups: readonly RowGroup[], where: Expression | undefined, columns: readonly string[]): RowGroup[] {
  const bounds = where === undefined ? [] : boundsOf(where, columns)
  return groups.filter(
    (group) =>
      group.rows > 0 &&
      bounds.every((bound) => {
        const range = group.ranges[bound.column]
        if (range === undefined) return true
        return (bound.low === undefined || range.max >= bound.low) && (bound.high === undefined || range.min <= bound.high)
      }),
  )
}

function boundsOf(expression: Expression, columns: readonly string[]): Bound[] {
  if (expression['class'] === 'CONJUNCTION' && expression['type'] === 'CONJUNCTION_AND') {
    return (expression['children'] as readonly Expression[]).flatMap((child) => boundsOf(child, columns))
  }
  if (expression['class'] === 'BETWEEN' && expression['type'] === 'COMPARE_BETWEEN') {
    const column = columnIndex(expression['input'] as Expression, columns)
    if (column === undefined) return []
    const low = wholeNumber(expression['lower'] as Expression)
    const high = wholeNumber(expression['upper'] as Expression)
    return low === undefined || high === undefined ? [] : [{ column, low, high }]
  }
  if (expression['class'] !== 'COMPARISON') return []
  const left = expression['left'] as Expression
  const right = expression['right'] as Expression
  const direct = comparison(textOf(expression['type']), left, right, columns)
  return direct ?? comparison(mirrored[textOf(expression['type'])] ?? '', right, left, columns) ?? []
}

const mirrored: Readonly<Record<string, string>> = {
  COMPARE_EQUAL: 'COMPARE_EQUAL',
  COMPARE_GREATERTHAN: 'COMPARE_LESSTHAN',
  COMPARE_GREATERTHANOREQUALTO: 'COMPARE_LESSTHANOREQUALTO',
  COMPARE_LESSTHAN: 'COMPARE_GREATERTHAN',
  COMPARE_LESSTHANOREQUALTO: 'COMPARE_GREATERTHANOREQUALTO',
}

function comparison(type: string, left: Expression, right: Expression, columns: readonly string[]): Bound[] | undefined {
  const column = columnIndex(left, columns)
  const value = wholeNumber(right)
  if (column === undefined || value === undefined) return undefined
  switch (type) {
    case 'COMPARE_EQUAL':
      return [{ column, low: value, high: value }]
    case 'COMPARE_GREATERTHAN':
    case 'COMPARE_GREATERTHANOREQUALTO':
      return [{ column, low: value, high: undefined }]
    case 'COMPARE_LESSTHAN':
    case 'COMPARE_LESSTHANOREQUALTO':
      return [{ column, low: undefined, high: value }]
    default:
      return undefined
  }
}

function columnIndex(expression: Expression, columns: readonly string[]): number | undefined {
  if (expression['class'] !== 'COLUMN_REF') return undefined
  const names = textsOf(expression['column_names'])
  const index = names.length === 1 ? columns.indexOf(names[0]!) : -1
  return index < 0 ? undefined : index
}

function wholeNumber(expression: Expression): bigint | undefined {
  const value = expression['class'] === 'CONSTANT' && isNode(expression['value']) ? expression['value'] : undefined
  if (value === undefined || !isNode(value['type']) || (value['type']['id'] !== 'INTEGER' && value['type']['id'] !== 'BIGINT'))
    return undefined
  const text = numberTextOf(value['value'])
  return text !== undefined && /^-?\d+$/.test(text) ? BigInt(text) : undefined
}
