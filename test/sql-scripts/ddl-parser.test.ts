import { describe, expect, test } from 'vitest'
import { SqlProblem, SyntaxProblem } from '../../src/sql/sql-problem.ts'
import { parseCatalogStatement } from '../../src/sql-scripts/ddl-parser.ts'

/** A tree without its places; maps as lists. */
function parsed(sql: string): unknown {
  const text = JSON.stringify(parseCatalogStatement(sql), (key, value) => {
    if (/[pP]lace$/.test(key)) return undefined
    return value instanceof Map ? [...value] : value
  })
  return text === undefined ? undefined : JSON.parse(text)
}

const name = (...parts: string[]) => {
  const [last, database, catalog] = parts.reverse()
  return { name: last, ...(database && { database }), ...(catalog && { catalog }) }
}
const table = { kind: 'create-table', isTemporary: false, ifNotExists: false, partitionedBy: [] }
const view = { kind: 'create-view', isTemporary: false, ifNotExists: false }
const drop = { kind: 'drop', isTemporary: false, ifExists: false }
const show = { kind: 'show' }

const statements: readonly { readonly sql: string; readonly tree: object }[] = [
  {
    sql: "CREATE TABLE t (id INT) WITH ('connector' = 'print')",
    tree: {
      ...table,
      name: name('t'),
      schema: { text: 'id INT' },
      options: [{ key: 'connector', value: 'print' }],
    },
  },
  {
    sql: `create temporary table if not exists default.default.\`my table\` (
      id INT, price DECIMAL(10, 2), -- the price
      PRIMARY KEY (id) NOT ENFORCED
    ) COMMENT 'it''s' PARTITIONED BY (id, price) WITH ('a'='', 'b' = 'x') ;`,
    tree: {
      ...table,
      isTemporary: true,
      ifNotExists: true,
      name: name('default', 'default', 'my table'),
      schema: {
        text: `id INT, price DECIMAL(10, 2), -- the price
      PRIMARY KEY (id) NOT ENFORCED`,
      },
      comment: "it's",
      partitionedBy: ['id', 'price'],
      options: [
        { key: 'a', value: '' },
        { key: 'b', value: 'x' },
      ],
    },
  },
  {
    sql: "CREATE TABLE t WITH ('topic' = 'x') LIKE `default`.s (INCLUDING ALL OVERWRITING OPTIONS EXCLUDING WATERMARKS)",
    tree: {
      ...table,
      name: name('t'),
      options: [{ key: 'topic', value: 'x' }],
      like: {
        name: name('default', 's'),
        choices: [
          ['ALL', 'INCLUDING'],
          ['OPTIONS', 'OVERWRITING'],
          ['WATERMARKS', 'EXCLUDING'],
        ],
      },
    },
  },
  {
    sql: 'CREATE TABLE t LIKE s',
    tree: { ...table, name: name('t'), like: { name: name('s'), choices: [] } },
  },
  {
    sql: 'CREATE TABLE t (a INT)',
    tree: { ...table, name: name('t'), schema: { text: 'a INT' } },
  },
  {
    sql: "CREATE VIEW v AS SELECT a, ';' FROM t;",
    tree: { ...view, name: name('v'), query: { text: "SELECT a, ';' FROM t" } },
  },
  {
    sql: "CREATE TEMPORARY VIEW IF NOT EXISTS v (x, `y z` COMMENT 'c') COMMENT 'd' AS SELECT 1, 2",
    tree: {
      ...view,
      isTemporary: true,
      ifNotExists: true,
      name: name('v'),
      columns: ['x', 'y z'],
      comment: 'd',
      query: { text: 'SELECT 1, 2' },
    },
  },
  { sql: 'DROP TABLE t', tree: { ...drop, what: 'table', name: name('t') } },
  {
    sql: 'DROP TEMPORARY VIEW IF EXISTS default.v',
    tree: { ...drop, what: 'view', isTemporary: true, ifExists: true, name: name('default', 'v') },
  },
  {
    sql: "ALTER TABLE t SET ('a' = '1', 'b' = '2')",
    tree: {
      kind: 'alter-table',
      ifExists: false,
      name: name('t'),
      change: {
        kind: 'set',
        options: [
          { key: 'a', value: '1' },
          { key: 'b', value: '2' },
        ],
      },
    },
  },
  {
    sql: "ALTER TABLE t RESET ('a', 'b')",
    tree: {
      kind: 'alter-table',
      ifExists: false,
      name: name('t'),
      change: { kind: 'reset', keys: [{ key: 'a' }, { key: 'b' }] },
    },
  },
  {
    sql: 'ALTER TABLE IF EXISTS a.b.t RENAME TO u',
    tree: {
      kind: 'alter-table',
      ifExists: true,
      name: name('a', 'b', 't'),
      change: { kind: 'rename', to: name('u') },
    },
  },
  { sql: 'SHOW TABLES', tree: { ...show, what: 'tables' } },
  {
    sql: "show views from default.default not like 'a%'",
    tree: {
      ...show,
      what: 'views',
      from: name('default', 'default'),
      like: { pattern: 'a%', isNegated: true },
    },
  },
  {
    sql: "SHOW FUNCTIONS LIKE 'c_'",
    tree: { ...show, what: 'functions', like: { pattern: 'c_', isNegated: false } },
  },
  { sql: 'SHOW DATABASES;', tree: { ...show, what: 'databases' } },
  { sql: 'SHOW CATALOGS', tree: { ...show, what: 'catalogs' } },
  { sql: 'SHOW CURRENT DATABASE', tree: { kind: 'show-current', what: 'database' } },
  { sql: 'SHOW CREATE TABLE t', tree: { kind: 'show-create', what: 'table', name: name('t') } },
  { sql: 'SHOW CREATE VIEW `v`', tree: { kind: 'show-create', what: 'view', name: name('v') } },
  { sql: 'DESC t', tree: { kind: 'describe', name: name('t') } },
  { sql: 'DESCRIBE EXTENDED default.t', tree: { kind: 'describe', name: name('default', 't') } },
  { sql: 'USE default', tree: { kind: 'use', what: 'database', name: name('default') } },
  { sql: 'USE CATALOG `default`', tree: { kind: 'use', what: 'catalog', name: name('default') } },
  {
    sql: 'EXPLAIN PLAN FOR INSERT INTO a SELECT * FROM b;',
    tree: { kind: 'explain', details: [], statement: { text: 'INSERT INTO a SELECT * FROM b' } },
  },
  {
    sql: 'EXPLAIN ESTIMATED_COST, CHANGELOG_MODE SELECT 1',
    tree: { kind: 'explain', details: ['ESTIMATED_COST', 'CHANGELOG_MODE'], statement: { text: 'SELECT 1' } },
  },
  {
    sql: 'EXPLAIN STATEMENT SET BEGIN INSERT INTO a SELECT 1; INSERT INTO b SELECT 2; END;',
    tree: {
      kind: 'explain',
      details: [],
      statement: { text: 'STATEMENT SET BEGIN INSERT INTO a SELECT 1; INSERT INTO b SELECT 2; END' },
    },
  },
]

test.each(statements)('$sql', ({ sql, tree }) => {
  expect(parsed(sql)).toEqual(tree)
})

test.each([
  '',
  '-- only a comment',
  'INSERT INTO a SELECT 1',
  "SELECT * FROM t /*+ OPTIONS('a'='b') */",
  'SET x',
])('another statement is none of these: %s', (sql) => {
  expect(parseCatalogStatement(sql)).toBeUndefined()
})

test('places are those of the whole text', () => {
  const statement = parseCatalogStatement(`CREATE VIEW
  default.v AS
  SELECT 1`)
  expect(statement).toMatchObject({
    name: { place: { line: 2, column: 3, endLine: 2, endColumn: 11 } },
    query: { place: { line: 3, column: 3, endLine: 3, endColumn: 10 } },
  })
})

const refused: readonly { readonly sql: string; readonly reason: string; readonly isSyntax?: false }[] = [
  { sql: 'CREATE', reason: 'TABLE, VIEW or TEMPORARY is missing at the end at line 1, column 6' },
  {
    sql: 'CREATE FUNCTION f',
    reason: "unexpected 'FUNCTION'; TABLE, VIEW or TEMPORARY is wanted at line 1, column 8",
  },
  { sql: 'CREATE TABLE t', reason: "'(' with the columns is missing at the end at line 1, column 14" },
  { sql: 'CREATE TABLE t ()', reason: 'there is no column at line 1, column 16' },
  { sql: 'CREATE TABLE t (a INT', reason: "'(' is not closed at line 1, column 16" },
  {
    sql: 'CREATE TABLE t (a INT INT)',
    reason: "unexpected 'INT'; ',' or the end is wanted at line 1, column 23",
  },
  {
    sql: 'CREATE TABLE t (\n  a INT,\n  b INT INT)',
    reason: "unexpected 'INT'; ',' or the end is wanted at line 3, column 9",
  },
  {
    sql: 'CREATE TABLE table (a INT)',
    reason: "'table' is a reserved word; write `table` in back-ticks at line 1, column 14",
  },
  {
    sql: "CREATE TABLE t (a INT) WITH ('password' 'pw')",
    reason: "'=' behind the name of an option is wanted at line 1, column 41",
  },
  {
    sql: "CREATE TABLE t (a INT) WITH ('password' = 'x' 'pw')",
    reason: "',' or ')' behind the value of an option is wanted at line 1, column 47",
  },
  {
    sql: "CREATE TABLE t (a INT) WITH ('a' = 1)",
    reason: "unexpected '1'; the value of the option in single quotes is wanted at line 1, column 36",
  },
  {
    sql: "CREATE TABLE t (a INT) WITH ('a' = '1', 'a' = '2')",
    reason: "option 'a' is there twice at line 1, column 41",
    isSyntax: false,
  },
  {
    sql: "CREATE TABLE t WITH ('a' = '1') AS SELECT 1",
    reason:
      'CREATE TABLE … AS is not supported; create the table with its columns, then INSERT INTO it at line 1, column 33',
    isSyntax: false,
  },
  {
    sql: 'CREATE TABLE t LIKE s (OVERWRITING ALL)',
    reason: 'ALL cannot be OVERWRITING; use INCLUDING or EXCLUDING at line 1, column 36',
    isSyntax: false,
  },
  { sql: 'CREATE VIEW v', reason: 'AS is missing at the end at line 1, column 13' },
  { sql: 'CREATE VIEW v AS ;', reason: "unexpected ';'; a query is wanted at line 1, column 18" },
  {
    sql: 'CREATE VIEW v (a, a) AS SELECT 1, 2',
    reason: "column 'a' is there twice at line 1, column 19",
    isSyntax: false,
  },
  { sql: 'DROP t', reason: "unexpected 't'; TABLE or VIEW is wanted at line 1, column 6" },
  {
    sql: 'DROP TABLE a.b.c.d',
    reason: "unexpected '.'; the end of the statement is wanted at line 1, column 17",
  },
  {
    sql: 'ALTER TABLE t ADD (a INT)',
    reason: "unexpected 'ADD'; SET, RESET or RENAME TO is wanted at line 1, column 15",
  },
  {
    sql: 'SHOW JOBS',
    reason:
      "unexpected 'JOBS'; TABLES, VIEWS, DATABASES, CATALOGS, FUNCTIONS, CREATE TABLE or CREATE VIEW is wanted at line 1, column 6",
  },
  {
    sql: 'SHOW TABLES; SHOW VIEWS',
    reason: "unexpected 'SHOW'; the end of the statement is wanted at line 1, column 14",
  },
  { sql: 'DESCRIBE', reason: 'the name of a table or view is missing at the end at line 1, column 8' },
  {
    sql: 'DESC "t"',
    reason: 'use back-ticks for names and single quotes for texts at line 1, column 6',
    isSyntax: false,
  },
  { sql: 'EXPLAIN', reason: 'a statement is missing at the end at line 1, column 7' },
]

describe('refused', () => {
  test.each(refused)('$sql', ({ sql, reason, isSyntax = true }) => {
    const problem = problemOf(sql)
    expect(problem.message).toBe(reason)
    expect(problem instanceof SyntaxProblem).toBe(isSyntax)
  })

  test('what only the catalog knows is not refused here', () => {
    expect(parseCatalogStatement('CREATE TABLE t (a INTT)')).toMatchObject({ schema: { text: 'a INTT' } })
  })
})

function problemOf(sql: string): SqlProblem {
  try {
    parseCatalogStatement(sql)
  } catch (error) {
    if (error instanceof SqlProblem) return error
    throw error
  }
  throw new Error('it was accepted')
}
