// DuckDB's syntax tree as JSON: how it is read, compared and built.
//
// The tree comes from json_serialize_sql(…, skip_default := true) and goes back through json_deserialize_sql. Numbers keep
// their text (lossless-json): JSON.parse would change 9007199254740993 to …992, and a wrong constant is a wrong answer.
// Only `skip_default` survives the way there and back; without it absent positions are 2^64-1.
import { LosslessNumber, parse, stringify } from 'lossless-json'
import { assert } from '../../common/assert.ts'
import { QuarryError } from '../../common/errors.ts'

export type Json = null | boolean | string | number | LosslessNumber | readonly Json[] | Node
/** An object of the tree: a statement, a query node, an expression, a table reference, a modifier. */
export interface Node {
  readonly [key: string]: Json
}
/** An expression: it has a `class` and a `type`. */
export type Expression = Node

/** The tree of a JSON text. Throws SQL when the text holds what JSON cannot, such as the constant 1e400. */
export function parseAst(text: string): Node {
  let tree: unknown
  try {
    tree = parse(text)
  } catch (error) {
    throw new QuarryError('SQL', 'The query has a number that is out of range; write it as a text with a CAST.', {}, { cause: error })
  }
  if (!isNode(tree as Json)) throw new QuarryError('SQL', 'The query could not be read: its syntax tree is not an object.')
  return tree as Node
}

export function printAst(tree: Node): string {
  const text = stringify(tree)
  assert(text !== undefined, 'a syntax tree has a text')
  return text
}

export function isNode(value: Json | undefined): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof LosslessNumber)
}

/** The objects of an array field; [] when it is absent. */
export function nodesOf(value: Json | undefined): readonly Node[] {
  if (value === undefined || value === null) return []
  assert(Array.isArray(value), 'an array is expected in the syntax tree')
  return value.map((item: Json) => {
    assert(isNode(item), 'an object is expected in the syntax tree')
    return item
  })
}

/** The texts of an array field; [] when it is absent. */
export function textsOf(value: Json | undefined): readonly string[] {
  if (value === undefined || value === null) return []
  assert(Array.isArray(value), 'an array is expected in the syntax tree')
  return value.map((item: Json) => {
    assert(typeof item === 'string', 'a text is expected in the syntax tree')
    return item
  })
}

export function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : ''
}

/** The number of a constant as text, such as '10'; undefined when it is not one. */
export function numberTextOf(value: Json | undefined): string | undefined {
  if (value instanceof LosslessNumber) return value.value
  return typeof value === 'number' ? String(value) : undefined
}

/** The same text for expressions that mean the same: positions and the outer alias do not count. */
export function keyOf(expression: Expression): string {
  const { alias: _, ...rest } = expression
  return canonical(rest)
}

function canonical(value: Json): string {
  if (value instanceof LosslessNumber) return value.value
  if (Array.isArray(value)) return `[${value.map((item: Json) => canonical(item)).join(',')}]`
  if (isNode(value)) {
    const keys = Object.keys(value)
      .filter((key) => key !== 'query_location')
      .sort()
    return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(value[key] as Json)}`).join(',')}}`
  }
  return JSON.stringify(value)
}

/** Where each class of expression keeps its parts. Only these classes may appear in a query (check.ts). */
const childFields: Readonly<Record<string, readonly string[]>> = {
  COLUMN_REF: [],
  CONSTANT: [],
  COMPARISON: ['left', 'right'],
  CONJUNCTION: ['children'],
  OPERATOR: ['children'],
  BETWEEN: ['input', 'lower', 'upper'],
  CASE: ['case_checks', 'else_expr'],
  CAST: ['child'],
  FUNCTION: ['children', 'filter'],
}

/** The expression with each direct part replaced by `change(part)`. */
export function mapChildren(expression: Expression, change: (part: Expression) => Expression): Expression {
  const fields = childFields[textOf(expression['class'])]
  assert(fields !== undefined, () => `no expression of class ${textOf(expression['class'])} gets here`)
  const out: Record<string, Json> = { ...expression }
  for (const field of fields) {
    const value = expression[field]
    if (value === undefined || value === null) continue
    if (field === 'case_checks') {
      out[field] = nodesOf(value).map((check) => ({
        ...check,
        when_expr: change(check['when_expr'] as Node),
        then_expr: change(check['then_expr'] as Node),
      }))
    } else if (Array.isArray(value)) {
      out[field] = nodesOf(value).map(change)
    } else {
      assert(isNode(value), () => `${field} is an expression`)
      out[field] = change(value)
    }
  }
  return out
}

/** The direct parts of an expression. */
export function childrenOf(expression: Expression): Expression[] {
  const parts: Expression[] = []
  mapChildren(expression, (part) => {
    parts.push(part)
    return part
  })
  return parts
}

export const columnRef = (...names: readonly string[]): Expression => ({ class: 'COLUMN_REF', type: 'COLUMN_REF', column_names: names })

export const functionCall = (name: string, children: readonly Expression[]): Expression => ({
  class: 'FUNCTION',
  type: 'FUNCTION',
  function_name: name,
  children,
  order_bys: { type: 'ORDER_MODIFIER' },
})

export const operatorCall = (name: string, children: readonly Expression[]): Expression => ({
  ...functionCall(name, children),
  is_operator: true,
})

/** CAST(child AS type); `type` is a type node of the tree, such as { id: 'HUGEINT' }. */
export const castTo = (child: Expression, type: Node): Expression => ({ class: 'CAST', type: 'OPERATOR_CAST', child, cast_type: type })

export const decimalType = (width: number, scale: number): Node => ({
  id: 'DECIMAL',
  type_info: { type: 'DECIMAL_TYPE_INFO', width, scale },
})

export const integerConstant = (value: bigint): Expression => ({
  class: 'CONSTANT',
  type: 'VALUE_CONSTANT',
  value: { type: { id: 'BIGINT' }, is_null: false, value: new LosslessNumber(String(value)) },
})

export const withAlias = (expression: Expression, alias: string): Expression => ({ ...expression, alias })

export const withoutAlias = (expression: Expression): Expression => {
  const { alias: _, ...rest } = expression
  return rest
}

/** A table by its name. */
export const tableRef = (name: string): Node => ({ type: 'BASE_TABLE', table_name: name })

/** The document that json_deserialize_sql takes. */
export const documentOf = (select: Node): Node => ({ error: false, statements: [{ node: select }] })
