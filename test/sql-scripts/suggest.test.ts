/** Suggestions and the reader of scripts take any text: they end soon, and refuse with SqlProblem alone. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SqlProblem } from '../../src/sql/sql-problem.ts'
import { readScript } from '../../src/sql-scripts/script-reader.ts'
import { type CatalogWords, suggestions } from '../../src/sql-scripts/suggest.ts'

const CATALOG: CatalogWords = {
  tables: ['t', 'order', 'two words', ...Array.from({ length: 300 }, (_, i) => `table${i}`)],
  views: ['v'],
  columnsOf: (name) => (name === 't' ? ['a', 'timestamp', 'A b`c'] : []),
}

const WORDS =
  `SELECT FROM WHERE a t v , . ( ) ; * = 'x' \` AS WITH q INSERT INTO CREATE TEMPORARY TABLE VIEW IF NOT EXISTS LIKE WITH
 JOIN ON GROUP BY ORDER UNION ALL CASE WHEN END BEGIN STATEMENT SET EXPLAIN PLAN FOR SHOW DROP ALTER INT -- /* */ " 1 \n`.split(
    ' ',
  )
const scripts = fc.array(fc.constantFrom(...WORDS), { maxLength: 40 }).map((words) => words.join(' '))

test('suggestions are at most 100 words, whatever the script and the place', () => {
  fc.assert(
    fc.property(
      fc.oneof(scripts, fc.string({ unit: 'binary' })),
      fc.integer({ min: -5, max: 200 }),
      (script, place) => {
        const words = suggestions(script, place, CATALOG)
        expect(words.length).toBeLessThanOrEqual(100)
        expect(new Set(words).size).toBe(words.length)
        expect(words.every((word) => word !== '')).toBe(true)
      },
    ),
    { numRuns: 150 },
  )
})

test('a script is read, or refused with a problem whose place is in it', () => {
  fc.assert(
    fc.property(scripts, (text) => {
      try {
        const { inserts, queries, catalog } = readScript({ name: undefined, text })
        for (const part of [...inserts, ...queries, ...catalog]) expect(text).toContain(part.text)
      } catch (error) {
        if (!(error instanceof SqlProblem)) throw error
        expect(error.place?.endLine ?? 1).toBeLessThanOrEqual(text.split('\n').length)
      }
    }),
    { numRuns: 150 },
  )
})

test('names that are no plain words have back-ticks', () => {
  const from = suggestions('SELECT * FROM ', 14, CATALOG)
  expect(from.slice(0, 3)).toEqual(['t', '`order`', '`two words`'])
  expect(suggestions('SELECT  FROM t', 7, CATALOG).slice(0, 4)).toEqual(['a', '`timestamp`', '`A b``c`', 't'])
  expect(suggestions('SELECT `A FROM t', 9, CATALOG)).toContain('`A b``c`')
})

test.each([
  ['parentheses', '('],
  ['quotes', "'"],
  ['back-ticks', '`'],
  ['dots', 'a.'],
  ['commas', 'SELECT,'],
  ['comments', '/*'],
  ['statements', 'CREATE TEMPORARY TABLE x (a INT) WITH ();'],
  ['tables', 'SELECT a FROM t x, '],
  ['CASE', 'CASE '],
])('a megabyte of %s is looked at in bounded time', (_, part) => {
  const script = part.repeat(Math.ceil(1_048_576 / part.length))
  const startMs = performance.now()
  for (const place of [script.length, script.length - 1, script.length >> 1])
    suggestions(script, place, CATALOG)
  expect(performance.now() - startMs).toBeLessThan(2_000)
})
