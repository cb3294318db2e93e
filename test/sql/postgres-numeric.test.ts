/** Numbers of PostgreSQL: digits of quotients, keys that sort, limits. */
import { describe, expect, test } from 'vitest'
import { doubleText, floatText } from '../../src/sql/postgres-float-text.ts'
import { jsonbElement, jsonElement, jsonMember, jsonText } from '../../src/sql/postgres-json.ts'
import {
  compareNumeric,
  divideNumeric,
  limitNumeric,
  numericKey,
  numericOfFloat,
  parseNumeric,
  printNumeric,
  roundNumeric,
} from '../../src/sql/postgres-numeric.ts'
import { seededRandom } from '../support/seeded-random.ts'

const QUOTIENTS: readonly (readonly [a: string, b: string, quotient: string])[] = [
  ['5', '3', '1.6666666666666667'],
  ['2', '3', '0.66666666666666666667'],
  ['30.49', '3', '10.1633333333333333'],
  ['10.00', '2', '5.0000000000000000'],
  ['1e20', '3', '33333333333333333333'],
  ['0', '5.0', '0.00000000000000000000'],
  ['-1', '7', '-0.14285714285714285714'],
  ['0.00001', '3', '0.000003333333333333333333'],
  ['1', 'Infinity', '0'],
  ['Infinity', '-2', '-Infinity'],
  ['NaN', '0', 'NaN'],
]

test.each(QUOTIENTS)('%s / %s is %s', (a, b, quotient) => {
  expect(printNumeric(divideNumeric(parseNumeric(a), parseNumeric(b)))).toBe(quotient)
})

describe('numerics', () => {
  test('a division by zero and a number beyond its limits fail', () => {
    expect(() => divideNumeric(parseNumeric('1'), parseNumeric('0.00'))).toThrow('division by zero')
    expect(() => limitNumeric(parseNumeric('999.995'), 5, 2)).toThrow('numeric field overflow')
    expect(printNumeric(limitNumeric(parseNumeric('999.994'), 5, 2))).toBe('999.99')
  })

  test('halves are rounded away from zero', () => {
    const rounded = (text: string, digits: number) => printNumeric(roundNumeric(parseNumeric(text), digits))
    expect([rounded('2.5', 0), rounded('-2.5', 0), rounded('0.005', 2), rounded('1250', -2)]).toEqual([
      '3',
      '-3',
      '0.01',
      '1300',
    ])
  })

  test('keys are equal for equal numbers, and sort as the numbers do', () => {
    const random = seededRandom(3)
    const number = () => {
      const digits = String(random.whole(0, 999_999)).slice(0, random.whole(1, 6))
      return `${random.pick(['', '-'])}${digits}e${random.whole(-8, 8)}`
    }
    for (let count = 0; count < 5000; count++) {
      const [a, b] = [parseNumeric(number()), parseNumeric(number())]
      const [x, y] = [numericKey(a), numericKey(b)]
      expect({ a, b, order: x < y ? -1 : x > y ? 1 : 0 }).toEqual({ a, b, order: compareNumeric(a, b) })
    }
  })

  test('a double precision has 15 digits as numeric', () => {
    const printed = (value: number) => printNumeric(numericOfFloat(value, 15))
    expect([printed(0.1), printed(1 / 3), printed(1e20), printed(Number.NaN)]).toEqual([
      '0.1',
      '0.333333333333333',
      '100000000000000000000',
      'NaN',
    ])
  })
})

test('texts of floating-point numbers', () => {
  const doubles = [1e15, 1e14, 0.0001, 0.00001, 123456.789, -0, 5e-324]
  expect(doubles.map(doubleText)).toEqual([
    '1e+15',
    '100000000000000',
    '0.0001',
    '1e-05',
    '123456.789',
    '-0',
    '5e-324',
  ])
  expect([1e6, 100000, Math.fround(0.1), Math.fround(3.4028234663852886e38)].map(floatText)).toEqual([
    '1e+06',
    '100000',
    '0.1',
    '3.4028235e+38',
  ])
})

test('members of JSON keep their text', () => {
  const json = '{"a": 1.10, "b":[1, {"c": "x\\n"}, null], "a": 2.0 }'
  expect(jsonMember(json, 'a')).toBe('2.0')
  expect(jsonElement(jsonMember(json, 'b')!, 1)).toBe('{"c": "x\\n"}')
  expect(jsonText(jsonElement(jsonMember(json, 'b')!, -1))).toBeNull()
  expect(jsonText(jsonMember(jsonElement(jsonMember(json, 'b')!, 1)!, 'c'))).toBe('x\n')
  expect(jsonMember('[1]', 'a')).toBeUndefined()
  expect(['"s"', '1', '{"a":1}', '[7]'].map((of) => jsonElement(of, 0))).toEqual([
    ...[undefined, undefined, undefined, '7'],
  ])
})

test('a jsonb that is one value is an array of it', () => {
  expect(['"s"', '1', '{"a":1}', '[7]'].map((of) => jsonbElement(of, 0))).toEqual([
    '"s"',
    '1',
    undefined,
    '7',
  ])
  expect([-1, 1, -2].map((index) => jsonbElement('true', index))).toEqual(['true', undefined, undefined])
})
