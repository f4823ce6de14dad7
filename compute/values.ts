// The values of a query's result, and how they are written as JSON and as text.

/**
 * A value as JavaScript has it, by the type of its column:
 *
 * | DuckDB | here |
 * |---|---|
 * | BOOLEAN | boolean |
 * | integers of up to 32 bits, FLOAT, DOUBLE | number |
 * | BIGINT, UBIGINT, HUGEINT, UHUGEINT | bigint |
 * | DECIMAL | its exact digits as a string |
 * | VARCHAR, UUID, JSON, ENUM | string |
 * | DATE, TIME, TIMESTAMP…, INTERVAL | string, as DuckDB prints it; times with zone in UTC |
 * | BLOB | Uint8Array |
 * | LIST, ARRAY | array |
 * | STRUCT | object |
 * | MAP | array of { key, value } |
 */
export type Value = null | boolean | number | bigint | string | Uint8Array | readonly Value[] | { readonly [field: string]: Value }

/** What a JSON writer must know of a type: whether its text is a number, and what is inside. */
export type Shape =
  | { readonly kind: 'plain' }
  | { readonly kind: 'decimal' }
  | { readonly kind: 'list'; readonly of: Shape }
  | { readonly kind: 'struct'; readonly fields: Readonly<Record<string, Shape>> }
  | { readonly kind: 'map'; readonly key: Shape; readonly value: Shape }

export interface Column {
  readonly name: string
  /** DuckDB's name of the type, such as DECIMAL(10,2). */
  readonly type: string
  readonly shape: Shape
}

/**
 * A value as JSON. Integers of 64 bits and more and decimals are JSON numbers with all their digits: read them with a parser that
 * keeps them, where they may exceed 2^53. NaN and infinities are strings, BLOBs base64.
 */
export function valueToJson(value: Value, shape: Shape): string {
  if (value === null) return 'null'
  if (typeof value === 'bigint' || typeof value === 'boolean') return String(value)
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : JSON.stringify(String(value))
  if (typeof value === 'string') return shape.kind === 'decimal' ? value : JSON.stringify(value)
  if (value instanceof Uint8Array) return JSON.stringify(Buffer.from(value).toString('base64'))
  if (Array.isArray(value)) return `[${value.map((item: Value) => itemToJson(item, shape)).join(',')}]`
  return structToJson(value as Record<string, Value>, shape.kind === 'struct' ? shape.fields : {})
}

const plain: Shape = { kind: 'plain' }

function itemToJson(item: Value, shape: Shape): string {
  if (shape.kind === 'map') return structToJson(item as Record<string, Value>, { key: shape.key, value: shape.value })
  return valueToJson(item, shape.kind === 'list' ? shape.of : plain)
}

function structToJson(value: Readonly<Record<string, Value>>, fields: Readonly<Record<string, Shape>>): string {
  return `{${Object.entries(value)
    .map(([name, item]) => `${JSON.stringify(name)}:${valueToJson(item, fields[name] ?? plain)}`)
    .join(',')}}`
}

/** A row as a JSON object; columns of the same name are told apart by _1, _2. */
export function rowToJson(row: readonly Value[], columns: readonly Column[], names: readonly string[] = distinctNames(columns)): string {
  return `{${row.map((value, i) => `${JSON.stringify(names[i])}:${valueToJson(value, columns[i]!.shape)}`).join(',')}}`
}

/** The columns' names with _1, _2, … after those that are there already. */
export function distinctNames(columns: readonly Column[]): string[] {
  const seen = new Set<string>()
  return columns.map(({ name }) => {
    let unique = name
    for (let i = 1; seen.has(unique); i++) unique = `${name}_${i}`
    seen.add(unique)
    return unique
  })
}

/** A value for people: NULL for null, no quotes around text. */
export function valueToText(value: Value, shape: Shape): string {
  if (value === null) return 'NULL'
  if (typeof value === 'string') return value
  return valueToJson(value, shape).replace(/^"(NaN|-?Infinity)"$/, '$1')
}
