/**
 * CAST, TRY_CAST and implicit casts with Flink's meaning, as steps that DuckDB runs one after the other: functions of
 * flink-macros.ts and DuckDB's own casts. Steps apply to a node of a tree or to the text of an expression.
 */
import {
  asDecimal,
  BIGINT,
  DOUBLE,
  engineType,
  type FlinkType,
  isBytes,
  isExact,
  isFloat,
  isInteger,
  isNumber,
  isTemporal,
  isText,
  isTimestamp,
  STRING,
} from './flink-types.ts'
import { call, integer, type Node } from './tree.ts'

export type CastStep =
  /** A function of the value, and of whole numbers. */
  | { readonly call: string; readonly digits?: readonly number[] }
  | { readonly cast: FlinkType; readonly isTry: boolean }

const CHARACTERS_MAX = 2 ** 31 - 1

/** The steps of CAST; undefined if Flink has no such cast. */
export function explicitCast(
  from: FlinkType,
  to: FlinkType,
  isTry: boolean,
): readonly CastStep[] | undefined {
  if (from.kind === 'NULL') return [{ cast: to, isTry }]
  if (isText(to)) return withLength(toText(from), to)
  if (isText(from)) return fromText(to, isTry)
  if (isNumber(to)) return toNumber(from, to, isTry)
  if (to.kind === 'BOOLEAN') return toBoolean(from)
  if (isTemporal(to)) return toTime(from, to)
  if (isBytes(to)) return isBytes(from) ? [] : undefined
  return engineType(from) === engineType(to) ? [] : undefined
}

/**
 * The steps with which a column of a query is written to a column of a sink, by Flink's implicit casts; undefined if Flink
 * refuses the pair.
 */
export function sinkCast(from: FlinkType, to: FlinkType): readonly CastStep[] | undefined {
  if (from.kind === 'NULL') return explicitCast(from, to, false)
  if (isText(to)) return isText(from) ? [] : undefined
  if (isInteger(to) || isFloat(to) || to.kind === 'DECIMAL') {
    const isWider = isNumber(from) && (!isInteger(to) || (isInteger(from) && isNotNarrower(from, to)))
    const isRefused = to.kind === 'FLOAT' && from.kind === 'DOUBLE'
    return isWider && !isRefused ? explicitCast(from, to, false) : undefined
  }
  if (isTimestamp(to)) return isTimestamp(from) ? explicitCast(from, to, false) : undefined
  if (to.kind === 'DATE' || to.kind === 'TIME')
    return from.kind === to.kind || from.kind === 'TIMESTAMP' ? explicitCast(from, to, false) : undefined
  if (isBytes(to)) return isBytes(from) ? [] : undefined
  return engineType(from) === engineType(to) ? [] : undefined
}

export function isNotNarrower(from: FlinkType, to: FlinkType): boolean {
  return asDecimal(from).precision <= asDecimal(to).precision
}

export function castNode(node: Node, steps: readonly CastStep[]): Node {
  return steps.reduce(
    (inner, step) =>
      'call' in step
        ? call(step.call, inner, ...(step.digits ?? []).map(integer))
        : castTo(inner, step.cast, step.isTry),
    node,
  )
}

/** The same for the text of an expression of DuckDB. */
export function castText(expression: string, steps: readonly CastStep[]): string {
  return steps.reduce(
    (inner, step) =>
      'call' in step
        ? `${step.call}(${[inner, ...(step.digits ?? [])].join(', ')})`
        : `${step.isTry ? 'TRY_CAST' : 'CAST'}(${inner} AS ${engineType(step.cast)})`,
    expression,
  )
}

/** DuckDB's own cast. */
export function castTo(child: Node, type: FlinkType, isTry = false): Node {
  return { class: 'CAST', type: 'OPERATOR_CAST', child, cast_type: castType(type), try_cast: isTry }
}

/** The type in the tree. */
function castType(type: FlinkType): Node {
  switch (type.kind) {
    case 'DECIMAL':
      return typeNode('DECIMAL', { type: 'DECIMAL_TYPE_INFO', width: type.precision, scale: type.scale })
    case 'TIMESTAMP_LTZ':
      return typeNode('TIMESTAMP WITH TIME ZONE')
    case 'ARRAY':
      return typeNode('LIST', { type: 'LIST_TYPE_INFO', child_type: castType(type.element) })
    case 'MAP':
      return typeNode('MAP', {
        type: 'LIST_TYPE_INFO',
        child_type: structType([
          ['key', type.key],
          ['value', type.value],
        ]),
      })
    case 'ROW':
      return structType(type.fields.map(({ name, type: inner }) => [name, inner] as const))
    default:
      return typeNode(engineType(type))
  }
}

function structType(fields: readonly (readonly [string, FlinkType])[]): Node {
  return typeNode('STRUCT', {
    type: 'STRUCT_TYPE_INFO',
    child_types: fields.map(([first, type]) => ({ first, second: castType(type) })),
  })
}

const typeNode = (id: string, info: object | null = null): Node => ({ id, type_info: info })

/** Truncates or pads to the length of CHAR(n) and VARCHAR(n). Undefined steps stay undefined. */
function withLength(steps: readonly CastStep[] | undefined, to: FlinkType): readonly CastStep[] | undefined {
  if (steps === undefined || to.kind === 'STRING') return steps
  const { length } = to as { readonly length: number }
  if (length >= CHARACTERS_MAX) return steps
  return [...steps, { call: to.kind === 'CHAR' ? 'flink_to_char' : 'flink_to_varchar', digits: [length] }]
}

const plain = (cast: FlinkType, isTry = false): CastStep[] => [{ cast, isTry }]

function toText(from: FlinkType): readonly CastStep[] | undefined {
  if (isText(from)) return []
  if (isBytes(from)) return [{ call: 'decode' }]
  if (isFloat(from)) return [{ call: 'flink_float_text' }]
  if (from.kind === 'BOOLEAN') return [...plain(STRING), { call: 'upper' }]
  if (isTimestamp(from)) {
    const { precision } = from as { readonly precision: number }
    return [{ call: 'flink_timestamp_text', digits: [precision === 0 ? 19 : 20 + precision] }]
  }
  return isExact(from) || from.kind === 'DATE' || from.kind === 'TIME' ? plain(STRING) : undefined
}

function fromText(to: FlinkType, isTry: boolean): readonly CastStep[] | undefined {
  if (isInteger(to)) return [{ call: 'flink_integer_digits' }, ...plain(to, isTry)]
  if (isNumber(to)) return plain(to, isTry)
  if (to.kind === 'BOOLEAN') return [{ call: 'flink_boolean_word' }, ...plain(to, isTry)]
  if (isTimestamp(to)) return [{ call: 'flink_timestamp_digits' }, ...plain(to, isTry), ...truncated(to)]
  if (to.kind === 'DATE') return [{ call: 'flink_date_digits' }, ...plain(to, isTry)]
  if (to.kind === 'TIME') return [{ call: 'flink_time_digits' }, ...plain(to, isTry)]
  return isBytes(to) ? [{ call: 'encode' }] : undefined
}

function toNumber(from: FlinkType, to: FlinkType, isTry: boolean): readonly CastStep[] | undefined {
  if (engineType(from) === engineType(to)) return []
  if (from.kind === 'BOOLEAN') return [...plain(BIGINT), ...plain(to)]
  if (!isNumber(from)) return undefined
  if (isInteger(to)) return isInteger(from) ? plain(to, isTry) : [{ call: 'trunc' }, ...plain(to, isTry)]
  if (to.kind !== 'DECIMAL') return plain(to, isTry)
  // Through text, a DOUBLE is rounded as it is shown; too large a number becomes NULL, as in Flink.
  if (!isFloat(from)) return plain(to, true)
  return [{ call: 'flink_decimal_digits', digits: [to.precision - to.scale] }, ...plain(to, true)]
}

function toBoolean(from: FlinkType): readonly CastStep[] | undefined {
  if (from.kind === 'BOOLEAN') return []
  return isNumber(from)
    ? plain(from.kind === 'DECIMAL' ? DOUBLE : from).concat(plain({ kind: 'BOOLEAN' }))
    : undefined
}

function toTime(from: FlinkType, to: FlinkType): readonly CastStep[] | undefined {
  if (from.kind === to.kind) return isTimestamp(to) && isShorter(to, from) ? truncated(to) : []
  if (!isTemporal(from)) return undefined
  if (to.kind === 'TIME') return isTimestamp(from) ? [...utc(from), { call: 'flink_time_of' }] : undefined
  if (to.kind === 'DATE') return isTimestamp(from) ? [...utc(from), ...plain(to)] : undefined
  if (from.kind === 'TIME') return undefined
  return [...plain(to), ...(isShorter(to, from) ? truncated(to) : [])]
}

/** A point in time as TIMESTAMP in UTC. */
const utc = (from: FlinkType): CastStep[] =>
  from.kind === 'TIMESTAMP_LTZ' ? plain({ kind: 'TIMESTAMP', precision: 6 }) : []

function isShorter(to: FlinkType, from: FlinkType): boolean {
  return (to as { precision: number }).precision < ((from as { precision?: number }).precision ?? 0)
}

/** Cuts a timestamp to its precision. DuckDB's have microseconds. */
function truncated(to: FlinkType): CastStep[] {
  const { precision } = to as { readonly precision: number }
  if (precision >= 6) return []
  const name = to.kind === 'TIMESTAMP' ? 'flink_truncate_timestamp' : 'flink_truncate_ltz'
  return [{ call: name, digits: [10 ** (6 - precision)] }]
}
