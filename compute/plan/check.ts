// The gate: which syntax trees may run at all. The coordinator checks a query before it plans, the compute agent of a datanode
// checks every fragment it is sent again, so nothing but what stands here ever reaches a DuckDB that can see data.
//
// Everything is an allow-list: statement, query node, table reference, expression class, operator, function, type. What is not
// listed is refused by name, with what to do instead.
import { QuarryError } from '../../common/errors.ts'
import { childrenOf, isNode, nodesOf, numberTextOf, textOf, textsOf, type Expression, type Json, type Node } from './ast.ts'
import { aggregateRules, otherAggregates, scalarFunctions, unsteadyFunctions } from './functions.ts'

/** Characters of a query's text. */
export const sqlLengthMax = 1_000_000
/** Nested expressions; DuckDB's own bound is 1,000. */
const depthMax = 200
/** Expressions of a query: bounds the time a plan takes. */
const expressionsMax = 20_000

/** Refuses a query: what is not supported, and what to do. */
export function refuse(what: string, advice: string): QuarryError {
  return new QuarryError('SQL', `${what} not supported yet: ${advice}`)
}

/** The only SELECT of a document of json_serialize_sql. Throws SQL for whatever else it holds. */
export function selectOf(document: Node): Node {
  if (document['error'] === true) {
    const message = textOf(document['error_message'])
    if (textOf(document['error_type']) === 'parser') {
      const at = Number(document['position'] ?? Number.NaN)
      throw new QuarryError(
        'SQL',
        `${message}${Number.isFinite(at) ? ` (at character ${at + 1})` : ''}`,
        Number.isFinite(at) ? { position: at } : {},
      )
    }
    throw refuse('Statements other than SELECT are', 'this command only reads; write one SELECT over a Parquet file.')
  }
  const statements = nodesOf(document['statements'])
  if (statements.length !== 1)
    throw new QuarryError(
      'SQL',
      statements.length === 0
        ? 'The query is empty.'
        : `One statement is expected, but there are ${statements.length}: run them one by one.`,
    )
  if (nodesOf(statements[0]!['named_param_map']).length > 0) throw refuse('Parameters ($1, ?) are', 'write the values into the query.')
  const node = statements[0]!['node']
  if (!isNode(node)) throw refuse('This statement is', 'write one SELECT over a Parquet file.')
  const type = textOf(node['type'])
  if (type === 'SET_OPERATION_NODE') throw refuse('UNION, INTERSECT and EXCEPT are', 'run the queries one by one.')
  if (type === 'RECURSIVE_CTE_NODE' || type === 'CTE_NODE')
    throw refuse('WITH (common table expressions) is', 'write one SELECT over a Parquet file.')
  if (type !== 'SELECT_NODE') throw refuse(`A statement of kind ${type} is`, 'write one SELECT over a Parquet file.')
  return node
}

const selectFields = new Set([
  'type',
  'modifiers',
  'cte_map',
  'select_list',
  'from_table',
  'where_clause',
  'group_expressions',
  'group_sets',
  'aggregate_handling',
  'having',
  'sample',
  'qualify',
])

/** Checks all of a SELECT but its table and the items that are a plain `*`. */
export function checkSelect(select: Node): void {
  for (const key of Object.keys(select)) {
    if (!selectFields.has(key)) throw refuse(`A SELECT with ${key} is`, 'leave it out.')
  }
  const ctes = select['cte_map']
  if (isNode(ctes) && Object.keys(ctes).length > 0)
    throw refuse('WITH (common table expressions) is', 'write one SELECT over a Parquet file.')
  if (select['sample'] !== undefined && select['sample'] !== null) throw refuse('SAMPLE is', 'use WHERE or LIMIT.')
  if (select['qualify'] !== undefined && select['qualify'] !== null) throw refuse('QUALIFY is', 'window functions are not distributed.')
  const sets = select['group_sets']
  const groups = nodesOf(select['group_expressions'])
  if (Array.isArray(sets) && (sets.length > 1 || (sets.length === 1 && (sets[0] as readonly Json[]).length !== groups.length))) {
    throw refuse('GROUPING SETS, ROLLUP and CUBE are', 'run one GROUP BY for each set.')
  }
  const budget = { left: expressionsMax }
  const top: Expression[] = [...nodesOf(select['select_list']), ...groups]
  if (isNode(select['where_clause'])) top.push(select['where_clause'])
  if (isNode(select['having'])) top.push(select['having'])
  for (const modifier of nodesOf(select['modifiers'])) top.push(...checkModifier(modifier))
  for (const expression of top) {
    if (isPlainStar(expression)) continue
    checkExpression(expression, 0, budget)
  }
}

/** Checks a modifier and answers the expressions in it that are still to be checked. */
function checkModifier(modifier: Node): Expression[] {
  switch (textOf(modifier['type'])) {
    case 'ORDER_MODIFIER':
      return nodesOf(modifier['orders'])
        .map((order) => order['expression'] as Node)
        .filter((expression) => !isOrderByAll(expression))
    case 'LIMIT_MODIFIER':
      limitOf(modifier, 'limit')
      limitOf(modifier, 'offset')
      return []
    case 'LIMIT_PERCENT_MODIFIER':
      throw refuse('LIMIT with a percentage is', 'write a number of rows.')
    case 'DISTINCT_MODIFIER':
      if (nodesOf(modifier['distinct_on_targets']).length > 0) throw refuse('DISTINCT ON is', 'use GROUP BY with min or max.')
      return []
    default:
      throw refuse(`A SELECT with ${textOf(modifier['type'])} is`, 'leave it out.')
  }
}

/** Rows of LIMIT or OFFSET; undefined when absent. */
export function limitOf(modifier: Node, field: 'limit' | 'offset'): bigint | undefined {
  const expression = modifier[field]
  if (expression === undefined || expression === null) return undefined
  const value = isNode(expression) && expression['class'] === 'CONSTANT' && isNode(expression['value']) ? expression['value'] : undefined
  const text = value === undefined ? undefined : numberTextOf(value['value'])
  if (text === undefined || !/^\d{1,18}$/.test(text))
    throw refuse(`${field.toUpperCase()} with an expression is`, 'write a whole number of rows.')
  return BigInt(text)
}

/** `*` or `t.*` without EXCLUDE, REPLACE or COLUMNS. */
export function isPlainStar(expression: Expression): boolean {
  if (expression['class'] !== 'STAR') return false
  if (expression['columns'] === true) throw refuse('COLUMNS(…) is', 'name the columns.')
  if (
    isFilled(expression['exclude_list']) ||
    isFilled(expression['replace_list']) ||
    isFilled(expression['rename_list']) ||
    isFilled(expression['qualified_exclude_list']) ||
    isNode(expression['expr'])
  ) {
    throw refuse('* with EXCLUDE, REPLACE or RENAME is', 'name the columns.')
  }
  return true
}

function isFilled(value: Json | undefined): boolean {
  return Array.isArray(value) ? value.length > 0 : isNode(value) && Object.keys(value).length > 0
}

/** The `*` that stands for ALL in ORDER BY ALL. */
export function isOrderByAll(expression: Expression): boolean {
  return (
    expression['class'] === 'STAR' && expression['columns'] === true && !isNode(expression['expr']) && !isFilled(expression['exclude_list'])
  )
}

const operators = new Set([
  'OPERATOR_NOT',
  'OPERATOR_IS_NULL',
  'OPERATOR_IS_NOT_NULL',
  'OPERATOR_COALESCE',
  'OPERATOR_NULLIF',
  'COMPARE_IN',
  'COMPARE_NOT_IN',
  'ARRAY_EXTRACT',
  'ARRAY_SLICE',
  'STRUCT_EXTRACT',
  'ARRAY_CONSTRUCTOR',
])

const refusedClasses: Readonly<Record<string, readonly [string, string]>> = {
  SUBQUERY: ['A subquery is', 'run it first and write its result into the query.'],
  WINDOW: ['A window function (OVER) is', 'use GROUP BY, or read the rows and compute it yourself.'],
  PARAMETER: ['Parameters ($1, ?) are', 'write the values into the query.'],
  LAMBDA: ['A lambda (x -> …) is', 'write the expression without it.'],
  COLLATE: ['COLLATE is', 'use lower() or strip_accents().'],
  STAR: ['* inside an expression is', 'name the columns.'],
  POSITIONAL_REFERENCE: ['A positional reference (#1) is', 'name the column.'],
  DEFAULT: ['DEFAULT is', 'write a value.'],
}

function checkExpression(expression: Expression, depth: number, budget: { left: number }): void {
  if (depth > depthMax) throw refuse(`An expression nested more than ${depthMax} deep is`, 'write it flatter, for example with IN (…).')
  if (budget.left-- <= 0) throw refuse(`A query of more than ${expressionsMax} expressions is`, 'make it smaller.')
  const kind = textOf(expression['class'])
  const type = textOf(expression['type'])
  const refused = refusedClasses[kind]
  if (refused !== undefined) throw refuse(...refused)
  switch (kind) {
    case 'COLUMN_REF':
      textsOf(expression['column_names'])
      return
    case 'CONSTANT': {
      const value = expression['value']
      if (!isNode(value)) throw refuse('This constant is', 'write it as a text with a CAST.')
      checkType(value['type'])
      return
    }
    case 'COMPARISON':
      if (!type.startsWith('COMPARE_')) throw refuse(`The comparison ${type} is`, 'write it another way.')
      break
    case 'BETWEEN':
    case 'CONJUNCTION':
    case 'CASE':
      break
    case 'OPERATOR':
      if (!operators.has(type)) throw refuse(`The operator ${type} is`, 'write it another way.')
      break
    case 'CAST':
      checkType(expression['cast_type'])
      break
    case 'FUNCTION':
      checkFunction(expression)
      break
    default:
      throw refuse(`An expression of kind ${kind} is`, 'write it another way.')
  }
  const parts = childrenOf(expression)
  for (const part of parts) checkExpression(part, depth + 1, budget)
  if (isAggregate(expression) && parts.some(hasAggregate))
    throw new QuarryError('SQL', `An aggregate cannot stand inside ${textOf(expression['function_name'])}(…).`)
}

/** Whether the expression is a call of an aggregate. */
export function isAggregate(expression: Expression): boolean {
  return expression['class'] === 'FUNCTION' && Object.hasOwn(aggregateRules, textOf(expression['function_name']))
}

export function hasAggregate(expression: Expression): boolean {
  return isAggregate(expression) || childrenOf(expression).some(hasAggregate)
}

function checkFunction(call: Expression): void {
  const name = textOf(call['function_name'])
  const schema = textOf(call['schema'])
  const catalog = textOf(call['catalog'])
  if ((schema !== '' && schema !== 'main') || (catalog !== '' && catalog !== 'system'))
    throw refuse(`The function ${schema}.${name} is`, 'use a built-in function.')
  if (isAggregate(call)) {
    if (call['distinct'] === true) throw refuse(`${name}(DISTINCT …) is`, 'group by the value first, then count the rows.')
    if (isNode(call['order_bys']) && nodesOf(call['order_bys']['orders']).length > 0)
      throw refuse(`ORDER BY inside ${name}(…) is`, 'leave it out.')
    if (call['export_state'] === true) throw refuse('EXPORT_STATE is', 'leave it out.')
    const parts = nodesOf(call['children'])
    if (parts.length > 1) throw refuse(`${name} with ${parts.length} arguments is`, 'give it one.')
    return
  }
  if (
    call['distinct'] === true ||
    isNode(call['filter']) ||
    (isNode(call['order_bys']) && nodesOf(call['order_bys']['orders']).length > 0)
  ) {
    if (!otherAggregates.has(name))
      throw new QuarryError('SQL', `${name} is not an aggregate: DISTINCT, FILTER and ORDER BY have no place in it.`)
  }
  if (scalarFunctions.has(name)) return
  if (otherAggregates.has(name))
    throw refuse(
      `The aggregate ${name} is`,
      `the ones that run beside the blocks are ${Object.keys(aggregateRules)
        .filter((key) => key !== 'count_star')
        .join(', ')}.`,
    )
  if (unsteadyFunctions.has(name)) throw refuse(`${name}() is`, 'it differs from node to node; write the value into the query.')
  throw refuse(
    `The function ${name} is`,
    'only functions of their arguments alone may run beside the blocks (docs: compute/plan/functions.ts).',
  )
}

const scalarTypes = new Set([
  'NULL',
  'BOOLEAN',
  'TINYINT',
  'SMALLINT',
  'INTEGER',
  'BIGINT',
  'HUGEINT',
  'UTINYINT',
  'USMALLINT',
  'UINTEGER',
  'UBIGINT',
  'UHUGEINT',
  'FLOAT',
  'DOUBLE',
  'DECIMAL',
  'VARCHAR',
  'CHAR',
  'BLOB',
  'DATE',
  'TIME',
  'TIMESTAMP',
  'TIMESTAMP_S',
  'TIMESTAMP_MS',
  'TIMESTAMP_NS',
  'TIMESTAMP WITH TIME ZONE',
  'TIME WITH TIME ZONE',
  'INTERVAL',
  'UUID',
  'INTEGER_LITERAL',
  'STRING_LITERAL',
])

function checkType(type: Json | undefined): void {
  if (!isNode(type)) throw refuse('This type is', 'use a scalar type.')
  const id = textOf(type['id'])
  const info = isNode(type['type_info']) ? type['type_info'] : undefined
  if (id === 'LIST') return checkType(info?.['child_type'])
  if (id === 'UNBOUND' && textOf(info?.['name']).toUpperCase() === 'JSON') return
  if (!scalarTypes.has(id))
    throw refuse(`The type ${id === 'UNBOUND' ? textOf(info?.['name']) : id} is`, 'use a scalar type or a list of one.')
  // Only DECIMAL(w,s) carries more than its name; a collation or a user's type would hide here.
  if (info !== undefined && textOf(info['type']) !== 'DECIMAL_TYPE_INFO')
    throw refuse(`The type ${id} with ${textOf(info['type'])} is`, 'use the plain type.')
}
