import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  GROK_PATTERN_CHARS_MAX,
  type GrokPart,
  grokPatternProblem,
  parseGrokPattern,
} from '../../src/formats/grok-pattern.ts'

const parsed: { pattern: string; parts: GrokPart[] }[] = [
  { pattern: '%{GREEDYDATA:body}', parts: [{ pattern: 'GREEDYDATA', field: 'body' }] },
  { pattern: '%{WORD}', parts: [{ pattern: 'WORD' }] },
  {
    pattern: '^%{USER:user}:%{GREEDYDATA:body}$',
    parts: ['^', { pattern: 'USER', field: 'user' }, ':', { pattern: 'GREEDYDATA', field: 'body' }, '$'],
  },
  { pattern: '%{NUMBER:bytes:int}', parts: [{ pattern: 'NUMBER', field: 'bytes:int' }] },
  { pattern: '%{ID:id=[0-9]+}', parts: [{ pattern: 'ID', field: 'id', definition: '[0-9]+' }] },
  { pattern: '%{WORD:[http][method]}', parts: [{ pattern: 'WORD', field: '[http][method]' }] },
  { pattern: 'plain', parts: ['plain'] },
  { pattern: '', parts: [] },
]
test.each(parsed)('$pattern is $parts', ({ pattern, parts }) => {
  expect(parseGrokPattern(pattern)).toEqual(parts)
})

const sound = [
  '%{SYSLOGLINE:syslogline}',
  '%{USER:user}:%{GREEDYDATA:body}',
  '(?<queue>[0-9A-F]{10,11})',
  '%{WORD}+ %{WORD}?',
  '100%',
  '%WORD',
  '[%{WORD}]',
  '%{A:a=\\d+}x',
  'x'.repeat(GROK_PATTERN_CHARS_MAX),
]
test.each(sound)('%s may compile', (pattern) => {
  expect(grokPatternProblem(pattern)).toBeUndefined()
})

const broken = [
  '',
  '%{',
  '%{}',
  '%{WORD',
  '%{WORD:}',
  '%{WORD:a}%{WORD',
  '%{WO RD}',
  '%{WORD:a{b}}',
  '%{A:a=(}',
  '(?<user>',
  '(?<>x)',
  '(?<1a>x)',
  '(?<a>x)(?<a>y)',
  '%{WORD)(',
  '(%{WORD:a}',
  'x'.repeat(GROK_PATTERN_CHARS_MAX + 1),
]
test.each(broken)('%s cannot compile', (pattern) => {
  expect(grokPatternProblem(pattern)).toEqual(expect.any(String))
})

test('with a library, names have to be in it or be defined on the spot', () => {
  const library = new Map([['WORD', '\\b\\w+\\b']])
  expect(grokPatternProblem('%{WORD:a} %{ID=[0-9]+}', library)).toBeUndefined()
  expect(grokPatternProblem('%{WORD:a} %{NOPE:b}', library)).toBe('there is no pattern NOPE')
  expect(grokPatternProblem('%{NOPE:b}')).toBeUndefined()
})

test('any text is judged, quickly', () => {
  const piece = fc.constantFrom(
    '%{',
    '}',
    'WORD',
    ':',
    '=',
    '(',
    ')',
    '(?<a>',
    '[',
    ']',
    '\\',
    '*',
    '{2}',
    '|',
    'x',
  )
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(piece).map((pieces) => pieces.join('')),
      ),
      (pattern) => {
        const problem = grokPatternProblem(pattern)
        expect(problem === undefined || problem.length > 0).toBe(true)
      },
    ),
    { numRuns: 1000 },
  )
  for (const piece of ['%{', '%{A:', '%{A=', '[', '(?', '\\', '{1', '(?<a']) {
    grokPatternProblem(piece.repeat(GROK_PATTERN_CHARS_MAX / piece.length))
  }
})
