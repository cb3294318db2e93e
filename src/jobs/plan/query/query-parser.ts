/** Reads one SELECT statement with PostgreSQL's grammar. What cached queries do not have is refused where it stands. */
import { readWindow } from './call-parser.ts'
import { beginsQuery, parseExpression } from './expression-parser.ts'
import { QueryCursor } from './query-cursor.ts'
import { OTHER_STATEMENTS } from './query-words.ts'
import type {
  Alias,
  CteSyntax,
  Expression,
  FromItem,
  Item,
  Name,
  Order,
  Query,
  Select,
  SetOperation,
} from './syntax.ts'

/** Throws QueryProblem. */
export function parseStatement(sql: string): { readonly query: Query; readonly cursor: QueryCursor } {
  const cursor = new QueryCursor(sql, { expression: parseExpression, query: parseQuery, orders: parseOrders })
  while (cursor.skip(';'));
  const first = cursor.peek()
  if (first.kind === 'end') throw cursor.invalid('the query is empty; write a SELECT')
  if (first.kind === 'word' && OTHER_STATEMENTS.has(first.value))
    throw cursor.unsupported(`${first.text.toUpperCase()} is not supported: a cached query is one SELECT`)
  const query = parseQuery(cursor)
  while (cursor.is(';')) {
    cursor.next()
    if (!cursor.is(';') && cursor.peek().kind !== 'end')
      throw cursor.unsupported('several statements are not supported: a cached query is one SELECT')
  }
  if (cursor.peek().kind !== 'end') throw cursor.unexpected()
  return { query, cursor }
}

/** Clauses behind a query in parentheses become clauses of that query, as in PostgreSQL. */
function parseQuery(cursor: QueryCursor): Query {
  return cursor.within(() => {
    const first = cursor.peek()
    const ctes = cursor.isWord('with') ? readCtes(cursor) : []
    const inner = asQuery(readSets(cursor, 0))
    if (ctes.length > 0 && inner.ctes.length > 0)
      throw cursor.invalid('multiple WITH clauses not allowed', inner.ctes[0])
    return { ...inner, ctes: [...ctes, ...inner.ctes], ...readEnd(cursor, inner), ...cursor.since(first) }
  })
}

function readCtes(cursor: QueryCursor): CteSyntax[] {
  cursor.word('with')
  if (cursor.isWord('recursive')) throw cursor.unsupported('WITH RECURSIVE is not supported')
  return cursor.names(() => {
    const first = cursor.peek()
    const name = cursor.name()
    const columns = cursor.is('(') ? nameList(cursor) : []
    cursor.word('as')
    if (cursor.skipWord('not')) cursor.word('materialized')
    else cursor.skipWord('materialized')
    cursor.operator('(')
    if (cursor.isWordAt(0, 'insert', 'update', 'delete', 'merge'))
      throw cursor.unsupported(
        `${cursor.peek().text.toUpperCase()} is not supported: a cached query only reads`,
      )
    const query = parseQuery(cursor)
    cursor.operator(')')
    if (cursor.isWordAt(0, 'search', 'cycle')) throw cursor.unsupported('SEARCH and CYCLE are not supported')
    return { name, columns, query, ...cursor.since(first) }
  })
}

function nameList(cursor: QueryCursor): Name[] {
  cursor.operator('(')
  const names = cursor.names(() => cursor.name())
  cursor.operator(')')
  return names
}

/** A SELECT, a query in parentheses, or a set operation of them. INTERSECT binds more than UNION and EXCEPT. */
function readSets(cursor: QueryCursor, least: number): Query | Select | SetOperation {
  const first = cursor.peek()
  let left: Query | Select | SetOperation = readOperand(cursor)
  for (let count = 0; ; count++) {
    const level = cursor.isWord('intersect') ? 2 : cursor.isWordAt(0, 'union', 'except') ? 1 : 0
    if (level <= least) return left
    if (count === BRANCHES_MAX)
      throw cursor.unsupported(`more than ${BRANCHES_MAX} set operations are not supported`)
    const operator = cursor.next().value.toUpperCase() as SetOperation['operator']
    const isAll = cursor.skipWord('all')
    if (!isAll) cursor.skipWord('distinct')
    const right = readSets(cursor, level)
    left = {
      kind: 'set',
      operator,
      isAll,
      left: asQuery(left),
      right: asQuery(right),
      ...cursor.since(first),
    }
  }
}

const BRANCHES_MAX = 200

function asQuery(part: Query | Select | SetOperation): Query {
  if ('body' in part) return part
  const none = { ctes: [], orderBy: [], limit: undefined, offset: undefined }
  return { body: part, ...none, start: part.start, end: part.end }
}

function readOperand(cursor: QueryCursor): Query | Select {
  if (cursor.isWord('select')) return readSelect(cursor)
  if (cursor.isWord('values')) throw cursor.unsupported('VALUES is not supported')
  if (cursor.isWord('table')) throw cursor.unsupported('TABLE is not supported; write SELECT * FROM')
  cursor.operator('(')
  const query = parseQuery(cursor)
  cursor.operator(')')
  return query
}

function readSelect(cursor: QueryCursor): Select {
  const first = cursor.next()
  const isDistinct = cursor.skipWord('distinct')
  if (isDistinct && cursor.isWord('on'))
    throw cursor.unsupported('DISTINCT ON is not supported; use row_number()')
  if (!isDistinct) cursor.skipWord('all')
  const hasItems = !isClause(cursor)
  const items = hasItems ? cursor.names(() => readItem(cursor)) : []
  if (!hasItems) throw cursor.unsupported('a SELECT without columns is not supported')
  if (cursor.isWord('into'))
    throw cursor.unsupported('SELECT INTO is not supported: a cached query only reads')
  const from = cursor.skipWord('from') ? readFromList(cursor) : []
  const where = cursor.skipWord('where') ? parseExpression(cursor) : undefined
  const groupBy = cursor.isWord('group') ? readGroupBy(cursor) : []
  const having = cursor.skipWord('having') ? parseExpression(cursor) : undefined
  const windows = cursor.skipWord('window') ? cursor.names(() => readNamedWindow(cursor)) : []
  return { kind: 'select', isDistinct, items, from, where, groupBy, having, windows, ...cursor.since(first) }
}

function isClause(cursor: QueryCursor): boolean {
  const { kind } = cursor.peek()
  if (kind === 'end' || cursor.is(')') || cursor.is(';')) return true
  return cursor.isWordAt(
    0,
    'from',
    'where',
    'group',
    'having',
    'window',
    'into',
    'union',
    'intersect',
    'except',
    'order',
    'limit',
    'offset',
    'fetch',
    'for',
  )
}

function readItem(cursor: QueryCursor): Item {
  const first = cursor.peek()
  if (cursor.skip('*'))
    return { of: { kind: 'star', of: [], ...cursor.since(first) }, alias: undefined, ...cursor.since(first) }
  const of = parseExpression(cursor)
  if (of.kind === 'star') return { of, alias: undefined, ...cursor.since(first) }
  const alias = cursor.skipWord('as') || cursor.isBareLabel() ? cursor.label() : undefined
  return { of, alias, ...cursor.since(first) }
}

function readGroupBy(cursor: QueryCursor): Expression[] {
  cursor.word('group', 'by')
  if (cursor.isWord('distinct')) throw cursor.unsupported('GROUP BY DISTINCT is not supported')
  cursor.skipWord('all')
  return cursor.names(() => {
    const isSets =
      cursor.isWord('grouping', 'sets') || (cursor.isWordAt(0, 'rollup', 'cube') && cursor.is('(', 1))
    if (isSets || (cursor.is('(') && cursor.is(')', 1)))
      throw cursor.unsupported('GROUPING SETS, ROLLUP and CUBE are not supported')
    return parseExpression(cursor)
  })
}

function readNamedWindow(cursor: QueryCursor) {
  const name = cursor.name()
  cursor.word('as')
  if (!cursor.is('(')) throw cursor.unexpected()
  return { name, window: readWindow(cursor) }
}

function parseOrders(cursor: QueryCursor): Order[] {
  cursor.word('order', 'by')
  return cursor.names(() => {
    const of = parseExpression(cursor)
    if (cursor.isWord('using'))
      throw cursor.unsupported('ORDER BY … USING is not supported; write ASC or DESC')
    const isDescending = cursor.skipWord('desc')
    if (!isDescending) cursor.skipWord('asc')
    let nullsFirst = isDescending
    if (cursor.isWord('nulls') && cursor.isWordAt(1, 'first', 'last')) {
      cursor.next()
      nullsFirst = cursor.next().value === 'first'
    }
    return { of, isDescending, nullsFirst, start: of.start, end: of.end }
  })
}

/** ORDER BY, LIMIT and OFFSET in any order of the last two. */
function readEnd(cursor: QueryCursor, inner: Query): Pick<Query, 'orderBy' | 'limit' | 'offset'> {
  const isTwice = (clause: string) => cursor.invalid(`multiple ${clause} clauses not allowed`)
  if (cursor.isWord('order') && inner.orderBy.length > 0) throw isTwice('ORDER BY')
  const orderBy = cursor.isWord('order') ? parseOrders(cursor) : inner.orderBy
  let { limit, offset } = { limit: undefined, offset: undefined } as {
    limit?: Expression | undefined
    offset?: Expression | undefined
  }
  for (;;) {
    if (cursor.isWordAt(0, 'limit', 'fetch')) {
      if (limit !== undefined) throw cursor.unexpected()
      if (inner.limit !== undefined) throw isTwice('LIMIT')
      limit = readLimit(cursor)
    } else if (cursor.isWord('offset')) {
      if (offset !== undefined) throw cursor.unexpected()
      if (inner.offset !== undefined) throw isTwice('OFFSET')
      cursor.next()
      offset = parseExpression(cursor)
      if (!cursor.skipWord('row')) cursor.skipWord('rows')
    } else break
  }
  if (cursor.isWord('for'))
    throw cursor.unsupported(
      `FOR ${cursor.peek(1).text.toUpperCase()} is not supported: a cached query only reads`,
    )
  return { orderBy, limit: limit ?? inner.limit, offset: offset ?? inner.offset }
}

function readLimit(cursor: QueryCursor): Expression {
  const first = cursor.next()
  if (first.value === 'limit') {
    if (cursor.isWord('all')) {
      const { start, end } = cursor.next()
      return { kind: 'null', start, end }
    }
    const limit = parseExpression(cursor)
    if (cursor.is(',')) throw cursor.invalid('LIMIT #,# syntax is not supported')
    return limit
  }
  if (!(cursor.skipWord('first') || cursor.skipWord('next'))) throw cursor.unexpected()
  const one: Expression = { kind: 'number', value: '1', start: first.start, end: first.end }
  const count = cursor.isWordAt(0, 'row', 'rows') ? one : parseExpression(cursor)
  if (!(cursor.skipWord('row') || cursor.skipWord('rows'))) throw cursor.unexpected()
  if (cursor.isWord('with', 'ties')) throw cursor.unsupported('FETCH … WITH TIES is not supported')
  cursor.word('only')
  return count
}

/** Each join is a level of the tree. */
const JOINS_MAX = 100

function readFromList(cursor: QueryCursor): FromItem[] {
  const items = cursor.names(() => readFrom(cursor))
  if (items.length <= JOINS_MAX) return items
  throw cursor.unsupported(`more than ${JOINS_MAX} tables in a row are not supported`, items[JOINS_MAX]!)
}

function readFrom(cursor: QueryCursor): FromItem {
  return cursor.within(() => {
    const first = cursor.peek()
    let left = readFromOperand(cursor)
    for (let count = 0; ; count++) {
      const isNatural = cursor.isWord('natural')
      if (!isNatural && !cursor.isWordAt(0, 'cross', 'join', 'inner', 'left', 'right', 'full')) return left
      if (count === JOINS_MAX) throw cursor.unsupported(`more than ${JOINS_MAX} joins are not supported`)
      left = readJoin(cursor, left, first)
    }
  })
}

function readJoin(cursor: QueryCursor, left: FromItem, first: { readonly start: number }): FromItem {
  const isNatural = cursor.skipWord('natural')
  const isCross = !isNatural && cursor.skipWord('cross')
  let type: 'INNER' | 'LEFT' | 'RIGHT' | 'FULL' | 'CROSS' = isCross ? 'CROSS' : 'INNER'
  if (!isCross && !cursor.skipWord('inner')) {
    for (const word of ['LEFT', 'RIGHT', 'FULL'] as const) {
      if (!cursor.skipWord(word.toLowerCase())) continue
      type = word
      cursor.skipWord('outer')
    }
  }
  cursor.word('join')
  const hasCondition = !isNatural && !isCross
  const right = hasCondition ? cursor.within(() => readJoinRight(cursor)) : readFromOperand(cursor)
  const common = { kind: 'join', type, left, right, isNatural } as const
  if (!hasCondition) return { ...common, on: undefined, using: [], ...cursor.since(first) }
  if (cursor.skipWord('on')) {
    const on = parseExpression(cursor)
    return { ...common, on, using: [], ...cursor.since(first) }
  }
  cursor.word('using')
  const using = nameList(cursor)
  if (cursor.isWord('as')) throw cursor.unsupported('USING … AS is not supported')
  return { ...common, on: undefined, using, ...cursor.since(first) }
}

/** `a JOIN b JOIN c ON … ON …`: a join whose condition has not come yet takes the next one. */
function readJoinRight(cursor: QueryCursor): FromItem {
  const first = cursor.peek()
  let right = readFromOperand(cursor)
  while (
    !cursor.isWordAt(0, 'on', 'using') &&
    (cursor.isWord('natural') || cursor.isWordAt(0, 'cross', 'join', 'inner', 'left', 'right', 'full'))
  )
    right = readJoin(cursor, right, first)
  return right
}

function readFromOperand(cursor: QueryCursor): FromItem {
  const first = cursor.peek()
  if (cursor.isWord('lateral')) throw cursor.unsupported('LATERAL is not supported')
  if (cursor.isWord('only')) throw cursor.unsupported('ONLY is not supported')
  if (cursor.isWord('rows', 'from')) throw cursor.unsupported('functions in FROM are not supported')
  if (cursor.is('(')) {
    if (beginsQuery(cursor, 1)) return readSubquery(cursor)
    cursor.next()
    const inner = readFrom(cursor)
    if (inner.kind !== 'join') throw cursor.unexpected()
    cursor.operator(')')
    if (readAlias(cursor) !== undefined)
      throw cursor.unsupported('an alias of a join is not supported', cursor.since(first))
    return { ...inner, ...cursor.since(first) }
  }
  const isCall = (ahead: number) => cursor.is('(', ahead)
  if (cursor.isFunctionName() && isCall(1)) throw cursor.unsupported('functions in FROM are not supported')
  const names = [cursor.name()]
  while (cursor.skip('.')) names.push(cursor.label())
  if (cursor.is('(')) throw cursor.unsupported('functions in FROM are not supported', cursor.since(first))
  if (cursor.is('*')) throw cursor.unsupported('* behind a table is not supported')
  const span = cursor.since(first)
  const alias = readAlias(cursor)
  if (cursor.isWord('tablesample')) throw cursor.unsupported('TABLESAMPLE is not supported')
  return { kind: 'table', names, alias, ...span }
}

function readSubquery(cursor: QueryCursor): FromItem {
  const first = cursor.operator('(')
  const query = parseQuery(cursor)
  cursor.operator(')')
  const span = cursor.since(first)
  const alias = readAlias(cursor)
  if (alias === undefined) throw cursor.invalid('subquery in FROM must have an alias', span)
  return { kind: 'query', query, alias, ...span }
}

function readAlias(cursor: QueryCursor): Alias | undefined {
  const first = cursor.peek()
  const isWritten = cursor.skipWord('as')
  if (!isWritten && !cursor.isName()) return undefined
  const name = cursor.name()
  const columns = cursor.is('(') ? nameList(cursor) : []
  return { name, columns, ...cursor.since(first) }
}
