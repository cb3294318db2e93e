/**
 * The type of a column of PostgreSQL: how its values become JSON, and its type in SQL. A type that is not in the table below is a
 * text: enums, ranges, composites, network addresses, intervals, types of extensions.
 */
import type { DataType } from '../../sql/data-types.ts'
import type { CapturedColumn, ValueKind } from '../captured-table.ts'

/** A column as the catalog of PostgreSQL describes it. Of a domain, the facts of its base type. */
export interface DatabaseType {
  /** pg_attribute.atttypid; of a domain pg_type.typbasetype, until it is no domain. */
  readonly typeOid: number
  /** pg_attribute.atttypmod; of a domain pg_type.typtypmod. -1: none. */
  readonly typmod: number
  /** pg_type.typtype: b base, c composite, e enum, r range, m multirange, p pseudo. */
  readonly typtype: string
  /** pg_type.typelem; of a domain its base type. 0: no array. */
  readonly elementOid: number
  /** format_type(atttypid, atttypmod), for messages. */
  readonly formatted: string
}

export type ColumnType = Pick<CapturedColumn, 'kind' | 'isArray' | 'type'>

export function columnTypeOf({ typeOid, typmod, elementOid }: DatabaseType): ColumnType {
  const isArray = elementOid !== 0 && !SUBSCRIPTED.has(typeOid)
  const scalar = SCALARS.get(isArray ? elementOid : typeOid) ?? TEXT
  const type = scalar.type(typmod)
  return { kind: scalar.kind, isArray, type: isArray ? { kind: 'ARRAY', element: type } : type }
}

interface Scalar {
  readonly kind: ValueKind
  type(typmod: number): DataType
}

function scalar(kind: ValueKind, type: DataType): Scalar {
  return { kind, type: () => type }
}

const TEXT = scalar('text', { kind: 'STRING' })

/** By the oid of pg_type. Those of built-in types are the same in every database. */
const SCALARS: ReadonlyMap<number, Scalar> = new Map<number, Scalar>([
  [16, scalar('boolean', { kind: 'BOOLEAN' })],
  [17, scalar('bytes', { kind: 'BYTES' })],
  [20, scalar('integer', { kind: 'BIGINT' })],
  [21, scalar('integer', { kind: 'SMALLINT' })],
  [23, scalar('integer', { kind: 'INT' })],
  [26, scalar('integer', { kind: 'BIGINT' })], // oid: 0 to 2^32-1
  [114, scalar('json', { kind: 'STRING' })],
  [700, scalar('float', { kind: 'FLOAT' })],
  [701, scalar('float', { kind: 'DOUBLE' })],
  [790, scalar('money', { kind: 'DECIMAL', precision: 19, scale: 2 })], // 64 bits
  [1082, scalar('date', { kind: 'DATE' })],
  [1083, scalar('time', { kind: 'TIME' })],
  [1114, { kind: 'timestamp', type: (typmod) => ({ kind: 'TIMESTAMP', precision: fraction(typmod) }) }],
  [1184, { kind: 'timestamptz', type: (typmod) => ({ kind: 'TIMESTAMP_LTZ', precision: fraction(typmod) }) }],
  [1266, scalar('timetz', { kind: 'STRING' })],
  [1700, { kind: 'numeric', type: numericType }],
  [3802, scalar('json', { kind: 'STRING' })],
])

/** Types with elements that are no arrays: name, int2vector, oidvector, point, lseg, box, line. */
const SUBSCRIPTED: ReadonlySet<number> = new Set([19, 22, 30, 600, 601, 603, 628])

const FRACTION_DIGITS_MAX = 6
const DECIMAL_DIGITS_MAX = 38

function fraction(typmod: number): number {
  return typmod < 0 ? FRACTION_DIGITS_MAX : typmod
}

/**
 * The modifier is 4 more than `precision << 16 | scale`; the scale has 11 bits and a sign. A negative scale means zeros before the
 * point, a scale above the precision zeros after it.
 */
function numericType(typmod: number): DataType {
  if (typmod < 0) return { kind: 'STRING' }
  const digits = ((typmod - 4) >> 16) & 0xffff
  const scale = (((typmod - 4) & 0x7ff) ^ 0x400) - 0x400
  const precision = scale < 0 ? digits - scale : Math.max(digits, scale)
  if (precision > DECIMAL_DIGITS_MAX) return { kind: 'STRING' }
  return { kind: 'DECIMAL', precision, scale: Math.max(scale, 0) }
}
