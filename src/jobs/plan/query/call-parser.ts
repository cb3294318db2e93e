/** Reads calls of functions, and the forms of PostgreSQL's grammar that are functions: EXTRACT, SUBSTRING, TRIM, COALESCE. */
import type { QueryCursor } from './query-cursor.ts'
import type { CallExpression, Expression, Frame, FrameBound, Name, Span, Window } from './syntax.ts'

/** Forms whose words are key words. */
const PLAIN_FORMS = new Set(['coalesce', 'nullif', 'greatest', 'least'])
const OTHER_FORMS = new Set(
  `grouping normalize overlay position treat xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlparse xmlpi
  xmlroot xmlserialize xmltable collation`.split(/\s+/),
)

/** Undefined if no call begins here. */
export function parseCall(cursor: QueryCursor): CallExpression | undefined {
  const token = cursor.peek()
  if (token.kind === 'word' && cursor.is('(', 1)) {
    if (PLAIN_FORMS.has(token.value)) return plainForm(cursor)
    if (token.value === 'extract') return extract(cursor)
    if (token.value === 'substring') return substring(cursor)
    if (token.value === 'trim') return trim(cursor)
    if (OTHER_FORMS.has(token.value))
      throw cursor.unsupported(`function ${token.value} is not supported in a cached query`)
  }
  const names = functionName(cursor)
  if (names === undefined) return undefined
  const filled = args(cursor, names)
  const filter = readFilter(cursor)
  const over = cursor.skipWord('over') ? readOver(cursor) : undefined
  const span = cursor.since(token)
  return { ...filled, filter, over, ...span }
}

function functionName(cursor: QueryCursor): Name[] | undefined {
  let ahead = 0
  while (cursor.is('.', ahead + 1)) ahead += 2
  if (!cursor.is('(', ahead + 1)) return undefined
  if (ahead === 0 && !cursor.isFunctionName()) {
    if (cursor.isName()) cursor.next()
    throw cursor.unexpected()
  }
  const names = [ahead === 0 ? cursor.label() : cursor.name()]
  while (cursor.skip('.')) names.push(cursor.label())
  return names
}

function args(cursor: QueryCursor, names: readonly Name[]): CallExpression {
  const first = names[0]!
  cursor.operator('(')
  if (cursor.skip('*')) {
    cursor.operator(')')
    noWithinGroup(cursor)
    return call(names, [], cursor.since(first), { isStar: true })
  }
  if (cursor.skip(')')) {
    noWithinGroup(cursor)
    return call(names, [], cursor.since(first))
  }
  const isDistinct = cursor.skipWord('distinct')
  if (!isDistinct) cursor.skipWord('all')
  const list = cursor.names(() => argument(cursor))
  const orderBy = cursor.isWord('order') ? cursor.orders() : []
  cursor.operator(')')
  noWithinGroup(cursor)
  return call(names, list, cursor.since(first), { isDistinct, orderBy })
}

function argument(cursor: QueryCursor): Expression {
  if (cursor.isWord('variadic')) throw cursor.unsupported('VARIADIC is not supported')
  if (cursor.isName() && (cursor.is('=>', 1) || cursor.is(':=', 1)))
    throw cursor.unsupported('arguments by name are not supported')
  return cursor.expression()
}

function noWithinGroup(cursor: QueryCursor): void {
  if (cursor.isWord('within', 'group')) throw cursor.unsupported('WITHIN GROUP is not supported')
}

function readFilter(cursor: QueryCursor): Expression | undefined {
  if (!(cursor.isWord('filter') && cursor.is('(', 1))) return undefined
  cursor.next()
  cursor.next()
  cursor.word('where')
  const filter = cursor.expression()
  cursor.operator(')')
  return filter
}

function readOver(cursor: QueryCursor): Window {
  if (cursor.is('(')) return readWindow(cursor)
  const base = cursor.name()
  return { base, partitionBy: [], orderBy: [], frame: undefined, start: base.start, end: base.end }
}

/** `(w PARTITION BY … ORDER BY … ROWS …)` */
export function readWindow(cursor: QueryCursor): Window {
  const first = cursor.operator('(')
  const isClause = cursor.isWord('partition') || cursor.isWordAt(0, 'range', 'rows', 'groups')
  const base = cursor.isName() && !isClause ? cursor.name() : undefined
  let partitionBy: readonly Expression[] = []
  if (cursor.skipWord('partition')) {
    cursor.word('by')
    partitionBy = cursor.names(() => cursor.expression())
  }
  const orderBy = cursor.isWord('order') ? cursor.orders() : []
  const frame = cursor.isWordAt(0, 'rows', 'range', 'groups') ? readFrame(cursor) : undefined
  cursor.operator(')')
  return { base, partitionBy, orderBy, frame, ...cursor.since(first) }
}

const EXCLUDES: readonly (readonly string[])[] = [['current', 'row'], ['group'], ['ties'], ['no', 'others']]

function readFrame(cursor: QueryCursor): Frame {
  const first = cursor.next()
  const mode = first.value.toUpperCase() as Frame['mode']
  const isBetween = cursor.skipWord('between')
  const from = readBound(cursor)
  let to: FrameBound = { kind: 'CURRENT ROW', offset: undefined, start: from.start, end: from.end }
  if (isBetween) {
    cursor.word('and')
    to = readBound(cursor)
  }
  checkFrame(cursor, from, to, isBetween)
  let exclude: string | undefined
  if (cursor.skipWord('exclude')) {
    const found = EXCLUDES.find((words) => cursor.skipWord(...words))
    if (found === undefined) throw cursor.unexpected()
    if (found[0] !== 'no') exclude = found.join(' ').toUpperCase()
  }
  return { mode, from, to, exclude, ...cursor.since(first) }
}

function readBound(cursor: QueryCursor): FrameBound {
  const first = cursor.peek()
  if (cursor.skipWord('current', 'row'))
    return { kind: 'CURRENT ROW', offset: undefined, ...cursor.since(first) }
  if (cursor.isWord('unbounded') && cursor.isWordAt(1, 'preceding', 'following')) {
    cursor.next()
    const kind = cursor.next().value === 'preceding' ? 'UNBOUNDED PRECEDING' : 'UNBOUNDED FOLLOWING'
    return { kind, offset: undefined, ...cursor.since(first) }
  }
  const offset = cursor.expression()
  if (!cursor.isWordAt(0, 'preceding', 'following')) throw cursor.unexpected()
  const kind = cursor.next().value === 'preceding' ? 'PRECEDING' : 'FOLLOWING'
  return { kind, offset, ...cursor.since(first) }
}

const RANKS: readonly FrameBound['kind'][] = [
  'UNBOUNDED PRECEDING',
  'PRECEDING',
  'CURRENT ROW',
  'FOLLOWING',
  'UNBOUNDED FOLLOWING',
]

function checkFrame(cursor: QueryCursor, from: FrameBound, to: FrameBound, isBetween: boolean): void {
  if (from.kind === 'UNBOUNDED FOLLOWING')
    throw cursor.invalid('frame start cannot be UNBOUNDED FOLLOWING', from)
  if (to.kind === 'UNBOUNDED PRECEDING') throw cursor.invalid('frame end cannot be UNBOUNDED PRECEDING', to)
  if (RANKS.indexOf(from.kind) <= RANKS.indexOf(to.kind)) return
  if (from.kind === 'FOLLOWING' && !isBetween)
    throw cursor.invalid('frame starting from following row cannot end with current row', from)
  const which = from.kind === 'FOLLOWING' ? 'following row' : 'current row'
  const end = to.kind === 'CURRENT ROW' ? 'current row' : 'preceding row'
  throw cursor.invalid(
    to.kind === 'CURRENT ROW'
      ? `frame starting from ${which} cannot end with ${end}`
      : `frame starting from ${which} cannot have preceding rows`,
    to,
  )
}

function plainForm(cursor: QueryCursor): CallExpression {
  const first = cursor.peek()
  const name = cursor.label()
  cursor.operator('(')
  const list = cursor.names(() => cursor.expression())
  if (name.value === 'nullif' && list.length !== 2) throw cursor.unexpected()
  cursor.operator(')')
  return call([name], list, cursor.since(first))
}

/** `EXTRACT(year FROM x)` is extract('year', x). */
function extract(cursor: QueryCursor): CallExpression {
  const first = cursor.peek()
  const name = cursor.label()
  cursor.operator('(')
  const field = cursor.peek()
  if (!['word', 'name', 'text'].includes(field.kind)) throw cursor.unexpected()
  cursor.next()
  cursor.word('from')
  const of = cursor.expression()
  cursor.operator(')')
  const text: Expression = { kind: 'text', value: field.value, start: field.start, end: field.end }
  return call([name], [text, of], cursor.since(first))
}

/** `SUBSTRING(x FROM 2 FOR 3)` is substring(x, 2, 3). */
function substring(cursor: QueryCursor): CallExpression {
  const first = cursor.peek()
  const name = cursor.label()
  cursor.operator('(')
  const list = [cursor.expression()]
  if (cursor.isWord('similar')) throw cursor.unsupported('SUBSTRING with SIMILAR is not supported')
  if (cursor.skipWord('from')) {
    list.push(cursor.expression())
    if (cursor.skipWord('for')) list.push(cursor.expression())
  } else if (cursor.skipWord('for')) {
    const length = cursor.expression()
    if (cursor.skipWord('from')) list.push(cursor.expression(), length)
    else list.push(number('1', length), length)
  } else while (cursor.skip(',')) list.push(cursor.expression())
  cursor.operator(')')
  return call([name], list, cursor.since(first))
}

function number(value: string, { start, end }: Span): Expression {
  return { kind: 'number', value, start, end }
}

/** `TRIM(BOTH y FROM x)` is btrim(x, y). */
function trim(cursor: QueryCursor): CallExpression {
  const first = cursor.next()
  cursor.operator('(')
  const function_ = cursor.skipWord('leading') ? 'ltrim' : cursor.skipWord('trailing') ? 'rtrim' : 'btrim'
  if (function_ === 'btrim') cursor.skipWord('both')
  let list: Expression[] = []
  if (cursor.skipWord('from')) list = cursor.names(() => cursor.expression())
  else {
    const characters = cursor.expression()
    if (cursor.skipWord('from')) list = [...cursor.names(() => cursor.expression()), characters]
    else {
      list = [characters]
      while (cursor.skip(',')) list.push(cursor.expression())
    }
  }
  cursor.operator(')')
  const name = { value: function_, isQuoted: false, written: function_, start: first.start, end: first.end }
  return call([name], list, cursor.since(first))
}

export function call(
  names: readonly Name[],
  args: readonly Expression[],
  span: Span,
  more: Partial<CallExpression> = {},
): CallExpression {
  const none = { isStar: false, isDistinct: false, orderBy: [], filter: undefined, over: undefined }
  return { kind: 'call', names, args, ...none, ...more, start: span.start, end: span.end }
}
