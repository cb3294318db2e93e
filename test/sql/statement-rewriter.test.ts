import { expect, test } from 'vitest'
import { rewriteStatement } from '../../src/sql/statement-rewriter.ts'

const rewritten: readonly (readonly [query: string, sql: string])[] = [
  ['SELECT a, USAGE, `x y` FROM T', 'SELECT "a" , "usage$1f" , "x y$0" FROM "t$1"'],
  ["SELECT INTERVAL '1:30' MINUTES TO SECONDS", "SELECT INTERVAL '90' SECOND"],
  ["SELECT INTERVAL -'2' DAY", "SELECT INTERVAL '-172800' SECOND"],
  ["SELECT INTERVAL '1-2' YEAR TO MONTH", "SELECT INTERVAL '14' MONTH"],
  ['SELECT CAST(a AS TIMESTAMP_LTZ(3))', 'SELECT cast ( "a" AS TIMESTAMP_LTZ(3) )'],
  [
    'SELECT CAST(a AS ROW<X INT, `y z` ARRAY<STRING>>)',
    'SELECT cast ( "a" AS STRUCT("X" INTEGER, "y z" VARCHAR[]) )',
  ],
  ['SELECT TRY_CAST(a AS VARCHAR(3))', 'SELECT try_cast ( "a" AS __varchar(3) )'],
  ['SELECT FLOOR(ts TO HOUR)', `SELECT floor ( "ts" , 'HOUR' )`],
  ["SELECT MAP['a', f(1, 2), 'b', 3]", "SELECT MAP { 'a' : f ( 1 , 2 ) , 'b' : 3 }"],
  ['SELECT CURRENT_TIMESTAMP', 'SELECT current_timestamp()'],
  ['SELECT TIMESTAMPDIFF(DAY, a, b)', 'SELECT timestampdiff ( "DAY" , "a" , "b" )'],
  ["SELECT U&'\\00e9'", "SELECT 'é'"],
  ["SELECT X'4a'", "SELECT CAST('4a' AS __hex)"],
  [
    "SELECT * FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) AS w",
    'SELECT * FROM "__window0" AS "w"',
  ],
  [
    'SELECT * FROM t JOIN Db FOR SYSTEM_TIME AS OF t.p ON t.a = Db.a',
    'SELECT * FROM "t" JOIN "__lookup0" AS "db$1" ON "t" . "a" = "db$1" . "a"',
  ],
  ['SELECT a -- comment\n FROM t /* b */', 'SELECT "a" FROM "t"'],
  ['WITH q (x) AS (VALUES (1)) SELECT x FROM q', 'WITH "q" ( "x" ) AS ( VALUES ( 1 ) ) SELECT "x" FROM "q"'],
]

test.each(rewritten)('%s', (query, sql) => {
  const [insert] = rewriteStatement(`INSERT INTO sink ${query}`)
  expect(insert!.query.sql.trim()).toBe(sql)
})

test('places are those of the text of the user, also behind letters of several bytes', () => {
  const [insert] = rewriteStatement("INSERT INTO sink SELECT 'é', 'ü',\n  Größe FROM t")
  const { sql, map } = insert!.query
  const offset = Buffer.byteLength(sql.slice(0, sql.indexOf('"größe')))
  expect(map.placeAt(offset)).toEqual({ line: 2, column: 3, endLine: 2, endColumn: 7 })
})

test('a list of columns, a statement set, and one semicolon', () => {
  const set = rewriteStatement(
    'EXECUTE STATEMENT SET BEGIN INSERT INTO a (x, `y`) SELECT 1, 2; INSERT INTO b (SELECT 3); END;',
  )
  expect(set.map(({ sink, columns }) => [sink.name, columns?.map(({ name }) => name)])).toEqual([
    ['a', ['x', 'y']],
    ['b', undefined],
  ])
})
