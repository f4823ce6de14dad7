// Splits a bound SELECT into the part that runs beside the blocks and the part that merges.
//
//   SELECT origin, avg(delay) FROM t WHERE d > 0 GROUP BY origin HAVING count(*) > 9 ORDER BY 2
//   partial, on each fragment:   SELECT origin g0, sum(delay) p0, count(delay) p1, count(*) p2 FROM split WHERE d > 0 GROUP BY origin
//   final, over all results:     SELECT g0, sum(p0)/sum(p1) FROM parts GROUP BY g0 HAVING sum(p2) > 9 ORDER BY 2
//
// The parts travel as Parquet, which cannot hold every type of DuckDB (HUGEINT, the type of sum over integers, would silently
// become DOUBLE). So the types of the parts are asked of DuckDB first, and the ones at risk travel as a type that is exact and are
// cast back before they are merged.
//
// Rows of equal order keys come in the order of the groups (or of the file), so that a result does not depend on which node was
// fastest, or which one died.
import { assert } from '../../common/assert.ts'
import { QuarryError } from '../../common/errors.ts'
import {
  castTo,
  columnRef,
  decimalType,
  functionCall,
  integerConstant,
  isNode,
  keyOf,
  mapChildren,
  nodesOf,
  operatorCall,
  tableRef,
  textOf,
  withAlias,
  withoutAlias,
  type Expression,
  type Node,
} from './ast.ts'
import { columnsOf, type BoundSelect, type OrderKey } from './bind.ts'
import { isAggregate, refuse } from './check.ts'
import { aggregateRules } from './functions.ts'

/** Name of the table that a fragment's SELECT reads: the rows of its row groups. */
export const splitTable = 'quarry_split'
/** Name of the table that the final SELECT reads: the rows of all fragments. */
export const partsTable = 'quarry_parts'
/** Position of a row in its file, as DuckDB's reader gives it. */
export const rowNumberColumn = 'file_row_number'

/** A partial column: its expression over the split, and its name in the parts. */
interface Part {
  readonly name: string
  readonly expression: Expression
}

/** A split query before the types of its parts are known. */
export interface SplitDraft {
  readonly bound: BoundSelect
  readonly parts: readonly Part[]
  /** Columns of the file that the fragments read. */
  readonly columns: readonly string[]
  /** Parts as they are, without the casts for travelling: DuckDB tells their types from this. */
  readonly untravelled: Node
  /** Arguments of avg: their types decide whether it can be split. Undefined without avg. */
  readonly averaged: Node | undefined
  readonly groupNames: readonly string[]
}

export interface SplitQuery {
  /** For the fragments; reads `quarry_split`. */
  readonly partial: Node
  /** For the merge; reads `quarry_parts`. */
  readonly final: Node
}

/** First step: which parts there are. */
export function draftSplit(bound: BoundSelect, fileColumns: readonly string[], aliases: readonly string[]): SplitDraft {
  const taken = new Set([...fileColumns, ...aliases].map((name) => name.toLowerCase()))
  if (taken.has(rowNumberColumn)) throw refuse(`A file with a column ${rowNumberColumn} is`, 'rename the column.')
  // Names of the parts must be nobody else's: a bare name in GROUP BY and ORDER BY could mean either.
  let prefix = 'quarry_'
  while ([...taken].some((name) => name.startsWith(prefix))) prefix += '_'
  const parts = new Map<string, Part>()
  const add = (kind: string, expression: Expression): string => {
    const key = `${kind} ${keyOf(expression)}`
    const known = parts.get(key)
    if (known !== undefined) return known.name
    const name = `${prefix}${kind}${parts.size}`
    parts.set(key, { name, expression: withoutAlias(expression) })
    return name
  }
  const averaged: Expression[] = []
  const groupNames: string[] = []
  if (bound.kind === 'aggregate') {
    for (const group of bound.groups) groupNames.push(add('g', group))
    for (const expression of finalExpressions(bound)) {
      for (const call of aggregatesOf(expression)) {
        for (const part of partsOf(call)) add('p', part)
        if (ruleOf(call) === 'avg') averaged.push(...nodesOf(call['children']))
      }
    }
    if (parts.size === 0) add('p', functionCall('count_star', []))
  } else {
    for (const expression of finalExpressions(bound)) add('c', expression)
    add('c', columnRef(rowNumberColumn))
  }
  const columns = new Set<string>()
  for (const part of parts.values()) columnsOf(part.expression, columns)
  if (bound.where !== undefined) columnsOf(bound.where, columns)
  columns.delete(rowNumberColumn)
  const list = [...parts.values()]
  return {
    bound,
    parts: list,
    groupNames,
    columns: fileColumns.filter((name) => columns.has(name)),
    untravelled: partialSelect(
      bound,
      list,
      list.map((part) => part.expression),
    ),
    averaged: averaged.length === 0 ? undefined : selectNode({ select_list: averaged.map(withoutAlias), from_table: tableRef(splitTable) }),
  }
}

/** The expressions that the final SELECT computes: the select list, HAVING and ORDER BY. */
function finalExpressions(bound: BoundSelect): Expression[] {
  const having = bound.kind === 'aggregate' && bound.having !== undefined ? [bound.having] : []
  return [
    ...bound.select,
    ...having,
    ...bound.orders.map((order) => order.expression).filter((expression) => expression['class'] !== 'CONSTANT'),
  ]
}

function aggregatesOf(expression: Expression, into: Expression[] = []): Expression[] {
  if (isAggregate(expression)) into.push(expression)
  else
    mapChildren(expression, (part) => {
      aggregatesOf(part, into)
      return part
    })
  return into
}

const ruleOf = (call: Expression) => aggregateRules[textOf(call['function_name'])]

/** What the fragments compute for an aggregate. */
function partsOf(call: Expression): Expression[] {
  const plain = withoutAlias(call)
  return ruleOf(call) === 'avg'
    ? [
        { ...plain, function_name: 'sum' },
        { ...plain, function_name: 'count' },
      ]
    : [plain]
}

/** Second step, when DuckDB has told the types of the parts (and of the arguments of avg). */
export function finishSplit(
  draft: SplitDraft,
  types: readonly string[],
  averagedTypes: readonly string[],
  names: readonly string[],
): SplitQuery {
  assert(types.length === draft.parts.length, 'a type for every part')
  for (const type of averagedTypes) {
    if (!numericType.test(type)) throw refuse(`avg over ${type} is`, 'cast the value to a number, for example with epoch_us().')
  }
  const { bound } = draft
  const travels = draft.parts.map((part, i) => travelOf(types[i]!, part))
  const partial = partialSelect(
    bound,
    draft.parts,
    travels.map((travel, i) => travel.encode(draft.parts[i]!.expression)),
  )
  const arrivals = new Map(draft.parts.map((part, i) => [part.name, travels[i]!.decode(columnRef(part.name))]))
  const arrival = (name: string): Expression => arrivals.get(name)!
  return {
    partial,
    final: bound.kind === 'aggregate' ? finalAggregate(draft, bound, arrival, names) : finalScan(draft, bound, arrival, names),
  }
}

function partialSelect(bound: BoundSelect, parts: readonly Part[], expressions: readonly Expression[]): Node {
  const node: Record<string, Node | readonly Node[] | readonly (readonly number[])[]> = {
    select_list: parts.map((part, i) => withAlias(expressions[i]!, part.name)),
    from_table: tableRef(splitTable),
  }
  if (bound.where !== undefined) node['where_clause'] = withoutAlias(bound.where)
  if (bound.kind === 'aggregate') Object.assign(node, groupBy(bound.groups))
  else if (bound.limit !== undefined) {
    // Each fragment ships the first rows it can contribute; rows before OFFSET may come from any of them.
    const keys = orderNodes(bound.orders, (expression) => withoutAlias(expression))
    const limit: Node = { type: 'LIMIT_MODIFIER', limit: integerConstant(bound.limit + bound.offset) }
    node['modifiers'] = keys.length === 0 ? [limit] : [orderModifier([...keys, orderNode(columnRef(rowNumberColumn))]), limit]
  }
  return selectNode(node)
}

function finalAggregate(
  draft: SplitDraft,
  bound: Extract<BoundSelect, { kind: 'aggregate' }>,
  arrival: (name: string) => Expression,
  names: readonly string[],
): Node {
  const groups = new Map(bound.groups.map((group, i) => [keyOf(group), arrival(draft.groupNames[i]!)]))
  const partNames = new Map(draft.parts.map((part) => [keyOf(part.expression), part.name]))
  const change = (expression: Expression): Expression => {
    const group = groups.get(keyOf(expression))
    if (group !== undefined) return keepAlias(expression, group)
    if (isAggregate(expression)) {
      return keepAlias(
        expression,
        mergeOf(
          expression,
          partsOf(expression).map((part) => arrival(partNames.get(keyOf(part))!)),
        ),
      )
    }
    if (expression['class'] === 'COLUMN_REF') {
      const name = (expression['column_names'] as readonly string[]).join('.')
      throw new QuarryError('SQL', `Column ${name} must stand in GROUP BY or inside an aggregate.`)
    }
    return mapChildren(expression, change)
  }
  const groupExpressions = [...groups.values()]
  const node: Record<string, Node | readonly Node[] | readonly (readonly number[])[]> = {
    select_list: bound.select.map((item, i) => withAlias(change(item), names[i]!)),
    from_table: tableRef(partsTable),
    ...groupBy(groupExpressions),
  }
  if (bound.having !== undefined) node['having'] = withoutAlias(change(bound.having))
  const keys = orderNodes(bound.orders, (expression) => withoutAlias(change(expression)))
  node['modifiers'] = [...orderModifiers([...keys, ...groupExpressions.map(orderNode)]), ...limitModifiers(bound)]
  return selectNode(node)
}

function finalScan(
  draft: SplitDraft,
  bound: Extract<BoundSelect, { kind: 'scan' }>,
  arrival: (name: string) => Expression,
  names: readonly string[],
): Node {
  const partNames = new Map(draft.parts.map((part) => [keyOf(part.expression), part.name]))
  const part = (expression: Expression): Expression => arrival(partNames.get(keyOf(expression))!)
  return selectNode({
    select_list: bound.select.map((item, i) => withAlias(part(item), names[i]!)),
    from_table: tableRef(partsTable),
    modifiers: [
      ...orderModifiers([...orderNodes(bound.orders, part), orderNode(part(columnRef(rowNumberColumn)))]),
      ...limitModifiers(bound),
    ],
  })
}

/** struct_pack names its fields by the aliases of its arguments: they must outlive a replacement. */
function keepAlias(from: Expression, to: Expression): Expression {
  const alias = textOf(from['alias'])
  return alias === '' ? to : withAlias(to, alias)
}

/** The aggregate over its parts. */
function mergeOf(call: Expression, parts: readonly Expression[]): Expression {
  const [first, second] = parts as [Expression, Expression]
  switch (ruleOf(call)) {
    case 'count':
      return castTo(functionCall('sum', [first]), {
        id: textOf(call['function_name']).startsWith('count_if') || call['function_name'] === 'countif' ? 'HUGEINT' : 'BIGINT',
      })
    case 'sum':
      return functionCall('sum', [first])
    case 'avg':
      return operatorCall('/', [
        castTo(functionCall('sum', [first]), { id: 'DOUBLE' }),
        castTo(functionCall('sum', [second]), { id: 'DOUBLE' }),
      ])
    case 'same':
      return functionCall(textOf(call['function_name']), [first])
    default:
      throw new QuarryError('INTERNAL', `no rule for the aggregate ${textOf(call['function_name'])}`)
  }
}

function groupBy(groups: readonly Expression[]): { group_expressions?: readonly Node[]; group_sets: readonly (readonly number[])[] } {
  if (groups.length === 0) return { group_sets: [[]] }
  return { group_expressions: groups.map(notAnOrdinal), group_sets: [groups.map((_, i) => i)] }
}

/** GROUP BY 1 would mean the first column: a constant that is meant goes in as a cast. */
function notAnOrdinal(expression: Expression): Expression {
  const plain = withoutAlias(expression)
  if (plain['class'] !== 'CONSTANT' || !isNode(plain['value'])) return plain
  const type = plain['value']['type'] as Node
  return castTo(plain, type['id'] === 'NULL' ? { id: 'INTEGER' } : type)
}

/** Constants order nothing, and a number would mean a column: they are left out. */
function orderNodes(orders: readonly OrderKey[], change: (expression: Expression) => Expression): Node[] {
  return orders
    .filter((order) => order.expression['class'] !== 'CONSTANT')
    .map((order) => ({
      type: order.type === '' ? 'ORDER_DEFAULT' : order.type,
      null_order: order.nullOrder === '' ? 'ORDER_DEFAULT' : order.nullOrder,
      expression: change(order.expression),
    }))
}

const orderNode = (expression: Expression): Node => ({
  type: 'ORDER_DEFAULT',
  null_order: 'ORDER_DEFAULT',
  expression: notAnOrdinal(expression),
})
const orderModifier = (orders: readonly Node[]): Node => ({ type: 'ORDER_MODIFIER', orders })
const orderModifiers = (orders: readonly Node[]): Node[] => (orders.length === 0 ? [] : [orderModifier(orders)])

function limitModifiers(bound: BoundSelect): Node[] {
  if (bound.limit === undefined && bound.offset === 0n) return []
  return [
    {
      type: 'LIMIT_MODIFIER',
      ...(bound.limit === undefined ? {} : { limit: integerConstant(bound.limit) }),
      ...(bound.offset === 0n ? {} : { offset: integerConstant(bound.offset) }),
    },
  ]
}

function selectNode(parts: Record<string, Node | readonly Node[] | readonly (readonly number[])[]>): Node {
  return { type: 'SELECT_NODE', cte_map: {}, aggregate_handling: 'STANDARD_HANDLING', ...parts }
}

const numericType =
  /^(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT|UTINYINT|USMALLINT|UINTEGER|UBIGINT|UHUGEINT|FLOAT|DOUBLE|DECIMAL\(\d+,\d+\)|BOOLEAN)$/
/** Types that Parquet and back leave as they are. */
const safeType =
  /^(BOOLEAN|TINYINT|SMALLINT|INTEGER|BIGINT|UTINYINT|USMALLINT|UINTEGER|UBIGINT|FLOAT|DOUBLE|DECIMAL\(\d+,\d+\)|VARCHAR|BLOB|DATE|TIME|TIMESTAMP|TIMESTAMP_NS|TIMESTAMP_MS|TIMESTAMP WITH TIME ZONE|UUID|JSON)$/

interface Travel {
  encode(expression: Expression): Expression
  decode(expression: Expression): Expression
}

const asIs: Travel = { encode: (expression) => expression, decode: (expression) => expression }
const by = (through: Node, type: string): Travel => ({
  encode: (expression) => castTo(expression, through),
  decode: (expression) => castTo(expression, { id: type }),
})

/** How a part of this type travels in a Parquet file without loss. */
function travelOf(type: string, part: Part): Travel {
  if (safeType.test(type)) return asIs
  switch (type) {
    case '"NULL"':
      return by({ id: 'INTEGER' }, 'INTEGER')
    case 'HUGEINT':
      return by(decimalType(38, 0), type)
    case 'UHUGEINT':
    case 'INTERVAL':
    case 'TIME WITH TIME ZONE':
    case 'TIMESTAMP_S':
      return by({ id: 'VARCHAR' }, type)
    default: {
      // Lists, structs and maps of safe types are safe.
      const leaves = type.replace(/"[^"]*"/g, 'x').match(/\b[A-Z][A-Z_ ]*(\(\d+,\d+\))?/g) ?? []
      const nested = /(\[\]|\))$/.test(type) && !/\[\d+\]/.test(type)
      if (nested && leaves.every((leaf) => safeType.test(leaf.trim()) || leaf.trim() === 'STRUCT' || leaf.trim() === 'MAP')) return asIs
      throw refuse(
        `A value of type ${type} in ${part.name.startsWith('quarry_g') ? 'GROUP BY' : 'the result of a fragment'} is`,
        'cast it, for example to VARCHAR.',
      )
    }
  }
}
