/** YAML in and out: what is printed reads back to the same JSON, what is read is bounded. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import type { Json, JsonObject } from '../../../src/deployments/resources.ts'
import { parseJsonBody } from '../../../src/http/ververica/json-body.ts'
import { parseYamlBody } from '../../../src/http/ververica/yaml-body.ts'
import { yamlText } from '../../../src/http/ververica/yaml-text.ts'

const DEPTH_MAX = 64
const read = (text: string) => parseYamlBody(Buffer.from(text), DEPTH_MAX)

describe('out', () => {
  test.each([
    [{ a: 1, b: true, c: null, d: 'x' }, 'a: 1\nb: true\nc: null\nd: x\n'],
    [{ empty: {}, none: [], text: '' }, 'empty: {}\nnone: []\ntext: ""\n'],
    [{ a: { b: { c: 1 } } }, 'a:\n  b:\n    c: 1\n'],
    [{ a: [1, { b: 2, c: [3] }, [4, 5]] }, 'a:\n  - 1\n  - b: 2\n    c:\n      - 3\n  - - 4\n    - 5\n'],
    [{ sql: 'INSERT INTO a\nSELECT * FROM b' }, 'sql: |-\n  INSERT INTO a\n  SELECT * FROM b\n'],
    [{ sql: 'a\n\nb\n' }, 'sql: |\n  a\n\n  b\n'],
    [{ sql: 'a\n\n\n' }, 'sql: |+\n  a\n\n\n'],
    [{ sql: ' a\nb' }, 'sql: " a\\nb"\n'],
    [{ true: 'true', no: 'NO', y: 'y' }, '"true": "true"\n"no": "NO"\n"y": "y"\n'],
    [{ id: '1e345678-1234-4234-8234-123456789012' }, 'id: 1e345678-1234-4234-8234-123456789012\n'],
    [{ at: '2019-10-07T11:07:12.667Z' }, 'at: "2019-10-07T11:07:12.667Z"\n'],
    [{ sqlScript: 'INSERT INTO out1 SELECT * FROM in1' }, 'sqlScript: INSERT INTO out1 SELECT * FROM in1\n'],
    [
      { a: 'x: y', b: '# c', d: '- e', f: '1.0', g: 'a ' },
      'a: "x: y"\nb: "# c"\nd: "- e"\nf: "1.0"\ng: "a "\n',
    ],
    [{ '': { log: 'INFO' } }, '"":\n  log: INFO\n'],
    [{ a: '\u0085\u2028\ufeff\u007f' }, 'a: "\\u0085\\u2028\\ufeff\\u007f"\n'],
  ])('%j', (value, text) => {
    expect(yamlText(value)).toBe(text)
    expect(parse(text)).toEqual(value)
  })

  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom(...' \n\t:#-"\'|>%@`&*!?{}[],a1\r\u0085') }),
    fc.constantFrom(
      'null',
      'Yes',
      'off',
      '~',
      '=',
      '<<',
      '0x1f',
      '1_000',
      '.inf',
      '12:30',
      'a\n b',
      'x'.repeat(2000),
    ),
  )
  const json = fc.letrec<{ value: Json; object: Record<string, Json> }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 5 },
      ...[text, fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0), fc.integer()],
      ...[fc.boolean(), fc.constant(null), fc.array(tie('value'), { maxLength: 4 }), tie('object')],
    ) as fc.Arbitrary<Json>,
    object: fc.dictionary(text, tie('value'), { maxKeys: 5, noNullPrototype: true }) as fc.Arbitrary<
      Record<string, Json>
    >,
  }))

  test('what is printed is read as the same JSON', () => {
    fc.assert(
      fc.property(json.object, (value) => {
        const plain = JSON.parse(JSON.stringify(value)) as JsonObject
        expect(read(yamlText(plain))).toEqual(plain)
      }),
      { numRuns: 300 },
    )
  })

  test('a list item is the value with more indentation', () => {
    fc.assert(
      fc.property(json.object, (value) => {
        const plain = JSON.parse(JSON.stringify(value)) as JsonObject
        expect(read(`items:\n  - ${yamlText(plain, 4)}`)).toEqual({ items: [plain] })
      }),
      { numRuns: 100 },
    )
  })
})

describe('in', () => {
  test.each([
    ['a: 1\nb: [x, y]', { a: 1, b: ['x', 'y'] }],
    ['metadata: {name: copy, labels: {team: a}}', { metadata: { name: 'copy', labels: { team: 'a' } } }],
    [
      'a: yes\nb: 012\nc: 0o14\nd: 1e3\ne: ~\nf: 2020-01-01',
      { a: 'yes', b: 12, c: 12, d: 1000, e: null, f: '2020-01-01' },
    ],
    [
      'a: !!str 1\nb: !!int "2"\nc: !!map {d: !!seq [!!bool true, !!null ~, !!float 1.5]}',
      { a: '1', b: 2, c: { d: [true, null, 1.5] } },
    ],
    ['1: a\ntrue: b\n1.50: c', { '1': 'a', true: 'b', '1.50': 'c' }],
    ['a: &x {b: 1}\nc: *x', { a: { b: 1 }, c: { b: 1 } }],
    ['a: &x 1\nb: &y [*x]\nc: &x 2\nd: *y\ne: *x', { a: 1, b: [1], c: 2, d: [1], e: 2 }],
    ['<<: {a: 1}', { '<<': { a: 1 } }],
    ['%YAML 1.2\n---\na: 1\n...\n', { a: 1 }],
    ['--- # comment\na: |\n  x\n  y\n', { a: 'x\ny\n' }],
    ['\ufeffa: 1', { a: 1 }],
    ['a: -0.0', { a: 0 }],
    ['', null],
  ])('%j', (text, value) => {
    expect(read(text)).toEqual(value)
  })

  test('a member named __proto__ is data', () => {
    for (const value of [
      read('__proto__: {a: 1}'),
      parseJsonBody(Buffer.from('{"__proto__":{"a":1}}'), DEPTH_MAX),
    ]) {
      expect(Object.keys(value as object)).toEqual(['__proto__'])
      expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    }
  })

  const expandsTooMuch =
    'the aliases of the body stand for more than 10000 nodes or 1048576 characters; write out less with them'
  test.each([
    ['a: 1\na: 2', 'the body has the key a twice at line 2, column 1'],
    ['a: {b: 1, "b": 2}', 'the body has the key b twice at line 1, column 11'],
    ['1: a\n"1": b', 'the body has the key 1 twice at line 2, column 1'],
    ['a: 1\n---\nb: 2', /^the body is no YAML: .*document.* at line 2, column 1$/],
    ['a: [1', /^the body is no YAML: .* at line 1, column 6$/],
    ['a: !x 1', /^the body is no YAML: Unresolved tag: !x at line 1, column 4$/],
    ['a: !!binary aGk=', /^the body is no YAML: Unresolved tag.* at line 1, column 4$/],
    ['a: !!set {b}', /^the body is no YAML: Unresolved tag.* at line 1, column 4$/],
    ['a: !!timestamp 2001-12-14', /^the body is no YAML: Unresolved tag.* at line 1, column 4$/],
    ['%YAML 1.1\n---\na: yes', 'the body is YAML 1.1; send YAML 1.2'],
    ['a: .inf', 'the body has a scalar that JSON lacks at line 1, column 4'],
    ['a: .nan', 'the body has a scalar that JSON lacks at line 1, column 4'],
    ['a: 1e999', 'the body has a scalar that JSON lacks at line 1, column 4'],
    ['? [a]\n: 1', 'the body has a collection as a key at line 1, column 1'],
    ['a: &x [*x]', /the alias \*x within the node of its anchor|no YAML/],
    ['a: *x', /alias/i],
    ['[', /^the body is no YAML/],
    [
      `${'['.repeat(100)}${']'.repeat(100)}`,
      'the body has more than 64 levels of nesting; at most 64 are taken',
    ],
    ['['.repeat(100_000), /levels of nesting|no YAML/],
    ['{a: '.repeat(100_000), /levels of nesting|no YAML/],
    ['- '.repeat(100_000), /levels of nesting|no YAML/],
    [laughs(9, 9), expandsTooMuch],
    [`a: &a [${'x, '.repeat(500)}]\nb: [${'*a, '.repeat(30)}]`, expandsTooMuch],
    [`a: &a ${'x'.repeat(300_000)}\nb: [*a, *a, *a, *a]`, expandsTooMuch],
    [nested(70), 'the body has more than 64 levels of nesting; at most 64 are taken'],
  ])('%.40j is refused', (text, message) => {
    const error = thrownBy(() => read(text))
    expect(error).toMatchObject({
      code: 'malformed_body',
      message: message instanceof RegExp ? expect.stringMatching(message) : message,
    })
    expect((error as Error).message.length).toBeLessThan(400)
  })

  test('bytes that are not UTF-8 are refused', () => {
    expect(() => parseYamlBody(Buffer.from([0x61, 0x3a, 0x20, 0xff]), DEPTH_MAX)).toThrow(
      'the body is not UTF-8',
    )
  })

  test('64 levels, 10,000 nodes by aliases and 10,000 keys are taken', () => {
    expect(() => read(`${'['.repeat(64)}${']'.repeat(64)}`)).not.toThrow()
    expect(() => read(`a: &a x\nb: [${'*a, '.repeat(10_000)}]`)).not.toThrow()
    const keys = Array.from({ length: 10_000 }, (_, i) => `k${i}: ${i}`).join('\n')
    expect(Object.keys(read(keys) as object)).toHaveLength(10_000)
  })
})

/** Each level has the one before it nine times. */
function laughs(levels: number, width: number): string {
  const lines = ['a0: &a0 lol']
  for (let i = 1; i <= levels; i++)
    lines.push(
      `a${i}: &a${i} [${Array(width)
        .fill(`*a${i - 1}`)
        .join(', ')}]`,
    )
  return lines.join('\n')
}

/** Each alias adds a level. */
function nested(levels: number): string {
  const lines = ['a0: &a0 []']
  for (let i = 1; i <= levels; i++) lines.push(`a${i}: &a${i} [*a${i - 1}]`)
  return lines.join('\n')
}

function thrownBy(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}
