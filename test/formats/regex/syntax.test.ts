import { expect, test } from 'vitest'
import { REGEX_DEPTH_MAX, regexProblem } from '../../../src/formats/regex/syntax.ts'

const sound = [
  '',
  'abc',
  'a|b|',
  '|',
  'a*b+c?d{2}e{2,}f{2,3}',
  'a*?b+?c??d{2}?',
  'a*+b++c?+d{2}+',
  '(?)',
  '(a)(?:b)(?=c)(?!d)(?<=e)(?<!f)(?>g)',
  '(?<name>x)(?<other_1>y)',
  '(?i)x(?-s)y(?im-x:z)',
  '(a|(b|(c)))*',
  '[abc]',
  '[^abc]*',
  '[]abc]',
  '[^]abc]',
  '[a[bc]]',
  '[[:alpha:]_]',
  '[a-z&&[^aeiou]]',
  '[\\]\\[]',
  '[(*)]',
  '\\(\\)\\[\\]\\\\',
  '\\A\\Z\\z\\b\\h\\R\\p{Alpha}\\x41',
  '\\Q(*[\\E*',
  '\\Q(*[',
  '^*',
  '^$',
  '{"a": 1}',
  'a{',
  'a{x}',
  '}',
  ']',
  `${'('.repeat(REGEX_DEPTH_MAX)}${')'.repeat(REGEX_DEPTH_MAX)}`,
  '()'.repeat(1000),
  '(?i)'.repeat(1000),
]
test.each(sound)('%s is sound', (source) => {
  expect(regexProblem(source)).toBeUndefined()
})

const wrong = [
  { source: '(', problem: 'a group is never closed' },
  { source: '(a(b)', problem: 'a group is never closed' },
  { source: '(?:a', problem: 'a group is never closed' },
  { source: ')', problem: 'a group is closed that was never opened' },
  { source: 'a)(', problem: 'a group is closed that was never opened' },
  { source: '*a', problem: "'*' has nothing to repeat" },
  { source: 'a|+', problem: "'+' has nothing to repeat" },
  { source: '(?x', problem: "'(?x' does not open a group" },
  { source: '(?:*)', problem: "'*' has nothing to repeat" },
  { source: '(*a)', problem: "'(*a)' does not open a group" },
  { source: '{2}', problem: "'{2}' has nothing to repeat" },
  { source: 'a**', problem: "'*' has nothing to repeat" },
  { source: 'a{2}{3}', problem: "'{3}' has nothing to repeat" },
  { source: 'a{3,2}', problem: "'{3,2}' does not ascend" },
  { source: 'a\\', problem: 'it ends with a backslash' },
  { source: '[abc', problem: "the class that '[abc' opens is never closed" },
  { source: '[]', problem: "the class that '[]' opens is never closed" },
  { source: '[a[b]', problem: "the class that '[a[b]' opens is never closed" },
  { source: '[a\\]', problem: "the class that '[a\\]' opens is never closed" },
  { source: '(?<a>x)(?<a>y)', problem: 'two groups are named a' },
  { source: '(?<a', problem: "'(?<a' does not open a group" },
  { source: '(?<a-b>x)', problem: "'(?<a-b>x)' does not open a group" },
  { source: '(?@x)', problem: "'(?@x)' does not open a group" },
  { source: '('.repeat(100_000), problem: `groups are nested deeper than ${REGEX_DEPTH_MAX}` },
]
test.each(wrong)('$source: $problem', ({ source, problem }) => {
  expect(regexProblem(source)).toBe(problem)
})
