/** Reads the name of a type in a cast. The types are those of columns of captured tables, and interval. */
import type { QueryCursor } from './query-cursor.ts'
import type { TypeName } from './syntax.ts'

interface KnownType {
  /** As format_type() prints it. */
  readonly name: string
  /** Name in PostgreSQL's catalog. */
  readonly internal: string
  /** How many numbers may stand in parentheses. */
  readonly modifiers: number
}

const type = (name: string, internal: string, modifiers = 0): KnownType => ({ name, internal, modifiers })
const BIGINT = type('bigint', 'int8')
const INTEGER = type('integer', 'int4')
const SMALLINT = type('smallint', 'int2')
const REAL = type('real', 'float4')
const DOUBLE = type('double precision', 'float8')
const NUMERIC = type('numeric', 'numeric', 2)
const BOOLEAN = type('boolean', 'bool')
const CHARACTER = type('character', 'bpchar', 1)
const VARCHAR = type('character varying', 'varchar', 1)

const TYPES: Readonly<Record<string, KnownType>> = {
  bigint: BIGINT,
  int8: BIGINT,
  integer: INTEGER,
  int: INTEGER,
  int4: INTEGER,
  smallint: SMALLINT,
  int2: SMALLINT,
  real: REAL,
  float4: REAL,
  float8: DOUBLE,
  numeric: NUMERIC,
  decimal: NUMERIC,
  dec: NUMERIC,
  boolean: BOOLEAN,
  bool: BOOLEAN,
  text: type('text', 'text'),
  varchar: VARCHAR,
  char: CHARACTER,
  bpchar: CHARACTER,
  bytea: type('bytea', 'bytea'),
  date: type('date', 'date'),
  timestamptz: type('timestamp with time zone', 'timestamptz', 1),
  timetz: type('time with time zone', 'timetz', 1),
  json: type('json', 'json'),
  jsonb: type('jsonb', 'jsonb'),
  uuid: type('uuid', 'uuid'),
}

/** Types of PostgreSQL that a cast cannot have here. */
const NOT_HERE = new Set(
  `bit inet cidr macaddr macaddr8 money oid xml point line lseg box path polygon circle tsvector tsquery name regclass regtype
  int4range int8range numrange tsrange tstzrange daterange hstore citext record void serial bigserial`.split(
    /\s+/,
  ),
)

/** Those that begin with a key word and cannot be the name of a column before a text: `date '2026-01-01'`. */
export function beginsTypedText(cursor: QueryCursor): boolean {
  const { kind, value } = cursor.peek()
  if (kind !== 'word') return false
  const next = cursor.peek(1)
  if (next.kind === 'text')
    return Object.hasOwn(TYPES, value) || ['timestamp', 'time', 'interval'].includes(value)
  if (value === 'timestamp' || value === 'time') {
    if (cursor.isWordAt(1, 'with', 'without')) return cursor.isWordAt(2, 'time') && cursor.isWordAt(3, 'zone')
  }
  if (cursor.isWord('double', 'precision')) return cursor.peek(2).kind === 'text'
  if (
    !cursor.is('(', 1) ||
    !(Object.hasOwn(TYPES, value) || ['timestamp', 'time', 'interval'].includes(value))
  )
    return false
  let ahead = 2
  while (cursor.peek(ahead).kind === 'number' || cursor.is(',', ahead)) ahead++
  if (!cursor.is(')', ahead)) return false
  if (cursor.isWordAt(ahead + 1, 'with', 'without') && cursor.isWordAt(ahead + 2, 'time')) return true
  return cursor.peek(ahead + 1).kind === 'text'
}

export function readType(cursor: QueryCursor): TypeName {
  const first = cursor.peek()
  if (cursor.isWord('setof')) throw cursor.unsupported('SETOF is not supported', first)
  const { name, internal, isKnown } = readScalar(cursor)
  let dimensions = 0
  while (cursor.skip('[')) {
    if (cursor.peek().kind === 'number') cursor.next()
    cursor.operator(']')
    dimensions++
  }
  if (cursor.skipWord('array')) {
    dimensions = 1
    if (cursor.skip('[')) {
      if (cursor.peek().kind !== 'number') throw cursor.unexpected()
      cursor.next()
      cursor.operator(']')
    }
  }
  return { name: dimensions > 0 ? `${name}[]` : name, internal, isKnown, ...cursor.since(first) }
}

type Scalar = Pick<TypeName, 'name' | 'internal' | 'isKnown'>

function readScalar(cursor: QueryCursor): Scalar {
  const token = cursor.peek()
  if (token.kind === 'name') return otherType(cursor)
  if (token.kind !== 'word') throw cursor.unexpected()
  if (cursor.skipWord('double')) {
    if (!cursor.skipWord('precision')) throw cursor.unexpected()
    return known(DOUBLE, [])
  }
  if (cursor.isWord('timestamp') || cursor.isWord('time')) return readTime(cursor)
  if (cursor.isWord('interval')) return readInterval(cursor)
  if (cursor.skipWord('float')) return readFloat(cursor)
  if (
    cursor.isWord('character') ||
    cursor.isWord('char') ||
    cursor.isWord('national') ||
    cursor.isWord('nchar')
  )
    return readCharacter(cursor)
  const found = Object.hasOwn(TYPES, token.value) ? TYPES[token.value] : undefined
  if (found === undefined) return otherType(cursor)
  cursor.next()
  return known(found, readModifiers(cursor, found))
}

function known({ name, internal }: KnownType, modifiers: readonly number[]): Scalar {
  const [precision, scale] = modifiers
  if (name === 'numeric' && precision !== undefined)
    return { name: `numeric(${precision},${scale ?? 0})`, internal, isKnown: true }
  return {
    name: precision === undefined ? name : withPrecision(name, precision),
    internal,
    isKnown: true,
  }
}

/** `timestamp(3) with time zone` */
function withPrecision(name: string, precision: number): string {
  const [first, ...rest] = name === 'character varying' ? [name] : name.split(' ')
  return [`${first}(${precision})`, ...rest].join(' ')
}

/** In PostgreSQL's grammar they take no numbers. */
const KEY_WORDS = new Set(['int8', 'int4', 'int2', 'float4', 'float8', 'bool'])

function readModifiers(cursor: QueryCursor, { modifiers, name, internal }: KnownType): number[] {
  if (!cursor.is('(') || (modifiers === 0 && KEY_WORDS.has(internal))) return []
  const open = cursor.next()
  const numbers: number[] = []
  do {
    const isNegative = name === 'numeric' && numbers.length === 1 && cursor.skip('-')
    const token = cursor.peek()
    if (token.kind !== 'number' || !/^[0-9]{1,9}$/.test(token.text)) throw cursor.unexpected()
    cursor.next()
    numbers.push(isNegative ? -Number(token.text) : Number(token.text))
  } while (cursor.skip(','))
  cursor.operator(')')
  const at = cursor.since(open)
  if (modifiers === 0) throw cursor.invalid(`type modifier is not allowed for type "${name}"`, at)
  if (numbers.length > modifiers) throw cursor.invalid(`invalid ${name.toUpperCase()} type modifier`, at)
  checkModifiers(cursor, name, numbers, at)
  return numbers
}

function checkModifiers(
  cursor: QueryCursor,
  name: string,
  [first = 0, second = 0]: readonly number[],
  at: { readonly start: number; readonly end: number },
): void {
  if (name === 'numeric') {
    if (first < 1 || first > 1000)
      throw cursor.invalid(`NUMERIC precision ${first} must be between 1 and 1000`, at)
    if (second < 0 || second > first)
      throw cursor.unsupported(`NUMERIC scale ${second} must be between 0 and the precision ${first}`, at)
  } else if (name.startsWith('character')) {
    if (first < 1 || first > 10_485_760)
      throw cursor.invalid(`length for type ${name} must be at least 1 and at most 10485760`, at)
  } else if (first > 6) throw cursor.unsupported(`a time has at most 6 digits of a second, not ${first}`, at)
}

function readTime(cursor: QueryCursor): Scalar {
  const word = cursor.next().value
  const base = type(word, word, 1)
  const modifiers = readModifiers(cursor, base)
  const hasZone = cursor.skipWord('with', 'time', 'zone')
  if (!hasZone) cursor.skipWord('without', 'time', 'zone')
  const zone = hasZone ? 'with time zone' : 'without time zone'
  return known(type(`${word} ${zone}`, hasZone ? `${word}tz` : word, 1), modifiers)
}

const INTERVAL_FIELDS = ['year', 'month', 'day', 'hour', 'minute', 'second']

function readInterval(cursor: QueryCursor): Scalar {
  cursor.next()
  if (cursor.is('(')) throw cursor.unsupported('an interval with a precision is not supported')
  if (cursor.isWordAt(0, ...INTERVAL_FIELDS))
    throw cursor.unsupported("an interval with a field is not supported; write INTERVAL '5 days'")
  return { name: 'interval', internal: 'interval', isKnown: true }
}

function readFloat(cursor: QueryCursor): Scalar {
  const open = cursor.peek()
  const [digits] = readModifiers(cursor, type('float', 'float', 1))
  if (digits === undefined) return known(DOUBLE, [])
  if (digits < 1 || digits > 53)
    throw cursor.invalid(`precision for type float must be at least 1 bit and less than 54 bits`, open)
  return known(digits <= 24 ? REAL : DOUBLE, [])
}

function readCharacter(cursor: QueryCursor): Scalar {
  cursor.skipWord('national')
  if (!(cursor.skipWord('character') || cursor.skipWord('char') || cursor.skipWord('nchar')))
    throw cursor.unexpected()
  const found = cursor.skipWord('varying') ? VARCHAR : CHARACTER
  const modifiers = readModifiers(cursor, found)
  return known(found, found === CHARACTER && modifiers.length === 0 ? [1] : modifiers)
}

/** An enum of the database, or a type that is refused when the tables are known. */
function otherType(cursor: QueryCursor): Scalar {
  const first = cursor.peek()
  const name = first.kind === 'word' ? cursor.isFunctionName() : true
  if (!name) throw cursor.unexpected()
  let written = cursor.next().value
  while (cursor.skip('.')) written = `${written}.${cursor.label().value}`
  const internal = written.slice(written.lastIndexOf('.') + 1)
  if (written.startsWith('pg_catalog.') || NOT_HERE.has(written))
    throw cursor.unsupported(`a cast to ${internal} is not supported`, cursor.since(first))
  return { name: written, internal, isKnown: false }
}
