import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isKeyWord, isOperator, tokensOf } from '../../src/sql/flink-tokens.ts'
import { SqlProblem } from '../../src/sql/sql-problem.ts'
import { cpuMs } from '../support/cpu-time.ts'

const kinds = (sql: string) => tokensOf(sql).map(({ kind, value }) => [kind, value])

const accepted: readonly { readonly sql: string; readonly tokens: readonly (readonly [string, string])[] }[] =
  [
    { sql: '', tokens: [] },
    { sql: ' \t\n\r\f ', tokens: [] },
    {
      sql: 'Select a_$1',
      tokens: [
        ['word', 'Select'],
        ['word', 'a_$1'],
      ],
    },
    { sql: 'größe', tokens: [['word', 'größe']] },
    {
      sql: '`a``b` `c d`',
      tokens: [
        ['quoted-name', 'a`b'],
        ['quoted-name', 'c d'],
      ],
    },
    {
      sql: "'it''s' '' ''''",
      tokens: [
        ['text', "it's"],
        ['text', ''],
        ['text', "'"],
      ],
    },
    { sql: "'a\nb'", tokens: [['text', 'a\nb']] },
    {
      sql: "'-- no comment' '/* none */'",
      tokens: [
        ['text', '-- no comment'],
        ['text', '/* none */'],
      ],
    },
    { sql: '"a""b"', tokens: [['double-quoted', 'a"b']] },
    {
      sql: "x'4a' X'4B'",
      tokens: [
        ['binary', '4a'],
        ['binary', '4B'],
      ],
    },
    { sql: "U&'\\00e9'", tokens: [['unicode-text', '\\00e9']] },
    {
      sql: 'x u',
      tokens: [
        ['word', 'x'],
        ['word', 'u'],
      ],
    },
    {
      sql: '1 1.5 .5 1. 1e3 1.5E-3',
      tokens: ['1', '1.5', '.5', '1.', '1e3', '1.5E-3'].map((n) => ['number', n]),
    },
    {
      sql: '1e',
      tokens: [
        ['number', '1'],
        ['word', 'e'],
      ],
    },
    {
      sql: 'a.b',
      tokens: [
        ['word', 'a'],
        ['operator', '.'],
        ['word', 'b'],
      ],
    },
    {
      sql: 'DATA => t',
      tokens: [
        ['word', 'DATA'],
        ['operator', '=>'],
        ['word', 't'],
      ],
    },
    { sql: '<>!=<=>=||', tokens: ['<>', '!=', '<=', '>=', '||'].map((text) => ['operator', text]) },
    {
      sql: 'ARRAY<ARRAY<INT>>',
      tokens: [
        ['word', 'ARRAY'],
        ['operator', '<'],
        ['word', 'ARRAY'],
        ['operator', '<'],
        ['word', 'INT'],
        ['operator', '>'],
        ['operator', '>'],
      ],
    },
    {
      sql: 'a -- b\nc',
      tokens: [
        ['word', 'a'],
        ['word', 'c'],
      ],
    },
    {
      sql: 'a // b\nc',
      tokens: [
        ['word', 'a'],
        ['word', 'c'],
      ],
    },
    {
      sql: 'a /* b /* */ c',
      tokens: [
        ['word', 'a'],
        ['word', 'c'],
      ],
    },
    {
      sql: 'a /**/ b',
      tokens: [
        ['word', 'a'],
        ['word', 'b'],
      ],
    },
    { sql: 'a -- b', tokens: [['word', 'a']] },
    {
      sql: 't /*+ OPTIONS() */',
      tokens: [
        ['word', 't'],
        ['hint', '/*+ OPTIONS() */'],
      ],
    },
    {
      sql: 'a-b',
      tokens: [
        ['word', 'a'],
        ['operator', '-'],
        ['word', 'b'],
      ],
    },
  ]

test.each(accepted)('$sql', ({ sql, tokens }) => {
  expect(kinds(sql)).toEqual(tokens)
})

const refused = [
  { sql: "a 'b", text: "the text does not end; close it with ' at line 1, column 3" },
  { sql: "a\n 'b''", text: "the text does not end; close it with ' at line 2, column 2" },
  {
    sql: 'a `b',
    text: 'the name in back-ticks does not end; close it with ` on the same line at line 1, column 3',
  },
  {
    sql: '`b\n`',
    text: 'the name in back-ticks does not end; close it with ` on the same line at line 1, column 1',
  },
  { sql: '``', text: 'a name in back-ticks is empty at line 1, column 1' },
  { sql: '"b', text: 'use back-ticks for names and single quotes for texts at line 1, column 1' },
  { sql: 'a /* b', text: 'the comment does not end; close it with */ at line 1, column 3' },
  { sql: 'a /*+ b', text: 'the hint does not end; close it with */ at line 1, column 3' },
  { sql: 'a # b', text: "unexpected character '#' at line 1, column 3" },
  { sql: '\u0000', text: 'unexpected character U+0000 at line 1, column 1' },
  { sql: 'a 😀', text: "unexpected character '😀' at line 1, column 3" },
]

test.each(refused)('$sql is refused', ({ sql, text }) => {
  expect(() => tokensOf(sql)).toThrow(expect.objectContaining({ name: 'SqlProblem', message: text }))
})

test('key words in any case, and no names in back-ticks', () => {
  const [plain, quoted, text] = tokensOf("select `SELECT` 'SELECT'")
  expect([plain, quoted, text, undefined].map((token) => isKeyWord(token, 'SELECT'))).toEqual([
    true,
    false,
    false,
    false,
  ])
  expect(isOperator(tokensOf("';'")[0], ';')).toBe(false)
})

describe('any text', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      "'",
      '`',
      '"',
      '/*',
      '*/',
      '--',
      '\n',
      ' ',
      "''",
      '``',
      '=>',
      '>>',
      "x'",
      "U&'",
      '1.',
      'e+',
    ),
    fc.string({ maxLength: 4 }),
  )
  const anySql = fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join(''))

  test('is tokens in order with nothing but space and comments between them, or a SqlProblem', () => {
    fc.assert(
      fc.property(anySql, (sql) => {
        let tokens: ReturnType<typeof tokensOf>
        try {
          tokens = tokensOf(sql)
        } catch (error) {
          expect(error).toBeInstanceOf(SqlProblem)
          return
        }
        let last = 0
        for (const { text, start, end } of tokens) {
          expect(text).toBe(sql.slice(start, end))
          if (last !== start) expect(tokensOf(sql.slice(last, start))).toEqual([])
          expect(end).toBeGreaterThan(start)
          last = end
        }
      }),
      { numRuns: 500 },
    )
  })

  test.each([
    ['quotes', "'"],
    ['pairs of quotes', "''"],
    ['back-ticks', '`a` '],
    ['openings of comments', '/*'],
    ['slashes', '/'],
    ['minus signs', '- '],
    ['line ends', '\n'],
    ['digits', '1'],
    ['exponents', '1e'],
    ['letters', 'a'],
    ['dots', '.'],
    ['comments', '/**/'],
    ['unclosed names', '`a\n'],
  ])('a million %s take linear time', (_, part) => {
    const timeOf = (count: number) => {
      const sql = part.repeat(count)
      const start = cpuMs()
      try {
        tokensOf(sql)
      } catch (error) {
        expect(error).toBeInstanceOf(SqlProblem)
      }
      return cpuMs() - start
    }
    timeOf(10_000)
    expect(timeOf(1_000_000)).toBeLessThan(5_000)
  })
})
