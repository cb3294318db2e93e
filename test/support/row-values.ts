/** Random types of columns and values of them, in the form of src/sql/data-types.ts. */
import fc from 'fast-check'
import type { Value } from '../../src/formats/record-reader.ts'
import type { DataType } from '../../src/sql/data-types.ts'

const SIMPLE: readonly DataType[] = [
  { kind: 'BOOLEAN' },
  { kind: 'TINYINT' },
  { kind: 'SMALLINT' },
  { kind: 'INT' },
  { kind: 'BIGINT' },
  { kind: 'FLOAT' },
  { kind: 'DOUBLE' },
  { kind: 'STRING' },
  { kind: 'BYTES' },
  { kind: 'DATE' },
  { kind: 'TIME' },
  { kind: 'CHAR', length: 3 },
  { kind: 'VARCHAR', length: 5 },
  { kind: 'VARBINARY', length: 5 },
  { kind: 'DECIMAL', precision: 4, scale: 2 },
  { kind: 'DECIMAL', precision: 9, scale: 0 },
  { kind: 'DECIMAL', precision: 18, scale: 6 },
  { kind: 'DECIMAL', precision: 38, scale: 10 },
  { kind: 'DECIMAL', precision: 38, scale: 38 },
  { kind: 'TIMESTAMP', precision: 6 },
  { kind: 'TIMESTAMP', precision: 3 },
  { kind: 'TIMESTAMP_LTZ', precision: 6 },
]

export const simpleTypes: fc.Arbitrary<DataType> = fc.constantFrom(...SIMPLE)

export const types: fc.Arbitrary<DataType> = fc.letrec<{ any: DataType }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    { arbitrary: simpleTypes, weight: 4 },
    { arbitrary: tie('any').map((element) => ({ kind: 'ARRAY', element }) as const), weight: 1 },
    {
      arbitrary: tie('any').map((value) => ({ kind: 'MAP', key: { kind: 'STRING' }, value }) as const),
      weight: 1,
    },
    {
      arbitrary: fc.array(tie('any'), { minLength: 1, maxLength: 3 }).map((inner) => ({
        kind: 'ROW' as const,
        fields: inner.map((type, index) => ({ name: `f${index}`, type })),
      })),
      weight: 1,
    },
  ),
})).any

const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 30 }),
  fc.constantFrom('', '"\\\n,', 'NULL', ' x '),
)
/** 0001-01-01 to 9999-12-31. */
const days = fc.integer({ min: -719_162, max: 2_932_896 })

export function exact(value: bigint): number | bigint {
  const near = Number(value)
  return Number.isSafeInteger(near) ? near : value
}

export function valuesOf(type: DataType, nulls = true): fc.Arbitrary<Value> {
  const value = present(type)
  return nulls ? fc.option(value, { freq: 6 }) : value
}

function present(type: DataType): fc.Arbitrary<Exclude<Value, null>> {
  switch (type.kind) {
    case 'BOOLEAN':
      return fc.boolean()
    case 'TINYINT':
      return fc.integer({ min: -128, max: 127 })
    case 'SMALLINT':
      return fc.integer({ min: -32_768, max: 32_767 })
    case 'INT':
      return fc.integer()
    case 'BIGINT':
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(exact)
    case 'FLOAT':
      return fc.float()
    case 'DOUBLE':
      return fc.double()
    case 'DECIMAL': {
      const limit = 10n ** BigInt(type.precision) - 1n
      return fc.bigInt({ min: -limit, max: limit }).map(exact)
    }
    case 'BYTES':
    case 'BINARY':
    case 'VARBINARY':
      return fc.uint8Array({ maxLength: 20 })
    case 'DATE':
      return days
    case 'TIME':
      return fc.integer({ min: 0, max: 86_399 }).map((seconds) => seconds * 1_000_000)
    case 'TIMESTAMP':
    case 'TIMESTAMP_LTZ': {
      const unit = 10n ** BigInt(6 - type.precision)
      return fc
        .tuple(days, fc.bigInt({ min: 0n, max: 86_399_999_999n }))
        .map(([day, micros]) => exact(BigInt(day) * 86_400_000_000n + (micros / unit) * unit))
    }
    case 'ARRAY':
      return fc.array(valuesOf(type.element), { maxLength: 3 })
    case 'MAP':
      return fc
        .array(fc.tuple(text, valuesOf(type.value)), { maxLength: 3 })
        .map((entries) => new Map(entries))
    case 'ROW':
      return fc
        .tuple(...type.fields.map((field) => valuesOf(field.type)))
        .map((values) => new Map(values.map((value, index) => [type.fields[index]!.name, value])))
    default:
      return text
  }
}
