import { expect, test } from 'vitest'
import { scalarText, scalarTexts, truncatedNumber, wholeNumber } from '../../src/http/messages/json-values.ts'
import { parseLenientJson } from '../../src/http/messages/lenient-json.ts'

const whole = [
  { text: '5', value: 5n },
  { text: '-5', value: -5n },
  { text: '-0', value: 0n },
  { text: '1.5', value: 1n },
  { text: '-1.9', value: -1n },
  { text: '0.9', value: 0n },
  { text: '-0.5', value: 0n },
  { text: '1e3', value: 1000n },
  { text: '1.2345e2', value: 123n },
  { text: '12345e-2', value: 123n },
  { text: '1e-1', value: 0n },
  { text: '0e999999999999', value: 0n },
  { text: '1e-999999999999', value: 0n },
  { text: '0.000001e7', value: 10n },
  { text: '9223372036854775807', value: 9223372036854775807n },
  { text: '-9223372036854775808', value: -9223372036854775808n },
  { text: '9223372036854775.807e3', value: 9223372036854775807n },
  { text: '9223372036854775807.9', value: 9223372036854775807n },
  { text: '9223372036854775808', value: undefined },
  { text: '-9223372036854775809', value: undefined },
  { text: '92233720368547758070', value: undefined },
  { text: '1e19', value: undefined },
  { text: '1e999999999999', value: undefined },
  { text: '"5"', value: 5n },
  { text: '"+5"', value: 5n },
  { text: '"-5"', value: -5n },
  { text: '"0007"', value: 7n },
  { text: '007', value: 7n },
  { text: '"0"', value: 0n },
  { text: `"${'0'.repeat(1_000_000)}9"`, value: 9n },
  { text: `"${'0'.repeat(1_000_000)}x"`, value: undefined },
  { text: `"${'9'.repeat(1_000_000)}"`, value: undefined },
  { text: '"9223372036854775808"', value: undefined },
  { text: '"1.5"', value: undefined },
  { text: '"1e3"', value: undefined },
  { text: '" 5"', value: undefined },
  { text: '""', value: undefined },
  { text: '"-"', value: undefined },
  { text: 'NaN', value: undefined },
  { text: '[7]', value: 7n },
  { text: '[["7"]]', value: 7n },
  { text: '[]', value: undefined },
  { text: '[7,8]', value: undefined },
  { text: '{}', value: undefined },
  { text: 'true', value: undefined },
  { text: 'null', value: undefined },
]
test.each(whole)('the number in $text without its decimals is $value', ({ text, value }) => {
  expect(truncatedNumber(parseLenientJson(text)!)).toBe(value)
})

const fractions = ['1.5', '-1.9', '0.9', '-0.5', '1.2345e2', '12345e-2', '1e-1', '1e-999999999999', '[0.5]']
test.each(fractions)('%s is no whole number', (text) => {
  expect(wholeNumber(parseLenientJson(text)!)).toBeUndefined()
})

const integers = [
  { text: '5.0', value: 5n },
  { text: '-0.0', value: 0n },
  { text: '1e3', value: 1000n },
  { text: '1.5e1', value: 15n },
  { text: '500e-2', value: 5n },
  { text: '0e-999999999999', value: 0n },
  { text: '"5"', value: 5n },
  { text: '[7]', value: 7n },
]
test.each(integers)('the whole number in $text is $value', ({ text, value }) => {
  expect(wholeNumber(parseLenientJson(text)!)).toBe(value)
})

const scalars = [
  { text: '"x"', value: 'x' },
  { text: '""', value: '' },
  { text: '1.50', value: '1.50' },
  { text: 'true', value: 'true' },
  { text: 'FALSE', value: 'false' },
  { text: 'null', value: undefined },
  { text: '{}', value: undefined },
  { text: '["x"]', value: undefined },
]
test.each(scalars)('the text in $text is $value', ({ text, value }) => {
  expect(scalarText(parseLenientJson(text)!)).toBe(value)
})

const objects = [
  {
    text: '{b:"x",a:1,"10":true,z:null}',
    entries: [
      ['b', 'x'],
      ['a', '1'],
      ['10', 'true'],
    ],
  },
  { text: '{}', entries: [] },
  { text: '{a:{}}', entries: undefined },
  { text: '{a:["x"]}', entries: undefined },
  { text: '[]', entries: undefined },
  { text: 'x', entries: undefined },
]
test.each(objects)('the texts in $text are $entries', ({ text, entries }) => {
  const texts = scalarTexts(parseLenientJson(text)!)
  expect(texts && [...texts]).toEqual(entries)
})
