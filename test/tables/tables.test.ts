/** What makes a table, what is refused and with which words, and what remains after a restart. */
import { expect, test } from 'vitest'
import { SqlProblem } from '../../src/sql/sql-problem.ts'
import type { TableRequest } from '../../src/tables/table-service.ts'
import { sharedFolder } from '../support/shared-folder.ts'
import { DEMO, NOW_MS, OTHER, refusalOf, tableParts } from './table-parts.ts'

const folder = sharedFolder()
const TUTORIAL = `hostname STRING, cpu STRING, usage DOUBLE, occurred_at BIGINT, proctime AS PROCTIME(),
  time_ltz AS TO_TIMESTAMP_LTZ(occurred_at, 3), WATERMARK FOR time_ltz AS time_ltz - INTERVAL '10' SECOND`
const PG = { connection_uri: 'postgres://user:pw-9q@db.example:5433/demo?sslmode=require' }
const KAFKA = { bootstrap_servers: 'k1.example:9092,k2.example:9092' }

async function withIntegrations() {
  const parts = await tableParts({ dataFolder: folder.path })
  const services = { sourceService: 's', sourceProject: 'p', destService: 'demo-flink', destProject: 'p' }
  const pg = await parts.tables.createIntegration(DEMO, { ...services, userConfig: PG })
  const kafka = await parts.tables.createIntegration(DEMO, { ...services, userConfig: KAFKA })
  return { ...parts, pg, kafka }
}

test('the table of the cheat sheet', async () => {
  const { tables, request, builtIn } = await tableParts()
  const table = await tables.create(DEMO, request())
  expect(table).toMatchObject({
    id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
    namespace: DEMO,
    name: 'KAlert',
    integrationId: builtIn.id,
    columns: [
      { name: 'node', type: { kind: 'INT' }, nullable: true },
      { name: 'occurred_at', type: { kind: 'TIMESTAMP_LTZ', precision: 3 }, nullable: true },
      { name: 'cpu_in_mb', type: { kind: 'FLOAT' }, nullable: true },
    ],
    connector: {
      kind: 'topic',
      topic: 'alert',
      startup: 'earliest',
      valueFormat: 'json',
      keyFormat: undefined,
      keyFields: [],
      valueFieldsInclude: 'ALL',
    },
    createdMs: NOW_MS,
    number: 1,
  })
  expect(tables.get(DEMO, table.id)).toBe(table)
  expect(tables.find(DEMO, 'KAlert')).toBe(table)
  expect(tables.list(DEMO)).toEqual([table])
})

test('the typer gives the types of computed columns', async () => {
  const { tables, request } = await tableParts()
  const { columns } = await tables.create(DEMO, request({ schemaSql: TUTORIAL }))
  expect(columns.slice(4)).toEqual([
    { name: 'proctime', type: { kind: 'TIMESTAMP_LTZ', precision: 3 }, nullable: false },
    { name: 'time_ltz', type: { kind: 'TIMESTAMP_LTZ', precision: 3 }, nullable: true },
  ])
})

const connectors: readonly {
  readonly kind: TableRequest['connector']['kind']
  readonly on: 'stream' | 'kafka' | 'pg'
  readonly options: Readonly<Record<string, unknown>>
  readonly schemaSql?: string
  readonly connector: object
}[] = [
  {
    kind: 'kafka',
    on: 'kafka',
    options: {
      topic: 'a.b',
      scan_startup_mode: 'latest-offset',
      value_format: 'avro',
      key_format: 'json',
      key_fields: ['node'],
      value_fields_include: 'EXCEPT_KEY',
    },
    connector: {
      kind: 'topic',
      topic: 'a.b',
      startup: 'latest',
      valueFormat: 'avro',
      keyFormat: 'json',
      keyFields: ['node'],
      valueFieldsInclude: 'EXCEPT_KEY',
    },
  },
  {
    kind: 'kafka',
    on: 'stream',
    options: {
      topic: 'a',
      scan_startup_mode: 'earliest-offset',
      value_format: 'debezium-json',
      key_fields: null,
    },
    connector: { kind: 'topic', startup: 'earliest', valueFormat: 'debezium-json' },
  },
  {
    kind: 'kafka',
    on: 'stream',
    options: { topic: 'a', value_format: 'raw' },
    schemaSql: 'a STRING',
    connector: { valueFormat: 'raw' },
  },
  {
    kind: 'upsert_kafka',
    on: 'stream',
    options: { topic: 'a' },
    schemaSql: 'a INT PRIMARY KEY, b INT',
    connector: {
      kind: 'upsert-topic',
      topic: 'a',
      valueFormat: 'json',
      keyFormat: 'json',
      keyFields: ['a'],
      valueFieldsInclude: 'ALL',
    },
  },
  {
    kind: 'upsert_kafka',
    on: 'kafka',
    options: { topic: 'a', key_fields: ['b', 'a'], scan_startup_mode: 'earliest-offset' },
    schemaSql: 'a INT, b INT, PRIMARY KEY (a, b)',
    connector: { keyFields: ['a', 'b'] },
  },
  {
    kind: 'jdbc',
    on: 'pg',
    options: { table_name: 'public.node_definition' },
    connector: {
      kind: 'jdbc',
      tableName: 'public.node_definition',
      schema: 'public',
      table: 'node_definition',
      lookupCacheTtlMs: 0,
      lookupCacheRowsMax: 0,
    },
  },
  {
    kind: 'jdbc',
    on: 'pg',
    options: { table_name: 'Big."Odd ""T"' },
    connector: { schema: 'big', table: 'Odd "T' },
  },
  {
    kind: 'jdbc',
    on: 'pg',
    options: { table_name: 't', lookup_cache_ttl: '10 min', lookup_cache_max_rows: 5 },
    connector: { schema: undefined, lookupCacheTtlMs: 600_000, lookupCacheRowsMax: 5 },
  },
  {
    kind: 'jdbc',
    on: 'pg',
    options: { table_name: 't', lookup_cache_ttl: '1500' },
    connector: { lookupCacheTtlMs: 1500, lookupCacheRowsMax: 10_000 },
  },
  {
    kind: 'datagen',
    on: 'stream',
    options: {},
    connector: { kind: 'datagen', rowsPerSecond: 10_000, rowsMax: undefined, fields: {} },
  },
  {
    kind: 'datagen',
    on: 'stream',
    options: {
      rows_per_second: '5',
      number_of_rows: 9,
      fields: { node: { kind: 'sequence', start: 1, end: 9 }, cpu_in_mb: { min: 0.5, max: '2' } },
    },
    connector: {
      rowsPerSecond: 5,
      rowsMax: 9,
      fields: {
        node: { kind: 'sequence', start: '1', end: '9' },
        cpu_in_mb: { kind: 'random', min: '0.5', max: '2' },
      },
    },
  },
  { kind: 'print', on: 'stream', options: {}, connector: { kind: 'print' } },
  { kind: 'blackhole', on: 'stream', options: {}, connector: { kind: 'blackhole' } },
]

test.each(connectors)('$kind on $on with $options', async ({ kind, on, options, schemaSql, connector }) => {
  const { tables, request, builtIn, pg, kafka } = await withIntegrations()
  const integrationId = { stream: builtIn, pg, kafka }[on].id
  const asked = request({
    integrationId,
    connector: { kind, options },
    ...(schemaSql !== undefined && { schemaSql }),
  })
  await tables.validate(DEMO, asked)
  expect((await tables.create(DEMO, asked)).connector).toMatchObject(connector)
})

const KEYED = 'a INT PRIMARY KEY, b INT'

const refused: readonly {
  readonly change?: Partial<TableRequest>
  readonly kind?: TableRequest['connector']['kind']
  readonly options?: Readonly<Record<string, unknown>>
  readonly on?: 'kafka' | 'pg'
  readonly schemaSql?: string
  readonly text: string
}[] = [
  { change: { name: '' }, text: 'invalid_table name has 0 characters; use 1 to 256' },
  { change: { name: 'x'.repeat(257) }, text: 'invalid_table name has 257 characters; use 1 to 256' },
  {
    change: { name: 'a`b' },
    text: 'invalid_table name has a back-tick or a control character; leave it out',
  },
  {
    change: { name: 'a\nb' },
    text: 'invalid_table name has a back-tick or a control character; leave it out',
  },
  { change: { integrationId: 'nope' }, text: 'integration_not_found Integration nope does not exist' },
  { schemaSql: '`node` INTT', text: "SqlProblem unknown type 'INTT' at line 1, column 8" },
  {
    kind: 'opensearch',
    options: { index: 'i' },
    text: 'invalid_table integration <id> is of kind stream and cannot hold an index',
  },
  {
    kind: 'jdbc',
    options: { table_name: 't' },
    text: 'invalid_table integration <id> is of kind stream and cannot hold a database table',
  },
  {
    on: 'pg',
    options: { topic: 't' },
    text: 'invalid_table integration <id> is of kind postgres and cannot hold a topic',
  },
  {
    on: 'kafka',
    kind: 'datagen',
    options: {},
    text: 'invalid_table integration <id> is of kind kafka and cannot hold a datagen table',
  },
  { options: {}, text: 'invalid_table kafka.topic is missing' },
  { options: { topic: null }, text: 'invalid_table kafka.topic is missing' },
  { options: { topic: '' }, text: "invalid_table kafka.topic is ''; use a text that is not empty" },
  { options: { topic: 7 }, text: 'invalid_table kafka.topic is 7; use a text' },
  {
    options: { topic: 'a.b' },
    text: "invalid_table topic 'a.b' is not the id of a stream; use letters, digits, _ and -",
  },
  {
    on: 'kafka',
    options: { topic: '..' },
    text: "invalid_table topic '..' is not the name of a Kafka topic; use up to 249 letters, digits, '.', _ and -",
  },
  { options: { topic: 'a', tpic: 1 }, text: "invalid_table unknown field 'kafka.tpic'" },
  {
    options: { topic: 'a', scan_startup_mode: 'timestamp' },
    text: "invalid_table kafka.scan_startup_mode is 'timestamp'; use earliest-offset, latest-offset",
  },
  {
    options: { topic: 'a', value_format: 'xml' },
    text: "invalid_table kafka.value_format is 'xml'; use json, avro, csv, raw, debezium-json",
  },
  {
    options: { topic: 'a', value_format: 'avro-confluent' },
    text: 'unsupported format avro-confluent needs a schema registry, which is not supported',
  },
  {
    options: { topic: 'a', value_format: 'debezium-avro-confluent' },
    text: 'unsupported format debezium-avro-confluent needs a schema registry, which is not supported',
  },
  {
    options: { topic: 'a', value_format: 'raw' },
    text: 'invalid_table format raw needs exactly one physical column in the value, and there are 3',
  },
  {
    options: { topic: 'a', key_format: 'xml', key_fields: ['node'] },
    text: "invalid_table kafka.key_format is 'xml'; use json, avro, csv, raw",
  },
  {
    options: { topic: 'a', key_fields: ['node'] },
    text: 'invalid_table kafka.key_fields needs kafka.key_format',
  },
  {
    options: { topic: 'a', key_format: 'json' },
    text: 'invalid_table kafka.key_format needs kafka.key_fields',
  },
  {
    options: { topic: 'a', key_format: 'json', key_fields: 'node' },
    text: "invalid_table kafka.key_fields is 'node'; use a list of texts",
  },
  {
    options: { topic: 'a', key_format: 'json', key_fields: ['node', 'node'] },
    text: "invalid_table key_fields has column 'node' twice",
  },
  {
    options: { topic: 'a', key_format: 'json', key_fields: ['nope'] },
    text: "invalid_table key_fields: unknown column 'nope'",
  },
  {
    options: { topic: 'a', key_format: 'json', key_fields: ['b'] },
    schemaSql: 'a INT, b AS a + 1',
    text: "invalid_table key_fields: column 'b' is not physical",
  },
  {
    options: { topic: 'a', value_fields_include: 'NONE' },
    text: "invalid_table kafka.value_fields_include is 'NONE'; use ALL, EXCEPT_KEY",
  },
  {
    options: { topic: 'a', value_fields_include: 'EXCEPT_KEY' },
    text: 'invalid_table kafka.value_fields_include EXCEPT_KEY needs kafka.key_fields',
  },
  {
    kind: 'upsert_kafka',
    options: { topic: 'a' },
    text: 'invalid_table an upsert table needs a PRIMARY KEY in schema_sql',
  },
  {
    kind: 'upsert_kafka',
    options: { topic: 'a', scan_startup_mode: 'latest-offset' },
    schemaSql: KEYED,
    text: "invalid_table upsert_kafka.scan_startup_mode is 'latest-offset'; use earliest-offset: an upsert table is always read from its start",
  },
  {
    kind: 'upsert_kafka',
    options: { topic: 'a', key_fields: ['b'] },
    schemaSql: KEYED,
    text: 'invalid_table key_fields of an upsert table is its PRIMARY KEY (a); leave it out',
  },
  {
    kind: 'upsert_kafka',
    options: { topic: 'a', value_format: 'debezium-json' },
    schemaSql: KEYED,
    text: 'invalid_table upsert_kafka.value_format cannot be debezium-json; use kafka for a topic of changes',
  },
  { on: 'pg', kind: 'jdbc', options: {}, text: 'invalid_table jdbc.table_name is missing' },
  {
    on: 'pg',
    kind: 'jdbc',
    options: { table_name: 'a.b.c' },
    text: "invalid_table jdbc.table_name is 'a.b.c'; use table or schema.table, each part bare or in double quotes",
  },
  {
    on: 'pg',
    kind: 'jdbc',
    options: { table_name: 'a; DROP TABLE b' },
    text: "invalid_table jdbc.table_name is 'a; DROP TABLE b'; use table or schema.table, each part bare or in double quotes",
  },
  {
    on: 'pg',
    kind: 'jdbc',
    options: { table_name: '"a' },
    text: "invalid_table jdbc.table_name is '\"a'; use table or schema.table, each part bare or in double quotes",
  },
  {
    on: 'pg',
    kind: 'jdbc',
    options: { table_name: 'x'.repeat(64) },
    text: `invalid_table jdbc.table_name is '${'x'.repeat(64)}'; PostgreSQL has names of at most 63 bytes`,
  },
  {
    on: 'pg',
    kind: 'jdbc',
    options: { table_name: 't', lookup_cache_ttl: 'soon' },
    text: "invalid_table jdbc.lookup_cache_ttl is 'soon'; use a duration such as 10 min, at most 7 d",
  },
  {
    on: 'pg',
    kind: 'jdbc',
    options: { table_name: 't', lookup_cache_ttl: '8 d' },
    text: "invalid_table jdbc.lookup_cache_ttl is '8 d'; use a duration such as 10 min, at most 7 d",
  },
  {
    on: 'pg',
    kind: 'jdbc',
    options: { table_name: 't', lookup_cache_max_rows: 5 },
    text: 'invalid_table jdbc.lookup_cache_max_rows needs jdbc.lookup_cache_ttl',
  },
  {
    on: 'pg',
    kind: 'jdbc',
    options: { table_name: 't', lookup_cache_ttl: '1 s', lookup_cache_max_rows: 0 },
    text: 'invalid_table jdbc.lookup_cache_max_rows is 0; use a whole number from 1 to 1000000',
  },
  {
    on: 'pg',
    kind: 'jdbc',
    options: { table_name: 't' },
    schemaSql: '`offset` BIGINT METADATA, a INT',
    text: "invalid_table column 'offset' is METADATA, which a jdbc table does not have",
  },
  {
    kind: 'datagen',
    options: { rows_per_second: 0 },
    text: 'invalid_table datagen.rows_per_second is 0; use a whole number from 1 to 1000000',
  },
  {
    kind: 'datagen',
    options: { fields: { nope: {} } },
    text: "invalid_table datagen.fields: unknown column 'nope'",
  },
  {
    kind: 'datagen',
    options: { fields: { node: { kind: 'sequence', start: 1 } } },
    text: 'invalid_table datagen.fields.node.end is missing; a sequence needs start and end',
  },
  {
    kind: 'datagen',
    options: { fields: { node: { min: 'x' } } },
    text: "invalid_table datagen.fields.node.min is 'x'; use a number",
  },
  {
    kind: 'datagen',
    options: { fields: [] },
    text: 'invalid_table datagen.fields is []; use an object with a member for each column',
  },
  { kind: 'print', options: { to: 'me' }, text: "invalid_table unknown field 'print.to'" },
  {
    schemaSql: 'x STRING, t AS TO_TIMESTAMP(x), WATERMARK FOR t AS t',
    text: "SqlProblem WATERMARK column 't' is of type TIMESTAMP(6); use TIMESTAMP(p) or TIMESTAMP_LTZ(p) with p from 0 to 3 at line 1, column 47",
  },
  { change: { likeOptions: 'LIKE Nope' }, text: 'invalid_table like_options: table Nope does not exist' },
  {
    change: { likeOptions: 'LIKE a b' },
    text: "invalid_table like_options: unexpected 'b'; the end is wanted; use [LIKE] <table>",
  },
  {
    change: { partitionedBy: 'x'.repeat(5000) },
    text: 'invalid_table partitioned_by has 5002 characters; use at most 4096',
  },
]

test.each(refused)(
  '$text',
  async ({ change, kind = 'kafka', options = { topic: 'a' }, on, schemaSql, text }) => {
    const { tables, request, builtIn, pg, kafka } = await withIntegrations()
    const { id } = on === undefined ? builtIn : { pg, kafka }[on]
    const asked = request({
      integrationId: id,
      connector: { kind, options },
      ...(schemaSql !== undefined && { schemaSql }),
      ...change,
    })
    expect((await refusalOf(() => tables.create(DEMO, asked))).replace(id, '<id>')).toBe(text)
    expect((await refusalOf(() => tables.validate(DEMO, asked))).replace(id, '<id>')).toBe(text)
    expect(tables.list(DEMO)).toEqual([])
  },
)

test('the first of several failures is reported: integration, connector, schema, key fields, name', async () => {
  const { tables, request, builtIn } = await tableParts()
  await tables.create(DEMO, request())
  const wrong = {
    integrationId: 'nope',
    connector: { kind: 'kafka', options: { topic: 'a.b', key_format: 'json', key_fields: ['nope'] } },
    schemaSql: 'a INTT',
  } as const
  const first = async (change: Partial<TableRequest>) =>
    refusalOf(() => tables.create(DEMO, request({ ...wrong, ...change })))
  const { id: integrationId } = builtIn
  const connector = { kind: 'kafka', options: { ...wrong.connector.options, topic: 'a' } } as const
  expect(await first({})).toContain('integration_not_found')
  expect(await first({ integrationId })).toContain('id of a stream')
  expect(await first({ integrationId, connector })).toContain('INTT')
  expect(await first({ integrationId, connector, schemaSql: 'a INT' })).toContain('key_fields')
  expect(await refusalOf(() => tables.create(DEMO, request()))).toBe(
    'table_exists Table KAlert already exists',
  )
})

test('validate does not look at the name of another table, and changes nothing', async () => {
  const { tables, request } = await tableParts()
  await tables.create(DEMO, request())
  await tables.validate(DEMO, request())
  expect(tables.list(DEMO)).toHaveLength(1)
})

test('names that differ in case, or in the namespace, are different', async () => {
  const { tables, request } = await tableParts()
  const names = ['KAlert', 'kalert', 'metrics-out', 'a:b/c']
  for (const name of names) await tables.create(DEMO, request({ name }))
  const [others] = tables.integrations(OTHER)
  await tables.create(OTHER, request({ integrationId: others!.id }))
  expect(tables.list(DEMO).map(({ name }) => name)).toEqual(names)
  expect(tables.list(OTHER).map(({ name }) => name)).toEqual(['KAlert'])
})

test('tables and integrations of another namespace do not exist for a namespace', async () => {
  const { tables, request, builtIn } = await tableParts()
  const { id } = await tables.create(DEMO, request())
  expect(await refusalOf(() => tables.get(OTHER, id))).toBe(`table_not_found Table ${id} does not exist`)
  expect(await refusalOf(() => tables.delete(OTHER, id))).toBe(`table_not_found Table ${id} does not exist`)
  expect(await refusalOf(() => tables.create(OTHER, request()))).toBe(
    `integration_not_found Integration ${builtIn.id} does not exist`,
  )
})

test('two requests for one name: one table is made', async () => {
  const { tables, request } = await tableParts()
  const answers = await Promise.all([1, 2, 3].map(() => refusalOf(() => tables.create(DEMO, request()))))
  expect(answers.sort()).toEqual([
    'accepted',
    'table_exists Table KAlert already exists',
    'table_exists Table KAlert already exists',
  ])
})

test('a table is deleted unless a job uses it', async () => {
  const { tables, request } = await tableParts()
  const { id } = await tables.create(DEMO, request())
  let users = [{ name: 'JobExample', jid: 'f'.repeat(32) }]
  tables.onUseOf((tableId) => (tableId === id ? users : []))
  expect(await refusalOf(() => tables.delete(DEMO, id))).toBe(
    `table_in_use Table KAlert is used by job JobExample (${'f'.repeat(32)})`,
  )
  users = []
  await tables.delete(DEMO, id)
  expect(tables.list(DEMO)).toEqual([])
  expect(await refusalOf(() => tables.get(DEMO, id))).toBe(`table_not_found Table ${id} does not exist`)
  expect(await refusalOf(() => tables.get(DEMO, 'no uuid'))).toBe(
    'table_not_found Table no uuid does not exist',
  )
  expect((await tables.create(DEMO, request())).id).not.toBe(id)
})

test('LIKE: columns, key and watermark of the other table come first', async () => {
  const { tables, request } = await tableParts()
  await tables.create(DEMO, request({ name: 'Base t', schemaSql: `${TUTORIAL}, PRIMARY KEY (hostname)` }))
  const table = await tables.create(
    DEMO,
    request({ likeOptions: 'LIKE `Base t`', schemaSql: 'extra INT', partitionedBy: ['cpu'] }),
  )
  expect(table.columns.map(({ name }) => name)).toEqual([
    'hostname',
    'cpu',
    'usage',
    'occurred_at',
    'proctime',
    'time_ltz',
    'extra',
  ])
  expect(table.schema.primaryKey).toEqual(['hostname'])
  expect(table.schema.watermark?.column).toBe('time_ltz')
  expect(table).toMatchObject({
    schemaSql: 'extra INT',
    likeOptions: 'LIKE `Base t`',
    partitionedBy: ['cpu'],
  })
  const broken = request({ name: 'x', likeOptions: '`Base t`', schemaSql: 'extra INT,\n  b INTT' })
  expect(await refusalOf(() => tables.create(DEMO, broken))).toBe(
    "SqlProblem unknown type 'INTT' at line 2, column 5",
  )
  const twice = request({ name: 'x', likeOptions: '`Base t`', schemaSql: 'cpu INT' })
  expect(await refusalOf(() => tables.create(DEMO, twice))).toBe(
    "SqlProblem column 'cpu' is there twice at line 1, column 1",
  )
  const empty = await tables.create(DEMO, request({ name: 'same', likeOptions: '`Base t`', schemaSql: ' ' }))
  expect(empty.columns).toHaveLength(6)
})

test('a problem of the typer has the place in the text of the client', async () => {
  const place = { line: 2, column: 8, endLine: 2, endColumn: 10 }
  const typer = { typesOf: () => Promise.reject(new SqlProblem('no function F', place)) }
  const { tables, request } = await tableParts({ typer })
  await tables.create(DEMO, request({ name: 'Base', schemaSql: 'a INT' }))
  const asked = request({ schemaSql: 'b INT,\n  c AS F()' })
  expect(await refusalOf(() => tables.create(DEMO, asked))).toBe(
    'SqlProblem no function F at line 2, column 8',
  )
  expect(await refusalOf(() => tables.create(DEMO, { ...asked, likeOptions: 'Base' }))).toBe(
    'SqlProblem no function F at line 1, column 8',
  )
})

test('after a restart there are equal tables, in order', async () => {
  const { storage, tables, request, pg } = await withIntegrations()
  await tables.create(DEMO, request({ name: 'z', schemaSql: TUTORIAL }))
  await tables.create(
    DEMO,
    request({ name: 'a', likeOptions: 'z', schemaSql: 'extra INT', partitionedBy: 'x' }),
  )
  const jdbc = { kind: 'jdbc', options: { table_name: 't' } } as const
  await tables.create(DEMO, request({ name: 'm', integrationId: pg.id, connector: jdbc }))
  const { id } = await tables.create(DEMO, request({ name: 'gone' }))
  await tables.delete(DEMO, id)
  const again = await tableParts({ storage, dataFolder: folder.path })
  expect(again.tables.list(DEMO)).toEqual(tables.list(DEMO))
  expect(again.tables.integrations(DEMO)).toEqual(tables.integrations(DEMO))
  expect(again.reported).toEqual([])
  expect((await again.tables.create(DEMO, request({ name: 'new' }))).number).toBe(4)
})

test('tables and integrations go with their namespace', async () => {
  const { storage, registry, tables, request, pg } = await withIntegrations()
  await tables.create(DEMO, request())
  const [others] = tables.integrations(OTHER)
  await tables.create(OTHER, request({ integrationId: others!.id }))
  await registry.change(() => registry.removeNamespace(DEMO))
  expect(tables.list(DEMO)).toEqual([])
  expect(await refusalOf(() => tables.integration(pg.id))).toContain('integration_not_found')
  const left: string[] = []
  for (const collection of ['tables', 'integrations'])
    await storage.catalog.each(collection, (id) => left.push(id))
  expect(left).toEqual(['other:KAlert'])
  expect(await refusalOf(() => tables.create(DEMO, request()))).toContain('integration_not_found')
})

test('a namespace that is removed while a table is checked does not get the table', async () => {
  let removed: Promise<void> | undefined
  const typer = {
    typesOf: () => removed!.then(() => [{ name: 'a', type: { kind: 'INT' }, nullable: true } as const]),
  }
  const { registry, tables, request, storage } = await tableParts({ typer })
  removed = registry.change(() => registry.removeNamespace(DEMO))
  expect(await refusalOf(() => tables.create(DEMO, request({ schemaSql: 'a INT, b AS a + 1' })))).toBe(
    'service_not_found Service demo_flink does not exist; create namespace demo_flink with PUT /v3/namespaces/demo_flink',
  )
  const left: string[] = []
  await storage.catalog.each('tables', (id) => left.push(id))
  expect(left).toEqual([])
})
