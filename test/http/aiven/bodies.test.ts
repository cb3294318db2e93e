/** Bodies of this API: both forms give one request; what is wrong is named with its member. */
import { describe, expect, test } from 'vitest'
import { SQL_CHARACTERS_MAX } from '../../../src/http/aiven/body-members.ts'
import { parseIntegration, parseIntegrationChange } from '../../../src/http/aiven/integration-body.ts'
import { parseJob, parseJobToValidate } from '../../../src/http/aiven/job-body.ts'
import { parseTable, parseTableToValidate } from '../../../src/http/aiven/table-body.ts'
import { ServiceError } from '../../../src/service-error.ts'

const bytes = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
const BASE = { name: 'KAlert', integration_id: 'i', schema_sql: '`node` INT' }
const MODEL = { name: 'KAlert', integrationId: 'i', schemaSql: '`node` INT' }

/** Code and text. */
function refusal(parse: () => unknown): unknown {
  try {
    return parse()
  } catch (error) {
    expect(error).toBeInstanceOf(ServiceError)
    return [(error as ServiceError).code, (error as ServiceError).message]
  }
}

describe('a table', () => {
  const topic = { topic: 'alert' }
  const all = {
    topic: 'alert',
    scan_startup_mode: 'latest-offset',
    value_format: 'avro',
    key_format: 'json',
    key_fields: ['node'],
    value_fields_include: 'EXCEPT_KEY',
  }
  const flatAll = {
    kafka_topic: 'alert',
    kafka_startup_mode: 'latest-offset',
    kafka_value_format: 'avro',
    kafka_key_format: 'json',
    kafka_key_fields: ['node'],
    kafka_value_fields_include: 'EXCEPT_KEY',
  }
  const jdbc = { kind: 'jdbc', options: { table_name: 'public.node' } }
  const forms = [
    { members: { kafka_topic: 'alert' }, connector: { kind: 'kafka', options: topic } },
    { members: { kafka: topic }, connector: { kind: 'kafka', options: topic } },
    { members: flatAll, connector: { kind: 'kafka', options: all } },
    { members: { kafka: all }, connector: { kind: 'kafka', options: all } },
    {
      members: { ...flatAll, kafka_connector_type: 'upsert-kafka' },
      connector: { kind: 'upsert_kafka', options: all },
    },
    {
      members: { kafka_topic: 'alert', kafka_connector_type: 'kafka' },
      connector: { kind: 'kafka', options: topic },
    },
    { members: { upsert_kafka: all }, connector: { kind: 'upsert_kafka', options: all } },
    { members: { 'upsert-kafka': topic }, connector: { kind: 'upsert_kafka', options: topic } },
    { members: { jdbc_table: 'public.node' }, connector: jdbc },
    { members: { jdbc: { table_name: 'public.node' } }, connector: jdbc },
    { members: { opensearch_index: 'x' }, connector: { kind: 'opensearch', options: { index: 'x' } } },
    { members: { opensearch: { index: 'x' } }, connector: { kind: 'opensearch', options: { index: 'x' } } },
    { members: { print: {} }, connector: { kind: 'print', options: {} } },
    { members: { blackhole: {} }, connector: { kind: 'blackhole', options: {} } },
    {
      members: { kafka: { ...topic, key_format: null }, jdbc: null, kafka_topic: null, jdbc_table: null },
      connector: { kind: 'kafka', options: topic },
    },
  ]
  test.each(forms)('$members', ({ members, connector }) => {
    const expected = { ...MODEL, connector, likeOptions: undefined, partitionedBy: undefined }
    expect(parseTable(bytes({ ...BASE, ...members }))).toEqual(expected)
    expect(parseTableToValidate(bytes({ ...BASE, ...members }))).toEqual({ name: 'KAlert', table: expected })
  })

  test('members of the nested form are passed on, for the tables service to check', () => {
    const kafka = { topic: ['a'], topik: 5, key_fields: { a: null } }
    const { connector } = parseTable(bytes({ ...BASE, kafka }))
    expect(connector).toEqual({ kind: 'kafka', options: kafka })
  })

  test('like_options and partitioned_by', () => {
    const members = { ...BASE, kafka: topic, like_options: 'LIKE other', partitioned_by: 'node' }
    expect(parseTable(bytes(members))).toMatchObject({ likeOptions: 'LIKE other', partitionedBy: 'node' })
  })

  const ONE = 'give exactly one of kafka, upsert_kafka and jdbc'
  const connectors = [
    { members: {}, problem: ONE },
    { members: { kafka_topic: 'a', jdbc_table: 'b' }, problem: ONE },
    { members: { kafka: topic, upsert_kafka: topic }, problem: ONE },
    { members: { 'upsert-kafka': topic, upsert_kafka: topic }, problem: ONE },
    { members: { kafka_topic: 'a', kafka: topic }, problem: ONE },
    { members: { kafka_value_format: 'json' }, problem: ONE },
    { members: { kafka: 'alert' }, problem: 'kafka is a text; use an object' },
    { members: { kafka_topic: 5 }, problem: 'kafka_topic is a number; use a text' },
    {
      members: { kafka_topic: 'a', kafka_key_fields: 'node' },
      problem: 'kafka_key_fields is a text; use a list of texts',
    },
    {
      members: { kafka_topic: 'a', kafka_key_fields: [1] },
      problem: 'a member of kafka_key_fields is a number; use a text',
    },
    {
      members: { kafka_topic: 'a', kafka_connector_type: 'kafka2' },
      problem: "kafka_connector_type is 'kafka2'; use kafka or upsert-kafka",
    },
    {
      members: { jdbc_table: 'a', kafka_value_format: 'json' },
      problem: 'kafka_value_format belongs to kafka_topic; leave it out with jdbc_table',
    },
    {
      members: { kafka: topic, kafka_connector_type: 'kafka' },
      problem: 'kafka_connector_type belongs to kafka_topic; leave it out with kafka',
    },
  ]
  test.each(connectors)('$members: $problem', ({ members, problem }) => {
    expect(parseTable(bytes({ ...BASE, ...members })).connector).toEqual({ problem })
  })

  const WANTED = 'a table needs name, integration_id, schema_sql and a connector'
  const refused = [
    { body: { ...BASE, kafka_tpic: 'a' }, text: "unknown field 'kafka_tpic'" },
    { body: { ...BASE, __proto__x: 1 }, text: "unknown field '__proto__x'" },
    { body: { ...BASE, name: undefined }, text: `there is no name; ${WANTED}` },
    { body: { ...BASE, name: null }, text: `there is no name; ${WANTED}` },
    { body: { ...BASE, integration_id: null }, text: `there is no integration_id; ${WANTED}` },
    { body: { ...BASE, schema_sql: null }, text: `there is no schema_sql; ${WANTED}` },
    { body: { ...BASE, name: 5 }, text: 'name is a number; use a text' },
    { body: { ...BASE, integration_id: {} }, text: 'integration_id is an object; use a text' },
    { body: { ...BASE, schema_sql: true }, text: 'schema_sql is true; use a text' },
    { body: { ...BASE, like_options: [] }, text: 'like_options is a list; use a text' },
    {
      body: { ...BASE, schema_sql: 'x'.repeat(SQL_CHARACTERS_MAX + 1) },
      text: 'schema_sql has 131073 characters; use at most 131072',
    },
  ]
  test.each(refused)('$text', ({ body, text }) => {
    expect(refusal(() => parseTable(bytes(body)))).toEqual(['invalid_table', text])
    const name = typeof body.name === 'string' ? body.name : ''
    expect(parseTableToValidate(bytes(body))).toEqual({ name, problem: text })
  })

  test('the key __proto__ is a member like others', () => {
    const body = '{"name":"a","integration_id":"i","schema_sql":"x INT","kafka":{"__proto__":{"topic":"t"}}}'
    const { connector } = parseTable(bytes(body))
    if ('problem' in connector) throw new Error(connector.problem)
    expect(Object.entries(connector.options)).toEqual([['__proto__', { topic: 't' }]])
    expect(connector.options.topic).toBeUndefined()
  })

  test('a schema of the longest length is taken', () => {
    const schema_sql = 'x'.repeat(SQL_CHARACTERS_MAX)
    expect(parseTable(bytes({ ...BASE, schema_sql, kafka: topic })).schemaSql).toBe(schema_sql)
  })
})

const noObjects = [
  { body: '', text: 'the body is empty; send a JSON object' },
  { body: '[]', text: 'the body is a list; send a JSON object' },
  { body: 'null', text: 'the body is null; send a JSON object' },
  { body: '"x"', text: 'the body is a text; send a JSON object' },
  { body: '7', text: 'the body is a number; send a JSON object' },
  { body: '{"a"', text: expect.stringMatching(/^the body is not JSON: .* at line 1 column \d+$/) },
]
test.each(noObjects)('the body $body is no object, also to validate', ({ body, text }) => {
  const parsers = [parseTable, parseTableToValidate, parseJob, parseJobToValidate, parseIntegration]
  for (const parse of [...parsers, parseIntegrationChange])
    expect(refusal(() => parse(bytes(body)))).toEqual(['invalid_parameter', text])
})

describe('a job', () => {
  const good = [
    {
      body: { statement: 'INSERT', table_ids: ['a', 'b'], job_name: 'n' },
      request: { statement: 'INSERT', tableIds: ['a', 'b'], name: 'n' },
    },
    { body: { statement: 'INSERT' }, request: { statement: 'INSERT', tableIds: [], name: undefined } },
    {
      body: { statement: 'INSERT', table_ids: null, job_name: null },
      request: { statement: 'INSERT', tableIds: [], name: undefined },
    },
  ]
  test.each(good)('$body', ({ body, request }) => {
    expect(parseJob(bytes(body))).toEqual(request)
    expect(parseJobToValidate(bytes(body))).toEqual({ request })
  })

  const bad = [
    {
      body: {},
      text: 'there is no statement; send {"statement":"INSERT INTO …","table_ids":[…],"job_name":"…"}',
    },
    { body: { statement: 1 }, text: 'statement is a number; use a text' },
    { body: { statement: 'x', tables: [] }, text: "unknown field 'tables'" },
    { body: { statement: 'x', table_ids: 'a' }, text: 'table_ids is a text; use a list of texts' },
    { body: { statement: 'x', table_ids: [null] }, text: 'a member of table_ids is null; use a text' },
    { body: { statement: 'x', job_name: '' }, text: 'job_name has 0 characters; use 1 to 1000' },
    {
      body: { statement: 'x', job_name: 'n'.repeat(1001) },
      text: 'job_name has 1001 characters; use 1 to 1000',
    },
    {
      body: { statement: 'x'.repeat(SQL_CHARACTERS_MAX + 1) },
      text: 'statement has 131073 characters; use at most 131072',
    },
  ]
  test.each(bad)('$text', ({ body, text }) => {
    expect(refusal(() => parseJob(bytes(body)))).toEqual(['invalid_table', text])
    expect(parseJobToValidate(bytes(body))).toEqual({ problem: text })
  })
})

describe('an integration', () => {
  const body = {
    source_service: 'demo-kafka',
    dest_service: 'demo-flink',
    integration_type: 'flink',
    user_config: {},
    source_endpoint_id: null,
    dest_endpoint_id: null,
  }
  const model = {
    sourceService: 'demo-kafka',
    destService: 'demo-flink',
    sourceProject: undefined,
    destProject: undefined,
    userConfig: {},
  }
  test('as the command line and the library for Go send it', () => {
    expect(parseIntegration(bytes(body))).toEqual(model)
    const { user_config: _, source_endpoint_id: __, dest_endpoint_id: ___, ...short } = body
    expect(parseIntegration(bytes({ ...short, source_project: 'q' }))).toEqual({
      ...model,
      sourceProject: 'q',
    })
  })

  test('user_config is plain JSON', () => {
    const config = { connection_uri: 'postgres://h/db', n: [1, 2.5, { a: null }], yes: true }
    expect(parseIntegration(bytes({ ...body, user_config: config })).userConfig).toEqual({
      ...config,
      n: [1, 2.5, { a: null }],
    })
    expect(parseIntegrationChange(bytes({ user_config: config }))).toEqual(config)
    expect(parseIntegrationChange(bytes({}))).toEqual({})
  })

  const bad = [
    { members: { integration_type: 'datadog' }, text: "integration_type is 'datadog'; use flink" },
    {
      members: { source_endpoint_id: 'x' },
      text: 'source_endpoint_id is given; there are no endpoints, so name a source_service',
    },
    { members: { user_config: 'x' }, text: 'user_config is a text; use an object' },
    { members: { source_service: 1 }, text: 'source_service is a number; use a text' },
    {
      members: { dest_service: null },
      text: 'there is no dest_service; send {"source_service":"…","dest_service":"…","integration_type":"flink","user_config":{…}}',
    },
  ]
  test.each(bad)('$text', ({ members, text }) => {
    expect(refusal(() => parseIntegration(bytes({ ...body, ...members })))).toEqual(['invalid_table', text])
  })
})
