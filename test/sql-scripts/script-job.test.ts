/** From scripts to jobs: statements, temporary tables and views, and the places of problems. */
import { describe, expect, test } from 'vitest'
import { SqlProblem } from '../../src/sql/sql-problem.ts'
import { rewriteStatement } from '../../src/sql/statement-rewriter.ts'
import { jobOfScripts, scriptJobOf } from '../../src/sql-scripts/script-job.ts'

const A = 'INSERT INTO A SELECT * FROM S'
const B = 'INSERT INTO B SELECT * FROM S'

describe('scripts of a job', () => {
  const made = (...texts: string[]) =>
    jobOfScripts(texts.map((text, i) => ({ name: `${'xyz'[i]}.sql`, text })))

  test.each([
    { what: 'one', texts: [A] },
    { what: 'one with a semicolon, comments and empty statements', texts: [`-- first\n;${A};;\n-- last`] },
    { what: 'one in EXECUTE', texts: [`EXECUTE ${A}`] },
    { what: 'one in a set', texts: [`execute statement set begin ${A}; end;`] },
    { what: 'one in a set of the older form', texts: [`BEGIN STATEMENT SET;\n${A};\nEND`] },
  ])('$what', ({ texts }) => {
    expect(made(...texts)).toMatchObject({ statement: A, jobName: undefined })
  })

  test.each([
    { what: 'two in one script', texts: [`${A};\n${B};`] },
    { what: 'two scripts', texts: [A, B] },
    { what: 'sets and others', texts: [`EXECUTE STATEMENT SET BEGIN ${A}; END; ${B}`] },
    { what: 'comments to the end of the line', texts: [`${A} -- all`, `${B} // all`] },
  ])('$what become a set', ({ texts }) => {
    const { statement } = made(...texts)
    expect(rewriteStatement(statement).map(({ sink }) => sink.name)).toEqual(['A', 'B'])
  })

  test('a text may have semicolons and comments', () => {
    const text = "INSERT INTO A SELECT ';--' FROM `a;b`"
    expect(made(text).statement).toBe(text)
  })

  test('the job gets its name by SET', () => {
    expect(made(`SET 'pipeline.name' = 'Top CPUs';\n${A}`)).toMatchObject({
      statement: A,
      jobName: 'Top CPUs',
    })
  })

  test.each([
    { texts: [''], text: 'x.sql: there is no INSERT INTO; a job needs one' },
    { texts: ['', ';'], text: 'x.sql, y.sql: there is no INSERT INTO; a job needs one' },
    { texts: [A, "SELECT 'open"], text: "y.sql: the text does not end; close it with ' at line 1, column 8" },
    {
      texts: [`${A};\n SELECT 1`],
      text: 'x.sql: a job needs INSERT INTO before its query at line 2, column 2',
    },
    {
      texts: ['CREATE TABLE t (a INT)'],
      text: 'x.sql: the script of a job has CREATE TEMPORARY TABLE and VIEW; create those of the catalog before, on their own at line 1, column 1',
    },
    {
      texts: [`${A}; drop table t`],
      text: 'x.sql: the script of a job has no DROP; execute it before, on its own at line 1, column 32',
    },
    {
      texts: ['CREATE TEMPORARY VIEW v AS SELECT 1'],
      text: 'x.sql: there is no INSERT INTO; a job needs one',
    },
    {
      texts: [`${A};\n CREATE TEMPORARY TABLE t (a INT)`],
      text: "x.sql: a temporary table needs WITH ('connector' = '…') at line 2, column 25",
    },
    {
      texts: ["CREATE TEMPORARY TABLE t WITH ('connector' = 'print') LIKE s"],
      text: 'x.sql: a temporary table takes no LIKE; write its columns at line 1, column 24',
    },
    {
      texts: [`CREATE TEMPORARY VIEW v AS SELECT 1;\nCREATE TEMPORARY VIEW v AS SELECT 2; ${A}`],
      text: 'x.sql: View default.default.v already exists. at line 2, column 23',
    },
    {
      texts: [`CREATE TEMPORARY VIEW other.v AS SELECT 1; ${A}`],
      text: "x.sql: database 'other' does not exist; the database is default at line 1, column 23",
    },
    {
      texts: ["SET 'parallelism.default' = '2';"],
      text: "x.sql: only SET 'pipeline.name' = 'name of the job' is possible in a script at line 1, column 1",
    },
    {
      texts: [`BEGIN STATEMENT SET; ${A};`],
      text: 'x.sql: the statement set does not end; add END; at line 1, column 51',
    },
    { texts: [`${A}; END;`], text: "x.sql: expected a statement, got 'END'" },
    {
      texts: ['EXECUTE STATEMENT SET BEGIN BEGIN STATEMENT SET'],
      text: 'x.sql: a statement set begins within another; end it first',
    },
  ])('$texts is refused', ({ texts, text }) => {
    expect(() => made(...texts)).toThrow(text)
  })

  test('places of problems are those in the script', () => {
    const { statement, inScript } = made(`${A};`, `-- second\n  INSERT INTO B\n  SELECT *\n  FROM nope; ${A}`)
    const lines = statement.split('\n')
    const placeOf = (part: string) => {
      const line = lines.findLastIndex((one) => one.includes(part))
      const column = lines[line]!.indexOf(part) + 1
      return { line: line + 1, column, endLine: line + 1, endColumn: column + part.length - 1 }
    }
    const problem = (part: string) => inScript(new SqlProblem('no', placeOf(part))).message
    expect(problem('nope')).toBe('y.sql: no at line 4, column 8')
    expect(problem('B')).toBe('y.sql: no at line 2, column 15')
    expect(problem('FROM S')).toBe('y.sql: no at line 4, column 37')
    expect(inScript(new SqlProblem('whole')).message).toBe('whole')
  })

  test('temporary tables and views are those of the script', () => {
    const script = [
      "CREATE TEMPORARY TABLE `datagen` (\n  name STRING,\n  n INT\n) WITH ('connector' = 'datagen', 'fields.n.MIN' = '1');",
      'CREATE TEMPORARY VIEW default.`default`.v (a, b) AS\n  SELECT * FROM datagen WHERE n > 1;',
      'CREATE TEMPORARY VIEW IF NOT EXISTS v AS SELECT 1;',
      'INSERT INTO A SELECT a FROM v',
    ].join('\n')
    const { temporary, statement, inScript } = scriptJobOf(script)
    expect(statement).toBe('INSERT INTO A SELECT a FROM v')
    expect(temporary).toEqual([
      {
        ...{ kind: 'table', name: 'datagen', schemaSql: 'name STRING,\n  n INT' },
        options: { connector: 'datagen', 'fields.n.MIN': '1' },
      },
      { kind: 'view', name: 'v', columns: ['a', 'b'], query: 'SELECT * FROM datagen WHERE n > 1' },
    ])
    const place = { line: 2, column: 5, endLine: 2, endColumn: 7 }
    const problem = new SqlProblem('no', place)
    expect(inScript(problem.of('datagen')).place).toEqual({ line: 3, column: 5, endLine: 3, endColumn: 7 })
    expect(inScript(new SqlProblem('no', { ...place, line: 1, endLine: 1 }).of('v')).place).toEqual({
      ...{ line: 6, column: 7, endLine: 6, endColumn: 9 },
    })
    expect(inScript(new SqlProblem('no', { ...place, line: 1, endLine: 1 })).place).toEqual({
      ...{ line: 8, column: 5, endLine: 8, endColumn: 7 },
    })
  })
})
