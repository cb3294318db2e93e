import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readDouble, readInt, readLong } from '../../src/formats/number-text.ts'

function reading<T>(read: (bytes: Uint8Array, start: number, end: number) => T): (text: string) => T {
  return (text) => {
    const bytes = Buffer.from(`1${text}1`)
    return read(bytes, 1, bytes.length - 1)
  }
}
const int = reading(readInt)
const long = reading(readLong)
const double = reading(readDouble)

const ints = [
  ['0', 0],
  ['-0', 0],
  ['+7', 7],
  ['-7', -7],
  ['007', 7],
  ['2147483647', 2147483647],
  ['-2147483648', -2147483648],
  [`${'0'.repeat(100)}5`, 5],
] as const
test.each(ints)('%j is the int %d', (text, value) => {
  expect(int(text)).toBe(value)
})
test.each(['', '-', '+', ' 5', '5 ', '5.0', '1e3', '0x1', '2147483648', '-2147483649', 'x', '--1', '٣'])(
  '%j is no int',
  (text) => {
    expect(int(text)).toBeNaN()
  },
)

const longs = [
  ['5', 5],
  ['-0', 0],
  ['9007199254740991', 9007199254740991],
  ['-9007199254740991', -9007199254740991],
  ['9007199254740992', 9007199254740992n],
  ['9223372036854775807', 9223372036854775807n],
  ['-9223372036854775808', -9223372036854775808n],
  ['+0009223372036854775807', 9223372036854775807n],
] as const
test.each(longs)('%j is the long %s', (text, value) => {
  expect(long(text)).toBe(value)
})
test.each([
  '',
  '-',
  ' 5',
  '5 ',
  '5.0',
  '9223372036854775808',
  '-9223372036854775809',
  '99999999999999999999',
])('%j is no long', (text) => {
  expect(long(text)).toBeUndefined()
})

const doubles = [
  ['1.5', 1.5],
  [' 1.5\t', 1.5],
  ['-1.5', -1.5],
  ['+1.5', 1.5],
  ['.5', 0.5],
  ['5.', 5],
  ['1e3', 1000],
  ['1E-3', 0.001],
  ['1f', 1],
  ['1.5D', 1.5],
  ['1e3d', 1000],
  ['NaN', Number.NaN],
  ['-Infinity', -Infinity],
  ['+Infinity', Infinity],
  ['1e400', Infinity],
  ['1e-400', 0],
  ['1e999999999999', Infinity],
  ['0.1', 0.1],
  ['1.7976931348623157E308', Number.MAX_VALUE],
  ['4.9E-324', 5e-324],
  ['123456789012345678', 123456789012345680],
  ['0.000000000000000000000000000001', 1e-30],
] as const
test.each(doubles)('%j is the double %d', (text, value) => {
  expect(double(text)).toBe(value)
})
test.each([
  '',
  ' ',
  '.',
  '-',
  'e5',
  '1e',
  '1e+',
  '1 5',
  '1.5.5',
  'nan',
  'infinity',
  '1ff',
  '0x1p3',
  '1,5',
  '--1',
  '- 1',
])('%j is no double', (text) => {
  expect(double(text)).toBeUndefined()
})

test('any number comes back as it was printed', () => {
  fc.assert(
    fc.property(fc.double(), fc.integer(), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), (d, i, l) => {
      // Java knows no minus in front of its zero here either; the sign of zero is in the bits alone.
      expect(double(Object.is(d, -0) ? '-0.0' : String(d))).toBe(d)
      expect(int(String(i))).toBe(i)
      expect(BigInt(long(String(l))!)).toBe(l)
    }),
    { numRuns: 2000 },
  )
})

test('texts of digits as they come are as the platform reads them', () => {
  const digits = fc.stringMatching(/^[0-9]{1,25}$/)
  fc.assert(
    fc.property(digits, digits, fc.integer({ min: -340, max: 340 }), (whole, fraction, exponent) => {
      const text = `${whole}.${fraction}e${exponent}`
      expect(double(text)).toBe(Number(text))
    }),
    { numRuns: 2000 },
  )
})
