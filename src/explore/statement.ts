/**
 * Classifies a statement and finds the tables it names, from the tree of DuckDB's own parser.
 *
 * The parser makes a tree for SELECT only. For DuckDB, DESCRIBE, SHOW and SUMMARIZE are forms of SELECT; a statement
 * that writes, attaches, sets or loads has no tree. In the tree only listed elements are allowed: kinds of table
 * references (below), functions (sql-functions.ts), tables of streams. The locked engine is the second line of defence.
 */
import { SqlError } from '../duckdb/sql-error.ts'
import { isAllowedFunction, TABLE_FUNCTIONS } from './sql-functions.ts'

/** A node of the tree. Every node has a type, which determines its other members. */
export interface Node {
  readonly type?: unknown
  readonly [member: string]: unknown
}

/** `[startMs, endMs)`: events outside this range cannot influence the answer. */
export interface TimeRange {
  readonly startMs: number
  readonly endMs: number
}

export interface NamedTable {
  /** In lower case. */
  readonly name: string
  readonly range: TimeRange
  /** Only the first events of the range, this many, can influence the answer; undefined means all. */
  readonly eventsMax: number | undefined
}

export type StatementKind =
  | 'select'
  | 'show-ref' // DESCRIBE of a query, SUMMARIZE: must become a subquery where a SELECT is needed
  | 'describe-table'
  | 'show-tables'
  | 'show-databases'
  | 'show-columns'

export interface Statement {
  readonly kind: StatementKind
  /** Every table once, except those that CTEs define. */
  readonly tables: readonly NamedTable[]
  /** The whole query; used to name its columns. */
  readonly query: Node
  /** The query is `SELECT * FROM table …`, which reads all columns. */
  readonly isStar: boolean
}

export const ALL_TIME: TimeRange = { startMs: 0, endMs: Number.MAX_SAFE_INTEGER }

const TABLE_REFERENCES: ReadonlySet<unknown> = new Set([
  'BASE_TABLE',
  'SUBQUERY',
  'JOIN',
  'EMPTY',
  'EXPRESSION_LIST',
  'TABLE_FUNCTION',
  'PIVOT',
  'SHOW_REF',
])
const QUERY_NODES: ReadonlySet<unknown> = new Set([
  'SELECT_NODE',
  'SET_OPERATION_NODE',
  'RECURSIVE_CTE_NODE',
  'CTE_NODE',
])
/** Names of DuckDB's tables about itself. */
const RESERVED_NAME = /^(?:duckdb_|pragma_|pg_|sqlite_|information_schema|_)/i

/** For a larger LIMIT it is cheaper to decode all events and to keep them. */
const FIRST_EVENTS_MAX = 10_000
/** DuckDB's own limit is 1000. */
const DEPTH_MAX = 600

/** Reads the tree of one statement. Throws SqlError '42000' if it contains anything that is not allowed. */
export function readStatement(root: Node): Statement {
  const shown = shownBy(root)
  if (shown?.query === null) {
    const name = String(shown.table_name).replaceAll('"', '').toLowerCase()
    throw notAllowed(`SHOW ${name.toUpperCase()}`)
  }
  const walk = new Walk()
  walk.node(root, new Set(), 0)
  const eventsMax = walk.tables.size === 1 ? firstRowsOf(root) : undefined
  const isTable = shown?.show_type === 'DESCRIBE' && tableAlone(shown.query as Node) !== undefined
  return {
    kind: shown === undefined ? 'select' : isTable ? 'describe-table' : 'show-ref',
    tables: [...walk.tables].map(([name, range]) => ({ name, range, eventsMax })),
    query: root,
    isStar: isStarOfTable(root),
  }
}

function isStarOfTable({ type, from_table: from, select_list: list }: Node): boolean {
  return (
    type === 'SELECT_NODE' &&
    (from as Node | null)?.type === 'BASE_TABLE' &&
    (list as readonly Node[]).some((item) => item.type === 'STAR' && item.columns === false)
  )
}

/** The SHOW_REF, if this query consists only of it. */
function shownBy(root: Node): Node | undefined {
  const from = root.from_table as Node | null | undefined
  return from?.type === 'SHOW_REF' && root.type === 'SELECT_NODE' && isPlainStar(root) ? from : undefined
}

/** The table of `SELECT * FROM table`. DuckDB parses `DESCRIBE table` into this form. */
function tableAlone(query: Node): Node | undefined {
  const from = query.from_table as Node | null | undefined
  return from?.type === 'BASE_TABLE' && query.where_clause === null && isPlainStar(query) ? from : undefined
}

function isPlainStar({ select_list: list, modifiers }: Node): boolean {
  return (
    Array.isArray(list) &&
    list.length === 1 &&
    (list[0] as Node).type === 'STAR' &&
    Array.isArray(modifiers) &&
    modifiers.length === 0
  )
}

class Walk {
  readonly tables = new Map<string, TimeRange>()

  /** `ctes` are the names of CTEs in scope. */
  node(node: Node, ctes: Set<string>, depth: number): void {
    if (depth > DEPTH_MAX) throw new SqlError('42000', `the query is nested deeper than ${DEPTH_MAX} levels`)
    this.#check(node)
    const defined = (node.cte_map as { readonly map: readonly { key: string; value: Node }[] } | undefined)
      ?.map
    const scope = defined === undefined || defined.length === 0 ? ctes : new Set(ctes)
    for (const { key, value } of defined ?? []) {
      if (RESERVED_NAME.test(key))
        throw new SqlError('42000', `a query cannot be named ${key}; use another name`)
      const inner = (value.query as { node: Node }).node
      const name = key.toLowerCase()
      if (inner.type === 'RECURSIVE_CTE_NODE') scope.add(name)
      this.#values(value, scope, depth)
      scope.add(name)
    }
    if (node.type === 'BASE_TABLE') this.#table(node, scope, ALL_TIME)
    if (node.type === 'SELECT_NODE' && (node.from_table as Node | null)?.type === 'BASE_TABLE') {
      const from = node.from_table as Node
      // A sample is taken before the conditions of the query apply.
      const range = node.sample === null ? rangeOf(node.where_clause as Node | null, from) : ALL_TIME
      this.#table(from, scope, range)
      for (const [member, value] of Object.entries(node)) {
        if (member !== 'from_table' && member !== 'cte_map') this.#value(value, scope, depth)
      }
      this.#value(from.column_name_alias, scope, depth)
      return
    }
    for (const [member, value] of Object.entries(node)) {
      if (member !== 'cte_map') this.#value(value, scope, depth)
    }
  }

  #values(node: Node, scope: Set<string>, depth: number): void {
    for (const value of Object.values(node)) this.#value(value, scope, depth)
  }

  #value(value: unknown, scope: Set<string>, depth: number): void {
    if (Array.isArray(value)) for (const one of value) this.#value(one, scope, depth + 1)
    else if (typeof value === 'object' && value !== null) this.node(value as Node, scope, depth + 1)
  }

  #check(node: Node): void {
    const { type } = node
    // Expressions have a class. References to tables and nodes of queries have no class and may have a sample.
    if (node.class === undefined && ('sample' in node || String(type).endsWith('_NODE'))) {
      if (!TABLE_REFERENCES.has(type) && !QUERY_NODES.has(type)) throw notAllowed(`a part of kind ${type}`)
    }
    if (node.class === 'PARAMETER') throw notAllowed('a parameter, which has no value here,')
    if (type === 'SHOW_REF' && node.query === null) throw notAllowed('SHOW within a query')
    if (type === 'TABLE_FUNCTION') {
      const name = String((node.function as Node).function_name).toLowerCase()
      if (!TABLE_FUNCTIONS.has(name)) throw refusedFunction(`${name}() as a table`)
    }
    if (typeof node.function_name === 'string' && !isAllowedFunction(node.function_name))
      throw refusedFunction(`${node.function_name}()`)
  }

  #table(node: Node, ctes: ReadonlySet<string>, range: TimeRange): void {
    const name = String(node.table_name).toLowerCase()
    const qualified = node.schema_name !== '' || node.catalog_name !== ''
    if (!qualified && ctes.has(name)) return
    if (qualified) {
      const full = [node.catalog_name, node.schema_name, node.table_name]
        .filter((part) => part !== '')
        .join('.')
      throw new SqlError('42S02', `Table not found '${full}'; name tables without a schema`)
    }
    if (node.at_clause !== null) throw notAllowed('AT')
    const isRenamed = (node.column_name_alias as readonly string[]).length > 0
    const isWhole = isRenamed || node.sample !== null // the conditions then do not apply to all rows that are read
    this.tables.set(name, union(this.tables.get(name), isWhole ? ALL_TIME : range))
  }
}

/** A range that includes every event that satisfies the conditions on `ts`. */
function rangeOf(where: Node | null, table: Node): TimeRange {
  let { startMs, endMs } = ALL_TIME
  const name = String(table.alias === '' ? table.table_name : table.alias).toLowerCase()
  for (const condition of conjuncts(where)) {
    for (const [operator, value] of boundsOn(condition, name)) {
      if (operator === '>=' || operator === '=') startMs = Math.max(startMs, Math.ceil(value))
      if (operator === '>') startMs = Math.max(startMs, Math.floor(value) + 1)
      if (operator === '<=' || operator === '=') endMs = Math.min(endMs, Math.floor(value) + 1)
      if (operator === '<') endMs = Math.min(endMs, Math.ceil(value))
    }
  }
  return { startMs: Math.max(0, startMs), endMs: Math.max(0, endMs) }
}

/**
 * The number of events that `SELECT columns FROM table WHERE ts … LIMIT n` reads, a common query to inspect a stream.
 * Undefined for any other query.
 */
function firstRowsOf(query: Node): number | undefined {
  const from = query.from_table as Node | null | undefined
  const isPlain =
    query.type === 'SELECT_NODE' &&
    from?.type === 'BASE_TABLE' &&
    from.sample === null &&
    query.sample === null &&
    query.having === null &&
    query.qualify === null &&
    query.aggregate_handling === 'STANDARD_HANDLING' &&
    (query.group_expressions as readonly Node[]).length === 0 &&
    (query.cte_map as { map: readonly Node[] }).map.length === 0 &&
    (query.select_list as readonly Node[]).every(isColumns)
  const [modifier, ...others] = query.modifiers as readonly Node[]
  if (!isPlain || modifier?.type !== 'LIMIT_MODIFIER' || others.length > 0) return undefined
  const name = String(from.alias === '' ? from.table_name : from.alias).toLowerCase()
  const conditions = conjuncts(query.where_clause as Node | null)
  const areOnTs = conditions.every(
    (condition) => boundsOn(condition, name).length === (condition.type === 'COMPARE_BETWEEN' ? 2 : 1),
  )
  const { limit, offset } = modifier
  const rows = wholeNumber(limit)
  const skipped = offset === null ? 0 : wholeNumber(offset)
  if (!areOnTs || rows === undefined || skipped === undefined) return undefined
  const events = rows + skipped
  return events >= 1 && events <= FIRST_EVENTS_MAX ? events : undefined
}

/** Whether the item is a column without computation. A computation could read other rows, or return several rows for one. */
function isColumns(item: Node): boolean {
  if (item.type === 'COLUMN_REF') return true
  return item.type === 'STAR' && item.columns === false && (item.replace_list as readonly Node[]).length === 0
}

function conjuncts(where: Node | null): readonly Node[] {
  if (where === null || where === undefined) return []
  if (where.type === 'CONJUNCTION_AND') return (where.children as readonly Node[]).flatMap(conjuncts)
  return [where]
}

type Operator = '=' | '<' | '<=' | '>' | '>='
const OPERATORS: Readonly<Record<string, Operator>> = {
  COMPARE_EQUAL: '=',
  COMPARE_LESSTHAN: '<',
  COMPARE_LESSTHANOREQUALTO: '<=',
  COMPARE_GREATERTHAN: '>',
  COMPARE_GREATERTHANOREQUALTO: '>=',
}
const MIRRORED: Readonly<Record<Operator, Operator>> = {
  '=': '=',
  '<': '>',
  '<=': '>=',
  '>': '<',
  '>=': '<=',
}

function boundsOn(condition: Node, table: string): readonly (readonly [Operator, number])[] {
  if (condition.type === 'COMPARE_BETWEEN') {
    if (!isTs(condition.input, table)) return []
    const lower = wholeNumber(condition.lower)
    const upper = wholeNumber(condition.upper)
    return [
      ...(lower === undefined ? [] : [['>=', lower] as const]),
      ...(upper === undefined ? [] : [['<=', upper] as const]),
    ]
  }
  const operator = OPERATORS[String(condition.type)]
  if (operator === undefined) return []
  const right = wholeNumber(condition.right)
  if (isTs(condition.left, table) && right !== undefined) return [[operator, right]]
  const left = wholeNumber(condition.left)
  if (isTs(condition.right, table) && left !== undefined) return [[MIRRORED[operator], left]]
  return []
}

function isTs(value: unknown, table: string): boolean {
  const node = value as Node | undefined
  if (node?.type !== 'COLUMN_REF') return false
  const names = (node.column_names as readonly string[]).map((name) => name.toLowerCase())
  return (
    names[names.length - 1] === 'ts' && (names.length === 1 || (names.length === 2 && names[0] === table))
  )
}

const WHOLE_TYPES = /^U?(?:TINYINT|SMALLINT|INTEGER|BIGINT)$/

/** Undefined if the value is not a whole number that a double holds exactly. */
function wholeNumber(value: unknown): number | undefined {
  const node = value as Node | undefined
  if (node?.type !== 'VALUE_CONSTANT') return undefined
  const constant = node.value as { type: { id: string }; is_null: boolean; value?: unknown }
  if (constant.is_null || !WHOLE_TYPES.test(constant.type.id)) return undefined
  return Number.isSafeInteger(constant.value) ? (constant.value as number) : undefined
}

function union(a: TimeRange | undefined, b: TimeRange): TimeRange {
  if (a === undefined) return b
  return { startMs: Math.min(a.startMs, b.startMs), endMs: Math.max(a.endMs, b.endMs) }
}

function refusedFunction(name: string): SqlError {
  return new SqlError(
    '42000',
    `the function ${name} is not allowed or does not exist; docs/sql.md, "Functions", has those that a query may call`,
  )
}

function notAllowed(what: string): SqlError {
  return new SqlError(
    '42000',
    `${what} is not allowed; SELECT, WITH, SHOW TABLES, DESCRIBE, EXPLAIN and SUMMARIZE over tables of streams are`,
  )
}
