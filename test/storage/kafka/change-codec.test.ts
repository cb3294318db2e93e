import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type CatalogRecord, decodeRecord, encodeRecord } from '../../../storage/kafka/change-codec.ts'

const from = fc.record({ node: fc.string(), life: fc.nat(), n: fc.nat() })
const key = fc.string({ unit: 'grapheme' })
const offset = fc.integer({ min: -1, max: Number.MAX_SAFE_INTEGER })
const versioned = fc.array(fc.tuple(key, offset), { maxLength: 4 })
const puts = fc.array(fc.tuple(key, fc.jsonValue()), { maxLength: 4 })
const keys = fc.array(key, { maxLength: 4 })
const conditions = { reads: versioned }

const record: fc.Arbitrary<CatalogRecord> = fc.oneof(
  fc.record({ kind: fc.constant('change' as const), from, ...conditions, puts, deletes: keys }),
  fc.record({ kind: fc.constant('barrier' as const), from, ask: fc.boolean() }),
  fc.record({
    kind: fc.constant('beat' as const),
    from,
    applied: offset,
    url: fc.option(fc.string(), { nil: undefined }),
    bye: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('intent' as const), from, transaction: key, ...conditions, writes: keys }),
  fc.record({ kind: fc.constant('settle' as const), from, locked: fc.boolean(), puts, deletes: keys }),
  fc.record({ kind: fc.constant('release' as const), from, lock: from }),
)

/** JSON has no -0. */
const asJson = (value: unknown) => JSON.parse(JSON.stringify(value)) as unknown

describe('records of the catalog', () => {
  test('are read as they were written', () => {
    fc.assert(
      fc.property(record, (written) => {
        const read = decodeRecord(encodeRecord(written), 'a record')
        expect(asJson(read)).toEqual(asJson(written))
        expect(encodeRecord(read)).toEqual(encodeRecord(written))
      }),
      { numRuns: 100 },
    )
  })

  const sound = encodeRecord({
    kind: 'change',
    from: { node: 'a', life: 1, n: 2 },
    reads: [['c/x', 4]],
    puts: [['c/x', { n: 1 }]],
    deletes: [],
  }).toString('utf8')
  const wrong: { name: string; text: string; code: string }[] = [
    { name: 'of no JSON', text: 'nothing', code: 'corrupt' },
    { name: 'of no UTF-8', text: '\xff', code: 'corrupt' },
    { name: 'of no object', text: '[1]', code: 'corrupt' },
    { name: 'without a format', text: '{"kind":"barrier"}', code: 'corrupt' },
    { name: 'of a later format', text: sound.replace('"v":1', '"v":2'), code: 'format' },
    { name: 'of an unknown kind', text: sound.replace('"change"', '"other"'), code: 'corrupt' },
    { name: 'without a node', text: sound.replace('"node":"a",', ''), code: 'corrupt' },
    {
      name: 'with a version that is no offset',
      text: sound.replace('"c/x",4', '"c/x","4"'),
      code: 'corrupt',
    },
    {
      name: 'with documents that are no list',
      text: sound.replace('[["c/x",{"n":1}]]', '{}'),
      code: 'corrupt',
    },
  ]
  test.each(wrong)('$name are refused', ({ text, code }) => {
    expect(() => decodeRecord(Buffer.from(text, 'latin1'), 'record 7')).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining('record 7') }),
    )
  })

  test('without a value are refused', () => {
    expect(() => decodeRecord(null, 'record 7')).toThrow(expect.objectContaining({ code: 'corrupt' }))
  })
})
