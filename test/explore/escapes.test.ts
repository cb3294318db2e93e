/** Statements that try to get out of SQL over streams: the checks refuse each of them, and the locked engine again. */
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Engine } from '../../src/explore/engine.ts'
import { ALLOWED_FUNCTIONS, FUNCTIONS_BY_SUBJECT, words as wordsOf } from '../../src/explore/sql-functions.ts'
import { readStatement } from '../../src/explore/statement.ts'
import { tellProof } from '../support/effort.ts'
import { ended, handleOf, rowsOf, submit } from '../support/explore.ts'
import { STREAMS, startTestApp, type TestApp } from '../support/test-app.ts'

let folder: string
let app: TestApp & { stop(): Promise<void> }
let locked: Engine

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-escapes-'))
  await writeFile(join(folder, 'secret.csv'), 'a,b\n1,2\n')
  await writeFile(join(folder, 'secret.json'), '{"a":1}')
  app = await startTestApp({ streams: ['logs'] })
  await app.post(`${STREAMS}/logs`, { body: 'x' })
  locked = await Engine.open({
    memoryBytes: 64 * 1024 * 1024,
    processBytes: 1024 * 1024 * 1024,
    diskBytes: 0,
    spillFolder: join(folder, 'spill'),
  })
})

afterAll(async () => {
  locked.close()
  await app.stop()
  await rm(folder, { recursive: true })
})

/** FILE and FOLDER stand for real ones. `engine`: the engine alone refuses it too, without the checks. */
const escapes: { readonly sql: string; readonly engine?: true }[] = [
  ...[
    // files
    "SELECT * FROM read_csv('FILE.csv')",
    "SELECT * FROM read_csv_auto('FILE.csv')",
    "SELECT * FROM read_text('FILE.csv')",
    "SELECT * FROM read_blob('FILE.csv')",
    "SELECT * FROM read_json('FILE.json')",
    "SELECT * FROM read_json_auto('FILE.json')",
    "SELECT * FROM read_ndjson('FILE.json')",
    "SELECT * FROM read_parquet('FILE.csv')",
    "SELECT * FROM parquet_metadata('FILE.csv')",
    "SELECT * FROM parquet_schema('FILE.csv')",
    "SELECT * FROM sniff_csv('FILE.csv')",
    "SELECT * FROM glob('FOLDER/*')",
    "SELECT * FROM 'FILE.csv'",
    'SELECT * FROM "FILE.csv"',
    "FROM 'FILE.json'",
    "SELECT * FROM 'http://127.0.0.1:1/a.csv'",
    "SELECT * FROM read_csv('http://127.0.0.1:1/a.csv')",
    "DESCRIBE SELECT * FROM 'FILE.csv'",
    "SUMMARIZE 'FILE.csv'",
    "COPY (SELECT 1) TO 'FOLDER/out.csv'",
    "COPY stream_logs TO 'FOLDER/out.csv'",
    "COPY stream_logs FROM 'FILE.csv'",
    "EXPORT DATABASE 'FOLDER/out'",
    "IMPORT DATABASE 'FOLDER'",
    "ATTACH 'FOLDER/out.db'",
    "ATTACH 'FOLDER/out.db' AS other (READ_ONLY)",
    "ATTACH 'host=127.0.0.1' AS pg (TYPE postgres)",
    "LOAD 'FOLDER/evil.duckdb_extension'",
    'LOAD httpfs',
    'INSTALL httpfs',
    "INSTALL spatial FROM 'http://127.0.0.1:1'",
    'INSTALL h3 FROM community',
    'FORCE INSTALL httpfs',
    // configuration
    'SET threads = 64',
    "SET memory_limit = '100GB'",
    'SET enable_external_access = true',
    'SET lock_configuration = false',
    "SET temp_directory = 'FOLDER/elsewhere'",
    'SET GLOBAL allow_community_extensions = true',
    'RESET memory_limit',
    'PRAGMA threads=64',
    "PRAGMA memory_limit='100GB'",
    "SET home_directory = 'FOLDER'",
    "SET secret_directory = 'FOLDER'",
    "SET log_query_path = 'FOLDER/log'",
    "PRAGMA enable_profiling='json'; SELECT 1",
    // the same by other names and in other places
    "SELECT * FROM parquet_scan('FILE.csv')",
    "SELECT * FROM read_duckdb('FOLDER/out.db')",
    "SELECT * FROM read_json_objects('FILE.json')",
    "SELECT * FROM parquet_file_metadata('FILE.csv')",
    "SELECT * FROM parquet_kv_metadata('FILE.csv')",
    'SELECT * FROM "read_text"(\'FILE.csv\')',
    "SELECT * FROM system.main.read_text('FILE.csv')",
    "SELECT (SELECT content FROM read_text('FILE.csv'))",
    "WITH f AS MATERIALIZED (SELECT * FROM read_text('FILE.csv')) SELECT * FROM f",
    "SELECT * FROM stream_logs, LATERAL (SELECT * FROM read_text('FILE.csv'))",
    "FROM read_text(['FILE.csv', 'FILE.json'])",
    "FROM 'FOLDER/*.csv'",
    "FROM '/proc/self/environ'",
    "FROM read_text('/proc/self/environ')",
    "SUMMARIZE SELECT * FROM read_csv('FILE.csv')",
    "EXPLAIN ANALYZE SELECT * FROM read_text('FILE.csv')",
    "WITH c AS (COPY (SELECT 1) TO 'FOLDER/out.csv') SELECT * FROM c",
    "COPY (SELECT 1) TO 'FOLDER/out' (FORMAT parquet)",
    "SELECT 1 UNION ALL FROM 'FILE.csv'",
    "SELECT * FROM (PIVOT 'FILE.csv' ON a)",
    "SELECT * FROM 'file:FILE.csv'",
    "SELECT * FROM 's3://bucket/key.parquet'",
    "SET custom_extension_repository = 'FOLDER'",
    "SET profiling_output = 'FOLDER/log'",
    "SET extension_directory = 'FOLDER'",
    'SET autoload_known_extensions = true',
    'SET allow_unsigned_extensions = true',
    "SET max_temp_directory_size = '100GB'",
    'SET SESSION threads = 64',
  ].map((sql) => ({ sql, engine: true as const })),
  ...[
    // writing
    'CREATE TABLE t AS SELECT 1',
    'CREATE TEMP TABLE t AS SELECT 1',
    'CREATE TEMP TABLE t (a INT)',
    'CREATE OR REPLACE VIEW stream_logs AS SELECT 1',
    'CREATE TEMP VIEW v AS SELECT 1',
    'CREATE SCHEMA s',
    'CREATE SEQUENCE s',
    'CREATE TYPE t AS INT',
    'CREATE MACRO m(a) AS a',
    'CREATE FUNCTION m(a) AS TABLE SELECT 1',
    "CREATE SECRET s (TYPE http, BEARER_TOKEN 'x')",
    'CREATE INDEX i ON stream_logs (ts)',
    "INSERT INTO stream_logs VALUES (1, NULL, 'x')",
    'INSERT INTO streams.t1 VALUES (1)',
    "UPDATE stream_logs SET body = 'x'",
    'DELETE FROM stream_logs',
    'TRUNCATE stream_logs',
    'DROP VIEW stream_logs',
    'DROP TABLE streams.t1',
    'DROP SCHEMA streams CASCADE',
    'ALTER TABLE streams.t1 DROP COLUMN ts',
    'ALTER VIEW stream_logs RENAME TO x',
    'MERGE INTO stream_logs USING stream_logs AS s ON true WHEN MATCHED THEN DELETE',
    "COMMENT ON VIEW stream_logs IS 'x'",
    'WITH d AS (DELETE FROM stream_logs RETURNING *) SELECT * FROM d',
    // the machinery
    "ATTACH ':memory:' AS other",
    'DETACH memory',
    'USE memory.streams',
    'CALL pragma_version()',
    'CALL duckdb_settings()',
    'CHECKPOINT',
    'FORCE CHECKPOINT',
    'VACUUM',
    'ANALYZE',
    'BEGIN TRANSACTION',
    'COMMIT',
    'ROLLBACK',
    'PREPARE p AS SELECT 1',
    'EXECUTE p',
    'DEALLOCATE p',
    'PRAGMA database_list',
    'PRAGMA show_tables',
    "PRAGMA json_execute_serialized_sql('{}')",
    'SET VARIABLE a = 1',
    'EXPLAIN DELETE FROM stream_logs',
    'EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1',
    "EXPLAIN COPY (SELECT 1) TO 'FOLDER/out.csv'",
    'EXPLAIN EXPLAIN SELECT 1',
    // more than one
    'SELECT 1; SELECT 2',
    'SELECT 1; DROP SCHEMA streams CASCADE',
    'SELECT 1;;SELECT 2',
    'SELECT 1 /* ; */; SET threads = 2',
    '',
    ';',
    '-- nothing',
    // about the engine
    'SELECT * FROM duckdb_settings()',
    'SELECT * FROM duckdb_tables()',
    'SELECT * FROM duckdb_columns()',
    'SELECT * FROM duckdb_views()',
    'SELECT * FROM duckdb_secrets()',
    'SELECT * FROM duckdb_temporary_files()',
    'SELECT * FROM duckdb_logs()',
    'SELECT * FROM duckdb_tables',
    'SELECT * FROM pragma_database_list()',
    'SELECT * FROM pragma_table_info($$stream_logs$$)',
    'SELECT * FROM pragma_storage_info($$streams.t1$$)',
    'SELECT * FROM information_schema.tables',
    'SELECT * FROM pg_catalog.pg_class',
    'SELECT * FROM pg_tables',
    'SELECT * FROM sqlite_master',
    'SELECT * FROM sqlite_schema',
    "SELECT current_setting('temp_directory')",
    "SELECT getenv('HOME')",
    "SELECT getvariable('a')",
    'SHOW ALL TABLES',
    'SHOW DATABASES FROM streams',
    'SHOW ALL SCHEMAS',
    'SHOW TABLES FROM streams',
    'SHOW VARIABLES',
    'SELECT * FROM (SHOW DATABASES)',
    'SELECT * FROM (SHOW ALL TABLES)',
    'DESCRIBE duckdb_settings',
    'DESCRIBE streams.t1',
    'SUMMARIZE streams.t1',
    // the decoded tables of other queries
    'SELECT * FROM streams.t1',
    'SELECT * FROM memory.streams.t1',
    'SELECT * FROM t1',
    'SELECT (SELECT max(ts) FROM streams.t1)',
    'SELECT 1 WHERE EXISTS (FROM streams.t1)',
    'SELECT * FROM stream_logs, LATERAL (SELECT * FROM streams.t1)',
    'SELECT * FROM stream_logs UNION ALL SELECT * FROM streams.t1',
    'WITH a AS (SELECT * FROM streams.t1) SELECT * FROM a',
    'WITH t1 AS (SELECT 1) SELECT * FROM streams.t1',
    // names that are a CTE here and a table there
    'WITH duckdb_settings AS (SELECT * FROM duckdb_settings) SELECT * FROM duckdb_settings',
    'WITH sqlite_master AS (SELECT 1) SELECT * FROM sqlite_master',
    'SELECT (WITH pg_tables AS (SELECT 1) SELECT 1), * FROM pg_tables',
    'SELECT (WITH nope AS (SELECT 1) SELECT 1), * FROM nope',
    'WITH nope AS (SELECT * FROM nope) SELECT * FROM nope',
    'WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a',
    // text that is run as SQL
    "SELECT * FROM query('SELECT * FROM duckdb_settings()')",
    "SELECT * FROM query_table('streams.t1')",
    "SELECT * FROM query_table(['stream_logs'])",
    "SELECT json_serialize_plan('SELECT * FROM streams.t1')",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT * FROM duckdb_settings()'))",
    "SELECT json_serialize_sql('SELECT 1')",
    "SELECT write_log('x')",
    "SELECT nextval('s')",
    "SELECT main.current_setting('threads')",
    "SELECT system.main.current_setting('threads')",
    'SELECT list_transform([1], lambda x: current_setting($$threads$$))',
    // forms that could hide a token from a check of the text
    'SELECT * FROM /* stream_logs */ duckdb_tables()',
    'SELECT * FROM "duckdb_settings"()',
    'SELECT * FROM DuckDB_Settings()',
    'SELECT * FROM `duckdb_tables`()',
    "SELECT '`' FROM duckdb_tables() -- `",
    'SELECT $$`$$ FROM duckdb_tables()',
    'SELECT * FROM stream_logs AT (VERSION => 1)',
    'SELECT 1\u00a0;\u2003SELECT 2',
    'SELECT 1; /* SELECT 2',
    'SELECT 1 /* /* */ ; */ ; DROP SCHEMA streams CASCADE',
    'SELECT 1 -- \r; SELECT 2\n; SELECT 3',
    'SELECT 1\0; DROP SCHEMA streams CASCADE',
    'SELECT \ufeff* FROM duckdb_tables()',
    'SELECT * FROM ｄｕｃｋｄｂ_tables()',
    'SELECT * FROM U&"d\\0075ckdb_tables"()',
    'SELECT * FROM stream_logs, duckdb_settings() AS stream_logs2',
    'SELECT * FROM duckdb_settings() stream_logs',
    'SELECT * FROM (VALUES (1)) stream_logs, t1',
    'DESCRIBE SELECT 1) , duckdb_tables() AS (SELECT 1 -- ',
    // other functions about the engine, or for its internal use
    'SELECT * FROM sql_auto_complete($$SEL$$)',
    'SELECT * FROM duckdb_variables()',
    'SELECT * FROM duckdb_memory()',
    'SELECT * FROM duckdb_prepared_statements()',
    'SELECT * FROM duckdb_external_file_cache()',
    'SELECT * FROM pragma_show($$stream_logs$$)',
    'SELECT * FROM seq_scan($$streams.t1$$)',
    'SELECT * FROM histogram($$streams.t1$$, ts)',
    'SELECT * FROM summary(stream_logs)',
    'SELECT * FROM test_all_types()',
    'SELECT * FROM icu_calendar_names()',
    'SELECT * FROM repeat_row(1, num_rows = 10)',
    'SELECT * FROM checkpoint()',
    'SELECT * FROM truncate_duckdb_logs()',
    "SELECT * FROM enable_logging('QueryLog')",
    'SELECT * FROM enable_profiling()',
    'SELECT get_block_size($$memory$$)',
    'SELECT stats(ts) FROM stream_logs', // of events that have expired, too
    'SELECT current_connection_id()',
    'SELECT current_query_id()',
    'SELECT current_transaction_id()',
    'SELECT current_query()',
    'SELECT current_schemas(true)',
    "SELECT has_table_privilege('streams.t1', 'SELECT')",
    "SELECT obj_description(1, 'x')",
    'SELECT pg_sleep(10)',
    'SELECT sleep_ms(10000)',
    'SELECT __internal_decompress_string(255::UBIGINT)',
    "SELECT variant_bytes_to_variant('x'::BLOB)",
    'SELECT finalize(combine(NULL, NULL))',
    "SELECT json_deserialize_sql(json_serialize_sql('SELECT 1'))",
    "SELECT list_transform(['a'], lambda x: getenv(x))",
    "SELECT list_reduce([1, 2], lambda x, y: nextval('s'))",
    "SELECT count(*) FILTER (WHERE current_setting('threads') = '1') FROM stream_logs",
    "SELECT sum(ts) OVER (ORDER BY getenv('HOME')) FROM stream_logs",
    "SELECT * FROM stream_logs ORDER BY current_setting('threads')",
    'SELECT * FROM stream_logs LIMIT (SELECT count(*) FROM duckdb_tables())',
    "SELECT * FROM stream_logs GROUP BY ALL HAVING getenv('HOME') = ''",
    "SELECT * FROM stream_logs QUALIFY getenv('HOME') = ''",
    "SELECT 'x'.getenv()",
    'SELECT * FROM stream_logs JOIN streams.t1 ON true',
    'SELECT * FROM stream_logs SEMI JOIN t1 USING (ts)',
    'SELECT * FROM stream_logs POSITIONAL JOIN streams.t1',
    'SELECT * FROM stream_logs ASOF JOIN streams.t1 USING (ts)',
    'VALUES ((SELECT max(ts) FROM streams.t1))',
    'SELECT * FROM temp.stream_other',
    'SELECT * FROM "(rows)"',
    'SELECT * FROM temp."(rows)"',
    'WITH RECURSIVE r AS (SELECT 1 UNION ALL SELECT ts FROM streams.t1) SELECT * FROM r',
    'WITH RECURSIVE r(a) USING KEY (a) AS (SELECT 1 UNION SELECT ts FROM streams.t1) SELECT * FROM r',
    // parameters, which have no value
    'SELECT $1',
    'SELECT ?',
    'SELECT * FROM stream_logs WHERE ts > $a',
    'SELECT $1::VARCHAR FROM stream_logs LIMIT $2',
  ].map((sql) => ({ sql })),
]

const filled = (sql: string) => sql.replaceAll('FILE', join(folder, 'secret')).replaceAll('FOLDER', folder)

describe('escapes', () => {
  test.each(escapes)('$sql is refused', async ({ sql }) => {
    const answer = await submit(app, filled(sql))
    expect(answer.status, answer.text).toBe(400)
    expect(answer.text).toMatch(/^\[SQLState 42(000|S02|S22)\] /)
    expect(app.reported).toEqual([])
  })

  test.each(escapes.filter((one) => one.engine))('$sql is refused by the engine alone', async ({ sql }) => {
    const connection = await locked.connect()
    await expect(connection.run(filled(sql))).rejects.toThrow()
    connection.closeSync()
  })

  test('no statement has left anything, and queries run', async () => {
    for (const name of ['out.csv', 'out', 'out.db', 'elsewhere', 'log']) {
      expect(existsSync(join(folder, name)), name).toBe(false)
    }
    expect(await rowsOf(app, 'SELECT body FROM stream_logs')).toEqual([['x']])
    tellProof('escapes', {
      statements: escapes.length,
      'refused by the engine as well': escapes.filter((one) => one.engine).length,
    })
  })
})

/** Similar to refused statements, and valid. */
const allowed = [
  'SELECT 1',
  'select 1;',
  'SELECT 1 -- ; DROP TABLE x',
  "SELECT 'SET threads = 64; COPY x TO y'",
  'VALUES (1)',
  'FROM stream_logs',
  'TABLE stream_logs',
  'WITH stream_logs AS (SELECT * FROM stream_logs WHERE ts > 0) SELECT * FROM stream_logs',
  'WITH a AS (SELECT 1 AS n), b AS (SELECT * FROM a) SELECT * FROM b',
  'WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT * FROM r',
  'SELECT * FROM range(3)',
  'SELECT unnest([1, 2])',
  'SELECT * FROM stream_logs a JOIN stream_logs b USING (ts)',
  'SELECT * FROM (DESCRIBE stream_logs)',
  'SELECT * FROM (SUMMARIZE stream_logs)',
  'SELECT * FROM (SELECT body, ts FROM stream_logs) PIVOT (count(*) FOR body IN ($$x$$))',
  'SELECT * FROM stream_logs UNION ALL SELECT * FROM stream_logs',
  'SELECT list_transform([1], lambda x: x + 1)',
  'SELECT body FROM stream_logs WHERE ts IN (SELECT max(ts) FROM stream_logs)',
  'EXPLAIN ANALYZE SELECT * FROM stream_logs',
  'SUMMARIZE SELECT 1',
]
test.each(allowed)('%s is allowed', async (sql) => {
  const state = await ended(app, await handleOf(app, sql))
  expect(state).toEqual({ status: 'FINISHED', hasResults: true })
})

const endless: readonly [string, string][] = [
  ['parentheses', `SELECT ${'('.repeat(60_000)}1${')'.repeat(60_000)}`],
  ['parentheses that DuckDB takes', `SELECT ${'('.repeat(5_000)}1${')'.repeat(5_000)}`],
  ['sums', `SELECT ${'1+'.repeat(20_000)}1`],
  ['ANDs', `SELECT 1 WHERE ${'1=1 AND '.repeat(5_000)}1=1`],
  ['NOTs', `SELECT ${'NOT '.repeat(30_000)}true`],
  ['minuses', `SELECT ${'- '.repeat(60_000)}1`],
  ['casts', `SELECT 1${'::INT'.repeat(25_000)}`],
  ['lists', `SELECT ${'['.repeat(60_000)}1${']'.repeat(60_000)}`],
  ['functions', `SELECT ${'abs('.repeat(20_000)}1${')'.repeat(20_000)}`],
  ['subqueries', `${'SELECT * FROM ('.repeat(8_000)}SELECT 1${')'.repeat(8_000)}`],
  ['fewer subqueries', `${'SELECT * FROM ('.repeat(900)}SELECT 1${')'.repeat(900)}`],
  ['types', `SELECT NULL::INT${'[]'.repeat(50_000)}`],
  ['joins', `SELECT 1 FROM stream_logs${' JOIN stream_logs ON true'.repeat(5_000)}`],
  [
    'queries named one in the other',
    `WITH c0 AS (SELECT 1 AS x)${Array.from({ length: 3_000 }, (_, i) => `,c${i + 1} AS (SELECT x FROM c${i})`).join('')} FROM c3000`,
  ],
  ['comments that do not close', '/* '.repeat(40_000)],
  ['texts that do not close', Array.from({ length: 15_000 }, (_, i) => `$t${i}$ `).join('')],
  ['quotes', `SELECT ${"'".repeat(100_001)}`],
  ['a text of a megabyte', `SELECT '${'x'.repeat(1_000_000)}'`],
  ['a hundred thousand parentheses', `SELECT ${'('.repeat(100_000)}1${')'.repeat(100_000)}`],
  ['fifty thousand ANDs', `SELECT 1 WHERE ${'1=1 AND '.repeat(50_000)}1=1`],
]
test.each(endless)('%s without end do no harm', async (_, sql) => {
  const answer = await submit(app, sql)
  expect([200, 400], answer.text).toContain(answer.status)
  if (answer.status === 200) {
    const { handle } = answer.json() as { handle: string }
    expect((await ended(app, handle)).status).toBe('FINISHED')
  }
  expect(app.reported).toEqual([])
  expect(await rowsOf(app, 'SELECT 1')).toEqual([[1]])
})

describe('every function that this DuckDB has', () => {
  async function functionsOf(...types: string[]): Promise<string[]> {
    const connection = await locked.connect()
    const list = types.map((type) => `'${type}'`).join()
    const reader = await connection.runAndReadAll(
      `SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type IN (${list}) ORDER BY 1`,
    )
    connection.closeSync()
    return reader.getRows().map(([name]) => String(name))
  }

  async function refusal(sql: string): Promise<string> {
    try {
      readStatement(await locked.parse(sql))
      return ''
    } catch (error) {
      return (error as Error).message
    }
  }

  test('as a table is refused, save five', async () => {
    const passed: string[] = []
    for (const name of await functionsOf('table', 'table_macro', 'pragma')) {
      if ((await refusal(`SELECT * FROM "${name}"()`)) === '') passed.push(name)
    }
    expect(passed).toEqual(['generate_series', 'json_each', 'json_tree', 'range', 'unnest'])
  })

  test('is allowed by src/explore/sql-functions.ts or refused, and none is unknown', async () => {
    const names = await functionsOf('scalar', 'macro', 'aggregate')
    const isAllowed = new Map<string, boolean>()
    for (const name of names) isAllowed.set(name, (await refusal(`SELECT "${name}"(1)`)) === '')
    const refused = names.filter((name) => !isAllowed.get(name))
    expect({
      'in the engine, and neither allowed nor known as refused': refused.filter((name) => !REFUSED.has(name)),
      'known as refused, and allowed': [...REFUSED].filter((name) => isAllowed.get(name)),
      'known as refused, and not in the engine': [...REFUSED].filter((name) => !isAllowed.has(name)),
      'allowed, and not in the engine': [...ALLOWED_FUNCTIONS].filter((name) => !hasName(names, name)),
    }).toEqual({
      'in the engine, and neither allowed nor known as refused': [],
      'known as refused, and allowed': [],
      'known as refused, and not in the engine': [],
      'allowed, and not in the engine': ['json_each', 'json_tree', 'unnest', 'unlist'], // tables, and the parser's
    })
    tellProof('functions', { allowed: names.length - refused.length, refused: refused.length })
  })

  test('that is refused is named, with the place of the list', async () => {
    expect(await refusal('SELECT Sleep_ms(1)')).toBe(
      'the function sleep_ms() is not allowed or does not exist; docs/sql.md, "Functions", has those that a query may call',
    )
    expect(await refusal('SELECT * FROM duckdb_tables()')).toBe(
      'the function duckdb_tables() as a table is not allowed or does not exist; docs/sql.md, "Functions", has those that a query may call',
    )
  })

  test('that is allowed is in docs/sql.md, with its subject', async () => {
    const text = await readFile(new URL('../../docs/sql.md', import.meta.url), 'utf8')
    const rows = [...text.matchAll(/^\| ([^|]+) \| (``.+``|[a-z].+) \|$/gm)].map(([, subject, names]) => [
      subject,
      names!.replaceAll('\\|', '|').replace(/^`` | ``$/g, ''),
    ])
    for (const [subject, names] of Object.entries(FUNCTIONS_BY_SUBJECT)) {
      expect(rows).toContainEqual([subject, wordsOf(names).join(' ')])
    }
  })

  test('with a name that sounds like more than a computation is refused, or known to be harmless', async () => {
    const sounds =
      /file|path|dir|glob|setting|env|secret|sql|query|schema|catalog|database|block|log|variable|internal|connection|transaction|sleep|user|role|oid|priv|pg_|pragma|duckdb|parquet|substrait|val$|stats|inet|description|version|combine|finalize|bytes|wk[bt]/
    const passed: string[] = []
    for (const name of await functionsOf('scalar', 'macro', 'aggregate')) {
      if (!sounds.test(name) || !/^\w+$/.test(name)) continue
      if ((await refusal(`SELECT "${name}"(1)`)) === '') passed.push(name)
    }
    expect(passed).toEqual(HARMLESS)
  })
})

const hasName = (names: readonly string[], name: string) =>
  names.some((other) => other.toLowerCase() === name)

/**
 * Functions about the engine, its catalog or a connection (`current_`, `has_`, `pg_`), that read or change state
 * (sequences, variables, settings, the log), that wait, that handle SQL, or that only the engine's own plans may call.
 */
const REFUSED: ReadonlySet<string> = new Set(
  wordsOf(`
    col_description current_catalog current_connection_id current_database current_query current_query_id current_role
    current_schema current_schemas current_setting current_transaction_id current_user currval format_pg_type get_block_size
    getvariable has_any_column_privilege has_column_privilege has_database_privilege has_foreign_data_wrapper_privilege
    has_function_privilege has_language_privilege has_schema_privilege has_sequence_privilege has_server_privilege
    has_table_privilege has_tablespace_privilege in_search_path json_deserialize_sql json_serialize_plan json_serialize_sql
    nextval obj_description pg_collation_is_visible pg_conf_load_time pg_conversion_is_visible pg_function_is_visible
    pg_get_constraintdef pg_get_expr pg_get_viewdef pg_has_role pg_is_other_temp_schema pg_my_temp_schema
    pg_opclass_is_visible pg_operator_is_visible pg_opfamily_is_visible pg_postmaster_start_time pg_size_pretty pg_sleep
    pg_table_is_visible pg_ts_config_is_visible pg_ts_dict_is_visible pg_ts_parser_is_visible pg_ts_template_is_visible
    pg_type_is_visible pg_typeof shobj_description sleep_ms stats txid_current write_log
    __internal_compress_integral_ubigint __internal_compress_integral_uinteger __internal_compress_integral_usmallint
    __internal_compress_integral_utinyint __internal_compress_string_hugeint __internal_compress_string_ubigint
    __internal_compress_string_uhugeint __internal_compress_string_uinteger __internal_compress_string_usmallint
    __internal_compress_string_utinyint __internal_decompress_integral_bigint __internal_decompress_integral_hugeint
    __internal_decompress_integral_integer __internal_decompress_integral_smallint __internal_decompress_integral_ubigint
    __internal_decompress_integral_uhugeint __internal_decompress_integral_uinteger __internal_decompress_integral_usmallint
    __internal_decompress_string combine finalize variant_bytes_to_variant`),
)

/** Checked one by one: they compute, or return the same for every client. */
const HARMLESS: readonly string[] = [
  'format_bytes',
  'inet_client_addr', // NULL
  'inet_client_port',
  'inet_server_addr',
  'inet_server_port',
  'json_extract_path',
  'json_extract_path_text',
  'log',
  'log10',
  'log2',
  'map_to_pg_oid',
  'normalized_interval',
  'parse_dirname',
  'parse_dirpath',
  'parse_duckdb_log_message',
  'parse_filename',
  'parse_formatted_bytes',
  'parse_path',
  'session_user', // 'duckdb'
  'st_aswkb',
  'st_aswkt',
  'st_geomfromwkb',
  'transaction_timestamp',
  'user',
  'uuid_extract_version',
  'variant_to_parquet_variant',
  'version',
]
