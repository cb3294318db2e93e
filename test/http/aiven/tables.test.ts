/** Tables: both forms of bodies, the table object, every refusal with its text, validate with places. */
import { describe, expect, test } from 'vitest'
import {
  builtIn,
  createTable,
  FLINK,
  jsonBody,
  PROJECT,
  refusal,
  SERVICE,
  seen,
} from '../../support/aiven.ts'
import { type TestApp, testApp } from '../../support/test-app.ts'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const NO_ID = '5d7be5e2-85af-4931-959f-3245b15381b2'

const KAFKA = {
  topic: 'alert',
  scan_startup_mode: 'earliest-offset',
  value_format: 'json',
  key_format: null,
  key_fields: [],
  value_fields_include: 'ALL',
}

/** The request of a table that is fine, with `members` in place of its own; undefined leaves one out. */
async function bodyOf(app: TestApp, members: object): Promise<object> {
  return {
    integration_id: await builtIn(app),
    name: 'KAlert',
    kafka_topic: 'alert',
    schema_sql: '`node` INT',
    ...members,
  }
}

describe('create', () => {
  const schema = '`node` INT, `occurred_at` TIMESTAMP_LTZ(3), `cpu_in_mb` FLOAT'
  const columns = [
    { name: 'node', data_type: 'INT', nullable: true },
    { name: 'occurred_at', data_type: 'TIMESTAMP_LTZ(3)', nullable: true },
    { name: 'cpu_in_mb', data_type: 'FLOAT', nullable: true },
  ]

  test.each(['', '/test'])('the request of the documentation, with %j after the project', async (test) => {
    const app = await testApp()
    const integration_id = await builtIn(app)
    const body = { integration_id, name: 'KAlert', kafka_topic: 'alert', schema_sql: schema }
    const tables = `${PROJECT}${test}/service/default/flink/table`
    const answer = await app.post(tables, jsonBody(body))
    const table = {
      table_id: expect.stringMatching(UUID),
      table_name: 'KAlert',
      integration_id,
      schema_sql: schema,
      columns,
      kafka: KAFKA,
    }
    expect(seen(answer)).toEqual([200, table])
    expect(answer.headers['content-type']).toBe('application/json')
    const { table_id } = answer.json() as { table_id: string }
    expect(seen(await app.get(`${tables}/${table_id}`))).toEqual([200, { ...table, table_id }])
    expect(seen(await app.get(`${tables}?limit=999`))).toEqual([200, { tables: [{ ...table, table_id }] }])
    expect((await app.delete(`${tables}/${table_id}`)).text).toBe('{}')
    expect(seen(await app.get(`${tables}/${table_id}`))).toEqual(
      refusal(404, `Table ${table_id} does not exist`),
    )
    expect(seen(await app.delete(`${tables}/${table_id}`))).toEqual(
      refusal(404, `Table ${table_id} does not exist`),
    )
  })

  const keyed = 'node INT, since BIGINT, PRIMARY KEY (node) NOT ENFORCED'
  const upsert = { ...KAFKA, key_format: 'json', key_fields: [] }
  const connectors = [
    { members: { kafka_topic: undefined, kafka: { topic: 'alert' } }, shown: { kafka: KAFKA } },
    {
      members: {
        kafka_startup_mode: 'latest-offset',
        kafka_value_format: 'json',
        kafka_key_format: 'json',
        kafka_key_fields: ['node'],
        kafka_value_fields_include: 'EXCEPT_KEY',
      },
      shown: {
        kafka: {
          ...KAFKA,
          scan_startup_mode: 'latest-offset',
          key_format: 'json',
          key_fields: ['node'],
          value_fields_include: 'EXCEPT_KEY',
        },
      },
    },
    {
      members: { kafka_connector_type: 'upsert-kafka', schema_sql: keyed },
      shown: { upsert_kafka: upsert },
    },
    ...['upsert_kafka', 'upsert-kafka'].map((spelling) => ({
      members: { kafka_topic: undefined, [spelling]: { topic: 'alert' }, schema_sql: keyed },
      shown: { upsert_kafka: upsert },
    })),
  ]
  test.each(connectors)('$members', async ({ members, shown }) => {
    const app = await testApp()
    const answer = await app.post(`${FLINK}/table`, jsonBody(await bodyOf(app, members)))
    expect(answer.status, answer.text).toBe(200)
    expect(answer.json()).toMatchObject(
      Object.fromEntries(
        Object.entries(shown).map(([kind, one]) => [kind, { ...one, key_fields: expect.any(Array) }]),
      ),
    )
    expect(Object.keys(answer.json() as object)).toEqual([
      ...['table_id', 'table_name', 'integration_id', 'schema_sql', 'columns'],
      ...Object.keys(shown),
    ])
  })

  test('columns show what they are', async () => {
    const app = await testApp()
    const schema_sql = [
      'id BIGINT NOT NULL',
      'name VARCHAR',
      'price DECIMAL(10,2)',
      'happened AS TO_TIMESTAMP_LTZ(id, 3)',
      "stored TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL",
      "WATERMARK FOR happened AS happened - INTERVAL '10' SECOND",
    ].join(', ')
    const id = await createTable(app, { schema_sql, kafka_topic: 'alert' })
    expect((await app.get(`${FLINK}/table/${id}`)).json()).toMatchObject({
      columns: [
        { name: 'id', data_type: 'BIGINT', nullable: false },
        { name: 'name', data_type: 'STRING', nullable: true },
        { name: 'price', data_type: 'DECIMAL(10, 2)', nullable: true },
        {
          name: 'happened',
          data_type: 'TIMESTAMP_LTZ(3)',
          nullable: expect.any(Boolean),
          computed: 'TO_TIMESTAMP_LTZ(id, 3)',
          watermark: "happened - INTERVAL '10' SECOND",
        },
        { name: 'stored', data_type: 'TIMESTAMP_LTZ(3)', nullable: true, metadata: 'timestamp' },
      ],
    })
    const keyed = await createTable(app, {
      name: 'K',
      schema_sql: 'a INT, b INT, PRIMARY KEY (b) NOT ENFORCED',
      kafka: { topic: 'k' },
    })
    expect((await app.get(`${FLINK}/table/${keyed}`)).json()).toMatchObject({
      columns: [
        { name: 'a', data_type: 'INT', nullable: true },
        { name: 'b', data_type: 'INT', nullable: false, primary_key: true },
      ],
    })
  })

  test('partitioned_by is kept and shown', async () => {
    const app = await testApp()
    const body = await bodyOf(app, { partitioned_by: 'node' })
    expect((await app.post(`${FLINK}/table`, jsonBody(body))).json()).toMatchObject({
      partitioned_by: 'node',
    })
  })

  test('like_options puts the columns of another table first', async () => {
    const app = await testApp()
    await createTable(app, { name: 'First', schema_sql: 'a INT', kafka_topic: 'first' })
    const body = await bodyOf(app, { like_options: 'LIKE First', schema_sql: 'b STRING' })
    const answer = await app.post(`${FLINK}/table`, jsonBody(body))
    expect((answer.json() as { columns: { name: string }[] }).columns.map(({ name }) => name)).toEqual([
      'a',
      'b',
    ])
  })

  test('tables stand in the order of their creation', async () => {
    const app = await testApp()
    for (const name of ['b', 'a', 'metrics-out']) await createTable(app, { name })
    const { tables } = (await app.get(`${FLINK}/table`)).json() as { tables: { table_name: string }[] }
    expect(tables.map(({ table_name }) => table_name)).toEqual(['b', 'a', 'metrics-out'])
  })

  test('tables of one service are not those of another', async () => {
    const app = await testApp()
    await app.put('/v3/namespaces/shop')
    const id = await createTable(app)
    expect(seen(await app.get(`${PROJECT}/service/shop/flink/table/${id}`))).toEqual(
      refusal(404, `Table ${id} does not exist`),
    )
    await createTable(app, {}, { service: `${PROJECT}/service/shop` }) // the same name
  })
})

const WANTED = 'a table needs name, integration_id, schema_sql and a connector'
const ONE = 'give exactly one of kafka, upsert_kafka and jdbc'
const REGISTRY = 'needs a schema registry, which is not supported'
/** `at` is the place in schema_sql; the text ends in it. */
const refused: readonly {
  readonly members: object
  readonly status: number
  readonly text: string
  readonly at?: readonly [number, number, number, number]
}[] = [
  { members: { name: undefined }, status: 400, text: `there is no name; ${WANTED}` },
  { members: { name: null }, status: 400, text: `there is no name; ${WANTED}` },
  { members: { integration_id: undefined }, status: 400, text: `there is no integration_id; ${WANTED}` },
  { members: { schema_sql: undefined }, status: 400, text: `there is no schema_sql; ${WANTED}` },
  { members: { kafka_tpic: 'x' }, status: 400, text: "unknown field 'kafka_tpic'" },
  {
    members: { kafka_topic: undefined, kafka: { topik: 'x', topic: 'x' } },
    status: 400,
    text: "unknown field 'kafka.topik'",
  },
  { members: { kafka_topic: 5 }, status: 400, text: 'kafka_topic is a number; use a text' },
  { members: { name: 7 }, status: 400, text: 'name is a number; use a text' },
  { members: { integration_id: NO_ID }, status: 404, text: `Integration ${NO_ID} does not exist` },
  { members: { integration_id: 'x' }, status: 404, text: 'Integration x does not exist' },
  {
    members: { integration_id: NO_ID, kafka_topic: undefined },
    status: 404,
    text: `Integration ${NO_ID} does not exist`,
  },
  { members: { kafka_topic: undefined }, status: 400, text: ONE },
  { members: { jdbc_table: 'x' }, status: 400, text: ONE },
  { members: { kafka: { topic: 'x' } }, status: 400, text: ONE },
  {
    members: { kafka_value_format: 'avro-confluent' },
    status: 501,
    text: `format avro-confluent ${REGISTRY}`,
  },
  {
    members: { kafka_value_format: 'debezium-avro-confluent' },
    status: 501,
    text: `format debezium-avro-confluent ${REGISTRY}`,
  },
  {
    members: { kafka_connector_type: 'upsert-kafka' },
    status: 400,
    text: 'an upsert table needs a PRIMARY KEY in schema_sql',
  },
  {
    members: { schema_sql: '`node` INTT' },
    status: 400,
    text: "schema_sql: unknown type 'INTT'",
    at: [1, 8, 1, 11],
  },
  {
    members: { schema_sql: 'timestamp BIGINT' },
    status: 400,
    text: "schema_sql: 'timestamp' is a reserved word; write `timestamp` in back-ticks",
    at: [1, 1, 1, 9],
  },
  {
    members: { schema_sql: 'a INT,\n  "b" INT' },
    status: 400,
    text: 'schema_sql: use back-ticks for names and single quotes for texts',
    at: [2, 3, 2, 5],
  },
]

describe('refused', () => {
  test.each(refused)('$members: $status $text', async ({ members, status, text, at }) => {
    const app = await testApp()
    const body = await bodyOf(app, members)
    const message = at === undefined ? text : `${text} at line ${at[0]}, column ${at[1]}`
    expect(seen(await app.post(`${FLINK}/table`, jsonBody(body)))).toEqual(refusal(status, message))
    expect(seen(await app.get(`${FLINK}/table`))).toEqual([200, { tables: [] }])

    const [line_number, character_number, end_line_number, end_character_number] = at ?? [0, 0, 0, 0]
    const position = { line_number, character_number, end_line_number, end_character_number }
    const { name } = body as { name?: unknown }
    const error = { message, name: typeof name === 'string' ? name : '', position }
    for (const P of [PROJECT, `${PROJECT}/test`])
      expect(seen(await app.post(`${P}/service/default/flink/table/validate`, jsonBody(body)))).toEqual([
        200,
        { table_validate_error: error },
      ])
  })

  test('an index, as no integration can hold one', async () => {
    const app = await testApp()
    const body = await bodyOf(app, { kafka_topic: undefined, opensearch_index: 'x' })
    const { integration_id } = body as { integration_id: string }
    expect(seen(await app.post(`${FLINK}/table`, jsonBody(body)))).toEqual(
      refusal(400, `integration ${integration_id} is of kind stream and cannot hold an index`),
    )
  })

  test('a name that is taken', async () => {
    const app = await testApp()
    await createTable(app)
    const body = jsonBody(await bodyOf(app, {}))
    const message = 'Table KAlert already exists'
    expect(seen(await app.post(`${FLINK}/table`, body))).toEqual(refusal(409, message))
    const { table_validate_error } = (await app.post(`${FLINK}/table/validate`, body)).json() as {
      table_validate_error: object
    }
    expect(table_validate_error).toMatchObject({ message, name: 'KAlert' })
  })

  test.each(['', 'x'.repeat(257), 'a`b', 'a\nb'])('the name %j', async (name) => {
    const app = await testApp()
    const answer = await app.post(`${FLINK}/table`, jsonBody(await bodyOf(app, { name })))
    expect(answer.status, answer.text).toBe(400)
  })

  test('a topic of the built-in integration that is no name of a stream', async () => {
    const app = await testApp()
    const answer = await app.post(`${FLINK}/table`, jsonBody(await bodyOf(app, { kafka_topic: 'a.b' })))
    expect(answer.status, answer.text).toBe(400)
  })

  test.each([NO_ID, 'x', '%00'])('a table that does not exist: %s', async (id) => {
    const app = await testApp()
    for (const method of ['GET', 'DELETE'])
      expect(seen(await app.request(method, `${FLINK}/table/${id}`))).toEqual(
        refusal(404, `Table ${decodeURIComponent(id)} does not exist`),
      )
  })
})

test('validate stores nothing, and answers an empty object for what is fine', async () => {
  const app = await testApp()
  const body = jsonBody(await bodyOf(app, {}))
  expect((await app.post(`${SERVICE}/flink/table/validate`, body)).text).toBe('{}')
  expect(seen(await app.get(`${FLINK}/table`))).toEqual([200, { tables: [] }])
})
