/**
 * Reads an expression with PostgreSQL's grammar and precedence. From weak to strong: OR, AND, NOT, IS, comparisons, BETWEEN IN LIKE,
 * other operators, + -, * / %, AT TIME ZONE, COLLATE, unary - and +, ::.
 */
import { call, parseCall } from './call-parser.ts'
import type { QueryCursor } from './query-cursor.ts'
import type { Expression, Name, Span } from './syntax.ts'
import { beginsTypedText, readType } from './type-names.ts'

const OR = 1
const AND = 2
const NOT = 3
const IS = 4
const COMPARE = 5
const MATCH = 6
const OTHER = 7
const ADD = 8
const MULTIPLY = 9
const POWER = 10
const AT = 11
const COLLATE = 12
const UNARY = 13
const CAST = 14

const COMPARISONS: ReadonlySet<string> = new Set(['<', '>', '=', '<=', '>=', '<>', '!='])
/** Of several characters or of types that are not compared here: known, and refused. */
const OPERATORS: ReadonlySet<string> = new Set(['||', '->', '->>'])

export function parseExpression(cursor: QueryCursor): Expression {
  return parse(cursor, OR, false)
}

/** `isBound`: the first bound of BETWEEN, in which AND, OR, NOT, IN, LIKE and BETWEEN are not read. */
function parse(cursor: QueryCursor, least: number, isBound: boolean): Expression {
  return cursor.within(() => {
    let left = prefix(cursor, isBound)
    let chain = 0
    /** The level of a comparison or match that was just read: `a < b < c` is refused. */
    let last = 0
    for (;;) {
      const level = levelOf(cursor, isBound)
      if (level < least) return left
      if (level === last && (level === COMPARE || level === MATCH || level === IS)) throw cursor.unexpected()
      const { node, isOpen } = infix(cursor, left, level, isBound)
      left = node
      last = isOpen ? level : 0
      if (++chain > CHAIN_MAX)
        throw cursor.unsupported(
          `an expression has more than ${CHAIN_MAX} operators in a row; make it simpler`,
        )
    }
  })
}

/** Each is a level of the tree. */
const CHAIN_MAX = 300

function levelOf(cursor: QueryCursor, isBound: boolean): number {
  const token = cursor.peek()
  if (token.kind === 'operator') {
    if (token.text === '::') return CAST
    if (token.text === '[') throw cursor.unsupported('elements of arrays are not supported')
    if (COMPARISONS.has(token.text)) return COMPARE
    if (token.text === '+' || token.text === '-') return ADD
    if (token.text === '*' || token.text === '/' || token.text === '%') return MULTIPLY
    if (token.text === '^') return POWER
    return /^[+\-*/<>=~!@#%^&|?]+$/.test(token.text) && token.text !== '=>' ? OTHER : 0
  }
  if (token.kind !== 'word') return 0
  switch (token.value) {
    case 'or':
      return isBound ? 0 : OR
    case 'and':
      return isBound ? 0 : AND
    case 'is':
      return isBound &&
        !(cursor.isWordAt(1, 'distinct') || (cursor.isWordAt(1, 'not') && cursor.isWordAt(2, 'distinct')))
        ? 0
        : IS
    case 'isnull':
    case 'notnull':
      return isBound ? 0 : IS
    case 'between':
    case 'in':
    case 'like':
    case 'ilike':
    case 'similar':
      return isBound ? 0 : MATCH
    case 'not':
      return !isBound && cursor.isWordAt(1, 'between', 'in', 'like', 'ilike', 'similar') ? MATCH : 0
    case 'at':
      return cursor.isWordAt(1, 'time') ? AT : 0
    case 'collate':
      return COLLATE
    case 'operator':
      return cursor.is('(', 1) ? OTHER : 0
    case 'overlaps':
      return isBound ? 0 : OTHER
    default:
      return 0
  }
}

function prefix(cursor: QueryCursor, isBound: boolean): Expression {
  const first = cursor.peek()
  if (!isBound && cursor.skipWord('not')) {
    const of = parse(cursor, NOT, false)
    return { kind: 'not', of, ...cursor.since(first) }
  }
  if (cursor.is('-') || cursor.is('+')) {
    const at = cursor.next()
    const of = parse(cursor, UNARY, isBound)
    return { kind: 'unary', operator: at.text as '-' | '+', of, at, ...cursor.since(first) }
  }
  if (first.kind === 'operator' && levelOf(cursor, isBound) === OTHER)
    throw cursor.unsupported(`operator ${first.text} is not supported`)
  return primary(cursor)
}

interface Infix {
  readonly node: Expression
  /** It ends with an operand, so that another operator of its level needs parentheses. */
  readonly isOpen: boolean
}

function infix(cursor: QueryCursor, left: Expression, level: number, isBound: boolean): Infix {
  const at = cursor.peek()
  const operand = (least: number) => parse(cursor, least, isBound)
  const open = (node: Expression): Infix => ({ node, isOpen: true })
  const closed = (node: Expression): Infix => ({ node, isOpen: false })
  const since = () => cursor.since(left)
  switch (level) {
    case OR:
    case AND: {
      cursor.next()
      const right = operand(level + 1)
      const name = level === OR ? 'OR' : 'AND'
      const before = left.kind === 'logic' && left.operator === name && !isEnclosed(left) ? left.of : [left]
      return open({ kind: 'logic', operator: name, of: [...before, right], ...since() })
    }
    case IS:
      return isForm(cursor, left, operand)
    case MATCH:
      return match(cursor, left, operand)
    case AT: {
      cursor.word('at', 'time', 'zone')
      const zone = operand(AT + 1)
      const names = [
        { value: 'timezone', isQuoted: false, written: 'timezone', start: at.start, end: at.end },
      ]
      return open(call(names, [zone, left], since()))
    }
    case COLLATE:
      throw cursor.unsupported('COLLATE is not supported; texts are compared by code point')
    case CAST: {
      cursor.next()
      const type = readType(cursor)
      return closed({ kind: 'cast', of: left, type, ...since() })
    }
  }
  if (at.kind === 'word') throw cursor.unsupported(`${at.text.toUpperCase()} is not supported`)
  if (level === POWER) throw cursor.unsupported('operator ^ is not supported; use power(x, y)')
  if (level === OTHER && !OPERATORS.has(at.text))
    throw cursor.unsupported(`operator ${at.text} is not supported`)
  cursor.next()
  if (level === COMPARE && cursor.isWordAt(0, 'any', 'some', 'all'))
    return closed(quantified(cursor, left, at))
  const right = operand(level + 1)
  return open({
    kind: 'binary',
    operator: at.text === '!=' ? '<>' : at.text,
    left,
    right,
    at: spanOf(at),
    ...since(),
  })
}

const ENCLOSED = new WeakSet<Expression>()

/** Whether the expression stands in parentheses. */
function isEnclosed(expression: Expression): boolean {
  return ENCLOSED.has(expression)
}

function isForm(cursor: QueryCursor, left: Expression, operand: (least: number) => Expression): Infix {
  const at = spanOf(cursor.peek())
  const since = () => cursor.since(left)
  if (cursor.skipWord('isnull'))
    return { node: { kind: 'is', what: 'NULL', isNot: false, of: left, ...since() }, isOpen: false }
  if (cursor.skipWord('notnull'))
    return { node: { kind: 'is', what: 'NULL', isNot: true, of: left, ...since() }, isOpen: false }
  cursor.word('is')
  const isNot = cursor.skipWord('not')
  if (cursor.skipWord('distinct', 'from')) {
    const right = operand(IS + 1)
    return { node: { kind: 'distinct', isNot, left, right, at, ...since() }, isOpen: true }
  }
  for (const what of ['NULL', 'TRUE', 'FALSE', 'UNKNOWN'] as const) {
    if (cursor.skipWord(what.toLowerCase()))
      return { node: { kind: 'is', what, isNot, of: left, ...since() }, isOpen: false }
  }
  const { value } = cursor.peek()
  if (['document', 'of', 'normalized', 'nfc', 'nfd', 'nfkc', 'nfkd', 'json'].includes(value))
    throw cursor.unsupported(`IS ${value.toUpperCase()} is not supported`)
  throw cursor.unexpected()
}

function match(cursor: QueryCursor, of: Expression, operand: (least: number) => Expression): Infix {
  const isNot = cursor.skipWord('not')
  const at = spanOf(cursor.peek())
  const since = () => cursor.since(of)
  if (cursor.skipWord('in')) return { node: inForm(cursor, of, isNot, at), isOpen: false }
  if (cursor.skipWord('between')) {
    const isSymmetric = cursor.skipWord('symmetric')
    if (!isSymmetric) cursor.skipWord('asymmetric')
    const low = parse(cursor, IS, true)
    cursor.word('and')
    const high = operand(MATCH + 1)
    return { node: { kind: 'between', isNot, isSymmetric, of, low, high, at, ...since() }, isOpen: true }
  }
  if (cursor.isWord('similar')) throw cursor.unsupported('SIMILAR TO is not supported; use LIKE')
  const operator = cursor.next().value === 'like' ? 'LIKE' : 'ILIKE'
  if (cursor.isWordAt(0, 'any', 'some', 'all'))
    throw cursor.unsupported(`${operator} ANY and ALL are not supported`)
  const pattern = operand(MATCH + 1)
  const escapedBy = cursor.skipWord('escape') ? operand(MATCH + 1) : undefined
  return {
    node: { kind: 'like', operator, isNot, of, pattern, escape: escapedBy, at, ...since() },
    isOpen: true,
  }
}

function inForm(cursor: QueryCursor, of: Expression, isNot: boolean, at: Span): Expression {
  if (!cursor.is('(')) throw cursor.unexpected()
  if (beginsQuery(cursor, 1)) {
    const query = enclosedQuery(cursor)
    return { kind: 'in-query', isNot, of, query, at, ...cursor.since(of) }
  }
  cursor.next()
  const values = cursor.names(() => parseExpression(cursor))
  cursor.operator(')')
  return { kind: 'in', isNot, of, values, at, ...cursor.since(of) }
}

function quantified(cursor: QueryCursor, of: Expression, at: Span & { readonly text: string }): Expression {
  const quantifier = cursor.next().value === 'all' ? 'ALL' : 'ANY'
  if (!cursor.is('(')) throw cursor.unexpected()
  if (!beginsQuery(cursor, 1)) throw cursor.unsupported(`${quantifier} of an array is not supported; use IN`)
  const query = enclosedQuery(cursor)
  const operator = at.text === '!=' ? '<>' : at.text
  return { kind: 'quantified', operator, quantifier, of, query, at: spanOf(at), ...cursor.since(of) }
}

/** Whether a query begins here, also in more parentheses. `(SELECT 1) + 1` in parentheses is found by what follows. */
export function beginsQuery(cursor: QueryCursor, from: number): boolean {
  let ahead = from
  while (cursor.is('(', ahead)) ahead++
  if (!cursor.isWordAt(ahead, 'select', 'with', 'values', 'table')) return false
  if (ahead === from) return true
  // The parenthesis before SELECT closes before more than the end of a query: an expression.
  let depth = ahead - from
  let at = ahead
  for (; depth > 0; at++) {
    if (cursor.peek(at).kind === 'end') return true
    if (cursor.is('(', at)) depth++
    else if (cursor.is(')', at)) depth--
  }
  const after = cursor.peek(at)
  if (after.kind === 'operator') return after.text === ')'
  return cursor.isWordAt(at, 'union', 'intersect', 'except', 'order', 'limit', 'offset', 'fetch', 'for')
}

function enclosedQuery(cursor: QueryCursor) {
  cursor.operator('(')
  const query = cursor.query()
  cursor.operator(')')
  return query
}

function primary(cursor: QueryCursor): Expression {
  const token = cursor.peek()
  switch (token.kind) {
    case 'number':
      cursor.next()
      return { kind: 'number', value: token.value, start: token.start, end: token.end }
    case 'text':
      cursor.next()
      return { kind: 'text', value: token.value, start: token.start, end: token.end }
    case 'operator':
      if (token.text === '(') return enclosed(cursor)
      throw cursor.unexpected()
    case 'word':
      return word(cursor)
    case 'name':
      return columnOrCall(cursor)
    default:
      throw cursor.unexpected()
  }
}

function enclosed(cursor: QueryCursor): Expression {
  const first = cursor.peek()
  if (beginsQuery(cursor, 1)) {
    const query = enclosedQuery(cursor)
    return noFields(cursor, { kind: 'scalar', query, ...cursor.since(first) })
  }
  cursor.next()
  const inside = parseExpression(cursor)
  if (cursor.is(','))
    throw cursor.unsupported('rows of several values are not supported', cursor.since(first))
  cursor.operator(')')
  const node = { ...inside, ...cursor.since(first) }
  ENCLOSED.add(node)
  return noFields(cursor, node)
}

function noFields(cursor: QueryCursor, node: Expression): Expression {
  if (cursor.is('.')) throw cursor.unsupported('fields of rows are not supported')
  return node
}

function word(cursor: QueryCursor): Expression {
  const token = cursor.peek()
  if (beginsTypedText(cursor)) {
    const type = readType(cursor)
    const value = cursor.peek()
    if (value.kind !== 'text') throw cursor.unexpected()
    cursor.next()
    const of: Expression = { kind: 'text', value: value.value, start: value.start, end: value.end }
    return { kind: 'cast', of, type, ...cursor.since(token) }
  }
  switch (token.value) {
    case 'null':
      cursor.next()
      return { kind: 'null', start: token.start, end: token.end }
    case 'true':
    case 'false':
      cursor.next()
      return { kind: 'boolean', value: token.value === 'true', start: token.start, end: token.end }
    case 'case':
      return caseForm(cursor)
    case 'cast': {
      if (!cursor.is('(', 1)) break
      cursor.next()
      cursor.next()
      const of = parseExpression(cursor)
      cursor.word('as')
      const type = readType(cursor)
      cursor.operator(')')
      return { kind: 'cast', of, type, ...cursor.since(token) }
    }
    case 'exists': {
      if (!cursor.is('(', 1)) break
      cursor.next()
      if (!beginsQuery(cursor, 1)) {
        cursor.next()
        throw cursor.unexpected()
      }
      return { kind: 'exists', query: enclosedQuery(cursor), ...cursor.since(token) }
    }
    case 'array':
      if (cursor.is('[', 1) || cursor.is('(', 1))
        throw cursor.unsupported('ARRAY is not supported; use array_agg')
      break
    case 'row':
      if (cursor.is('(', 1)) throw cursor.unsupported('rows of several values are not supported')
      break
    case 'current_schema':
    case 'current_catalog':
    case 'current_date':
    case 'current_role':
    case 'current_time':
    case 'current_timestamp':
    case 'current_user':
    case 'localtime':
    case 'localtimestamp':
    case 'session_user':
    case 'user':
      throw cursor.unsupported(
        `${token.text.toUpperCase()} is not supported: the result must depend on the tables alone`,
      )
  }
  return columnOrCall(cursor)
}

function caseForm(cursor: QueryCursor): Expression {
  const first = cursor.next()
  const operand = cursor.isWord('when') ? undefined : parseExpression(cursor)
  const branches: { when: Expression; result: Expression }[] = []
  while (cursor.skipWord('when')) {
    const when = parseExpression(cursor)
    cursor.word('then')
    branches.push({ when, result: parseExpression(cursor) })
  }
  if (branches.length === 0) throw cursor.unexpected()
  const otherwise = cursor.skipWord('else') ? parseExpression(cursor) : undefined
  cursor.word('end')
  return { kind: 'case', operand, branches, otherwise, ...cursor.since(first) }
}

function columnOrCall(cursor: QueryCursor): Expression {
  const call = parseCall(cursor)
  if (call !== undefined) return noFields(cursor, call)
  const first = cursor.peek()
  const names: Name[] = [cursor.name()]
  while (cursor.skip('.')) {
    if (cursor.skip('*')) return { kind: 'star', of: names, ...cursor.since(first) }
    names.push(cursor.label())
  }
  if (cursor.peek().kind === 'text')
    throw cursor.invalid(
      `type "${names.map(({ value }) => value).join('.')}" does not exist`,
      cursor.since(first),
    )
  return { kind: 'column', names, ...cursor.since(first) }
}

function spanOf({ start, end }: Span): Span {
  return { start, end }
}
