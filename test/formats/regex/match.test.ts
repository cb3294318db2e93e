/** The matcher of patterns: what it finds is what Java and Oniguruma find, and it always ends. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PatternTrees } from '../../../src/formats/regex/tree.ts'
import { effort } from '../../support/effort.ts'
import { finder } from '../../support/find-pattern.ts'

function found(pattern: string, text: string): string {
  const result = finder(pattern)(text)
  return typeof result === 'string' ? result : result.all!
}

const matches: { pattern: string; text: string; all: string }[] = [
  { pattern: 'a|ab', text: 'ab', all: 'a' },
  { pattern: '(?:a|ab)(?:c|bcd)', text: 'abcd', all: 'abcd' },
  { pattern: 'a*?b', text: 'aab', all: 'aab' },
  { pattern: '".*?"', text: 'x "a" "b"', all: '"a"' },
  { pattern: '".*"', text: 'x "a" "b"', all: '"a" "b"' },
  { pattern: 'a{2,3}', text: 'aaaa', all: 'aaa' },
  { pattern: 'a{2,3}?', text: 'aaaa', all: 'aa' },
  { pattern: '(?:ab){2,}', text: 'abababx', all: 'ababab' },
  { pattern: 'x{0}y', text: 'xy', all: 'y' },
  { pattern: '(a*)*', text: 'aa', all: 'aa' },
  { pattern: '(a|b*)*c', text: 'abbac', all: 'abbac' },
  { pattern: '(?:a*?|a)?|a', text: 'a', all: '' },
  { pattern: '(?:a?){3}b', text: 'aab', all: 'aab' },
  // What is possessive or atomic gives nothing back.
  { pattern: 'a*+a', text: 'aaa', all: 'none' },
  { pattern: '(?>a*)a', text: 'aaa', all: 'none' },
  { pattern: '(?>a|ab)c', text: 'abc', all: 'none' },
  { pattern: '(?>|a)b', text: 'ab', all: 'b' },
  { pattern: '(?:ab|a)++b', text: 'aab', all: 'none' },
  { pattern: '(?>ab|a)(?:c|bc)', text: 'abc', all: 'abc' },
  { pattern: '(?>\\d\\d){1,2}', text: '20155', all: '2015' },
  // Looks.
  { pattern: 'a(?=b)', text: 'ac ab', all: 'a' },
  { pattern: 'a(?!b).', text: 'ab ac', all: 'ac' },
  { pattern: '(?<=b)a.', text: 'aa ba!', all: 'a!' },
  { pattern: '(?<!b)a.', text: 'ba ca!', all: 'a!' },
  { pattern: '(?<=a|bc)d.', text: 'xd1 bcd2', all: 'd2' },
  { pattern: '(?<=a{1,3})d.', text: 'xd1 aad2', all: 'd2' },
  { pattern: '(?<=^|,)[^,]*(?=,|$)', text: 'ab,c', all: 'ab' },
  { pattern: '(?!<[0-9])5', text: '5', all: '5' },
  // Places.
  { pattern: '^b', text: 'a\nb', all: 'none' },
  { pattern: '(?m)^b', text: 'a\nb', all: 'b' },
  { pattern: 'a$', text: 'a\n', all: 'a' },
  { pattern: 'a\\Z', text: 'a\r\n', all: 'a' },
  { pattern: 'a\\z', text: 'a\n', all: 'none' },
  { pattern: 'a$', text: 'a\nb', all: 'none' },
  { pattern: '(?m)a$', text: 'a\nb', all: 'a' },
  { pattern: '\\bb\\w*', text: 'ab bc', all: 'bc' },
  { pattern: '\\Bb', text: 'b ab', all: 'b' },
  { pattern: '\\Aa', text: 'ba', all: 'none' },
  // Characters.
  { pattern: '.+', text: 'a\rb', all: 'a' },
  { pattern: '(?s).+', text: 'a\nb', all: 'a\nb' },
  { pattern: '(?i)straße', text: 'STRAße', all: 'STRAße' },
  { pattern: '(?i:a)b', text: 'AB Ab', all: 'Ab' },
  { pattern: '(?i)[^a]', text: 'aAb', all: 'b' },
  { pattern: 'a(?i)b|c', text: 'aB', all: 'aB' },
  { pattern: '(?x) a b # c\n c', text: 'abc', all: 'abc' },
  { pattern: '(?i)é', text: 'É é', all: 'é' },
  { pattern: '(?iu)é', text: 'É é', all: 'É' },
  { pattern: '(?iu:straße)', text: 'STRAßE', all: 'STRAßE' },
  { pattern: '(?iu)[а-я]+', text: 'Привет', all: 'Привет' },
  { pattern: '(?iu)[^é]', text: 'Éx', all: 'x' },
  // All of Unicode.
  { pattern: '\\w+', text: 'été', all: 't' },
  { pattern: '(?U)\\w+', text: 'été', all: 'été' },
  { pattern: '(?U)\\W', text: 'é_٣ x', all: ' ' },
  { pattern: '(?U)\\d+', text: 'x٣4', all: '٣4' },
  { pattern: '(?U)\\D', text: '٣x', all: 'x' },
  { pattern: '(?U)a\\sb', text: 'a\u3000b', all: 'a\u3000b' },
  { pattern: '(?U)[^\\S]', text: 'a\u2003b', all: '\u2003' },
  { pattern: '(?U)\\bt', text: 'été t', all: 't' },
  { pattern: '\\bt', text: 'été', all: 't' },
  { pattern: '(?U)\\Bt.', text: 'tx été', all: 'té' },
  { pattern: '(?U)[[:alpha:]]+', text: '1Ünï2', all: 'Ünï' },
  { pattern: '(?U)[^[:^upper:]]', text: 'äÄ', all: 'Ä' },
  { pattern: '(?U)\\p{Lower}+', text: 'Ää', all: 'ä' },
  { pattern: '(?U)\\p{ASCII}+', text: 'äb', all: 'b' },
  { pattern: '(?Ui)É', text: 'é', all: 'é' },
  { pattern: '(?U)(?-U)\\w+', text: 'été', all: 't' },
  { pattern: '(?U:\\w+)\\w', text: 'été', all: 'ét' },
  { pattern: '(?U)%{WORD}', text: 'été x', all: 'été' },
  { pattern: '(?U)%{GREEDYDATA}', text: 'été', all: 'été' },
  // Flags reach into what is referred to, and what is set there ends there.
  { pattern: '(?s)%{GREEDYDATA}', text: 'a\nb', all: 'a\nb' },
  { pattern: '%{GREEDYDATA}', text: 'a\nb', all: 'a' },
  { pattern: 'x(?s)%{GREEDYDATA}', text: '.\nxa\nb', all: 'xa\nb' },
  { pattern: '(?s:%{GREEDYDATA})', text: 'a\nb', all: 'a\nb' },
  { pattern: '(?s:a)%{GREEDYDATA}', text: 'ab\nc', all: 'ab' },
  { pattern: '(?s)a(?-s)%{GREEDYDATA}', text: 'ab\nc', all: 'ab' },
  { pattern: '(?s)(?-s:%{DATA}\\n)%{GREEDYDATA}', text: 'a\nb\nc', all: 'a\nb\nc' },
  { pattern: '((?s)%{WORD})%{GREEDYDATA}', text: 'a b\nc', all: 'a b' },
  { pattern: '(?s)%{JAVALOGMESSAGE}', text: 'a\n\tat b\n\tat c', all: 'a\n\tat b\n\tat c' },
  { pattern: '(?i)%{DAY}', text: 'x MONDAY', all: 'MONDAY' },
  { pattern: '%{DAY}', text: 'x MONDAY', all: 'none' },
  { pattern: '(?i:%{DAY}),%{MONTH}', text: 'MON,JAN MON,Jan', all: 'MON,Jan' },
  { pattern: '(?i)%{SYSLOGBASE}', text: 'OCT 17 08:59:00 H P:', all: 'OCT 17 08:59:00 H P:' },
  { pattern: '(?i)%{LEVEL:l=warn|[e-f]rr}', text: 'ERR', all: 'ERR' },
  { pattern: '(?x) %{WORD} \\  %{WORD} # %{NOTHING}', text: 'a b', all: 'a b' },
  // As where the text of the pattern is put in place: the spaces of HTTPDATE do not count then.
  { pattern: '(?x)%{HTTPDATE}', text: '08/Feb/2015:04:36:40 +0000', all: 'none' },
  { pattern: '(?x)%{HTTPDATE}', text: '08/Feb/2015:04:36:40+0000', all: '08/Feb/2015:04:36:40+0000' },
  { pattern: '(?x:%{WORD} )%{HTTPDATE}', text: 'x08/Feb/2015:04:36:40 +0000', all: 'none' },
  {
    pattern: '(?x: %{WORD} )-%{HTTPDATE}',
    text: 'x-08/Feb/2015:04:36:40 +0000',
    all: 'x-08/Feb/2015:04:36:40 +0000',
  },
  { pattern: '(?d)%{GREEDYDATA}', text: 'a\rb\nc', all: 'a\rb' },
  { pattern: '(?dm)^b$', text: 'a\rb\nb\nc', all: 'b' },
  { pattern: '(?dm)%{LINE=^b$}', text: 'a\rb', all: 'none' },
  { pattern: '(?d)a$', text: 'a\r\n', all: 'none' },
  { pattern: '(?d)a\\Z', text: 'a\n', all: 'a' },
  { pattern: '(?m)%{LINE=^b$}', text: 'a\nb\nc', all: 'b' },
  { pattern: '%{LINE=^b$}', text: 'a\nb\nc', all: 'none' },
  { pattern: '%{A=(?s)a.}%{GREEDYDATA}', text: 'a\nb\nc', all: 'a\nb' },
  { pattern: '[[:digit:]]+', text: 'ab12', all: '12' },
  { pattern: '[^[:alpha:]]+', text: 'ab12', all: '12' },
  { pattern: '[a-z&&[^aeiou]]+', text: 'aebcd', all: 'bcd' },
  { pattern: '[]a]+', text: 'b]a', all: ']a' },
  { pattern: '[a\\-z]+', text: 'b-z', all: '-z' },
  { pattern: '[+-=]+', text: 'a:+', all: ':+' },
  { pattern: '[\\d-x]+', text: 'a-5x', all: '-5x' },
  { pattern: '[ä-ü]+', text: 'aäöx', all: 'äö' },
  { pattern: '\\h{4}', text: 'xyz12aF', all: '12aF' },
  { pattern: '\\p{Lu}\\p{L}+', text: 'x Änne', all: 'Änne' },
  { pattern: '\\P{Alpha}', text: 'ab1', all: '1' },
  { pattern: '\\x41\\u0042\\103'.replace('\\103', '\\0103'), text: 'ABC', all: 'ABC' },
  { pattern: '\\Qa.b\\E+', text: 'axb a.bb', all: 'a.bb' },
  { pattern: '\\t\\e?', text: ' \t', all: '\t' },
  { pattern: '\\R', text: 'a\r\n', all: '\r\n' },
  { pattern: 'a{x}', text: 'a{x}', all: 'a{x}' },
  { pattern: '\\/\\_', text: '/_', all: '/_' },
  { pattern: '', text: 'abc', all: '' },
]
test.each(matches)('$pattern in $text', ({ pattern, text, all }) => {
  expect(found(pattern, text)).toBe(all)
})

test('captures hold what they found last', () => {
  expect(finder('(?:(?<x>a)|(?<y>b))*')('ab')).toEqual({ all: 'ab', x: 'a', y: 'b' })
  expect(finder('(?<x>a+)(?<y>a)')('aaa')).toEqual({ all: 'aaa', x: 'aa', y: 'a' })
  expect(finder('(?:(?<x>a)b|ac)')('ac')).toEqual({ all: 'ac' })
  expect(finder('(?=(?<x>a+))a')('aa')).toEqual({ all: 'a', x: 'aa' })
  expect(finder('(?!(?<x>b))a')('a')).toEqual({ all: 'a' })
  expect(finder('(?>(?<x>a)|b)c|(?<y>a)d')('ad')).toEqual({ all: 'ad', y: 'a' })
})

const broken = [
  { pattern: '(a)\\1', problem: "'\\1' refers back to a group, which is not supported" },
  { pattern: '[z-a]', problem: "the range 'z-a' does not ascend" },
  { pattern: '\\p{Nonsense}', problem: "'\\p{Nonsense}' is not a known property" },
  { pattern: '[[:nope:]]', problem: "'[:nope:]' is not a class" },
  { pattern: '(?<=a*)b', problem: 'a look behind may be at most 255 characters long' },
  { pattern: '(?y)b', problem: "'y' is not a flag" },
  { pattern: '\\xZ', problem: "'\\x' lacks what it needs" },
  { pattern: '(?:ab){100001}', problem: "'{100001}' is above 100000 repetitions" },
  { pattern: '(?:(?:(?:ab){100}){100}){100}', problem: 'the pattern is too large' },
  { pattern: '%{NOPE}', problem: 'there is no pattern NOPE' },
]
test.each(broken)('$pattern: $problem', ({ pattern, problem }) => {
  expect(() => finder(pattern)).toThrow(problem)
})

test('patterns that refer to themselves are refused, and those after them compile', () => {
  const trees = new PatternTrees(
    new Map([
      ['A', '%{B}'],
      ['B', 'x%{A}'],
      ['C', 'c'],
    ]),
  )
  expect(() => trees.parse('%{A}')).toThrow('pattern A refers to itself')
  expect(() => trees.parse('%{B}')).toThrow('pattern B refers to itself')
  expect(trees.parse('%{C}')).toBeDefined()
})

describe('beside the platform’s own', () => {
  const atom = fc.constantFrom(
    'a',
    'b',
    'c',
    '.',
    '[ab]',
    '[^a]',
    '\\w',
    '\\b',
    '\\B',
    '(?=a)',
    '(?!b)',
    '(?<=a)',
    '(?<!b)',
  )
  const quantifier = fc.constantFrom(
    '',
    '',
    '',
    '*',
    '+',
    '?',
    '*?',
    '+?',
    '??',
    '{2}',
    '{1,2}',
    '{0,2}?',
    '{2,}',
  )
  const { pattern } = fc.letrec<{ pattern: string; piece: string }>((tie) => ({
    pattern: fc
      .array(
        fc.array(tie('piece'), { minLength: 1, maxLength: 4 }).map((pieces) => pieces.join('')),
        { minLength: 1, maxLength: 3 },
      )
      .map((options) => options.join('|')),
    piece: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      fc.tuple(atom, quantifier).map(([one, times]) => (/^\\[bB]|^\(\?/.test(one) ? one : one + times)),
      // Repetitions of nothing are where JavaScript alone goes another way: it does not count them.
      fc.tuple(tie('pattern'), quantifier).map(([inner, times]) => `(?:[ab](?:${inner}))${times}`),
      fc.tuple(tie('pattern'), quantifier).map(([inner, times]) => `(?:(?:${inner})[bc])${times}`),
      tie('pattern').map((inner) => `(${inner})`),
      tie('pattern').map((inner) => `(?=${inner})`),
      tie('pattern').map((inner) => `(?!${inner})`),
    ),
  }))

  test('any pattern finds the same', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', ' ', 'ä'), maxLength: 12 })
    fc.assert(
      fc.property(pattern, fc.array(text, { minLength: 1, maxLength: 5 }), (source, texts) => {
        const find = finder(source)
        const platform = new RegExp(source)
        for (const each of texts) {
          const ours = find(each)
          expect([source, each, typeof ours === 'string' ? ours : ours.all]).toEqual([
            source,
            each,
            platform.exec(each)?.[0] ?? 'none',
          ])
        }
      }),
      { numRuns: effort({ short: 300, long: 5_000 }) },
    )
  })
})

describe('what takes other matchers for ever', () => {
  const evil = [
    { pattern: '(a+)+$', text: `${'a'.repeat(60_000)}b` },
    { pattern: '(a|aa)+$', text: `${'a'.repeat(60_000)}b` },
    { pattern: '(.*)*x', text: 'y'.repeat(60_000) },
    { pattern: '(?:a?){100}a{100}$', text: `${'a'.repeat(150)}b` },
    { pattern: '^(([a-z])+.)+[A-Z]([a-z])+$', text: 'a'.repeat(60_000) },
    { pattern: '.*.*.*.*=', text: 'x'.repeat(60_000) },
    { pattern: '(?=(?:a+)+b)a', text: 'a'.repeat(60_000) },
    { pattern: '(?<!(?:a|b){1,200})c', text: 'ab'.repeat(30_000) },
    { pattern: '%{URI}', text: `${'a'.repeat(30_000)}:` },
    { pattern: '%{DATA:a} %{DATA:b} %{DATA:c} %{NUMBER:d}$', text: 'x '.repeat(30_000) },
    { pattern: '%{COMBINEDAPACHELOG}', text: '"1.1.1.1 '.repeat(7_000) },
    { pattern: '%{QS}', text: '"\\'.repeat(30_000) },
    { pattern: '%{UNIXPATH}$', text: `${'/a'.repeat(30_000)} ` },
    { pattern: '%{IPV6}', text: '1:'.repeat(30_000) },
    { pattern: '%{HOSTNAME}!', text: 'a.'.repeat(30_000) },
  ]
  test.each(evil)('$pattern ends', ({ pattern, text }) => {
    const find = finder(pattern)
    find(text)
    const before = process.cpuUsage()
    const result = find(text)
    const { user } = process.cpuUsage(before)
    expect(typeof result === 'string' ? result : result.all!.length).toEqual(expect.anything())
    // Steps bound it to a few tens of milliseconds; the rest is a margin for a slow machine.
    expect(user / 1000).toBeLessThan(500)
  })
})
