/** Statements that are refused: the text and the place, to the character. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SqlProblem } from '../../../src/sql/sql-problem.ts'
import { TestPlanner } from './plan-support.ts'

const ON_FLINK = '; run this job on a Flink cluster'
const SCHEMA =
  "a INT, b STRING, d DOUBLE, `Usage` INT, ts TIMESTAMP(3), p AS PROCTIME(), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND"
const WINDOWED = "TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND))"

let planner: TestPlanner
beforeAll(async () => {
  planner = await TestPlanner.open({
    t: [SCHEMA],
    u: [SCHEMA],
    one: ['a INT'],
    required: ['a INT NOT NULL, b STRING'],
    text: ['b STRING'],
    meta: ['a INT, `offset` BIGINT METADATA'],
    f: ['id INT, name STRING, PRIMARY KEY (id)', 'jdbc'],
    plain: ['id INT, n BIGINT', 'jdbc'],
    up: ['id INT, v STRING, PRIMARY KEY (id)', 'upsert-topic'],
    gen: ['a INT', 'datagen'],
    void: ['a INT', 'blackhole'],
    same: ['a INT', 'topic', 'json', 'one'],
    two: ['a INT'],
  })
})
afterAll(() => planner.close())

/** `marked` is the part of the statement that the place covers. */
const refused: readonly (readonly [statement: string, reason: string, marked: string])[] = [
  ['SELECT a FROM t', 'a job needs INSERT INTO', 'SELECT'],
  ['VALUES (1)', 'a job needs INSERT INTO', 'VALUES'],
  ['INSERT INTO one SELECT a FROM nope', "table 'nope' does not exist", 'nope'],
  ['INSERT INTO nope SELECT a FROM t', "table 'nope' does not exist", 'nope'],
  ['INSERT INTO one SELECT a FROM hidden', 'table hidden is not in table_ids', 'hidden'],
  ['INSERT INTO hidden SELECT a FROM t', 'table hidden is not in table_ids', 'hidden'],
  ['INSERT INTO one SELECT a FROM T', "table 'T' does not exist", 'T'],
  [
    'INSERT INTO one SELECT usage FROM t',
    "column 'usage' does not exist; the columns are a, b, d, Usage, ts, p",
    'usage',
  ],
  [
    'INSERT INTO one SELECT t.x FROM t',
    "column 't.x' does not exist; the columns are a, b, d, Usage, ts, p",
    't.x',
  ],
  ['INSERT INTO one SELECT z.a FROM t', "column 'z.a' does not exist; the tables here are t", 'z.a'],
  ['INSERT INTO one SELECT foo(a) FROM t', `function 'FOO' is not supported${ON_FLINK}`, 'foo'],
  ['INSERT INTO one SELECT DISTINCT a FROM t', `DISTINCT over a stream is not supported${ON_FLINK}`, 'a'],
  ['INSERT INTO one SELECT a FROM t ORDER BY d', `ORDER BY over a stream is not supported${ON_FLINK}`, 'd'],
  ['INSERT INTO one SELECT a FROM t LIMIT 3', `LIMIT over a stream is not supported${ON_FLINK}`, '3'],
  [
    'INSERT INTO one SELECT SUM(a) OVER (ORDER BY ts) FROM t',
    `OVER over a stream is not supported${ON_FLINK}`,
    'SUM',
  ],
  [
    'INSERT INTO one SELECT t.a FROM t JOIN u ON t.a = u.a',
    `a join of two streams is not supported${ON_FLINK}`,
    'u',
  ],
  ['INSERT INTO one SELECT t.a FROM t, u', `a join of two streams is not supported${ON_FLINK}`, 'u'],
  [
    'INSERT INTO one SELECT t.a FROM t JOIN up ON t.a = up.id',
    `a join of a stream with a changing table is not supported${ON_FLINK}`,
    'up',
  ],
  [
    'INSERT INTO one SELECT a FROM t WHERE a IN (SELECT a FROM u)',
    `a sub-query in an expression over a stream is not supported${ON_FLINK}`,
    'IN',
  ],
  [
    'INSERT INTO one SELECT a FROM t UNION SELECT a FROM u',
    `UNION over a stream is not supported${ON_FLINK}`,
    'a',
  ],
  [
    'INSERT INTO one SELECT COUNT(*) FROM t',
    "Table sink 'one' doesn't support consuming update and delete changes",
    'one',
  ],
  [
    'INSERT INTO plain SELECT a, COUNT(*) FROM t GROUP BY a',
    "Table sink 'plain' doesn't support consuming update and delete changes",
    'plain',
  ],
  [
    'INSERT INTO text SELECT v FROM up',
    "Table sink 'text' doesn't support consuming update and delete changes",
    'text',
  ],
  [
    'INSERT INTO one SELECT a FROM t MATCH_RECOGNIZE (x)',
    `MATCH_RECOGNIZE is not supported${ON_FLINK}`,
    'MATCH_RECOGNIZE',
  ],
  [
    'INSERT INTO one SELECT a FROM t TABLESAMPLE SYSTEM(1)',
    `TABLESAMPLE is not supported${ON_FLINK}`,
    'TABLESAMPLE',
  ],
  [
    "INSERT INTO one SELECT a FROM t GROUP BY TUMBLE(ts, INTERVAL '1' MINUTE), a",
    `TUMBLE is no function of a row: write TABLE(TUMBLE(TABLE t, DESCRIPTOR(c), INTERVAL '1' MINUTE)) in FROM${ON_FLINK}`,
    'TUMBLE',
  ],
  [
    "INSERT INTO one SELECT a FROM TABLE(SESSION(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE))",
    `SESSION windows are not supported${ON_FLINK}`,
    'SESSION',
  ],
  [
    "INSERT INTO one SELECT a FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(p), INTERVAL '1' MINUTE))",
    `DESCRIPTOR takes the watermark column of a table, and p is none${ON_FLINK}`,
    'p',
  ],
  [
    "INSERT INTO one SELECT a FROM TABLE(HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '7' SECOND, INTERVAL '10' SECOND))",
    'the size of HOP must be a multiple of its slide',
    'HOP',
  ],
  [
    `INSERT INTO void SELECT COUNT(*) FROM ${WINDOWED}`,
    `an aggregate over windows needs window_start or window_end in GROUP BY${ON_FLINK}`,
    'COUNT',
  ],
  [
    `INSERT INTO text SELECT DISTINCT b FROM ${WINDOWED}`,
    `DISTINCT over windows needs window_start or window_end among its columns${ON_FLINK}`,
    'b',
  ],
  [
    `INSERT INTO text SELECT b FROM (SELECT b, ROW_NUMBER() OVER (PARTITION BY b ORDER BY d) n FROM ${WINDOWED}) WHERE n = 1`,
    `OVER over windows needs window_start or window_end in PARTITION BY${ON_FLINK}`,
    'ROW_NUMBER',
  ],
  [
    'INSERT INTO text SELECT name FROM t JOIN f FOR SYSTEM_TIME AS OF ts ON t.a = f.id',
    `FOR SYSTEM_TIME AS OF takes a column that is AS PROCTIME(); ts is none${ON_FLINK}`,
    'ts',
  ],
  [
    'INSERT INTO text SELECT name FROM t JOIN f FOR SYSTEM_TIME AS OF p ON t.a < f.id',
    'the join with f needs an equality of one of its columns with the left side in ON',
    'f',
  ],
  [
    'INSERT INTO one SELECT a FROM t JOIN u FOR SYSTEM_TIME AS OF p ON t.a = u.a',
    `FOR SYSTEM_TIME AS OF takes a database table, and u is none${ON_FLINK}`,
    'u',
  ],
  [
    'INSERT INTO text SELECT name FROM f LEFT JOIN t ON t.a = f.id',
    `a LEFT JOIN that keeps rows of a database table without a partner in the stream is not supported${ON_FLINK}`,
    't',
  ],
  [
    'INSERT INTO one SELECT b FROM t',
    "Column types of query result and sink for 'one' do not match.\nCause: Incompatible types for sink column 'a' at position 0.\n\nQuery schema: [b: STRING]\nSink schema:  [a: INT]",
    'one',
  ],
  [
    'INSERT INTO one SELECT a, b FROM t',
    "Column types of query result and sink for 'one' do not match.\nCause: Different number of columns.\n\nQuery schema: [a: INT, b: STRING]\nSink schema:  [a: INT]",
    'one',
  ],
  ['INSERT INTO one (z) SELECT a FROM t', "column 'z' does not exist in table one; its columns are a", 'z'],
  ['INSERT INTO required (a, a) SELECT a, a FROM t', "column 'a' is named twice", 'a'],
  [
    'INSERT INTO required (b) SELECT b FROM t',
    "column 'a' of table required is NOT NULL, so the statement has to write it",
    'b',
  ],
  [
    'INSERT INTO meta SELECT a, a FROM t',
    "metadata column 'offset' of table meta cannot be written; declare it as VIRTUAL",
    'meta',
  ],
  [
    'INSERT INTO two SELECT a + 1 FROM two',
    `the job reads table two, which it writes: such a loop is not supported${ON_FLINK}`,
    'two',
  ],
  [
    'INSERT INTO up SELECT id, MAX(v) FROM up GROUP BY id',
    `the job reads table up, which it writes: such a loop is not supported${ON_FLINK}`,
    'up',
  ],
  [
    'INSERT INTO one SELECT a FROM t UNION ALL SELECT a FROM same',
    `the job reads table same, which has what it writes to one: such a loop is not supported${ON_FLINK}`,
    'one',
  ],
  [
    'EXECUTE STATEMENT SET BEGIN INSERT INTO two SELECT a FROM t; INSERT INTO one SELECT a FROM two; INSERT INTO two SELECT a FROM same; END',
    `the job reads table two, which has what it writes to one: such a loop is not supported${ON_FLINK}`,
    'one',
  ],
  [
    'INSERT INTO one SELECT id FROM f LIMIT (SELECT COUNT(*) FROM duckdb_settings())',
    'LIMIT takes a whole number',
    '(',
  ],
  ["INSERT INTO one SELECT id FROM f LIMIT 1 OFFSET getenv('HOME')", 'OFFSET takes a whole number', 'getenv'],
  ['INSERT INTO one SELECT id FROM f LIMIT 1.5', 'LIMIT takes a whole number', '1.5'],
  ['INSERT INTO one SELECT id FROM f LIMIT 1 + 1', 'LIMIT takes a whole number', '+'],
  [
    'INSERT INTO one SELECT id FROM f UNION ALL SELECT id FROM f LIMIT getenv(name)',
    'LIMIT takes a whole number',
    'getenv',
  ],
  [
    'INSERT INTO one SELECT id FROM (SELECT id FROM f LIMIT 10%) q',
    'LIMIT with a percentage is not supported; write a whole number',
    '10',
  ],
  [
    "INSERT INTO one SELECT DISTINCT ON (getenv('HOME')) id FROM f",
    'DISTINCT ON is not supported; use ROW_NUMBER',
    'getenv',
  ],
  ['INSERT INTO one SELECT TRUNC(d) FROM t', `function 'TRUNC' is not supported${ON_FLINK}`, 'TRUNC'],
  ['INSERT INTO one SELECT `nope`(d) FROM t', `function 'NOPE' is not supported${ON_FLINK}`, '`nope`'],
  [
    "INSERT INTO one SELECT a FROM t WHERE b SIMILAR TO 'x'",
    `SIMILAR TO is not supported${ON_FLINK}`,
    'SIMILAR',
  ],
  ['INSERT INTO gen SELECT a FROM t', 'table gen cannot be written', 'gen'],
  ['INSERT INTO one SELECT a FROM void', 'table void cannot be read: it is a sink', 'void'],
  ['INSERT INTO one SELECT a FROM t WHERE', 'syntax error at end of input', 'WHERE'],
  ['INSERT INTO one SELEC a FROM t', 'syntax error at or near "SELEC"', 'SELEC'],
  ['INSERT INTO one SELECT a FROM t WHER a = 1', 'syntax error at or near "a"', 'a'],
  ['INSERT INTO one SELECT a FROM t x `My "x"`', 'syntax error at or near "My "x""', '`My "x"`'],
  ['INSERT INTO one SELECT a, FROM t', "expected an expression after ','", ','],
  ['INSERT INTO one SELECT "a" FROM t', 'use back-ticks for names and single quotes for texts', '"a"'],
  ['INSERT INTO one SELECT CAST(a AS FOO) FROM t', "unknown type 'FOO'", 'FOO'],
  [
    'INSERT INTO one SELECT timestamp FROM t',
    "'timestamp' is a reserved word; write `timestamp` in back-ticks",
    'timestamp',
  ],
  [
    'INSERT INTO text SELECT b FROM t WHERE a > b',
    'INT and STRING cannot be compared; cast one of them',
    '>',
  ],
  [
    'INSERT INTO one SELECT a FROM t; SELECT 1',
    'a job has one statement; use EXECUTE STATEMENT SET for several',
    'SELECT',
  ],
  [
    'INSERT INTO one SELECT a /*+ OPTIONS() */ FROM t',
    `hints are not supported${ON_FLINK}`,
    '/*+ OPTIONS() */',
  ],
  ['INSERT INTO one SELECT a::BIGINT FROM t', "unexpected ':'", ':'],
  [
    "INSERT INTO one SELECT a FROM x.read_csv('/etc/passwd')",
    'functions have names without a database',
    'read_csv',
  ],
  [
    'INSERT INTO one SELECT a FROM t\n  JOIN\n  u ON TRUE',
    `a join of two streams is not supported${ON_FLINK}`,
    'u',
  ],
]

test.each(refused)('%s', async (statement, reason, marked) => {
  const problem = await planner.plan(statement, ['hidden']).then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(problem).toBeInstanceOf(SqlProblem)
  const { reason: got, place } = problem as SqlProblem
  expect(got).toBe(reason)
  const lines = statement.split('\n')
  const shown = place === undefined ? '' : lines[place.line - 1]!.slice(place.column - 1, place.endColumn)
  expect(shown).toBe(marked)
  expect(place!.endLine).toBe(place!.line)
})
