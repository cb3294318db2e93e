/**
 * No body makes a reader throw, run on, or give a value that its schema does not have: sound bodies of every format,
 * damaged in all ways, and what is built to make a reader work hard.
 */

import avsc from 'avsc'
import { expect, test } from 'vitest'
import type { EventHeaders, Value } from '../../src/formats/record-reader.ts'
import type { Schema } from '../../src/schemas/schema.ts'
import { effort, tellProof } from '../support/effort.ts'
import { type FormatUse, LIST, optional, recordJson, TestReader } from '../support/records.ts'
import { seededRandom } from '../support/seeded-random.ts'

const BODIES = effort({ short: 600, long: 150_000 })
const BODY_BYTES_MAX = 64 * 1024
/** One read may take 50 ms; the rest allows for a machine that is busy with other work. */
const READ_MS_MAX = 1_000

const SCALARS = recordJson([
  ['b', optional('boolean')],
  ['i', optional('int')],
  ['l', optional('long')],
  ['f', optional('float')],
  ['d', optional('double')],
  ['y', optional('bytes')],
  ['s', optional('string')],
])
const WITH_LIST = {
  ...SCALARS,
  fields: [...(SCALARS as { fields: object[] }).fields, { name: 'r', type: LIST }],
}
const NESTED = recordJson([
  ['i', 'int'],
  ['l', optional('long')],
  ['s', ['null', 'string', 'double']],
  ['a', { type: 'array', items: ['null', 'int'] }],
  ['m', { type: 'map', values: { type: 'array', items: 'string' } }],
  [
    'tree',
    optional({
      type: 'record',
      name: 'tree',
      fields: [
        { name: 'v', type: ['bytes', 'null'] },
        { name: 'n', type: { type: 'array', items: 'null' } },
        { name: 'children', type: { type: 'array', items: 'tree' } },
      ],
    }),
  ],
])
const datum = avsc.Type.forSchema(NESTED as avsc.Schema, { wrapUnions: false }).toBuffer({
  i: -5,
  l: 2 ** 40,
  s: 'text',
  a: [1, null, 300],
  m: { k: ['x', 'yy'], e: [] },
  tree: { v: Buffer.from('ab'), n: [null], children: [{ v: null, n: [], children: [] }] },
})
const JSON_BODY =
  '{"i":-5,"l":9223372036854775807,"s":"te\\u00e9xt","a":[1,null,3e2],"m":{"k":["x","yy"],"e":[]},"x":{"y":[true,false]},' +
  '"tree":{"v":"a\\\\x00","n":[null],"children":[{"n":[],"children":[]}]}}'

const CLF =
  '10.10.10.10 - bob [01/Feb/2015:06:47:10 +0000] "GET /a\\"b HTTP/1.1" 301 256 "-" "Mozilla/5.0 (é)"'
const SYSLOG = 'Oct 17 08:59:00 suod newsyslog[6215]: logfile turned over'
const ROW = 'true,-5,9223372036854775807,1.5e3,-1.7976931348623157E308,a\\x00\\xFF,"te""xt",é,more,'

interface Subject extends FormatUse {
  readonly body: string | Uint8Array
  readonly headers?: EventHeaders
}

const subjects: Subject[] = [
  { format: 'text', body: 'héllo' },
  { format: 'csv', schema: SCALARS, body: '\ufefftrue,5,5,1.5,1.5,a,b\r\n' },
  { format: 'text', settings: { charset: 'utf-16' }, body: 'héllo' },
  { format: 'csv', schema: WITH_LIST, body: ROW },
  { format: 'csv', schema: WITH_LIST, settings: { quote: '"' }, body: ROW },
  { format: 'csv', schema: SCALARS, settings: { charset: 'shift_jis', mapping: '6:s,3:f' }, body: ROW },
  { format: 'tsv', schema: WITH_LIST, settings: { delimiter: '||' }, body: ROW.replaceAll(',', '||') },
  { format: 'clf', body: CLF },
  { format: 'clf', schema: SCALARS, body: 'TRUE 1 2 3.5 4.5 x "y"' },
  { format: 'grok', settings: { pattern: '%{COMBINEDAPACHELOG:body}' }, body: CLF },
  {
    format: 'grok',
    schema: WITH_LIST,
    settings: { pattern: '(?:%{NUMBER:i}|%{WORD:s}|%{QS:y}|%{WORD:r}|.)*' },
    body: ROW,
  },
  {
    format: 'grok',
    schema: [['x', optional('string')]],
    settings: { pattern: '(?:%{URI:x}|(?:a+)+$)' },
    body: 'http://u:p@h:80/a?b',
  },
  { format: 'syslog', body: SYSLOG },
  { format: 'syslog', body: '<34>2024-05-01T12:00:00.123+02:00 web01 sshd[231]: Accepted key\r\n' },
  { format: 'syslog', body: '<34>1 2003-10-11T22:14:15.003Z h su 1 ID47 [a b="c\\]"] é\n' },
  {
    format: 'syslog',
    settings: { variant: '5424' },
    body: '<34>1 2003-10-11T22:14:15.003Z h su 1 ID47 [a b="c\\]"] é',
  },
  { format: 'json', schema: NESTED, body: JSON_BODY },
  {
    format: 'json',
    schema: SCALARS,
    body: '{"b":true,"i":5,"l":-5,"f":1.5,"d":1e300,"y":"\\\\x00","s":"x"}',
  },
  { format: 'avro', schema: NESTED, body: datum },
  { format: 'avro', schema: NESTED, body: datum, headers: [['schema', JSON.stringify(NESTED)]] },
  {
    format: 'avro',
    schema: recordJson([['s', optional('string')]]),
    body: datum,
    headers: [['schema', JSON.stringify(NESTED)]],
  },
]

/** Runs of these are what recursion, backtracking and counts are afraid of. */
const HARD = [
  'a',
  '1',
  '"',
  '\\',
  '""',
  '\\x',
  '[',
  '{',
  '{"a":',
  '[[',
  ',',
  ' ',
  '<',
  '-',
  '0',
  '/a',
  'a.',
  '1:',
  '\x02',
  '\xff',
  '\x80',
  '\x00',
  '\xfe\xff\xff\xff\x0f',
]

test.each(subjects)('$format $settings', ({ body, headers, ...use }) => {
  const reader = new TestReader(use)
  const schemas = reader.names.map(
    (name) => reader.schema.fields.find((field) => field.name === name)!.schema,
  )
  const random = seededRandom(reader.names.length * 1000 + BODIES).next
  const whole = Buffer.from(body as string)
  let records = 0
  let errors = 0
  let longestMs = 0
  for (let round = 0; round < BODIES; round++) {
    const bytes = round === 0 ? whole : damaged(whole, random)
    const values: Value[] = []
    const before = process.cpuUsage()
    const error = reader.reader.read(bytes, 0, bytes.length, headers ?? [], values)
    const { user } = process.cpuUsage(before)
    longestMs = Math.max(longestMs, user / 1000)
    if (user / 1000 > READ_MS_MAX) throw new Error(`took ${user} us: ${bytes.toString('hex').slice(0, 2000)}`)
    if (error !== undefined) {
      errors++
      expect(error.reason.length).toBeGreaterThan(0)
      expect(error.reason.length).toBeLessThan(500)
    } else {
      records++
    }
    if (error === undefined || error.partial === true) {
      // After an error of single fields these are null, and the others values as always.
      values.forEach((value, index) => {
        if (!isOf(schemas[index]!, value) && (error === undefined || value !== null)) {
          throw new Error(
            `${reader.names[index]} became ${String(value)}: ${bytes.toString('hex').slice(0, 2000)}`,
          )
        }
      })
    }
  }
  expect(records).toBeGreaterThan(0)
  tellProof(`bodies of ${use.format}`, { records, errors, 'longest read ms': longestMs.toFixed(1) })
})

function damaged(whole: Buffer, random: () => number): Buffer {
  const pick = (count: number) => Math.floor(random() * count)
  let bytes = Buffer.from(whole)
  for (let times = 1 + pick(4); times > 0; times--) {
    const at = pick(bytes.length + 1)
    switch (pick(7)) {
      case 0:
        bytes = bytes.subarray(0, at)
        break
      case 1:
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          bytes.subarray(Math.min(bytes.length, at + 1 + pick(8))),
        ])
        break
      case 2:
        if (at < bytes.length) bytes[at] = pick(256)
        break
      case 3:
        if (at < bytes.length) bytes[at]! ^= 1 << pick(8)
        break
      case 4: {
        const hard = Buffer.from(HARD[pick(HARD.length)]!, 'latin1')
        bytes = Buffer.concat([bytes.subarray(0, at), hard, bytes.subarray(at)])
        break
      }
      case 5: {
        const hard = Buffer.from(HARD[pick(HARD.length)]!, 'latin1')
        const run = Buffer.alloc(pick(10) === 0 ? BODY_BYTES_MAX : pick(300), hard)
        bytes = Buffer.concat([bytes.subarray(0, at), run, bytes.subarray(at)])
        break
      }
      default:
        bytes = Buffer.concat([bytes.subarray(at), bytes.subarray(0, at), bytes.subarray(at)])
    }
    bytes = bytes.subarray(0, BODY_BYTES_MAX)
  }
  return bytes
}

/** Whether a value is one that the schema has, by the table in record-reader.ts. */
function isOf(schema: Schema, value: Value): boolean {
  switch (schema.type) {
    case 'null':
      return value === null
    case 'boolean':
      return typeof value === 'boolean'
    case 'int':
      return typeof value === 'number' && value === (value | 0)
    case 'long':
      return typeof value === 'bigint'
        ? BigInt.asIntN(64, value) === value && !Number.isSafeInteger(Number(value))
        : typeof value === 'number' && Number.isSafeInteger(value)
    case 'float':
      return typeof value === 'number' && Object.is(Math.fround(value), value)
    case 'double':
      return typeof value === 'number'
    case 'bytes':
      return value instanceof Uint8Array
    case 'fixed':
      return value instanceof Uint8Array && value.length === schema.size
    case 'string':
      return typeof value === 'string'
    case 'enum':
      return schema.symbols.includes(value as string)
    case 'array':
      return Array.isArray(value) && value.every((item: Value) => isOf(schema.items, item))
    case 'map':
      return value instanceof Map && [...value.values()].every((item: Value) => isOf(schema.values, item))
    case 'record':
      return (
        value instanceof Map &&
        [...value.keys()].join() === schema.fields.map((field) => field.name).join() &&
        schema.fields.every((field) => isOf(field.schema, value.get(field.name)))
      )
    case 'union':
      return schema.members.some((member) => isOf(member, value))
  }
}
