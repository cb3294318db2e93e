/** Schemas of Avro on streams and views: what is accepted comes back, what is not is refused with a reason that says where. */
import avsc from 'avsc'
import { expect, test } from 'vitest'
import { answerOf, plain } from '../support/answer.ts'
import { STREAMS, testApp } from '../support/test-app.ts'

const ORDER = {
  type: 'record',
  name: 'Order',
  namespace: 'shop.v2',
  doc: 'One order.',
  aliases: ['Purchase'],
  fields: [
    { name: 'id', type: { type: 'fixed', name: 'Id', size: 16, logicalType: 'uuid' }, order: 'ignore' },
    {
      name: 'state',
      type: { type: 'enum', name: 'State', symbols: ['NEW', 'PAID'], default: 'NEW' },
      default: 'NEW',
    },
    { name: 'before', type: ['null', 'State'], default: null },
    {
      name: 'total',
      type: { type: 'bytes', logicalType: 'decimal', precision: 12, scale: 2 },
      default: '\u0000',
    },
    { name: 'day', type: { type: 'int', logicalType: 'date' }, aliases: ['date'], doc: 'of the order' },
    { name: 'big', type: 'long', default: 0 },
    {
      name: 'lines',
      type: {
        type: 'array',
        items: {
          type: 'record',
          name: 'Line',
          fields: [
            { name: 'sku', type: 'string', default: 'none' },
            { name: 'next', type: ['null', 'Line'], default: null },
          ],
        },
      },
      default: [],
    },
  ],
}

test.each(['stream', 'view'])(
  'a schema with all that Avro has is set on a %s, and comes back',
  async (what) => {
    const app = await testApp({ streams: ['s'] })
    const body = JSON.stringify({ format: { name: 'avro', schema: ORDER } })
    const path = what === 'stream' ? `${STREAMS}/s/properties` : `${STREAMS}/s/views/v`
    expect((await app.put(path, { body })).status).toBe(what === 'stream' ? 200 : 201)
    const answer = await app.get(what === 'stream' ? `${STREAMS}/s` : path)
    const { schema } = (answer.json() as { format: { schema: typeof ORDER } }).format
    const { doc, ...order } = ORDER
    const fields = ORDER.fields.map(({ order, doc, ...field }: Record<string, unknown>) => field)
    expect(schema).toEqual({ ...order, fields })
    const [sent, kept] = [ORDER, schema].map((json) => avsc.Type.forSchema(json as avsc.Schema))
    expect(kept!.fingerprint()).toEqual(sent!.fingerprint())
    // What is kept may be sent again.
    const again = JSON.stringify({ format: { name: 'avro', schema } })
    expect((await app.put(`${STREAMS}/s/properties`, { body: again })).status).toBe(200)
    expect(app.reported).toEqual([])
  },
)

test('a default keeps its digits', async () => {
  const app = await testApp({ streams: ['s'] })
  const schema =
    '{"type":"record","name":"r","fields":[{"name":"l","type":"long","default":9223372036854775807},{"name":"d","type":"double","default":1.0}]}'
  await app.put(`${STREAMS}/s/properties`, { body: `{"format":{"name":"avro","schema":${schema}}}` })
  expect((await app.get(`${STREAMS}/s`)).text).toContain(`"schema":${schema},`)
})

const field = (type: unknown, more: object = {}) => ({
  type: 'record',
  name: 'r',
  fields: [{ name: 'f', type, ...more }],
})
const NOT_SUPPORTED = 'Format avro does not support the requested schema. Cause: '
const GENERIC =
  'Invalid stream configuration. Please check that the configuration is a valid JSON Object with a valid schema. Cause: schema: '
const refused: { schema: unknown; text: string }[] = [
  { schema: undefined, text: `${NOT_SUPPORTED}the format has no schema of its own; give one` },
  { schema: 'int', text: `${NOT_SUPPORTED}the schema is of type int, not a record` },
  { schema: ['null', field('int')], text: `${NOT_SUPPORTED}the schema is of type union, not a record` },
  {
    schema: { type: 'fixed', name: 'F', size: 4 },
    text: `${NOT_SUPPORTED}the schema is of type fixed, not a record`,
  },
  {
    schema: field({ type: 'enum', symbols: ['A'] }),
    text: `${NOT_SUPPORTED}$.fields.f.type is an enum without a name, which Avro needs; add "name"`,
  },
  {
    schema: field({ type: 'enum', name: 'E', symbols: ['A'], default: 'B' }),
    text: `${NOT_SUPPORTED}$.fields.f.type has the default "B"; use one of its symbols`,
  },
  {
    schema: field('int', { aliases: 'g' }),
    text: `${NOT_SUPPORTED}$.fields.f has aliases that are no list of texts; write ["old_name"]`,
  },
  {
    schema: field({ type: 'array', items: { type: 'map', keys: 'int', values: 'int' } }),
    text: `${NOT_SUPPORTED}$.fields.f.type.items is a map with keys other than strings; leave "keys" out`,
  },
  {
    schema: field(['null', ['int', 'string']]),
    text: `${NOT_SUPPORTED}$.fields.f.type[1] is a union in a union; put its members in the outer one`,
  },
  {
    schema: field(['int', 'string', 'int']),
    text: `${NOT_SUPPORTED}$.fields.f.type is a union that holds int twice; leave one out`,
  },
  {
    schema: field({ type: 'record', name: 'in-ner', fields: [{ name: 'x', type: 'int' }] }),
    text: `${NOT_SUPPORTED}$.fields.f.type has the name 'in-ner', which is none in Avro; use letters, digits and _, no digit first`,
  },
  {
    schema: { type: 'record', name: 'r', fields: [{ name: 'f-0', type: 'int' }] },
    text: `${NOT_SUPPORTED}$.fields.f-0 has a name that is none in Avro; use letters, digits and _, no digit first, and list the one it was written with in "aliases"`,
  },
  {
    schema: field({ type: 'record', name: 'r', fields: [{ name: 'x', type: 'int' }] }),
    text: `${NOT_SUPPORTED}$.fields.f.type defines the name 'r' a second time; use another, or the name alone`,
  },
  {
    schema: field('r'),
    text: `${NOT_SUPPORTED}record "r" always holds another one of itself, so no value of it ever ends`,
  },
  {
    schema: field('Nope'),
    text: `${GENERIC}$.fields.f.type is 'Nope', which is neither a type nor a record defined before`,
  },
  {
    schema: field({ type: 'fixed', name: 'F', size: 'four' }),
    text: `${GENERIC}$.fields.f.type is a fixed whose size is no whole number from 0 to 2147483647`,
  },
  {
    schema: field({ type: 'enum', name: 'E' }),
    text: `${GENERIC}$.fields.f.type is an enum without symbols`,
  },
  { schema: { type: 'record', name: 'r', fields: [] }, text: `${GENERIC}$ is a record without fields` },
]
test.each(refused)('$schema is refused', async ({ schema, text }) => {
  const app = await testApp({ streams: ['s'] })
  const before = (await app.get(`${STREAMS}/s`)).text
  const body = JSON.stringify({ format: { name: 'avro', schema } })
  expect(answerOf(await app.put(`${STREAMS}/s/properties`, { body }))).toEqual(plain(400, text))
  expect((await app.get(`${STREAMS}/s`)).text).toBe(before)
  expect(app.reported).toEqual([])
})

test.each(['csv', 'json'])('a fixed is refused by %s, with the reason', async (name) => {
  const app = await testApp({ streams: ['s'] })
  const schema = field({ type: 'fixed', name: 'F', size: 4 })
  const set = await app.put(`${STREAMS}/s/properties`, { body: JSON.stringify({ format: { name, schema } }) })
  expect(set.status).toBe(400)
  expect(set.text).toMatch(
    /^Format \w+ does not support the requested schema\. Cause: (field f is neither|F is a fixed, which is Avro's alone; use bytes)/,
  )
})
