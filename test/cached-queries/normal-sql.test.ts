/** Which texts are the same query. */
import { expect, test } from 'vitest'
import { normalSql } from '../../src/cached-queries/normal-sql.ts'

const QUERY = "SELECT a, count(*) FROM t WHERE b = 'X y' GROUP BY a"

const same = [
  { name: 'white space', sql: "SELECT  a,\n\tcount( * )\r\nFROM t WHERE b = 'X y' GROUP BY a " },
  { name: 'key words in lower case', sql: "select a, COUNT(*) from t where b = 'X y' group by a" },
  {
    name: 'a comment to the end of the line',
    sql: 'SELECT a, -- the "group"\ncount(*) FROM t WHERE b = \'X y\' GROUP BY a',
  },
  {
    name: 'comments in comments',
    sql: "SELECT /* a /* ' */ b */ a, count(*) FROM t WHERE b = 'X y' GROUP BY a",
  },
  { name: 'a semicolon at the end', sql: `${QUERY} ; ` },
  { name: 'no space around an operator', sql: "SELECT a,count(*)FROM t WHERE b='X y'GROUP BY a" },
]

test.each(same)('$name does not count', ({ sql }) => {
  expect(normalSql(sql)).toBe(normalSql(QUERY))
})

const others = [
  { name: 'a text in quotes', one: "SELECT 'a'", other: "SELECT 'A'" },
  { name: 'white space in a text', one: "SELECT 'a b'", other: "SELECT 'a  b'" },
  { name: 'a comment in a text', one: "SELECT 'a--b'", other: "SELECT 'a" },
  { name: 'a name in quotes', one: 'SELECT "a"', other: 'SELECT "A"' },
  { name: 'a doubled quote', one: "SELECT 'a''B'", other: "SELECT 'a''b'" },
  { name: 'a quote behind a backslash', one: "SELECT E'\\' A'", other: "SELECT E'\\' a'" },
  { name: 'a text in dollars', one: 'SELECT $x$ A $x$', other: 'SELECT $x$ a $x$' },
  { name: 'a number', one: 'SELECT 1.0', other: 'SELECT 1.00' },
  { name: 'two operators', one: 'SELECT a < - b', other: 'SELECT a - < b' },
]

test.each(others)('$name counts', ({ one, other }) => {
  expect(normalSql(one)).not.toBe(normalSql(other))
})
