/** Dates, times and intervals: parts, truncation, zones and arithmetic. Arguments already have PostgreSQL's meaning. */
import { engineCast } from './engine-cast.ts'
import { castTo, orText, resolved } from './postgres-casts.ts'
import {
  DATE,
  FLOAT8,
  fixed,
  INT4,
  INTERVAL,
  isInteger,
  isNumber,
  isPoint,
  isTimestamp,
  type PgType,
  printPgType,
  type Typed,
  timestamp,
  timestamptz,
} from './postgres-types.ts'
import {
  call,
  constantOf,
  isConstant,
  type Node,
  operator,
  TreeProblem,
  text,
  UnsupportedTree,
} from './tree.ts'

type TimeFunction = (args: readonly Typed[], place: Node) => Typed

function constantWord(value: Typed, what: string, place: Node): string {
  const word = isConstant(value.node) ? constantOf(value.node) : undefined
  if (typeof word !== 'string') throw new UnsupportedTree(`the ${what} must be a constant text here`, place)
  return word.trim().toLowerCase()
}

const TRUNCATED = [
  ...['microseconds', 'milliseconds', 'second', 'minute', 'hour', 'day', 'week', 'month', 'quarter'],
  'year',
]

const SINGULAR: Readonly<Record<string, string>> = {
  seconds: 'second',
  minutes: 'minute',
  hours: 'hour',
  days: 'day',
  weeks: 'week',
  months: 'month',
  quarters: 'quarter',
  years: 'year',
  microsecond: 'microseconds',
  millisecond: 'milliseconds',
  decades: 'decade',
  centuries: 'century',
  millennia: 'millennium',
}

const unitOf = (value: Typed, place: Node): string => {
  const word = constantWord(value, 'unit', place)
  return SINGULAR[word] ?? word
}

/** A date is taken as timestamp with time zone, as PostgreSQL does. */
const dateTrunc: TimeFunction = ([unitArgument, argument], place) => {
  const unit = unitOf(unitArgument!, place)
  const given = resolved(argument!, timestamptz(), place)
  const value =
    given.type.kind === 'date' ? castTo(given, { type: timestamptz(), modifiers: [] }, place) : given
  if (!isTimestamp(value.type))
    throw new UnsupportedTree(`date_trunc of ${printPgType(value.type)} is not supported here`, place)
  if (!TRUNCATED.includes(unit))
    throw new UnsupportedTree(`date_trunc has the units ${TRUNCATED.join(', ')} here, not '${unit}'`, place)
  const inUtc = engineCast(value.node, 'TIMESTAMP')
  const node = call('postgres_trunc_time', text(unit), inUtc)
  const isZoned = value.type.kind === 'timestamptz'
  const type = isZoned ? timestamptz() : timestamp()
  return { node: engineCast(node, isZoned ? 'TIMESTAMPTZ' : 'TIMESTAMP'), type, nullable: value.nullable }
}

interface Part {
  /** Of a point in time, as an integer; for those with a scale times 10^scale. */
  readonly node: (time: Node) => Node
  /** Digits after the point that EXTRACT shows. */
  readonly scale: number
  /** A date has the part. */
  readonly ofDate: boolean
}

const part =
  (name: string) =>
  (time: Node): Node =>
    call('date_part', text(name), time)

const PARTS: Readonly<Record<string, Part>> = {
  year: { node: (time) => call('postgres_year', time), scale: 0, ofDate: true },
  month: { node: part('month'), scale: 0, ofDate: true },
  day: { node: part('day'), scale: 0, ofDate: true },
  hour: { node: part('hour'), scale: 0, ofDate: false },
  minute: { node: part('minute'), scale: 0, ofDate: false },
  second: { node: part('microseconds'), scale: 6, ofDate: false },
  milliseconds: { node: part('microseconds'), scale: 3, ofDate: false },
  microseconds: { node: part('microseconds'), scale: 0, ofDate: false },
  epoch: { node: (time) => call('epoch_us', time), scale: 6, ofDate: true },
  dow: { node: part('dow'), scale: 0, ofDate: true },
  isodow: { node: part('isodow'), scale: 0, ofDate: true },
  doy: { node: part('doy'), scale: 0, ofDate: true },
  week: { node: part('week'), scale: 0, ofDate: true },
  isoyear: { node: part('isoyear'), scale: 0, ofDate: true },
  quarter: { node: part('quarter'), scale: 0, ofDate: true },
  decade: { node: (time) => call('postgres_decade', call('postgres_year', time)), scale: 0, ofDate: true },
  century: { node: (time) => call('postgres_century', call('postgres_year', time)), scale: 0, ofDate: true },
  millennium: {
    node: (time) => call('postgres_millennium', call('postgres_year', time)),
    scale: 0,
    ofDate: true,
  },
}

const OF_INTERVAL = [
  'year',
  'month',
  'day',
  'hour',
  'minute',
  'second',
  'milliseconds',
  'microseconds',
  'quarter',
]

/** EXTRACT: numeric with the digits of the part. */
const extract: TimeFunction = ([unitArgument, argument], place) => {
  const unit = unitOf(unitArgument!, place)
  const value = orText(argument!, place)
  const found = PARTS[unit]
  const { type } = value
  const isTime =
    type.kind === 'time' && ['hour', 'minute', 'second', 'milliseconds', 'microseconds'].includes(unit)
  const isOfInterval = type.kind === 'interval' && (OF_INTERVAL.includes(unit) || unit === 'epoch')
  if (
    found === undefined ||
    !(isPoint(type) || isTime || isOfInterval) ||
    (type.kind === 'date' && !found.ofDate)
  )
    throw new UnsupportedTree(`unit "${unit}" is not supported for type ${printPgType(type)} here`, place)
  const isWholeEpoch = unit === 'epoch' && type.kind === 'date'
  const time = isPoint(type) ? engineCast(value.node, 'TIMESTAMP') : value.node
  if (type.kind === 'interval' && unit === 'epoch')
    return scaled(call('postgres_interval_epoch', time), 6, value)
  if (type.kind === 'interval' && unit === 'year') return scaled(part('year')(time), 0, value)
  if (isWholeEpoch)
    return scaled(operator('//', found.node(time), engineCast(text('1000000'), 'BIGINT')), 0, value)
  return scaled(found.node(time), found.scale, value)
}

const EXTRACT_DIGITS = 25

function scaled(node: Node, scale: number, { nullable }: Typed): Typed {
  const whole = engineCast(node, `DECIMAL(${EXTRACT_DIGITS},0)`)
  const type = fixed(EXTRACT_DIGITS + scale, scale)
  if (scale === 0) return { node: whole, type: fixed(EXTRACT_DIGITS, 0), nullable }
  const unit = engineCast(text(`0.${'0'.repeat(scale - 1)}1`), `DECIMAL(${scale + 1},${scale})`)
  const product = engineCast(operator('*', whole, unit), `DECIMAL(${EXTRACT_DIGITS + scale},${scale})`)
  return { node: product, type, nullable }
}

/** As EXTRACT, in double precision. */
const datePart: TimeFunction = (args, place) => {
  const value = extract(args, place)
  return castTo(value, { type: FLOAT8, modifiers: [] }, place)
}

/** `value AT TIME ZONE 'UTC'` */
const timezone: TimeFunction = ([zone, argument], place) => {
  const name = constantWord(zone!, 'time zone', place)
  if (!['utc', 'gmt', 'z', 'etc/utc', '+00', '+00:00'].includes(name))
    throw new TreeProblem(`AT TIME ZONE is supported with 'UTC' only, not '${name}'`, place)
  const given = resolved(argument!, timestamptz(), place)
  const value =
    given.type.kind === 'date' ? castTo(given, { type: timestamptz(), modifiers: [] }, place) : given
  if (!isTimestamp(value.type))
    throw new UnsupportedTree(`AT TIME ZONE of ${printPgType(value.type)} is not supported here`, place)
  const type = value.type.kind === 'timestamptz' ? timestamp() : timestamptz()
  return castTo(value, { type, modifiers: [] }, place)
}

/** Sums and differences with a date, time or interval; undefined for other operands. */
export function timeArithmetic(name: string, left: Typed, right: Typed, place: Node): Typed | undefined {
  const nullable = left.nullable || right.nullable
  const [a, b] = [left.type, right.type]
  const of = (node: Node, type: PgType): Typed => ({ node, type, nullable })
  if (!isMoment(a) && !isMoment(b)) return undefined
  if (name === '+' && !isMoment(a) && isMoment(b) && b.kind !== 'interval')
    return timeArithmetic(name, right, left, place)
  if (name === '+' && a.kind === 'interval' && isMoment(b) && b.kind !== 'interval')
    return timeArithmetic(name, right, left, place)
  if (name === '+' || name === '-') {
    if (a.kind === 'date' && isInteger(b))
      return of(engineCast(operator(name, left.node, engineCast(right.node, 'INTEGER')), 'DATE'), DATE)
    if (name === '-' && a.kind === 'date' && b.kind === 'date')
      return of(engineCast(operator('-', left.node, right.node), 'INTEGER'), INT4)
    if (name === '-' && isPoint(a) && isPoint(b)) return of(difference(left, right, place), INTERVAL)
    if (name === '+' && a.kind === 'date' && b.kind === 'time')
      return of(operator('+', left.node, right.node), timestamp())
    if (b.kind === 'interval' && isMoment(a)) return shifted(name, left, right, place)
    if (name === '-' && a.kind === 'time' && b.kind === 'time')
      return of(call('to_microseconds', operator('-', timeUs(left), timeUs(right))), INTERVAL)
  }
  if (name === '*' && a.kind === 'interval' && isInteger(b))
    return of(operator('*', left.node, engineCast(right.node, 'BIGINT')), INTERVAL)
  if (name === '*' && b.kind === 'interval' && isInteger(a)) return timeArithmetic(name, right, left, place)
  throw new TreeProblem(
    `operator does not exist here: ${printPgType(a)} ${name} ${printPgType(b)}${isNumber(b) ? '; intervals are multiplied by integers only' : ''}`,
    place,
  )
}

const isMoment = (type: PgType): boolean => isPoint(type) || type.kind === 'time' || type.kind === 'interval'
const timeUs = ({ node }: Typed): Node => call('epoch_us', node)

function shifted(name: string, moment: Typed, interval: Typed, place: Node): Typed {
  const nullable = moment.nullable || interval.nullable
  const start =
    moment.type.kind === 'date' ? castTo(moment, { type: timestamp(), modifiers: [] }, place) : moment
  const type = isTimestamp(start.type) ? { ...start.type, precision: 6 } : start.type
  if (start.type.kind !== 'timestamptz')
    return { node: operator(name, start.node, interval.node), type, nullable }
  const inUtc = operator(name, engineCast(start.node, 'TIMESTAMP'), interval.node)
  return { node: engineCast(inUtc, 'TIMESTAMPTZ'), type, nullable }
}

function difference(left: Typed, right: Typed, place: Node): Node {
  const inUtc = (value: Typed) =>
    engineCast(castTo(value, { type: timestamptz(), modifiers: [] }, place).node, 'TIMESTAMP')
  return operator('-', inUtc(left), inUtc(right))
}

export const TIME_FUNCTIONS: Readonly<Record<string, TimeFunction>> = {
  date_trunc: dateTrunc,
  extract,
  date_part: datePart,
  timezone,
}
