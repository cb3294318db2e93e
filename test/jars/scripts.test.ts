// biome-ignore-all lint/suspicious/noTemplateCurlyInString: scripts have parameters in this form
/** From scripts and program arguments to one statement. */
import { describe, expect, test } from 'vitest'
import { argumentsIn, parametersOf } from '../../src/jars/program-arguments.ts'
import { withParameters } from '../../src/jars/script-parameters.ts'
import { statementOf } from '../../src/jars/script-statements.ts'
import { SqlProblem } from '../../src/sql/sql-problem.ts'
import { rewriteStatement } from '../../src/sql/statement-rewriter.ts'

describe('arguments', () => {
  test.each([
    ['', []],
    ['  ', []],
    ['--a 1', ['--a', '1']],
    [' --a\t1\n--b  2 ', ['--a', '1', '--b', '2']],
    ['--a "x y" --b \'z "q" w\'', ['--a', 'x y', '--b', 'z q w']],
    ['--a x"y z"', ['--a', 'xy', 'z']], // as Flink: a quote within a word does not hold it together
    ['--a "open', ['--a', 'open']],
  ])('%j', (text, list) => {
    expect(argumentsIn(text)).toEqual(list)
  })

  test('become parameters', () => {
    const given = ['--a', '1', '-b.c_d-e', '-2.5', '--a', 'last', '--empty', '']
    expect([...parametersOf(given)]).toEqual([
      ['a', 'last'],
      ['b.c_d-e', '-2.5'],
      ['empty', ''],
    ])
  })

  test.each([
    [['a'], "got the argument 'a'; write pairs: --key value"],
    [['--a=1'], "got the argument '--a=1'; write pairs: --key value"],
    [['--', '1'], "got the argument '--'; write pairs: --key value"],
    [['--a'], 'the argument --a has no value; write --a value'],
    [['--a', '--b', '1'], 'the argument --a has no value; write --a value'],
  ])('%j are refused', (given, text) => {
    expect(() => parametersOf(given)).toThrow(text)
  })

  test('are refused if they are long', () => {
    expect(() => argumentsIn('"'.repeat(65_537))).toThrow(
      'the program arguments have 65537 characters; use at most 65536',
    )
    expect(() => parametersOf(['--a', 'x'.repeat(65_534)])).toThrow('have 65537 characters')
    expect(argumentsIn('"'.repeat(65_535)).length).toBeGreaterThan(0)
  })
})

describe('parameters in a script', () => {
  const parameters = new Map([
    ['from', 'CPU_IN'],
    ['text', "it's"],
  ])
  const replaced = (text: string) => withParameters({ name: 'a.sql', text }, parameters)

  test.each([
    ['SELECT * FROM ${from}', 'SELECT * FROM CPU_IN'],
    ["'${from}' `${from}_2` ${from}${from}", "'CPU_IN' `CPU_IN_2` CPU_INCPU_IN"],
    ['-- ${nope}\n${from} // ${nope}', '-- ${nope}\nCPU_IN // ${nope}'],
    ['/* ${nope} */${from}/* ${nope}', '/* ${nope} */CPU_IN/* ${nope}'],
    ["'-- ${from}' '//' \"/*\" ${from}", "'-- CPU_IN' '//' \"/*\" ${from}"],
    ['$from {from} $${from}', '$from {from} $CPU_IN'],
  ])('%j', (text, wanted) => {
    expect(replaced(text)).toBe(wanted)
  })

  test('that have no argument are refused', () => {
    expect(() => replaced("'${nope}'")).toThrow(
      'a.sql has ${nope}, and there is no argument --nope; add --nope VALUE to the program arguments',
    )
  })

  test('cannot make it long', () => {
    const long = new Map([['a', 'x'.repeat(65_000)]])
    expect(() => withParameters({ name: 'a.sql', text: '${a}'.repeat(100_000) }, long)).toThrow(
      'the arguments add more than 131072 characters to a.sql; use shorter ones',
    )
  })

  test('are found in linear time', () => {
    expect(replaced('/*/'.repeat(100_000)).length).toBe(300_000)
    expect(replaced('${'.repeat(100_000)).length).toBe(200_000)
  })
})

const A = 'INSERT INTO A SELECT * FROM S'
const B = 'INSERT INTO B SELECT * FROM S'

describe('statements', () => {
  const made = (...texts: string[]) =>
    statementOf(texts.map((text, i) => ({ name: `${'xyz'[i]}.sql`, text })))

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
      text: "x.sql: expected INSERT INTO, got 'SELECT'; a script has INSERT INTO statements at line 2, column 2",
    },
    {
      texts: ['CREATE TABLE t (a INT)'],
      text: 'x.sql: a script cannot create tables and views; create the table before (POST /v1/project/PROJECT/service/NAMESPACE/flink/table), and the script can name it at line 1, column 1',
    },
    {
      texts: ['CREATE TEMPORARY VIEW v AS SELECT 1'],
      text: 'x.sql: a script cannot create tables and views',
    },
    {
      texts: ["SET 'parallelism.default' = '2';"],
      text: "x.sql: only SET 'pipeline.name' = 'name of the job' is possible in a script at line 1, column 1",
    },
    {
      texts: [`BEGIN STATEMENT SET; ${A};`],
      text: 'x.sql: the statement set does not end; add END; at line 1, column 51',
    },
    { texts: [`${A}; END;`], text: "x.sql: expected INSERT INTO, got 'END'" },
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
})
