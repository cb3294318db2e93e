/**
 * Parses the types of Flink SQL, with synonyms and defaults: `INTEGER` is INT, `DECIMAL` is DECIMAL(10, 0), `TIMESTAMP` is
 * TIMESTAMP(6), VARCHAR without a length is STRING, `INT ARRAY` is ARRAY<INT>. NOT NULL and comments inside a type are
 * accepted and have no effect.
 */
import type { DataType, RowField } from './data-types.ts'
import { isOperator } from './flink-tokens.ts'
import type { SqlProblem } from './sql-problem.ts'
import { TokenCursor } from './token-cursor.ts'

/** ARRAY, MAP and ROW inside each other. Readers and writers call themselves once for each. */
export const TYPE_NESTING_MAX = 32
const ROW_FIELDS_MAX = 1000
const LENGTH_MAX = 2_147_483_647
const DECIMAL_PRECISION_MAX = 38
/** Timestamps are microseconds. */
const TIMESTAMP_PRECISION_MAX = 6

/** Throws SqlProblem. The whole text must be one type. */
export function parseTypeText(text: string): DataType {
  const cursor = new TokenCursor(text)
  const type = parseType(cursor)
  if (cursor.peek() !== undefined) throw cursor.unexpected('the end of the type')
  return type
}

/** Takes a type, without NOT NULL behind it. */
export function parseType(cursor: TokenCursor, depth = 0): DataType {
  const first = cursor.peek()
  let type = parsePlainType(cursor, depth)
  for (let inner = depth + 1; ; inner++) {
    if (cursor.takeWords('ARRAY')) type = { kind: 'ARRAY', element: type }
    else if (cursor.takeWords('MULTISET')) throw cursor.problem(unsupported('MULTISET'), first)
    else break
    assertNesting(cursor, inner)
  }
  // ARRAY behind a type adds levels to those inside it, so the whole type is checked again.
  if (depth === 0) assertNesting(cursor, levelsOf(type))
  return type
}

function levelsOf(type: DataType): number {
  if (type.kind === 'ARRAY') return 1 + levelsOf(type.element)
  if (type.kind === 'MAP') return 1 + levelsOf(type.value)
  if (type.kind === 'ROW') return 1 + Math.max(...type.fields.map((field) => levelsOf(field.type)))
  return 0
}

type Parse = (cursor: TokenCursor, depth: number) => DataType

const simple =
  (kind: 'BOOLEAN' | 'TINYINT' | 'SMALLINT' | 'INT' | 'BIGINT' | 'FLOAT' | 'STRING' | 'BYTES' | 'DATE') =>
  (): DataType => ({ kind })

const PARSERS: Readonly<Record<string, Parse>> = {
  BOOLEAN: simple('BOOLEAN'),
  TINYINT: simple('TINYINT'),
  SMALLINT: simple('SMALLINT'),
  INT: simple('INT'),
  INTEGER: simple('INT'),
  BIGINT: simple('BIGINT'),
  FLOAT: simple('FLOAT'),
  STRING: simple('STRING'),
  BYTES: simple('BYTES'),
  DATE: simple('DATE'),
  DOUBLE: (cursor) => {
    cursor.takeWords('PRECISION')
    return { kind: 'DOUBLE' }
  },
  DECIMAL: decimal,
  DEC: decimal,
  NUMERIC: decimal,
  CHAR: character,
  CHARACTER: character,
  VARCHAR: (cursor) => variable(cursor, 'VARCHAR'),
  BINARY: (cursor) => {
    if (cursor.takeWords('VARYING')) return variable(cursor, 'VARBINARY')
    return { kind: 'BINARY', length: parseLength(cursor, 'BINARY') ?? 1 }
  },
  VARBINARY: (cursor) => variable(cursor, 'VARBINARY'),
  TIME: time,
  TIMESTAMP: timestamp,
  TIMESTAMP_LTZ: (cursor) => ({ kind: 'TIMESTAMP_LTZ', precision: timestampPrecision(cursor) }),
  ARRAY: (cursor, depth) => {
    cursor.expectOperator('<')
    const element = parseInner(cursor, depth)
    cursor.expectOperator('>')
    return { kind: 'ARRAY', element }
  },
  MAP: map,
  ROW: row,
}

const UNSUPPORTED = new Set(['MULTISET', 'RAW', 'INTERVAL', 'ANY', 'NULL', 'STRUCTURED', 'TIMESTAMP_TZ'])

function parsePlainType(cursor: TokenCursor, depth: number): DataType {
  const token = cursor.peek()
  const name = token?.kind === 'word' ? token.text.toUpperCase() : undefined
  const parse = name !== undefined && Object.hasOwn(PARSERS, name) ? PARSERS[name] : undefined
  if (parse !== undefined) {
    cursor.next()
    return parse(cursor, depth)
  }
  if (name !== undefined && UNSUPPORTED.has(name)) throw cursor.problem(unsupported(name), token)
  if (token?.kind !== 'word' && token?.kind !== 'quoted-name') throw cursor.unexpected('a type')
  throw cursor.problem(`unknown type '${token.text}'`, token)
}

function unsupported(type: string): string {
  return `type ${type} is not supported in a column`
}

function assertNesting(cursor: TokenCursor, depth: number): void {
  if (depth > TYPE_NESTING_MAX) {
    throw cursor.problem(`the type has more than ${TYPE_NESTING_MAX} levels`, cursor.peek(-1))
  }
}

/** A type inside another, and what may stand behind it. */
function parseInner(cursor: TokenCursor, depth: number): DataType {
  assertNesting(cursor, depth + 1)
  const type = parseType(cursor, depth + 1)
  if (!cursor.takeWords('NOT', 'NULL')) cursor.takeWords('NULL')
  return type
}

function decimal(cursor: TokenCursor): DataType {
  if (!cursor.takeOperator('(')) return { kind: 'DECIMAL', precision: 10, scale: 0 }
  const precision = parseWhole(cursor, 1, DECIMAL_PRECISION_MAX, 'precision of DECIMAL')
  const scale = cursor.takeOperator(',') ? parseWhole(cursor, 0, precision, 'scale of DECIMAL') : 0
  cursor.expectOperator(')')
  return { kind: 'DECIMAL', precision, scale }
}

function character(cursor: TokenCursor): DataType {
  if (cursor.takeWords('VARYING')) return variable(cursor, 'VARCHAR')
  return { kind: 'CHAR', length: parseLength(cursor, 'CHAR') ?? 1 }
}

/** Lengths are not enforced, so no length is the greatest one. */
function variable(cursor: TokenCursor, kind: 'VARCHAR' | 'VARBINARY'): DataType {
  const length = parseLength(cursor, kind) ?? LENGTH_MAX
  if (length === LENGTH_MAX) return { kind: kind === 'VARCHAR' ? 'STRING' : 'BYTES' }
  return { kind, length }
}

function parseLength(cursor: TokenCursor, type: string): number | undefined {
  return parseInParentheses(cursor, 1, LENGTH_MAX, `length of ${type}`)
}

function time(cursor: TokenCursor): DataType {
  parseInParentheses(cursor, 0, 0, 'precision of TIME')
  cursor.takeWords('WITHOUT', 'TIME', 'ZONE')
  return { kind: 'TIME' }
}

function timestamp(cursor: TokenCursor): DataType {
  const precision = timestampPrecision(cursor)
  return { kind: takeZone(cursor) ? 'TIMESTAMP_LTZ' : 'TIMESTAMP', precision }
}

function timestampPrecision(cursor: TokenCursor): number {
  return (
    parseInParentheses(cursor, 0, TIMESTAMP_PRECISION_MAX, 'precision of TIMESTAMP') ??
    TIMESTAMP_PRECISION_MAX
  )
}

/** Whether WITH LOCAL TIME ZONE was there. */
function takeZone(cursor: TokenCursor): boolean {
  if (cursor.takeWords('WITHOUT', 'TIME', 'ZONE')) return false
  if (cursor.takeWords('WITH', 'LOCAL', 'TIME', 'ZONE')) return true
  const token = cursor.peek()
  if (cursor.takeWords('WITH', 'TIME', 'ZONE')) {
    throw cursor.problem('WITH TIME ZONE is not supported; use WITH LOCAL TIME ZONE', token, cursor.peek(-1))
  }
  return false
}

function map(cursor: TokenCursor, depth: number): DataType {
  cursor.expectOperator('<')
  const keyToken = cursor.peek()
  const key = parseInner(cursor, depth)
  if (key.kind !== 'STRING' && key.kind !== 'VARCHAR' && key.kind !== 'CHAR') {
    throw cursor.problem('keys of a MAP must be STRING', keyToken)
  }
  cursor.expectOperator(',')
  const value = parseInner(cursor, depth)
  cursor.expectOperator('>')
  return { kind: 'MAP', key, value }
}

function row(cursor: TokenCursor, depth: number): DataType {
  const close = cursor.takeOperator('(') ? ')' : '>'
  if (close === '>') cursor.expectOperator('<')
  const fields = new Map<string, RowField>()
  do {
    const { name, token } = cursor.takeName('the name of a field')
    if (fields.has(name)) throw cursor.problem(`field '${name}' is there twice`, token)
    if (fields.size >= ROW_FIELDS_MAX) throw tooManyFields(cursor)
    fields.set(name, { name, type: parseInner(cursor, depth) })
    if (cursor.peek()?.kind === 'text') cursor.next() // the comment of a field
  } while (cursor.takeOperator(','))
  cursor.expectOperator(close)
  return { kind: 'ROW', fields: [...fields.values()] }
}

function tooManyFields(cursor: TokenCursor): SqlProblem {
  return cursor.problem(`a ROW has more than ${ROW_FIELDS_MAX} fields`, cursor.peek(-1))
}

function parseInParentheses(
  cursor: TokenCursor,
  least: number,
  most: number,
  what: string,
): number | undefined {
  if (!isOperator(cursor.peek(), '(')) return undefined
  cursor.next()
  const value = parseWhole(cursor, least, most, what)
  cursor.expectOperator(')')
  return value
}

function parseWhole(cursor: TokenCursor, least: number, most: number, what: string): number {
  const token = cursor.peek()
  if (token?.kind !== 'number' && !isOperator(token, '-')) throw cursor.unexpected(`the ${what}`)
  const value = /^[0-9]{1,10}$/.test(token?.text ?? '') ? Number(token?.text) : Number.NaN
  if (!(value >= least && value <= most)) {
    const wanted = least === most ? `${least}` : `${least} to ${most}`
    throw cursor.problem(`the ${what} must be ${wanted}`, token)
  }
  cursor.next()
  return value
}
