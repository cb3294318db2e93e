/** SQL scripts through the whole application: what kinds of statements there are, and where problems are. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { executed, refused, rowsOf, suggested, validated } from '../../support/scripts.ts'
import { startTestApp, type TestApp } from '../../support/test-app.ts'

const COLUMNS = "a INT, b STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND"
const DATAGEN =
  "CREATE TEMPORARY TABLE gen (a INT, b STRING) WITH ('connector' = 'datagen', 'rows-per-second' = '5')"

let app: TestApp & { stop(): Promise<void> }
beforeAll(async () => {
  app = await startTestApp({ nowMs: Date.now() })
  await executed(app, `CREATE TABLE t (${COLUMNS}) WITH ('connector' = 'stream', 'stream' = 't')`)
  await executed(app, "CREATE TABLE o (a INT, b STRING) WITH ('connector' = 'stream', 'stream' = 'o')")
  await executed(app, 'CREATE VIEW big AS SELECT a, b FROM t WHERE a > 1')
  await executed(app, "CREATE TABLE void (a INT, b STRING) WITH ('connector' = 'blackhole')")
})
afterAll(() => app.stop())

describe('validate', () => {
  test.each<readonly [statement: string, kind: string]>([
    ["CREATE TABLE n (a INT) WITH ('connector' = 'print')", 'VALID_DDL_STATEMENT'],
    ["create table if not exists t (a INT) with ('connector' = 'print');", 'VALID_DDL_STATEMENT'],
    ['CREATE VIEW v (x) AS SELECT a FROM t', 'VALID_DDL_STATEMENT'],
    ['DROP TABLE o', 'VALID_DDL_STATEMENT'],
    ['DROP VIEW IF EXISTS nope', 'VALID_DDL_STATEMENT'],
    ['ALTER TABLE o RENAME TO p', 'VALID_DDL_STATEMENT'],
    ["ALTER TABLE o SET ('format' = 'json')", 'VALID_DDL_STATEMENT'],
    ['SHOW TABLES', 'VALID_COMMAND_STATEMENT'],
    ['SHOW VIEWS', 'VALID_COMMAND_STATEMENT'],
    ['SHOW DATABASES', 'VALID_COMMAND_STATEMENT'],
    ['SHOW CATALOGS', 'VALID_COMMAND_STATEMENT'],
    ['SHOW FUNCTIONS', 'VALID_COMMAND_STATEMENT'],
    ['SHOW CREATE TABLE t', 'VALID_COMMAND_STATEMENT'],
    ['DESCRIBE t', 'VALID_COMMAND_STATEMENT'],
    ['desc `default`.`default`.t;', 'VALID_COMMAND_STATEMENT'],
    ['USE `default`', 'VALID_COMMAND_STATEMENT'],
    ['EXPLAIN SELECT a FROM t', 'VALID_COMMAND_STATEMENT'],
    ['EXPLAIN PLAN FOR INSERT INTO o SELECT a, b FROM big', 'VALID_COMMAND_STATEMENT'],
    ['INSERT INTO o SELECT a, b FROM t', 'VALID_INSERT_QUERY'],
    ['INSERT INTO `default`.`default`.o SELECT a, b FROM default.t -- all', 'VALID_INSERT_QUERY'],
    [
      'EXECUTE STATEMENT SET BEGIN INSERT INTO o SELECT a, b FROM big; INSERT INTO void SELECT a, b FROM t; END;',
      'VALID_INSERT_QUERY',
    ],
    [
      'BEGIN STATEMENT SET; INSERT INTO o SELECT a, b FROM big; INSERT INTO void SELECT a, b FROM t; END;',
      'VALID_INSERT_QUERY',
    ],
    [`${DATAGEN};\nINSERT INTO void SELECT * FROM gen`, 'VALID_INSERT_QUERY'],
    [
      `${DATAGEN};\nCREATE TEMPORARY VIEW v AS SELECT a + 1 AS a, b FROM gen;\nINSERT INTO void SELECT * FROM v;`,
      'VALID_INSERT_QUERY',
    ],
    ['CREATE TEMPORARY VIEW t AS SELECT 1 AS x; SELECT x FROM t', 'VALID_SELECT_QUERY'],
    ['SELECT a, UPPER(b) FROM t', 'VALID_SELECT_QUERY'],
    ['WITH q AS (SELECT a FROM big) SELECT * FROM q', 'VALID_SELECT_QUERY'],
    ["VALUES (1, 'x')", 'VALID_SELECT_QUERY'],
    [
      "SELECT COUNT(*) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start",
      'VALID_SELECT_QUERY',
    ],
  ])('%s', async (statement, kind) => {
    expect(await validated(app, statement)).toEqual({ kind, message: '', marked: undefined })
  })

  test.each<readonly [statement: string, kind: string, message: string, marked: string | undefined]>([
    ['', 'INVALID', 'the script has no statement', undefined],
    ['-- nothing', 'INVALID', 'the script has no statement', undefined],
    ['SELEC a FROM t', 'INVALID', "expected a statement, got 'SELEC' at line 1, column 1", 'SELEC'],
    ["SELECT 'open", 'INVALID', 'the text does not end', "'"],
    ['SELECT a FROM', 'INVALID', 'syntax error', 'FROM'],
    ['SELECT a,, b FROM t', 'INVALID', 'syntax error', ','],
    ['INSERT INTO o', 'INVALID', 'expected a query, but the statement ends', 'o'],
    ['INSERT o SELECT 1', 'INVALID', 'expected INTO', 'o'],
    ['SHOW TABLE', 'INVALID', "unexpected 'TABLE'", 'TABLE'],
    ['CREATE TABLE x (a INT', 'INVALID', 'is not closed', '('],
    ['SHOW TABLES; SHOW VIEWS', 'INVALID', 'execute one statement at a time', 'SHOW VIEWS'],
    ['SELECT timestamp FROM t', 'INVALID', "'timestamp' is a reserved word", 'timestamp'],
    [
      "CREATE TABLE t (a INT) WITH ('connector' = 'print')",
      'INVALID_QUERY',
      'Table default.default.t already exists.',
      undefined,
    ],
    ['CREATE VIEW o AS SELECT 1', 'INVALID_QUERY', 'Table default.default.o already exists.', undefined],
    ["CREATE TABLE x (a INTT) WITH ('connector' = 'print')", 'INVALID_QUERY', "unknown type 'INTT'", 'INTT'],
    [
      "CREATE TABLE x (a INT) WITH ('connector' = 'nope')",
      'INVALID_QUERY',
      "unknown connector 'nope'",
      undefined,
    ],
    [
      "CREATE TABLE x (a INT, b AS c + 1) WITH ('connector' = 'print')",
      'INVALID_QUERY',
      "column 'c' does not exist",
      'c',
    ],
    ['CREATE VIEW x AS\n SELECT a, c FROM t', 'INVALID_QUERY', "column 'c' does not exist", 'c'],
    ['DROP TABLE nope', 'INVALID_QUERY', 'nope', undefined],
    ['DESCRIBE nope', 'INVALID_QUERY', 'nope', undefined],
    ['SELECT c FROM t', 'INVALID_QUERY', "column 'c' does not exist", 'c'],
    ['SELECT a FROM nope', 'INVALID_QUERY', "table 'nope' does not exist", 'nope'],
    ['SELECT CAST(a AS INTT) FROM t', 'INVALID_QUERY', "unknown type 'INTT'", 'INTT'],
    [
      'INSERT INTO o\nSELECT a, c\nFROM t',
      'INVALID_QUERY',
      "column 'c' does not exist; the columns are a, b, ts at line 2, column 11",
      'c',
    ],
    ['INSERT INTO o SELECT a FROM t', 'INVALID_QUERY', 'Column types of query result and sink', 'o'],
    ['INSERT INTO nope SELECT a FROM t', 'INVALID_QUERY', "table 'nope' does not exist", 'nope'],
    ['INSERT INTO big SELECT a, b FROM t', 'INVALID_QUERY', "'big' is a view", 'big'],
    ['EXPLAIN\n  INSERT INTO o SELECT c, b FROM t', 'INVALID_QUERY', "column 'c' does not exist", 'c'],
    [
      'INSERT INTO o SELECT a, b FROM t; INSERT INTO void\n  SELECT c, b FROM t;',
      'INVALID_QUERY',
      "column 'c' does not exist",
      'c',
    ],
    [`${DATAGEN};\n\nINSERT INTO o SELECT c, b FROM gen`, 'INVALID_QUERY', "column 'c' does not exist", 'c'],
    [
      "CREATE TEMPORARY TABLE x (\n  a INT, b INTT\n) WITH ('connector' = 'print');\nINSERT INTO x SELECT a, b FROM t",
      'INVALID_QUERY',
      "unknown type 'INTT' at line 2, column 12",
      'INTT',
    ],
    [
      "CREATE TEMPORARY TABLE x (\n  a INT, b AS c\n) WITH ('connector' = 'datagen');\nINSERT INTO o SELECT a, b FROM x",
      'INVALID_QUERY',
      "column 'c' does not exist",
      'c',
    ],
    [
      "CREATE TEMPORARY TABLE x (a INT) WITH ('connector' = 'nope');\nINSERT INTO o SELECT a, 'x' FROM x",
      'INVALID_QUERY',
      "unknown connector 'nope'",
      'a INT',
    ],
    [
      'CREATE TEMPORARY VIEW x AS\n  SELECT a, c FROM t; INSERT INTO o SELECT * FROM x',
      'INVALID_QUERY',
      "column 'c' does not exist; the columns are a, b, ts at line 2, column 13",
      'c',
    ],
    [
      'CREATE TEMPORARY VIEW x AS\n  SELECT a b c FROM t; INSERT INTO o SELECT * FROM x',
      'INVALID',
      'syntax error at or near "c"',
      'c',
    ],
    [
      'CREATE TEMPORARY VIEW x AS SELECT 1',
      'INVALID_QUERY',
      'temporary tables and views are of their script alone',
      'SELECT 1',
    ],
    ['SELECT DISTINCT a FROM t', 'UNSUPPORTED_QUERY', 'DISTINCT over a stream is not supported', 'a'],
    [
      'INSERT INTO o SELECT a, b FROM t ORDER BY a',
      'UNSUPPORTED_QUERY',
      'ORDER BY over a stream is not supported at line 1, column 43; run this job on a Flink cluster',
      'a',
    ],
    ['INSERT INTO o SELECT foo(a), b FROM t', 'UNSUPPORTED_QUERY', "function 'FOO' is not supported", 'foo'],
    [
      "CREATE TABLE x (a INT) WITH ('connector' = 'kafka', 'topic' = 'x', 'properties.bootstrap.servers' = 'h:1', 'format' = 'avro-confluent')",
      'VALID_DDL_STATEMENT',
      '',
      undefined,
    ],
  ])('%j', async (statement, kind, message, marked) => {
    const verdict = await validated(app, statement)
    expect(verdict).toEqual({ kind, message: expect.stringContaining(message), marked })
  })
})

describe('execute', () => {
  test('EXPLAIN shows the operators', async () => {
    expect(await rowsOf(app, `${DATAGEN}; EXPLAIN INSERT INTO void SELECT a, b FROM gen`)).toEqual([
      ['== Execution Plan ==\nSink: void\n+- Calc\n   +- Source: gen'],
    ])
    expect(await rowsOf(app, 'EXPLAIN PLAN FOR SELECT a, UPPER(b) AS u FROM big')).toEqual([
      ['== Execution Plan ==\nQuery(a INT, u STRING): a row for each event\n+- Source: t'],
    ])
  })

  test.each<readonly [statement: string, message: string, context: object]>([
    [
      'SELECT a\nFROM t',
      'use data/explore/queries, or INSERT INTO at line 1, column 1',
      { line: '1', column: '1' },
    ],
    [
      '\n INSERT INTO o SELECT a, b FROM t',
      'INSERT INTO runs as a deployment: POST it to /api/v1/namespaces/default/deployments as artifact.sqlScript at line 2, column 2',
      { line: '2', column: '2' },
    ],
    [
      'INSERT INTO o SELECT c, b FROM t',
      "column 'c' does not exist; the columns are a, b, ts at line 1, column 22",
      {},
    ],
    ['SHOW\n  TABLE', "unexpected 'TABLE'", { line: '2', column: '3' }],
    ['', 'the script has no statement', {}],
  ])('%j is refused', async (statement, message, context) => {
    expect(await refused(app, statement)).toMatchObject({
      ...{ status: 400, kind: 'ApiException', reason: 'SqlError' },
      ...{ message: expect.stringContaining(message), context: expect.objectContaining(context) },
    })
  })
})

describe('suggest', () => {
  test.each<readonly [script: string, has: readonly string[], hasNot: readonly string[]]>([
    ['|', ['SELECT', 'INSERT', 'CREATE', 'SHOW'], ['FROM', 't']],
    ['SHOW |', ['TABLES', 'VIEWS', 'CREATE'], ['SELECT']],
    ['SHOW TAB|', ['TABLES'], ['VIEWS']],
    ['show tab|', ['TABLES'], ['VIEWS']],
    ['SELECT | FROM t', ['a', 'b', 'ts', 'ABS', 'CASE', 'DISTINCT'], ['WHERE', 'o']],
    ['SELECT u| FROM t', ['UPPER'], ['a', 'LOWER']],
    ['SELECT a| FROM t', ['a', 'ABS', 'AVG'], ['b']],
    ['SELECT a |', ['FROM', 'AS'], ['SELECT', 'UPPER']],
    ['SELECT a FROM |', ['t', 'o', 'big', 'TABLE'], ['SELECT', 'WHERE']],
    ['SELECT a FROM b|', ['big'], ['t']],
    ['SELECT a FROM t |', ['WHERE', 'JOIN', 'GROUP'], ['FROM', 't']],
    ['SELECT a FROM t WHERE |', ['a', 'b', 'NOT', 'ABS'], ['GROUP']],
    ['SELECT a FROM t WHERE a |', ['AND', 'IS', 'GROUP'], ['SELECT', 'UPPER']],
    ['SELECT a FROM t GROUP |', ['BY'], ['a']],
    ['SELECT a FROM t GROUP BY |', ['a', 'b'], []],
    ['SELECT x. FROM t AS x WHERE x.| ', ['a', 'b', 'ts'], ['UPPER']],
    ['SELECT x.| FROM big x', ['a', 'b'], ['ts', 'UPPER']],
    ['INSERT |', ['INTO'], ['o']],
    ['INSERT INTO |', ['t', 'o', 'void'], ['big', 'SELECT']],
    ['INSERT INTO o |', ['SELECT', 'WITH', 'VALUES'], ['FROM']],
    ['INSERT INTO o (|', ['a', 'b'], ['ts', 'SELECT']],
    ['INSERT INTO o SELECT | FROM big', ['a', 'b'], ['ts']],
    ['DROP TABLE |', ['IF', 't', 'o'], ['big']],
    ['DROP VIEW |', ['big'], ['t']],
    ['DESCRIBE |', ['t', 'big'], ['SELECT']],
    ['ALTER TABLE t |', ['SET', 'RESET', 'RENAME'], ['t']],
    ['ALTER TABLE t RENAME |', ['TO'], ['t']],
    ['CREATE |', ['TABLE', 'VIEW', 'TEMPORARY'], ['t']],
    ['CREATE TABLE x (y |', ['INT', 'STRING', 'TIMESTAMP'], ['t']],
    ['CREATE TABLE x (y INT, |', ['PRIMARY', 'WATERMARK'], ['INT']],
    ['CREATE TABLE x (y INT) |', ['WITH', 'COMMENT'], ['INT']],
    ['CREATE VIEW v AS |', ['SELECT', 'WITH'], ['t']],
    ['CREATE VIEW v AS SELECT a FROM |', ['t', 'big'], []],
    ['EXPLAIN |', ['PLAN', 'SELECT', 'INSERT'], ['t']],
    ['EXPLAIN SELECT a FROM |', ['t', 'big'], []],
    [`${DATAGEN}; INSERT INTO void SELECT | FROM gen`, ['a', 'b'], ['ts']],
    [`${DATAGEN}; INSERT INTO void SELECT a, b FROM g|`, ['gen'], ['t']],
    ['WITH q AS (SELECT 1 AS x) SELECT * FROM |', ['q', 't'], []],
    ['SELECT a FROM TABLE(|', ['TUMBLE', 'HOP', 'CUMULATE'], ['t']],
    ['SELECT a FROM TABLE(TUMBLE(TABLE |', ['t'], ['TUMBLE']],
    ['SELECT a FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(|', ['ts', 'a'], ['UPPER']],
    ['SHOW TABLES; SELECT | FROM t', ['a', 'b'], []],
    ["SELECT 'fro|", [], ['FROM']],
    ['SELECT a -- fro|', [], []],
    ['SELECT /* | */ a', [], ['a']],
    ['SELECT `a| FROM t', [], ['FROM']],
  ])('%s', async (script, has, hasNot) => {
    const words = await suggested(app, script)
    expect(words).toEqual(expect.arrayContaining([...has]))
    expect(hasNot.filter((word) => words.includes(word))).toEqual([])
    expect(words.length).toBeLessThanOrEqual(100)
  })

  test('takes a short time for a large script and a hostile place', async () => {
    const scripts = [
      '('.repeat(1_000_000),
      "'".repeat(1_000_001),
      '`'.repeat(1_000_001),
      'a.'.repeat(500_000),
      'SELECT,'.repeat(140_000),
      '/*'.repeat(500_000),
    ]
    for (const script of scripts) {
      const startMs = performance.now()
      await suggested(app, `${script}|`)
      expect(performance.now() - startMs).toBeLessThan(3_000)
    }
  })
})
