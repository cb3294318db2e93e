/** Functions of Flink over times. Names are those that DuckDB's parser gives, in lower case. */
import { castNode, castTo, explicitCast } from './flink-casts.ts'
import { constantText, type FlinkFunction, type FlinkFunctions, numberOf, textOf } from './flink-function.ts'
import { as, boundOnce } from './flink-operators.ts'
import {
  BIGINT,
  DATE,
  DOUBLE,
  type FlinkType,
  INT,
  isFloat,
  isTemporal,
  isText,
  printFlinkType,
  STRING,
  TIME,
  type Typed,
  timestamp,
  timestampLtz,
} from './flink-types.ts'
import { readFormat, strftimeFormat } from './java-patterns.ts'
import {
  call,
  caseWhen,
  constantOf,
  integer,
  isNull,
  type Node,
  NULL,
  operator,
  TreeProblem,
  text,
} from './tree.ts'

const typed = (node: Node, type: FlinkType): Typed => ({ node, type })
const MICROSECOND = timestamp(6)

/** Units, and what DuckDB's interval of one unit is made with. */
const UNITS: Readonly<Record<string, string>> = {
  YEAR: 'to_years',
  QUARTER: 'to_quarters',
  MONTH: 'to_months',
  WEEK: 'to_weeks',
  DAY: 'to_days',
  HOUR: 'to_hours',
  MINUTE: 'to_minutes',
  SECOND: 'to_seconds',
  MILLISECOND: 'to_milliseconds',
}
const ADDED_TO_DATE = new Set(['YEAR', 'QUARTER', 'MONTH', 'WEEK', 'DAY'])

/** The unit that a bare word or a text names: SECOND, SQL_TSI_SECOND, SECONDS. */
export function unitOf(node: Node, place: Node): string {
  const word = node.type === 'COLUMN_REF' ? String((node.column_names as string[]).at(-1)) : constantOf(node)
  const unit = String(word)
    .toUpperCase()
    .replace(/^SQL_TSI_/, '')
    .replace(/(?<=[A-Z]{3})S$/, '')
  if (UNITS[unit] === undefined)
    throw new TreeProblem(`'${word}' is no unit of time; use SECOND, MINUTE, HOUR, DAY, MONTH or YEAR`, place)
  return unit
}

/** A time for DuckDB's functions: texts are cast, points in time become TIMESTAMP in UTC. */
function timeOf({ node, type }: Typed, place: Node): Node {
  if (type.kind === 'TIMESTAMP_LTZ') return castTo(node, MICROSECOND)
  if (isTemporal(type)) return node
  const steps = isText(type) || type.kind === 'NULL' ? explicitCast(type, MICROSECOND, true) : undefined
  if (steps === undefined)
    throw new TreeProblem(`${printFlinkType(type)} is no time; cast it to TIMESTAMP`, place)
  return castNode(node, steps)
}

const asTimestamp = (argument: Typed, place: Node): Node => castTo(timeOf(argument, place), MICROSECOND)

/** Parts that DuckDB names differently or counts differently: `shift` is added. */
const PARTS: Readonly<Record<string, readonly [string, number]>> = {
  DOW: ['dow', 1],
  ISODOW: ['isodow', 0],
  DOY: ['doy', 0],
  EPOCH: ['epoch', 0],
}
const KNOWN_PARTS = new Set([
  ...['YEAR', 'QUARTER', 'MONTH', 'WEEK', 'DAY', 'HOUR', 'MINUTE', 'SECOND', 'MILLISECOND', 'ISOYEAR'],
  ...['DOW', 'ISODOW', 'DOY', 'EPOCH', 'DECADE', 'CENTURY', 'MILLENNIUM'],
])

function part(name: string, of: Typed, place: Node): Typed {
  if (!KNOWN_PARTS.has(name)) throw new TreeProblem(`EXTRACT(${name} FROM …) is not supported here`, place)
  const time = timeOf(of, place)
  if (name === 'EPOCH') {
    const seconds = call('trunc', call('epoch', time))
    return typed(castTo(seconds, BIGINT), BIGINT)
  }
  if (name === 'MILLISECOND') return typed(operator('%', call('millisecond', time), integer(1000)), BIGINT)
  const [ours, shift] = PARTS[name] ?? [name.toLowerCase(), 0]
  const value = call('date_part', text(ours), time)
  return typed(castTo(shift === 0 ? value : operator('+', value, integer(shift)), BIGINT), BIGINT)
}

const partFunction = (name: string): FlinkFunction => ({
  arity: [1, 1],
  rewrite: ([of], place) => part(name, of!, place),
})

const dateFormat: FlinkFunction = {
  arity: [2, 2],
  rewrite: ([of, pattern], place) => {
    const format = strftimeFormat(constantText(pattern!, 'pattern of DATE_FORMAT', place), place)
    return typed(call('strftime', asTimestamp(of!, place), text(format)), STRING)
  },
}

const DEFAULT_PATTERN = 'yyyy-MM-dd HH:mm:ss'

/** With a pattern as Java's SimpleDateFormat, which takes one digit for two: TO_DATE and UNIX_TIMESTAMP. */
function parsed(of: Typed, pattern: Typed | undefined, place: Node): Node {
  if (pattern === undefined) return castNode(textOf(of, place), explicitCast(STRING, timestamp(3), true)!)
  const { prefix, format } = readFormat(constantText(pattern, 'pattern', place), place)
  return call('flink_parse', textOf(of, place), text(prefix), text(format))
}

/** With a pattern as Java's DateTimeFormatter: NULL unless each part has as many digits as letters. */
const toTimestamp: FlinkFunction = {
  arity: [1, 2],
  rewrite: ([of, pattern], place) => {
    if (pattern === undefined) return typed(parsed(of!, pattern, place), timestamp(3))
    const { prefix, format, regex } = readFormat(constantText(pattern, 'pattern', place), place)
    const time = call('flink_parse_strictly', textOf(of!, place), text(prefix), text(format), text(regex))
    return typed(time, timestamp(3))
  },
}

const toDate: FlinkFunction = {
  arity: [1, 2],
  rewrite: ([of, pattern], place) => {
    if (pattern !== undefined) return typed(castTo(parsed(of!, pattern, place), DATE), DATE)
    return typed(castNode(textOf(of!, place), explicitCast(STRING, DATE, true)!), DATE)
  },
}

/** Epoch seconds (precision 0) or milliseconds (3). */
const toTimestampLtz: FlinkFunction = {
  arity: [2, 2],
  rewrite: ([of, precision], place) => {
    const digits = constantOf(precision!.node)
    if (digits !== 0 && digits !== 3)
      throw new TreeProblem(
        'the precision of TO_TIMESTAMP_LTZ must be 0 (seconds) or 3 (milliseconds)',
        place,
      )
    const { node, type } = numberOf(of!, place)
    // Seconds of DOUBLE keep their milliseconds.
    const isFine = isFloat(type) && digits === 0
    const value = isFine ? operator('*', castTo(node, DOUBLE), castTo(integer(1000), DOUBLE)) : node
    const whole = castNode(value, explicitCast(isFine ? DOUBLE : type, BIGINT, false)!)
    return typed(
      call('flink_ltz', whole, integer(digits === 0 && !isFine ? 1_000_000 : 1000)),
      timestampLtz(3),
    )
  },
}

const fromUnixTime: FlinkFunction = {
  arity: [1, 2],
  rewrite: ([of, pattern], place) => {
    const format = strftimeFormat(
      pattern === undefined ? DEFAULT_PATTERN : constantText(pattern, 'pattern of FROM_UNIXTIME', place),
      place,
    )
    const { node, type } = numberOf(of!, place)
    const seconds = castNode(node, explicitCast(type, BIGINT, false)!)
    const time = call('make_timestamp', operator('*', seconds, castTo(integer(1_000_000), BIGINT)))
    return typed(call('strftime', time, text(format)), STRING)
  },
}

const NO_TIME = '-9223372036854775808'

/** Epoch seconds, cut towards the past. What is no time is -9223372036854775808, as in Flink. */
const unixTimestamp: FlinkFunction = {
  arity: [0, 2],
  rewrite: ([of, pattern], place) => {
    const seconds = (time: Node) => castTo(call('floor', call('epoch', time)), BIGINT)
    if (of === undefined) return typed(seconds(call('get_current_timestamp')), BIGINT)
    const node = boundOnce([textOf(of, place)], ([value]) => {
      const known = seconds(parsed({ node: value!, type: STRING }, pattern, place))
      const children = [known, castTo(text(NO_TIME), BIGINT)]
      const orNone = { class: 'OPERATOR', type: 'OPERATOR_COALESCE', children }
      return caseWhen(isNull(value!), NULL, orNone)
    })
    return typed(node, BIGINT)
  },
}

const timestampDiff: FlinkFunction = {
  arity: [3, 3],
  rewrite: ([unit, from, to], place) => {
    const name = unitOf(unit!.node, place).toLowerCase()
    const diff = call('date_sub', text(name), asTimestamp(from!, place), asTimestamp(to!, place))
    return typed(castTo(diff, INT), INT)
  },
}

const timestampAdd: FlinkFunction = {
  arity: [3, 3],
  rewrite: ([unit, count, of], place) => {
    const name = unitOf(unit!.node, place)
    const isDate = of!.type.kind === 'DATE'
    const time = isTemporal(of!.type) ? of! : typed(timeOf(of!, place), timestamp(3))
    const type = isDate && !ADDED_TO_DATE.has(name) ? timestamp(6) : time.type
    const n = as(numberOf(count!, place), name === 'SECOND' || name === 'MILLISECOND' ? DOUBLE : INT)
    return typed(castTo(operator('+', time.node, call(UNITS[name]!, n)), type), type)
  },
}

/** FLOOR and CEIL of a time to a unit, given as a text by the rewriter of tokens. */
export function roundedTime(name: 'floor' | 'ceil', of: Typed, unit: Node, place: Node): Typed {
  const word = unitOf(unit, place)
  if (!isTemporal(of.type))
    throw new TreeProblem(`${printFlinkType(of.type)} is no time; cast it to TIMESTAMP`, place)
  // Weeks of Flink begin on Sunday here, those of DuckDB on Monday.
  const time = timeOf(of, place)
  const cut =
    word === 'WEEK'
      ? call('flink_week', time)
      : name === 'floor'
        ? call('date_trunc', text(word.toLowerCase()), time)
        : call('flink_ceil_time', time, text(word.toLowerCase()), call(UNITS[word]!, integer(1)))
  return typed(castTo(cut, of.type), of.type)
}

/** Words and functions that name the moment of the tick. */
export const CURRENT_TIMES: Readonly<Record<string, () => Typed>> = {
  current_timestamp: () => now(timestampLtz(3)),
  now: () => now(timestampLtz(3)),
  current_row_timestamp: () => now(timestampLtz(3)),
  proctime: () => now(timestampLtz(3)),
  localtimestamp: () => now(timestamp(3)),
  current_date: () => now(DATE),
  current_time: () => now(TIME),
  localtime: () => now(TIME),
}

function now(type: FlinkType): Typed {
  return typed(castNode(call('get_current_timestamp'), explicitCast(timestampLtz(6), type, false)!), type)
}

const PART_FUNCTIONS: Readonly<Record<string, string>> = {
  year: 'YEAR',
  quarter: 'QUARTER',
  month: 'MONTH',
  week: 'WEEK',
  hour: 'HOUR',
  minute: 'MINUTE',
  second: 'SECOND',
  dayofmonth: 'DAY',
  dayofyear: 'DOY',
  dayofweek: 'DOW',
}

export const TIME_FUNCTIONS: FlinkFunctions = {
  ...Object.fromEntries(Object.entries(PART_FUNCTIONS).map(([name, unit]) => [name, partFunction(unit)])),
  ...Object.fromEntries(
    Object.entries(CURRENT_TIMES).map(([name, rewrite]) => [name, { arity: [0, 1] as const, rewrite }]),
  ),
  date_part: {
    arity: [2, 2],
    rewrite: ([unit, of], place) => part(String(constantOf(unit!.node)).toUpperCase(), of!, place),
  },
  date_format: dateFormat,
  to_timestamp: toTimestamp,
  to_date: toDate,
  to_timestamp_ltz: toTimestampLtz,
  from_unixtime: fromUnixTime,
  unix_timestamp: unixTimestamp,
  timestampdiff: timestampDiff,
  timestampadd: timestampAdd,
}
