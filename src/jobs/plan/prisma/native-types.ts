/** The types of PostgreSQL that fields of a Prisma schema have, as format_type() prints them. */
import type { DataType } from '../../../sql/data-types.ts'

export type PrismaType =
  | ('Int' | 'BigInt' | 'Float' | 'Decimal' | 'String' | 'Boolean' | 'DateTime' | 'Json' | 'Bytes')
  | 'enum'

export interface NativeType {
  readonly databaseType: string
  readonly type: DataType
}

const DIGITS_MAX = 38

const plain = (
  databaseType: string,
  kind: 'SMALLINT' | 'INT' | 'BIGINT' | 'FLOAT' | 'DOUBLE' | 'BOOLEAN' | 'STRING' | 'DATE' | 'TIME' | 'BYTES',
): NativeType => ({
  databaseType,
  type: { kind },
})
const text = (databaseType: string) => plain(databaseType, 'STRING')

/**
 * The schema's precision matters little, because that of the database counts. One above 38 digits, which a Decimal without `@db.Decimal`
 * has, stands for a column that the database may have with fewer: arithmetic over it is refused only if the database has it so, too.
 */
function numeric(precision = 65, scale = precision === 65 ? 30 : 0): NativeType {
  if (precision > DIGITS_MAX) return numeric(ASSUMED.precision, ASSUMED.scale)
  return { databaseType: `numeric(${precision},${scale})`, type: { kind: 'DECIMAL', precision, scale } }
}

const ASSUMED = { precision: 20, scale: 4 }

function timestamp(precision: number | undefined, zone: 'with' | 'without'): NativeType {
  const kind = zone === 'with' ? 'TIMESTAMP_LTZ' : 'TIMESTAMP'
  return {
    databaseType: `timestamp${precision === undefined ? '' : `(${precision})`} ${zone} time zone`,
    type: { kind, precision: precision ?? 6 },
  }
}

function sized(name: string, size: number | undefined): NativeType {
  return text(size === undefined ? name : `${name}(${size})`)
}

function time(precision: number | undefined, zone: 'with' | 'without'): NativeType {
  const databaseType = `time${precision === undefined ? '' : `(${precision})`} ${zone} time zone`
  return zone === 'with' ? text(databaseType) : plain(databaseType, 'TIME')
}

const DEFAULTS: Readonly<Record<Exclude<PrismaType, 'enum'>, NativeType>> = {
  Int: plain('integer', 'INT'),
  BigInt: plain('bigint', 'BIGINT'),
  Float: plain('double precision', 'DOUBLE'),
  Decimal: numeric(),
  String: text('text'),
  Boolean: plain('boolean', 'BOOLEAN'),
  DateTime: timestamp(3, 'without'),
  Json: text('jsonb'),
  Bytes: plain('bytea', 'BYTES'),
}

/** `@db.*` of each type. */
const NATIVE: Readonly<Record<string, (first?: number, second?: number) => NativeType>> = {
  'Int.Integer': () => DEFAULTS.Int,
  'Int.SmallInt': () => plain('smallint', 'SMALLINT'),
  'Int.Oid': () => plain('oid', 'BIGINT'),
  'BigInt.BigInt': () => DEFAULTS.BigInt,
  'Float.DoublePrecision': () => DEFAULTS.Float,
  'Float.Real': () => plain('real', 'FLOAT'),
  'Decimal.Decimal': numeric,
  'Decimal.Money': () => text('money'),
  'String.Text': () => DEFAULTS.String,
  'String.VarChar': (size) => sized('character varying', size),
  'String.Char': (size) => sized('character', size ?? 1),
  'String.Uuid': () => text('uuid'),
  'String.Xml': () => text('xml'),
  'String.Inet': () => text('inet'),
  'String.Citext': () => text('citext'),
  'String.Bit': (size) => sized('bit', size ?? 1),
  'String.VarBit': (size) => sized('bit varying', size),
  'Boolean.Boolean': () => DEFAULTS.Boolean,
  'DateTime.Timestamp': (precision) => timestamp(precision, 'without'),
  'DateTime.Timestamptz': (precision) => timestamp(precision, 'with'),
  'DateTime.Date': () => plain('date', 'DATE'),
  'DateTime.Time': (precision) => time(precision, 'without'),
  'DateTime.Timetz': (precision) => time(precision, 'with'),
  'Json.JsonB': () => DEFAULTS.Json,
  'Json.Json': () => text('json'),
  'Bytes.ByteA': () => DEFAULTS.Bytes,
}

export function isScalar(name: string): name is Exclude<PrismaType, 'enum'> {
  return Object.hasOwn(DEFAULTS, name)
}

/** Undefined if the type has no such native type. `native` is undefined without `@db.`. */
export function nativeType(
  scalar: Exclude<PrismaType, 'enum'>,
  native: string | undefined,
  modifiers: readonly number[],
): NativeType | undefined {
  if (native === undefined) return DEFAULTS[scalar]
  const name = `${scalar}.${native}`
  return Object.hasOwn(NATIVE, name) ? NATIVE[name]!(...modifiers) : undefined
}

/** Types of the database, without modifiers, that a field of a type may have. An exact type is not needed: that of the database counts. */
const FITTING: Readonly<Record<Exclude<PrismaType, 'enum'>, readonly string[]>> = {
  Int: ['smallint', 'integer', 'bigint', 'oid'],
  BigInt: ['smallint', 'integer', 'bigint', 'oid'],
  Float: ['real', 'double precision'],
  Decimal: ['numeric', 'money'],
  String: [
    'text',
    'character varying',
    'character',
    'uuid',
    'xml',
    'inet',
    'citext',
    'bit',
    'bit varying',
    'name',
    'cidr',
    'macaddr',
  ],
  Boolean: ['boolean'],
  DateTime: [
    'timestamp without time zone',
    'timestamp with time zone',
    'date',
    'time without time zone',
    'time with time zone',
  ],
  Json: ['json', 'jsonb'],
  Bytes: ['bytea'],
}
const BUILT_IN = new Set(Object.values(FITTING).flat())

/** `databaseType` as format_type() prints it, without `[]`. */
export function typeFits(type: PrismaType, databaseType: string): boolean {
  const name = databaseType.replace(/\([0-9,]*\)/, '').replace(/^.*\.(?=citext$)/, '')
  return type === 'enum' ? !BUILT_IN.has(name) : FITTING[type].includes(name)
}
