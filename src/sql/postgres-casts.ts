/** Casts between PostgreSQL's types. Operands already have PostgreSQL's meaning. */
import { engineCast } from './engine-cast.ts'
import { asExact, asNumeric, decimalAs, exactCall, isDecimal, numberText } from './postgres-numbers.ts'
import {
  DIGITS_MAX,
  dataTypeOf,
  EXACT,
  engineType,
  fixed,
  isExactNumber,
  isFloat,
  isInteger,
  isJson,
  isNumber,
  isNumeric,
  isPoint,
  isText,
  type PgNumeric,
  type PgType,
  PRECISION_MAX,
  printPgType,
  TEXT,
  type Typed,
  timestamp,
  type WrittenType,
} from './postgres-types.ts'
import {
  call,
  constantOf,
  integer,
  isConstant,
  type Node,
  NULL,
  TreeProblem,
  text,
  UnsupportedTree,
} from './tree.ts'

const isNullConstant = ({ node }: Typed): boolean => isConstant(node) && constantOf(node) === undefined

/** A value without a type (a constant text, NULL) as a value of this type; other values stay as they are. */
export function resolved(value: Typed, type: PgType, place: Node): Typed {
  if (value.type.kind !== 'unknown') return value
  if (isNullConstant(value)) return nullOf(type)
  if (type.kind === 'numeric') return numericConstant(value, place)
  return castTo(value, { type, modifiers: [] }, place)
}

function nullOf(type: PgType): Typed {
  if (type.kind === 'numeric' && type.form === 'scaled') return nullOf(fixed(1, 0))
  return { node: engineCast(NULL, engineType(type)), type, nullable: true }
}

/** A constant numeric has the digits that are written. */
function numericConstant(value: Typed, place: Node): Typed {
  const written = String(constantOf(value.node)).trim()
  const match = /^[+-]?(\d+)(?:\.(\d*))?$/.exec(written)
  const scale = match?.[2]?.length ?? 0
  if (match === null || match[1]!.length + scale > DIGITS_MAX)
    return castTo(value, { type: EXACT, modifiers: [] }, place)
  const type = fixed(match[1]!.length + scale, scale)
  return { node: engineCast(text(written), engineType(type)), type, nullable: false }
}

/** A value of unknown type is a text; others stay as they are. */
export const orText = (value: Typed, place: Node): Typed => resolved(value, TEXT, place)

/** The value as PostgreSQL's text of it. */
export function textOf(value: Typed, place: Node): Node {
  const { node, type } = value
  if (isNumber(type)) return numberText(value)
  switch (type.kind) {
    case 'unknown':
      return isNullConstant(value) ? engineCast(NULL, 'VARCHAR') : node
    case 'bpchar':
      return call('rtrim', node, text(' '))
    case 'boolean':
    case 'time':
      return engineCast(node, 'VARCHAR')
    case 'date':
    case 'timestamp':
    case 'timestamptz':
      return call('postgres_time_text', engineCast(node, 'VARCHAR'))
    case 'bytea':
      return call('postgres_bytea_text', node)
    case 'interval':
    case 'array':
      throw new UnsupportedTree(`a cast of ${printPgType(type)} to text is not supported here`, place)
    default:
      return node
  }
}

/** CAST(value AS to). */
export function castTo(value: Typed, to: WrittenType, place: Node): Typed {
  const { type } = to
  const from = value.type
  if (from.kind === 'unknown' && isNullConstant(value)) return nullOf(type)
  const cast = castTyped(value, to, place)
  if (cast !== undefined) return cast
  throw new TreeProblem(`cannot cast type ${printPgType(from)} to ${printPgType(type)}`, place)
}

function castTyped(value: Typed, to: WrittenType, place: Node): Typed | undefined {
  const { type, modifiers } = to
  if (type.kind === 'numeric') return asLimited(value, type, modifiers, () => textOf(value, place))
  const node = castNode(value, to, place)
  return node === undefined ? undefined : { node, type, nullable: value.nullable }
}

function castNode(value: Typed, to: WrittenType, place: Node): Node | undefined {
  const { type, modifiers } = to
  const from = value.type
  const isGivenText = isText(from) || from.kind === 'unknown'
  const given = (): Node => textOf(value, place)
  switch (type.kind) {
    case 'text':
    case 'varchar':
    case 'bpchar':
      return asText(value, type.kind, modifiers[0], place)
    case 'boolean':
      if (from.kind === 'boolean') return value.node
      if (isGivenText) return engineCast(call('postgres_boolean_input', given()), 'BOOLEAN')
      return from.kind === 'int4' ? engineCast(value.node, 'BOOLEAN') : undefined
    case 'int2':
    case 'int4':
    case 'int8':
      return asInteger(value, type, given)
    case 'float4':
    case 'float8':
      return asFloat(value, type, given)
    case 'date':
    case 'timestamp':
    case 'timestamptz':
    case 'time':
      return asTime(value, type, modifiers, given)
    case 'interval':
      if (from.kind === 'interval') return value.node
      return isGivenText ? intervalOf(value, place) : undefined
    case 'json':
    case 'jsonb':
      return isGivenText || isJson(from) ? given() : undefined
    case 'bytea':
      if (from.kind === 'bytea') return value.node
      return isGivenText ? call('postgres_bytea', given()) : undefined
    case 'array':
      return arrayOf(value, type)
    case 'other':
      return isGivenText || from.kind === 'other' ? otherOf(type.name, given()) : undefined
    default:
      return undefined
  }
}

function otherOf(name: string, given: Node): Node {
  return name === 'uuid' ? engineCast(engineCast(given, 'UUID'), 'VARCHAR') : given
}

function asText(
  value: Typed,
  kind: 'text' | 'varchar' | 'bpchar',
  length: number | undefined,
  place: Node,
): Node {
  const isKept = value.type.kind === 'bpchar' && kind === 'bpchar'
  const given = isKept ? value.node : textOf(value, place)
  if (length === undefined) return given
  return call(kind === 'bpchar' ? 'postgres_character' : 'left', given, integer(length))
}

function asInteger(value: Typed, type: PgType, given: () => Node): Node | undefined {
  const [engine, name, from] = [engineType(type), text(printPgType(type)), value.type]
  if (isNumeric(from) && from.form === 'exact')
    return engineCast(call('postgres_integer_of_numeric', value.node, name), engine)
  if (isNumber(from)) return engineCast(value.node, engine)
  if (from.kind === 'boolean') return type.kind === 'int4' ? engineCast(value.node, engine) : undefined
  if (isText(from) || from.kind === 'unknown')
    return engineCast(call('postgres_integer_input', given(), name), engine)
  return undefined
}

function asFloat(value: Typed, type: PgType, given: () => Node): Node | undefined {
  const from = value.type
  if (isNumeric(from)) return engineCast(numberText(value), engineType(type))
  if (isNumber(from)) return engineCast(value.node, engineType(type))
  if (!isText(from) && from.kind !== 'unknown') return undefined
  return engineCast(call('postgres_double_input', given(), text(printPgType(type))), engineType(type))
}

function asLimited(
  value: Typed,
  type: PgNumeric,
  [precision, scale = 0]: readonly number[],
  given: () => Node,
): Typed | undefined {
  const number = numericOf(value, given)
  if (number === undefined || precision === undefined) return number
  if (type.form !== 'fixed')
    return { ...exactCall('postgres_limit', number, integer(precision), integer(scale)), type }
  const limited = scale < 0 || scale > precision
  const node =
    isDecimal(number) && !limited
      ? decimalAs(number, precision, scale)
      : engineCast(
          call('postgres_limit', asExact(number).node, integer(precision), integer(scale)),
          engineType(type),
        )
  return { node, type, nullable: value.nullable }
}

/** A number or text as numeric, with the digits that it has. */
function numericOf(value: Typed, given: () => Node): Typed | undefined {
  const { type, node, nullable } = value
  if (isExactNumber(type)) return asNumeric(value)
  if (isFloat(type)) {
    const name = type.kind === 'float8' ? 'postgres_numeric_of_double' : 'postgres_numeric_of_float'
    return { node: call(name, node), type: EXACT, nullable }
  }
  if (!isText(type) && type.kind !== 'unknown') return undefined
  return { node: call('postgres_numeric', given()), type: EXACT, nullable }
}

function asTime(
  value: Typed,
  type: PgType,
  modifiers: readonly number[],
  given: () => Node,
): Node | undefined {
  const { node, type: from } = value
  const digits = modifiers[0] ?? PRECISION_MAX
  const limited = (time: Node) =>
    digits >= PRECISION_MAX
      ? time
      : call('postgres_round_time', time, integer(10 ** (PRECISION_MAX - digits)))
  const engine = engineType(type)
  if (isText(from) || from.kind === 'unknown') {
    if (type.kind === 'date') return engineCast(call('postgres_date_input', given()), engine)
    if (type.kind === 'time') return engineCast(call('postgres_time_input', given()), engine)
    return limited(engineCast(call('postgres_timestamp_input', given(), text(printPgType(type))), engine))
  }
  if (type.kind === 'time') {
    if (from.kind === 'time') return node
    return from.kind === 'timestamp' || from.kind === 'timestamptz'
      ? engineCast(engineCast(node, 'TIMESTAMP'), 'TIME')
      : undefined
  }
  if (!isPoint(from)) return undefined
  if (type.kind === 'date')
    return from.kind === 'date' ? node : engineCast(engineCast(node, 'TIMESTAMP'), engine)
  return limited(from.kind === type.kind ? node : engineCast(engineCast(node, 'TIMESTAMP'), engine))
}

const UNITS =
  /^\s*[+-]?\d+(?:\.\d+)?\s*(?:microseconds?|milliseconds?|seconds?|secs?|minutes?|mins?|hours?|days?|weeks?|mons?|months?|years?|decades?|centur(?:y|ies))\b/i

/** Only constants of the form `1 day 2 hours`. */
function intervalOf(value: Typed, place: Node): Node {
  const written = isConstant(value.node) ? constantOf(value.node) : undefined
  let rest = typeof written === 'string' ? written : ''
  for (let match = UNITS.exec(rest); match !== null; match = UNITS.exec(rest))
    rest = rest.slice(match[0].length)
  rest = rest.replace(/^\s*[+-]?\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?/, '')
  if (typeof written !== 'string' || rest.trim() !== '' || written.trim() === '')
    throw new UnsupportedTree(`write the interval as '1 day 2 hours' here`, place)
  return engineCast(text(written.replaceAll(/\bmons?\b/gi, 'months')), 'INTERVAL')
}

function arrayOf(value: Typed, type: PgType & { kind: 'array' }): Node | undefined {
  if (value.type.kind !== 'array') return undefined
  const [from, to] = [value.type.element, type.element]
  const isSame = JSON.stringify(dataTypeOf(from)) === JSON.stringify(dataTypeOf(to))
  return isSame || (isInteger(from) && isInteger(to)) ? engineCast(value.node, engineType(type)) : undefined
}

/** A date as the timestamp at its beginning; other points in time stay. */
export function asTimestamp(value: Typed, place: Node): Typed {
  return value.type.kind === 'date' ? castTo(value, { type: timestamp(), modifiers: [] }, place) : value
}
