/** Statements about tables, through sqlscripts:execute of the whole application. */
import { describe, expect, test } from 'vitest'
import { sqlApp } from '../../support/sql-scripts.ts'
import type { TestApp } from '../../support/test-app.ts'

const DONE = 'RESULT_SUCCESS'
const PRINT = "WITH ('connector' = 'print')"

const KAFKA = `CREATE TABLE k (id INT, name STRING) COMMENT 'SomeComment' WITH (
  'connector' = 'kafka', 'topic' = 'topic', 'properties.bootstrap.servers' = 'localhost:9092',
  'properties.group.id' = 'orderGroup', 'format' = 'csv')`

/** Statements that are executed one after the other on an empty namespace; the last one's outcome counts. */
const outcomes: readonly {
  readonly name: string
  readonly statements: readonly string[]
  readonly last: unknown
}[] = [
  {
    name: 'a stream',
    statements: ["CREATE TABLE s (a INT) WITH ('connector' = 'stream', 'stream' = 'x')"],
    last: DONE,
  },
  { name: 'kafka', statements: [KAFKA], last: DONE },
  {
    name: 'names of older versions',
    statements: [
      `CREATE TABLE k (id int) COMMENT 'SomeComment' WITH ('connector.type' = 'kafka', 'connector.version' = 'universal',
        'connector.topic' = 'testTopic', 'connector.properties.bootstrap.servers' = 'localhost',
        'connector.properties.group.id' = 'testGroup', 'connector.startup-mode' = 'earliest-offset', 'update-mode' = 'append',
        'format.type' = 'json', 'format.derive-schema' = 'true')`,
      'SHOW CREATE TABLE k',
    ],
    last: [
      [
        `CREATE TABLE \`default\`.\`default\`.\`k\` (
  \`id\` INT
) COMMENT 'SomeComment'
WITH (
  'connector' = 'kafka',
  'topic' = 'testTopic',
  'properties.bootstrap.servers' = 'localhost',
  'properties.group.id' = 'testGroup',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
)`,
      ],
    ],
  },
  {
    name: 'upsert-kafka',
    statements: [
      `CREATE TABLE u (id INT, n INT, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector' = 'upsert-kafka', 'topic' = 't',
        'properties.bootstrap.servers' = 'h:9092', 'key.format' = 'json', 'value.format' = 'json')`,
    ],
    last: DONE,
  },
  {
    name: 'jdbc',
    statements: [
      `CREATE TABLE j (id INT) WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://db.example:5432/shop',
        'table-name' = 'orders', 'username' = 'u', 'password' = '\${secret_values.pw}')`,
    ],
    last: DONE,
  },
  {
    name: 'datagen',
    statements: [
      `CREATE TABLE g (f_sequence INT, f_random INT, f_random_str STRING, ts AS localtimestamp, WATERMARK FOR ts AS ts)
        WITH ('connector' = 'datagen', 'rows-per-second' = '5', 'fields.f_sequence.kind' = 'sequence',
        'fields.f_sequence.start' = '1', 'fields.f_sequence.end' = '1000', 'fields.f_random.min' = '1',
        'fields.f_random.max' = '1000', 'fields.f_random_str.length' = '10')`,
    ],
    last: DONE,
  },
  { name: 'print', statements: [`CREATE TABLE p (a INT) ${PRINT}`], last: DONE },
  { name: 'blackhole', statements: ["CREATE TABLE b (a INT) WITH ('connector' = 'blackhole')"], last: DONE },
  {
    name: 'an unknown connector',
    statements: ["CREATE TABLE x (a INT) WITH ('connector' = 'x')"],
    last: "400 unknown connector 'x'; use stream, kafka, upsert-kafka, jdbc, datagen, print, blackhole",
  },
  {
    name: 'no connector',
    statements: ['CREATE TABLE x (a INT)'],
    last: "400 option 'connector' is missing; use stream, kafka, upsert-kafka, jdbc, datagen, print, blackhole",
  },
  {
    name: 'an unknown option',
    statements: ["CREATE TABLE x (a INT) WITH ('connector' = 'print', 'colour' = 'red')"],
    last: "400 unknown option 'colour' of connector print; it has print-identifier, standard-error, sink.parallelism",
  },
  {
    name: 'a name that is taken',
    statements: [
      `CREATE TABLE test (a INT) ${PRINT}`,
      `CREATE TABLE \`default\`.\`default\`.test (b INT) ${PRINT}`,
    ],
    last: '400 Table default.default.test already exists.',
  },
  {
    name: 'IF NOT EXISTS with a name that is taken',
    statements: [
      `CREATE TABLE t (a INT) ${PRINT}`,
      `CREATE TABLE IF NOT EXISTS t (b INT) ${PRINT}`,
      'DESCRIBE t',
    ],
    last: [['a', 'INT', 'true', '', '', '']],
  },
  {
    name: 'another catalog',
    statements: [`CREATE TABLE cat.db.t (a INT) ${PRINT}`],
    last: "400 catalog 'cat' does not exist; the catalog is default at line 1, column 14",
  },
  {
    name: 'an unknown type',
    statements: [`CREATE TABLE t (\n  a INT,\n  b INTT\n) ${PRINT}`],
    last: "400 unknown type 'INTT' at line 3, column 5",
  },
  {
    name: 'a hidden secret',
    statements: [
      "CREATE TABLE j (id INT) WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://h/d', 'table-name' = 't', 'password' = '***')",
    ],
    last: "400 option 'password' has ***, which stands for a secret; write the secret, or $".concat(
      '{secret_values.NAME}',
    ),
  },
  {
    name: 'SHOW TABLES',
    statements: [`CREATE TABLE b (a INT) ${PRINT}`, `CREATE TABLE \`a b\` (a INT) ${PRINT}`, 'SHOW TABLES'],
    last: [['a b'], ['b']],
  },
  { name: 'SHOW TABLES of nothing', statements: ['SHOW TABLES'], last: [] },
  {
    name: 'SHOW TABLES LIKE',
    statements: [
      `CREATE TABLE ab (a INT) ${PRINT}`,
      `CREATE TABLE b (a INT) ${PRINT}`,
      "SHOW TABLES LIKE 'a%'",
    ],
    last: [['ab']],
  },
  { name: 'SHOW DATABASES', statements: ['SHOW DATABASES'], last: [['default']] },
  { name: 'SHOW CATALOGS', statements: ['SHOW CATALOGS'], last: [['default']] },
  { name: 'SHOW FUNCTIONS', statements: ["SHOW FUNCTIONS LIKE 'cou%'"], last: [['count']] },
  { name: 'USE', statements: ['USE default'], last: DONE },
  { name: 'USE CATALOG', statements: ['USE CATALOG default'], last: DONE },
  {
    name: 'USE of another database',
    statements: ['USE other'],
    last: "400 database 'other' does not exist; the database is default at line 1, column 5",
  },
  {
    name: 'DESCRIBE',
    statements: [
      `CREATE TABLE d (id INT, ms BIGINT, part INT METADATA FROM 'partition' VIRTUAL, p AS PROCTIME(),
        ts AS TO_TIMESTAMP_LTZ(ms, 3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND, PRIMARY KEY (id) NOT ENFORCED)
        WITH ('connector' = 'stream', 'stream' = 'd')`,
      'DESC default.d',
    ],
    last: [
      ['id', 'INT', 'false', 'PRI(id)', '', ''],
      ['ms', 'BIGINT', 'true', '', '', ''],
      ['part', 'INT', 'true', '', "METADATA FROM 'partition' VIRTUAL", ''],
      ['p', 'TIMESTAMP_LTZ(3) *PROCTIME*', 'false', '', 'AS PROCTIME()', ''],
      [
        'ts',
        'TIMESTAMP_LTZ(3) *ROWTIME*',
        'true',
        '',
        'AS TO_TIMESTAMP_LTZ(ms, 3)',
        "ts - INTERVAL '5' SECOND",
      ],
    ],
  },
  {
    name: 'DESCRIBE of nothing',
    statements: ['DESCRIBE nope'],
    last: "400 Table or view with identifier 'default.default.nope' does not exist.",
  },
  {
    name: 'DROP',
    statements: [`CREATE TABLE t (a INT) ${PRINT}`, 'DROP TABLE default.default.t', 'SHOW TABLES'],
    last: [],
  },
  {
    name: 'DROP of nothing',
    statements: ['DROP TABLE t'],
    last: "400 Table with identifier 'default.default.t' does not exist.",
  },
  { name: 'DROP IF EXISTS of nothing', statements: ['DROP TABLE IF EXISTS t'], last: DONE },
  {
    name: 'DROP VIEW of nothing',
    statements: ['DROP VIEW t'],
    last: "400 View with identifier 'default.default.t' does not exist.",
  },
  {
    name: 'DROP VIEW of a table',
    statements: [`CREATE TABLE t (a INT) ${PRINT}`, 'DROP VIEW t'],
    last: '400 default.default.t is a table; use DROP TABLE',
  },
  {
    name: 'ALTER TABLE SET',
    statements: [
      KAFKA,
      `ALTER TABLE \`k\` SET ('connector' = 'kafka', 'topic' = 'other_topic', 'properties.bootstrap.servers' = 'localhost:9092',
        'properties.group.id' = 'orderGroup', 'format' = 'csv')`,
      'SHOW CREATE TABLE k',
    ],
    last: [
      [
        `CREATE TABLE \`default\`.\`default\`.\`k\` (
  \`id\` INT,
  \`name\` STRING
) COMMENT 'SomeComment'
WITH (
  'connector' = 'kafka',
  'topic' = 'other_topic',
  'properties.bootstrap.servers' = 'localhost:9092',
  'properties.group.id' = 'orderGroup',
  'format' = 'csv'
)`,
      ],
    ],
  },
  {
    name: 'ALTER TABLE RESET',
    statements: [
      `CREATE TABLE g (a INT) WITH ('connector' = 'datagen', 'rows-per-second' = '5', 'number-of-rows' = '7')`,
      "ALTER TABLE g RESET ('rows-per-second', 'never-set')",
      'SHOW CREATE TABLE g',
    ],
    last: [
      [
        "CREATE TABLE `default`.`default`.`g` (\n  `a` INT\n) WITH (\n  'connector' = 'datagen',\n  'number-of-rows' = '7'\n)",
      ],
    ],
  },
  {
    name: 'RESET of the connector',
    statements: [`CREATE TABLE t (a INT) ${PRINT}`, "ALTER TABLE t RESET ('connector')"],
    last: "400 option 'connector' is missing; use stream, kafka, upsert-kafka, jdbc, datagen, print, blackhole",
  },
  {
    name: 'SET of an unknown option',
    statements: [`CREATE TABLE t (a INT) ${PRINT}`, "ALTER TABLE t SET ('topic' = 'x')"],
    last: "400 unknown option 'topic' of connector print; it has print-identifier, standard-error, sink.parallelism",
  },
  {
    name: 'RENAME',
    statements: [
      `CREATE TABLE t (a INT) ${PRINT}`,
      `CREATE TABLE z (a INT) ${PRINT}`,
      'ALTER TABLE t RENAME TO default.default.u',
      'SHOW TABLES',
    ],
    last: [['u'], ['z']],
  },
  {
    name: 'RENAME to a name that is taken',
    statements: [
      `CREATE TABLE t (a INT) ${PRINT}`,
      `CREATE TABLE z (a INT) ${PRINT}`,
      'ALTER TABLE t RENAME TO z',
    ],
    last: '400 Table default.default.z already exists.',
  },
  {
    name: 'ALTER of nothing',
    statements: ["ALTER TABLE t SET ('a' = 'b')"],
    last: "400 Table with identifier 'default.default.t' does not exist.",
  },
  { name: 'ALTER IF EXISTS of nothing', statements: ['ALTER TABLE IF EXISTS t RENAME TO u'], last: DONE },
  {
    name: 'LIKE',
    statements: [
      `CREATE TABLE a (id INT, ms BIGINT, ts AS TO_TIMESTAMP_LTZ(ms, 3), WATERMARK FOR ts AS ts, PRIMARY KEY (id) NOT ENFORCED)
        WITH ('connector' = 'stream', 'stream' = 'a', 'format' = 'json')`,
      `CREATE TABLE b (m MAP<STRING, INT>, c AS id < 3, WATERMARK FOR ts AS ts - INTERVAL '1' SECOND) WITH ('stream' = 'b')
        LIKE a (OVERWRITING WATERMARKS EXCLUDING CONSTRAINTS)`,
      'SHOW CREATE TABLE b',
    ],
    last: [
      [
        `CREATE TABLE \`default\`.\`default\`.\`b\` (
  \`id\` INT NOT NULL,
  \`ms\` BIGINT,
  \`ts\` AS TO_TIMESTAMP_LTZ(ms, 3),
  \`m\` MAP<STRING, INT>,
  \`c\` AS id < 3,
  WATERMARK FOR \`ts\` AS ts - INTERVAL '1' SECOND
) WITH (
  'connector' = 'stream',
  'stream' = 'b',
  'format' = 'json'
)`,
      ],
    ],
  },
  {
    name: 'LIKE with a column that both have',
    statements: [`CREATE TABLE a (id INT) ${PRINT}`, 'CREATE TABLE b (id INT) LIKE a'],
    last: "400 column 'id' is in both tables at line 1, column 30",
  },
  {
    name: 'LIKE with a problem in the columns of the statement',
    statements: [`CREATE TABLE a (id INT) ${PRINT}`, 'CREATE TABLE b (\n  x INTT) LIKE a'],
    last: "400 unknown type 'INTT' at line 2, column 5",
  },
  {
    name: 'LIKE of nothing',
    statements: ['CREATE TABLE b LIKE a'],
    last: '400 table default.default.a of LIKE does not exist',
  },
]

describe('execute', () => {
  test.each(outcomes)('$name', async ({ statements, last }) => {
    const { run } = await sqlApp()
    for (const statement of statements.slice(0, -1)) expect(await run(statement)).toBe(DONE)
    expect(await run(statements.at(-1)!)).toEqual(last)
  })
})

describe('validate', () => {
  const verdicts = [
    [`CREATE TABLE t (a INT) ${PRINT}`, 'VALID_DDL_STATEMENT'],
    ['DROP TABLE IF EXISTS nope', 'VALID_DDL_STATEMENT'],
    ["ALTER TABLE test SET ('sink.parallelism' = '2')", 'VALID_DDL_STATEMENT'],
    ['ALTER TABLE test RENAME TO t', 'VALID_DDL_STATEMENT'],
    ['DROP TABLE test', 'VALID_DDL_STATEMENT'],
    ['SHOW TABLES', 'VALID_COMMAND_STATEMENT'],
    ['SHOW CREATE TABLE test', 'VALID_COMMAND_STATEMENT'],
    ['DESC test', 'VALID_COMMAND_STATEMENT'],
    ['USE default', 'VALID_COMMAND_STATEMENT'],
    [`CREATE TABLE test (a INT) ${PRINT}`, 'INVALID_QUERY Table default.default.test already exists.'],
    [
      "CREATE TABLE t (a INT) WITH ('connector' = 'x')",
      "INVALID_QUERY unknown connector 'x'; use stream, kafka, upsert-kafka, jdbc, datagen, print, blackhole",
    ],
    ['CREATE TABLE t (a INT INT)', "INVALID unexpected 'INT'; ',' or the end is wanted at line 1, column 23"],
    [`CREATE TABLE t (a INTT) ${PRINT}`, "INVALID_QUERY unknown type 'INTT' at line 1, column 19"],
    ['DROP TABLE nope', "INVALID_QUERY Table with identifier 'default.default.nope' does not exist."],
  ] as const

  test('says what execute would say, and does nothing', async () => {
    const { run, validate } = await sqlApp()
    await run(`CREATE TABLE test (a INT) ${PRINT}`)
    const before = await run('SHOW TABLES')
    for (const [statement, verdict] of verdicts) expect(await validate(statement)).toBe(verdict)
    expect(await run('SHOW TABLES')).toEqual(before)
    expect(await run('SHOW CREATE TABLE test')).toEqual([[expect.not.stringContaining('parallelism')]])
  })
})

describe('SHOW CREATE TABLE', () => {
  const tables = [
    "CREATE TABLE t (a INT) WITH ('connector' = 'stream', 'stream' = 'x', 'scan.startup.mode' = 'latest-offset')",
    KAFKA.replace('TABLE k', 'TABLE t'),
    `CREATE TABLE t (\`a b\` INT NOT NULL COMMENT 'it''s', r ROW<x INT, \`y z\` STRING>, PRIMARY KEY (\`a b\`) NOT ENFORCED)
      COMMENT 'with ''quotes''' PARTITIONED BY (\`a b\`) WITH ('connector' = 'blackhole')`,
    `CREATE TABLE t (a INT) WITH ('connector' = 'datagen', 'fields.a.kind' = 'sequence', 'fields.a.start' = '1', 'fields.a.end' = '9')`,
    `CREATE TABLE t (a INT) WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://h:1/d', 'table-name' = 's.t', 'password' = '\${pw}')`,
  ]

  test.each(tables)('reads back to the same table: %s', async (statement) => {
    const { run } = await sqlApp()
    await run(statement)
    const [[shown]] = (await run('SHOW CREATE TABLE t')) as [[string]]
    await run('DROP TABLE t')
    expect(await run(shown)).toBe(DONE)
    expect(await run('SHOW CREATE TABLE t')).toEqual([[shown]])
  })

  test('a table of the Aiven API reads back, over its integration', async () => {
    const { app, run } = await sqlApp()
    const json = { headers: { 'content-type': 'application/json' } }
    const { service_integrations: integrations } = (
      await app.get('/v1/project/p/service/default/integration')
    ).json() as { readonly service_integrations: readonly { readonly service_integration_id: string }[] }
    const [{ service_integration_id: id } = { service_integration_id: '' }] = integrations
    const bodies = [
      { name: 'plain', kafka: { topic: 'x' } },
      {
        name: 'keyed',
        kafka: { topic: 'x', key_format: 'json', key_fields: ['a'], value_fields_include: 'EXCEPT_KEY' },
      },
      { name: 'upserted', upsert_kafka: { topic: 'y' } },
      {
        name: 'made',
        datagen: { rows_per_second: 3, fields: { a: { kind: 'sequence', start: 1, end: 2 } } },
      },
    ]
    for (const body of bodies) {
      const schema = 'a INT, b STRING, PRIMARY KEY (a) NOT ENFORCED'
      const created = await app.post('/v1/project/p/service/default/flink/table', {
        ...json,
        body: JSON.stringify({ ...body, integration_id: id, schema_sql: schema }),
      })
      expect(created.text).toContain(`"table_name":"${body.name}"`)
      const before = created.json() as Record<string, unknown>
      const [[shown]] = (await run(`SHOW CREATE TABLE ${body.name}`)) as [[string]]
      expect(await run(`DROP TABLE ${body.name}`)).toBe(DONE)
      expect(await run(shown)).toBe(DONE)
      const { tables } = (await app.get('/v1/project/p/service/default/flink/table')).json() as {
        readonly tables: readonly Record<string, unknown>[]
      }
      const after = tables.find(({ table_name: name }) => name === body.name)
      expect({ ...after, table_id: '', schema_sql: '' }).toEqual({ ...before, table_id: '', schema_sql: '' })
    }
  })
})

describe('secrets', () => {
  const SECRET = 'hunter2-of-this-test'
  const statements = [
    `CREATE TABLE t (a INT) WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://db.example:5432/d', 'table-name' = 't',
      'username' = 'u', 'password' = '${SECRET}')`,
    `CREATE TABLE t (a INT) WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://db.example/d?user=u&password=${SECRET}',
      'table-name' = 't')`,
    `CREATE TABLE t (a INT) WITH ('connector' = 'jdbc', 'url' = 'postgres://u:${SECRET}@db.example/d', 'table-name' = 't')`,
    `CREATE TABLE t (a INT) WITH ('connector' = 'jdbc', 'url' = 'postgres://u:${SECRET}/@db.example/d', 'table-name' = 't')`,
    `CREATE TABLE t (a INT) WITH ('connector' = 'kafka', 'topic' = 't', 'properties.bootstrap.servers' = 'b.example:9092',
      'properties.security.protocol' = 'SASL_SSL', 'properties.sasl.jaas.config' =
      'org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="${SECRET}";')`,
    `CREATE TABLE t (a INT) WITH ('connector' = 'kafka', 'topic' = 't', 'properties.bootstrap.servers' = 'b.example:9092',
      'properties.security.protocol' = 'SSL', 'properties.ssl.keystore.key' = '-----BEGIN ${SECRET}')`,
  ]

  test.each(statements)('are never shown: %s', async (statement) => {
    const { app, run, text, validate } = await sqlApp({ onDisk: true })
    expect(await run(statement)).toBe(DONE)
    const shown = await text('SHOW CREATE TABLE t')
    expect(shown).toContain('***')
    const insert = `CREATE TABLE o (a INT) ${PRINT}`
    await run(insert)
    const answers = [
      shown,
      await text('DESCRIBE t'),
      await text(statement),
      await text(
        statement
          .replace("'table-name' = 't'", "'tabel-name' = 't'")
          .replace("'topic' = 't'", "'topik' = 't'"),
      ),
      await text("ALTER TABLE t SET ('nope' = 'x')"),
      await validate('INSERT INTO o SELECT * FROM t'),
      (await app.get('/v1/project/p/service/default/flink/table')).text,
      (await app.get('/v1/project/p/service/default/integration')).text,
      (await createJob(app, 'INSERT INTO o SELECT * FROM t')).text,
      ...app.logged,
      JSON.stringify(app.reported),
    ]
    for (const answer of answers) expect(answer).not.toContain(SECRET)
    await app.restart()
    expect(await text('SHOW CREATE TABLE t')).toBe(shown)
    expect(await run("ALTER TABLE t SET ('connector' = 'print')")).toContain('unknown option')
  })
})

function createJob(app: TestApp, statement: string) {
  return app.post('/v1/project/p/service/default/flink/job', {
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ statement, table_ids: [], job_name: 'job' }),
  })
}
