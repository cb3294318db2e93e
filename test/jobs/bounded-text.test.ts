import { expect, test } from 'vitest'
import { BoundedText } from '../../src/jobs/bounded-text.ts'

test('the newest whole lines are kept', () => {
  const text = new BoundedText(10)
  for (const line of ['one\n', 'two\n', 'three\n', 'four\n']) text.add(line)
  expect(text.text).toBe('four\n')
  text.add('five\n')
  expect([text.text, text.take(), text.text]).toEqual(['four\nfive\n', 'four\nfive\n', ''])
})

test('a line that is longer than the limit is cut', () => {
  const text = new BoundedText(5)
  text.add('0123456789')
  expect(text.text).toBe('56789')
})

test('memory is bounded while a text grows', () => {
  const text = new BoundedText(100)
  for (let i = 0; i < 10_000; i++) text.add(`line ${i}\n`)
  expect(text.text.length).toBeLessThanOrEqual(100)
  expect(text.text.endsWith('line 9999\n')).toBe(true)
})
