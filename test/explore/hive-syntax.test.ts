/** Which parts of a statement are rewritten, and which are not. */
import { DuckDBInstance } from '@duckdb/node-api'
import { describe, expect, test } from 'vitest'
import { fromHive } from '../../src/explore/hive-syntax.ts'
import { hiveTokensOf, tokensOf } from '../../src/explore/sql-tokens.ts'
import { cpuMs } from '../support/cpu-time.ts'
import { effort, SEED } from '../support/effort.ts'
import { answered, rowsOf } from '../support/explore.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { STREAMS, testApp } from '../support/test-app.ts'

describe('the inside of a text, a name or a comment does not change', () => {
  test.each([
    ["E'\\'`a`'", "'`a`"],
    ["e'\\\\', '`a`'", '\\', '`a`'],
    ["E'\\'' || '`a`'", "'`a`"],
    ["E'it''s `a`'", "it's `a`"],
    ["E'x'\n '\\'`a`'", "x'`a`"],
    ["E'x' -- it's\n'\\'`a`'", "x'`a`"],
    ["'\\', '`a`'", '\\', '`a`'],
    ["'it''s `a` [\"k\"]'", 'it\'s `a` ["k"]'],
    ['$$`a`$$', '`a`'],
    ["$$it's$$, '`a`'", "it's", '`a`'],
    ['$tag$`a` $$ ["k"] $tag$', '`a` $$ ["k"] '],
    ["$é$`a`$é$, '`b`'", '`a`', '`b`'],
    ["N'`a`'", '`a`'],
    ["X'61', '`a`'", 'x61', '`a`'],
    ["/* it's `a` */ '`a`'", '`a`'],
    ["/* a /* b */ it's */ '`a`'", '`a`'],
    ["/*/ it's */ '`a`'", '`a`'],
    ["-- it's `a`\n '`a`'", '`a`'],
    ["-- it's `a`\r '`a`'", '`a`'],
    ["'`a`' /* ; */ ; -- ;", '`a`'],
    ["'a;b`';;", 'a;b`'],
  ])('SELECT %s', async (list, ...cells) => {
    const app = await testApp()
    expect(await rowsOf(app, `SELECT ${list}`)).toEqual([cells])
  })

  /** A parameter as CDAP's JDBC driver writes it: quotes behind a backslash, and nothing else. */
  const parameter = (value: string) => `'${value.replaceAll("'", "\\'")}'`
  test.each([
    [[parameter("it's")], ["it's"]],
    [[parameter("x' OR 1=1 --")], ["x' OR 1=1 --"]],
    [
      [parameter("'; DROP TABLE t; --"), parameter("'")],
      ["'; DROP TABLE t; --", "'"],
    ],
    [
      [parameter("a''b"), "E'it\\'s'", "'it''s'", "$$\\'$$"],
      ["a''b", "it's", "it's", "\\'"],
    ],
    [["/* it\\'s */ 'a' -- it\\'s\n"], ['a']],
    [
      ["'\\d\\\\'", parameter('`a` "b"')],
      ['\\d\\\\', '`a` "b"'],
    ],
    // Without an end by Hive's rule: then a backslash is a character like any other.
    [["'C:\\'"], ['C:\\']],
    [
      ["'C:\\'", "'D:\\'"],
      ['C:\\', 'D:\\'],
    ],
    // As a name in back-ticks, or in quotes, would have none.
    [
      ["'\\'", "'a'", "'`'"],
      ['\\', 'a', '`'],
    ],
    [
      ["'\\'", "'a'", "'\"'"],
      ['\\', 'a', '"'],
    ],
  ])('parameters %j', async (list, cells) => {
    const app = await testApp()
    expect(await rowsOf(app, `SELECT ${list.join(', ')}`)).toEqual([cells])
  })

  test.each(['SELECT 1 AS `ab', 'SELECT 1 AS `a``', 'SELECT 1 AS `', 'SELECT 1 AS "ab'])(
    '%s, a name without an end, is left as it is',
    (sql) => {
      expect(fromHive(sql)).toBe(sql)
    },
  )

  test.each([
    ['SELECT "a`b" FROM (SELECT 1 AS "a`b")', 'a`b'],
    ['SELECT 1 AS "it\'s"', "it's"],
    ['SELECT 1 AS a$$b, 2 AS b$$c', 'a$$b'],
    ['SELECT `a b` FROM (SELECT 1 AS "a b")', 'a b'],
    ['SELECT `a"b` FROM (SELECT 1 AS "a""b")', 'a"b'],
    ['SELECT 1 AS `a``b`', 'a`b'],
  ])('the name in %s', async (sql, name) => {
    const app = await testApp()
    expect((await answered(app, sql)).columns[0]).toBe(`${name} INT`)
  })
})

test.each([
  ['headers["k"]', ['v']],
  ['s.headers["k"]', ['v']],
  ['"headers" /* of it */ ["k"]', ['v']],
  ['`headers`["k"]', ['v']],
  ['(headers)["k"]', ['v']],
  ['b["k"], e["k"], x["k"]', [1, 2, 3]],
  ['{\'a\': {\'b\': 5}}["a"]["b"]', [5]],
  ['["body"]', ['["one"]']],
  ['ARRAY["body"]', ['["one"]']],
  ['DISTINCT ["body"]', ['["one"]']],
  ['CASE WHEN true THEN ["body"] ELSE ["body"] END', ['["one"]']],
  ['["body", "body"]', ['["one","one"]']],
  ['"body" = \'one\' AND ["body"] IS NOT NULL', [true]],
])('a key in double quotes is one behind a value alone: %s', async (list, cells) => {
  const app = await testApp({ streams: ['s'] })
  await app.post(`${STREAMS}/s`, { headers: { 's.k': 'v' }, body: 'one' })
  const maps = "(SELECT MAP {'k': 1} AS b, {'k': 2} AS e, MAP {'k': 3} AS x)"
  expect(await rowsOf(app, `SELECT ${list} FROM stream_s s, ${maps}`)).toEqual([cells])
})

test('EXPLAIN is found after comments of every kind', async () => {
  const app = await testApp()
  for (const comment of ["-- it's\n", "/* a /* b */ it's */", '-- x\r']) {
    const { columns } = await answered(app, `${comment} EXPLAIN ${comment} SELECT 1`)
    expect(columns[0]).toBe('explain_key STRING')
  }
})

/** Judged by DuckDB's parser: a statement that it reads unconverted has the same tree when it is converted. */
test('random characters that are SQL without back-ticks as names stay the same statement', async () => {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' })
  const connection = await instance.connect()
  const treeOf = async (sql: string): Promise<string | undefined> => {
    const reader = await connection.runAndReadAll('SELECT json_serialize_sql($1::VARCHAR)', [sql])
    const tree = JSON.parse(String(reader.getRows()[0]![0])) as { error: boolean }
    return tree.error
      ? undefined
      : JSON.stringify(tree, (key, value) => (key === 'query_location' ? 0 : value))
  }
  const parts = `' ' " \` \` $ $$ $a$ E e E' \\ \\ -- /* */ a x , '' "" ; 1 ( ) é \u00a0`.split(' ')
  const random = seededRandom(SEED)
  let read = 0
  const texts = effort({ short: 1_000, long: 20_000 })
  for (let i = 0; i < texts; i++) {
    const length = random.whole(3, 14)
    const soup = Array.from({ length }, () => random.pick([...parts, '\n', '\r', ' ', ' ']))
    const sql = `SELECT ${soup.join('')}`
    expect(tokensOf(sql).join('')).toBe(sql)
    expect(hiveTokensOf(sql).join('')).toBe(sql)
    // Tables test these: Hive's escape, which DuckDB reads in another way, and semicolons at the end, which are removed.
    if (sql.includes("\\'") || /;[\s;]*$/.test(sql)) continue
    const tree = await treeOf(sql)
    if (tree === undefined || /"function_name":"[^"]*`|__postfix/.test(tree)) continue // an operator
    read++
    expect(await treeOf(fromHive(sql)), JSON.stringify(sql)).toBe(tree)
  }
  expect(read).toBeGreaterThan(texts / 40)
  connection.closeSync()
  instance.closeSync()
})

test('the longest statement is converted quickly, whatever is not closed in it', () => {
  const long = 131_000
  const texts = [
    "E'",
    "'",
    '"',
    '`',
    '$a$',
    '/*',
    '/*/*',
    '--',
    "E'' \n",
    '$a',
    '$',
    "E'\\",
    'é',
    "E'a'\n\n",
    '[',
  ]
  for (const text of texts) {
    const begun = cpuMs()
    fromHive(text.repeat(long / text.length))
    fromHive(`SELECT ${text}${' \n'.repeat(long / 2)}`)
    expect(cpuMs() - begun, JSON.stringify(text)).toBeLessThan(1_000)
  }
})
