import { expect, test } from 'vitest'
import { decodedName, encodedName, withDecodedNames } from '../../src/sql/encoded-name.ts'

const NAMES = [
  'usage',
  'USAGE',
  'Usage',
  'a$b',
  'a$0',
  'A$B',
  's0',
  'in_s0',
  'c1',
  '__ord',
  'é',
  'É',
  'x y',
  '1',
  'window_start',
  'EXPR$0',
  '$',
  'usage$1f',
]

test('different names stay different without regard to case, and come back', () => {
  const encoded = NAMES.map(encodedName)
  expect(new Set(encoded.map((name) => name.replace(/[A-Z]/g, (letter) => letter.toLowerCase()))).size).toBe(
    NAMES.length,
  )
  expect(encoded.map(decodedName)).toEqual(NAMES)
})

test('plain names stay as they are, and names of plans do not', () => {
  expect(['usage', 'window_start', 's0', '__ord', 'USAGE'].map(encodedName)).toEqual([
    'usage',
    'window_start',
    's0$0',
    '__ord$0',
    'usage$1f',
  ])
})

test('an error text of the engine has the names of the user', () => {
  expect(withDecodedNames('column "usage$1f" of cpu_in$37 is missing')).toBe(
    'column "USAGE" of CPU_IN is missing',
  )
})
