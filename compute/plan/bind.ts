// Gives every name of a checked SELECT its meaning, as DuckDB would: stars become columns, ordinals and ALL become expressions,
// aliases are replaced by what they stand for. What is left refers to columns of the file only.
//
// Which wins when a column and an alias have the same name (tried on DuckDB 1.5.6, kept by bind.test.ts):
//   SELECT, WHERE, GROUP BY   the column
//   ORDER BY name             the alias
//   ORDER BY an expression    the column
//   HAVING                    the group of that name, else the alias, else the column; inside an aggregate the column
import { QuarryError } from '../../common/errors.ts'
import {
  columnRef,
  isNode,
  keyOf,
  mapChildren,
  nodesOf,
  numberTextOf,
  textOf,
  textsOf,
  withoutAlias,
  type Expression,
  type Node,
} from './ast.ts'
import { hasAggregate, isAggregate, isOrderByAll, isPlainStar, limitOf, refuse } from './check.ts'

/** The file a query reads, and how the query may call it. */
export interface TableName {
  /** As written in FROM. */
  readonly path: string
  /** What may stand before a column's name. */
  readonly qualifiers: readonly string[]
}

export interface OrderKey {
  readonly expression: Expression
  /** As in the tree: ASCENDING, DESCENDING or ORDER_DEFAULT. */
  readonly type: string
  readonly nullOrder: string
}

interface BoundParts {
  readonly select: readonly Expression[]
  readonly where: Expression | undefined
  readonly orders: readonly OrderKey[]
  readonly limit: bigint | undefined
  readonly offset: bigint
}

/** A SELECT whose names are resolved. */
export type BoundSelect =
  | (BoundParts & { readonly kind: 'scan' })
  | (BoundParts & { readonly kind: 'aggregate'; readonly groups: readonly Expression[]; readonly having: Expression | undefined })

/** The one table of a SELECT: FROM 'path' or FROM read_parquet('path'). */
export function tableOf(select: Node): TableName {
  const from = select['from_table']
  if (!isNode(from)) throw refuse('A query without a table is', "write FROM '/path/of/file.parquet'.")
  switch (textOf(from['type'])) {
    case 'BASE_TABLE':
      return baseTable(from)
    case 'TABLE_FUNCTION':
      return tableFunction(from)
    case 'EMPTY':
      throw refuse('A query without a table is', "write FROM '/path/of/file.parquet'.")
    case 'JOIN':
      throw refuse('A join (or more than one table in FROM) is', 'query one Parquet file at a time.')
    case 'SUBQUERY':
      throw refuse('A subquery in FROM is', 'write one SELECT over a Parquet file.')
    case 'SHOW_REF':
      throw refuse('SHOW, DESCRIBE and SUMMARIZE are', "write SELECT * FROM '/path' LIMIT 1 to see the columns.")
    default:
      throw refuse(`FROM with ${textOf(from['type'])} is`, "write FROM '/path/of/file.parquet'.")
  }
}

function baseTable(from: Node): TableName {
  const path = textOf(from['table_name'])
  if (textOf(from['schema_name']) !== '' || textOf(from['catalog_name']) !== '')
    throw refuse('A table with a schema or a catalog is', "write FROM '/path/of/file.parquet'.")
  if (isNode(from['at_clause'])) throw refuse('AT (time travel) is', 'leave it out.')
  return named(from, path)
}

function tableFunction(from: Node): TableName {
  const call = from['function']
  const name = isNode(call) ? textOf(call['function_name']) : ''
  if (!isNode(call) || (name !== 'read_parquet' && name !== 'parquet_scan'))
    throw refuse(`The table function ${name} is`, "write FROM '/path/of/file.parquet'.")
  const parts = nodesOf(call['children'])
  const value = parts.length === 1 && parts[0]!['class'] === 'CONSTANT' && isNode(parts[0]!['value']) ? parts[0]!['value'] : undefined
  if (value === undefined || typeof value['value'] !== 'string')
    throw refuse(`${name} with options or a list of files is`, `write ${name}('/path/of/file.parquet').`)
  return named(from, value['value'])
}

function named(from: Node, path: string): TableName {
  for (const key of Object.keys(from)) {
    if (
      ![
        'type',
        'alias',
        'query_location',
        'table_name',
        'schema_name',
        'catalog_name',
        'function',
        'column_name_alias',
        'at_clause',
        'sample',
      ].includes(key)
    )
      throw refuse(`FROM with ${key} is`, 'leave it out.')
  }
  if (isNode(from['sample'])) throw refuse('TABLESAMPLE is', 'use WHERE or LIMIT.')
  if (textsOf(from['column_name_alias']).length > 0) throw refuse('Column names after a table alias are', 'name the columns in SELECT.')
  if (/[*?[\]{}]/.test(path)) throw refuse('A pattern in FROM is', 'query one Parquet file at a time.')
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(path) || path === '')
    throw refuse(`FROM '${path}' is`, "write the path of a file in this cluster, such as '/data/table.parquet'.")
  const alias = textOf(from['alias'])
  if (alias !== '') return { path, qualifiers: [alias] }
  const file = path.slice(path.lastIndexOf('/') + 1)
  const dot = file.indexOf('.')
  return { path, qualifiers: [dot > 0 ? file.slice(0, dot) : file, path] }
}

/** Resolves every name of a checked SELECT against the columns of its file. */
export function bindSelect(select: Node, table: TableName, columns: readonly string[]): BoundSelect {
  return new Binder(table, columns).bind(select)
}

class Binder {
  readonly #columns: ReadonlyMap<string, string>
  readonly #names: readonly string[]
  readonly #qualifiers: ReadonlySet<string>
  /** Aliases of the select list so far, folded, with what they stand for. */
  readonly #aliases = new Map<string, Expression>()

  constructor(table: TableName, columns: readonly string[]) {
    this.#names = columns
    this.#columns = new Map(columns.map((name) => [fold(name), name]))
    this.#qualifiers = new Set(table.qualifiers.map(fold))
  }

  bind(select: Node): BoundSelect {
    const modifiers = nodesOf(select['modifiers'])
    const items = this.#selectList(nodesOf(select['select_list']))
    const whereClause = select['where_clause']
    const where = isNode(whereClause) ? this.#resolve(whereClause) : undefined
    if (where !== undefined && hasAggregate(where)) throw new QuarryError('SQL', 'WHERE cannot have aggregates: use HAVING.')
    let groups = this.#groups(select, items)
    const having = isNode(select['having']) ? this.#having(select['having'], groups ?? []) : undefined
    const orders = modifiers.filter((one) => one['type'] === 'ORDER_MODIFIER').flatMap((one) => this.#orders(one, items))
    const aggregated =
      groups !== undefined || having !== undefined || items.some(hasAggregate) || orders.some((order) => hasAggregate(order.expression))
    if (modifiers.some((one) => one['type'] === 'DISTINCT_MODIFIER')) {
      if (aggregated) throw refuse('DISTINCT together with GROUP BY or aggregates is', 'leave DISTINCT out, or group by all columns.')
      groups = items
    }
    const limits = modifiers.find((one) => one['type'] === 'LIMIT_MODIFIER')
    const parts: BoundParts = {
      select: items,
      where,
      orders,
      limit: limits === undefined ? undefined : limitOf(limits, 'limit'),
      offset: (limits === undefined ? undefined : limitOf(limits, 'offset')) ?? 0n,
    }
    return aggregated || groups !== undefined ? { kind: 'aggregate', ...parts, groups: groups ?? [], having } : { kind: 'scan', ...parts }
  }

  #selectList(list: readonly Expression[]): Expression[] {
    const items: Expression[] = []
    for (const item of list) {
      if (isPlainStar(item)) {
        const relation = textOf(item['relation_name'])
        if (relation !== '' && !this.#qualifiers.has(fold(relation)))
          throw new QuarryError('SQL', `There is no table ${relation} in this query.`)
        items.push(...this.#names.map((name) => columnRef(name)))
        continue
      }
      const resolved = withoutAlias(this.#resolve(item))
      items.push(resolved)
      const alias = fold(textOf(item['alias']))
      if (alias !== '' && !this.#aliases.has(alias)) this.#aliases.set(alias, resolved)
    }
    return items
  }

  #groups(select: Node, items: readonly Expression[]): readonly Expression[] | undefined {
    const listed = nodesOf(select['group_expressions'])
    if (listed.length === 0) {
      if (select['aggregate_handling'] === 'FORCE_AGGREGATES') return distinct(items.filter((item) => !hasAggregate(item)))
      return Array.isArray(select['group_sets']) ? [] : undefined
    }
    return distinct(
      listed.map((expression) => {
        const group = this.#ordinal(expression, items, 'GROUP BY') ?? this.#resolve(expression)
        if (hasAggregate(group)) throw new QuarryError('SQL', 'GROUP BY cannot have aggregates.')
        return group
      }),
    )
  }

  #orders(modifier: Node, items: readonly Expression[]): OrderKey[] {
    return nodesOf(modifier['orders']).flatMap((order) => {
      const expression = order['expression'] as Node
      const key = { type: textOf(order['type']), nullOrder: textOf(order['null_order']) }
      if (isOrderByAll(expression)) return items.map((item) => ({ expression: item, ...key }))
      const resolved = this.#ordinal(expression, items, 'ORDER BY') ?? this.#aliasOf(expression) ?? this.#resolve(expression)
      return [{ expression: resolved, ...key }]
    })
  }

  #having(expression: Expression, groups: readonly Expression[]): Expression {
    const keys = new Set(groups.map(keyOf))
    const change = (part: Expression): Expression => {
      if (isAggregate(part)) return this.#resolve(part)
      if (part['class'] !== 'COLUMN_REF') return mapChildren(part, change)
      const column = this.#columnOf(textsOf(part['column_names']))
      if (column !== undefined && keys.has(keyOf(column))) return column
      return this.#aliasOf(part) ?? this.#resolve(part)
    }
    return change(expression)
  }

  /** The select item that a whole number stands for; undefined when the expression is no number. */
  #ordinal(expression: Expression, items: readonly Expression[], clause: string): Expression | undefined {
    const value = expression['class'] === 'CONSTANT' && isNode(expression['value']) ? expression['value'] : undefined
    const text = value === undefined ? undefined : numberTextOf(value['value'])
    if (value === undefined || text === undefined || (isNode(value['type']) && value['type']['id'] === 'DECIMAL')) return undefined
    const item = items[Number(text) - 1]
    if (item === undefined) throw new QuarryError('SQL', `${clause} ${text} is out of range: the select list has ${items.length} columns.`)
    return item
  }

  #aliasOf(expression: Expression): Expression | undefined {
    if (expression['class'] !== 'COLUMN_REF') return undefined
    const names = textsOf(expression['column_names'])
    return names.length === 1 ? this.#aliases.get(fold(names[0]!)) : undefined
  }

  #resolve(expression: Expression): Expression {
    if (expression['class'] !== 'COLUMN_REF') return mapChildren(expression, (part) => this.#resolve(part))
    const names = textsOf(expression['column_names'])
    const found = this.#columnOf(names) ?? this.#aliasOf(expression)
    if (found === undefined)
      throw new QuarryError(
        'SQL',
        `There is no column ${names.join('.')}; the file has ${this.#names.slice(0, 50).join(', ')}${this.#names.length > 50 ? ', …' : ''}.`,
      )
    // An alias keeps its own name only where it stands: struct_pack names its fields by aliases.
    const alias = textOf(expression['alias'])
    return alias === '' ? found : { ...found, alias }
  }

  /** column, table.column, column.field, table.column.field */
  #columnOf(names: readonly string[]): Expression | undefined {
    if (names.length > 1 && this.#qualifiers.has(fold(names[0]!))) {
      const column = this.#columns.get(fold(names[1]!))
      if (column !== undefined) return columnRef(column, ...names.slice(2))
    }
    const column = this.#columns.get(fold(names[0]!))
    return column === undefined ? undefined : columnRef(column, ...names.slice(1))
  }
}

const fold = (name: string): string => name.toLowerCase()

function distinct(expressions: readonly Expression[]): Expression[] {
  const seen = new Map(expressions.map((expression) => [keyOf(expression), expression]))
  return [...seen.values()]
}

/** The names of the columns that an expression reads. */
export function columnsOf(expression: Expression, into: Set<string> = new Set()): Set<string> {
  if (expression['class'] === 'COLUMN_REF') into.add(textsOf(expression['column_names'])[0]!)
  else
    mapChildren(expression, (part) => {
      columnsOf(part, into)
      return part
    })
  return into
}
