/**
 * Every function that this DuckDB has: a statement may call it because Flink has a function of that name, which the meaning
 * replaces, or it is refused at its place. So a new version of DuckDB cannot add a function to jobs.
 */
import duckdb from '@duckdb/node-api'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isFlinkFunction, isNameOfForm } from '../../../src/sql/functions.ts'
import { SqlProblem } from '../../../src/sql/sql-problem.ts'
import { effort, tellProof } from '../../support/effort.ts'
import { TestPlanner } from './plan-support.ts'

/** Functions of Flink whose names DuckDB has as well. */
const FLINK = wordsOf(`
  abs ascii avg ceil ceiling char_length character_length concat concat_ws cardinality count current_date dayofmonth
  dayofweek dayofyear dense_rank exp first_value floor greatest hour instr json_exists json_value lag last_value lead least
  left listagg ln log10 log2 lower lpad ltrim max md5 min minute mod month now nullif pi position power quarter rank
  regexp_extract regexp_replace repeat replace reverse right round row_number rpad rtrim second sha1 sha256 sign sqrt stddev
  stddev_pop stddev_samp substr substring sum to_timestamp trim upper uuid var_pop var_samp variance week year`)

/** Names that DuckDB's parser gives to forms of Flink. */
const FORMS = wordsOf(`
  count_star date_part like_escape not_like_escape to_days to_hours to_milliseconds to_minutes to_months to_seconds to_weeks
  to_years trunc !~~ % * + - / || ~~`)

/** Files, settings, the catalog, other statements, waiting, sequences. */
const DANGEROUS = wordsOf(`
  read_csv read_csv_auto read_json read_json_auto read_parquet read_text read_blob parquet_scan parquet_metadata glob sniff_csv
  getenv current_setting getvariable nextval currval query query_table json_execute_serialized_sql json_deserialize_sql
  json_serialize_sql duckdb_tables duckdb_settings duckdb_secrets pragma_table_info pg_sleep sleep_ms write_log
  current_database current_schemas txid_current version combine finalize flink_substring`)

let planner: TestPlanner
let functions: readonly (readonly [name: string, isTable: boolean])[]

beforeAll(async () => {
  planner = await TestPlanner.open({
    t: ["a INT, b STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND"],
    v: ['a STRING', 'blackhole'],
    w: ['a STRING, b TIMESTAMP(3)', 'blackhole'],
  })
  const instance = await duckdb.DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  const reader = await connection.runAndReadAll(
    `SELECT function_name, bool_or(function_type IN ('table', 'table_macro', 'pragma')), FROM duckdb_functions() GROUP BY 1 ORDER BY 1`,
  )
  functions = reader.getRows().map(([name, isTable]) => [String(name), isTable === true])
  connection.closeSync()
  instance.closeSync()
})
afterAll(() => planner.close())

test('is of Flink, a form of Flink, or not allowed', () => {
  const names = functions.map(([name]) => name)
  expect({
    allowed: names.filter((name) => isFlinkFunction(name) && !isNameOfForm(name)),
    forms: names.filter(isNameOfForm),
    dangerous: DANGEROUS.filter((name) => isFlinkFunction(name)),
  }).toEqual({ allowed: [...FLINK].sort(), forms: [...FORMS].sort(), dangerous: [] })
  tellProof('functions of jobs', { allowed: FLINK.length, refused: names.length - FLINK.length })
})

/** The refusal of a statement with the text that its place covers; 'planned' if there is none. */
async function refusal(statement: string): Promise<string> {
  try {
    await planner.plan(statement)
    return 'planned'
  } catch (error) {
    if (!(error instanceof SqlProblem)) throw error
    const { reason, place } = error
    return `${reason}: ${statement.slice(place!.column - 1, place!.endColumn)}`
  }
}

const ON_FLINK = 'is not supported; run this job on a Flink cluster'

/** One in this many: each takes some milliseconds. */
const SHARE = effort({ short: 12, long: 1 })

test('is refused by name and place if it is not of Flink, in a select list and in FROM', async () => {
  const others = functions.filter(([name]) => !FLINK.includes(name) && !name.includes('`'))
  for (const [name, isTable] of others.filter((_, index) => index % SHARE === 0)) {
    const quoted = `\`${name}\``
    expect(await refusal(`INSERT INTO v SELECT ${quoted}('x')`)).toBe(
      `function '${name.toUpperCase()}' ${ON_FLINK}: ${quoted}`,
    )
    if (!isTable) continue
    const inFrom = await refusal(`INSERT INTO v SELECT * FROM ${quoted}('x')`)
    expect(inFrom).toMatch(/is not supported.*: `/)
  }
})

/** Every place of a statement that takes an expression. */
const PLACES: readonly (readonly [name: string, sql: string])[] = [
  ['the select list', 'INSERT INTO v SELECT F FROM t'],
  ['an operand', "INSERT INTO v SELECT b || UPPER(CASE WHEN a > 1 THEN COALESCE(F, 'x') END) FROM t"],
  ['a cast', 'INSERT INTO v SELECT CAST(F AS STRING) FROM t'],
  ['WHERE', 'INSERT INTO v SELECT b FROM t WHERE a = 1 OR NOT F IS NULL'],
  ['IN', "INSERT INTO v SELECT b FROM t WHERE b IN ('x', F)"],
  ['BETWEEN', "INSERT INTO v SELECT b FROM t WHERE b BETWEEN 'x' AND F"],
  ['GROUP BY', 'INSERT INTO v SELECT MAX(b) FROM t GROUP BY F'],
  ['HAVING', 'INSERT INTO v SELECT MAX(b) FROM t GROUP BY a HAVING F IS NULL'],
  ['FILTER', 'INSERT INTO v SELECT MAX(b) FILTER (WHERE F IS NULL) FROM t GROUP BY a'],
  ['an aggregate', 'INSERT INTO v SELECT MAX(F) FROM t GROUP BY a'],
  ['VALUES', 'INSERT INTO v VALUES (F)'],
  ['a named query', 'INSERT INTO v WITH q AS (SELECT F AS c FROM t) SELECT c FROM q'],
  ['a sub-query', 'INSERT INTO v SELECT c FROM (SELECT F AS c FROM t) q'],
  [
    'a sub-query of an expression',
    'INSERT INTO v SELECT b FROM (VALUES (1, 2)) x (a, b) WHERE a IN (SELECT F)',
  ],
  ['UNION ALL', 'INSERT INTO v SELECT b FROM t UNION ALL SELECT F FROM t'],
  ['ON', 'INSERT INTO v SELECT b FROM t JOIN (VALUES (1)) x (c) ON a = c AND F IS NULL'],
  ['OVER', `INSERT INTO v SELECT MAX(b) OVER (PARTITION BY F ORDER BY b) FROM (VALUES ('x')) x (b)`],
  ['ORDER BY', `INSERT INTO v SELECT b FROM (VALUES ('x')) x (b) ORDER BY F`],
  [
    'an aggregate of windows',
    "INSERT INTO w SELECT MAX(F), window_end FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end",
  ],
]

describe('a function that is not of Flink', () => {
  test.each(PLACES)('is refused in %s', async (_, sql) => {
    expect(await refusal(sql.replace(/\bF\b/, "getenv('HOME')"))).toBe(
      `function 'GETENV' ${ON_FLINK}: getenv`,
    )
  })

  test.each(['getenv', 'current_setting', 'date_part'])(
    'is refused in columns of a schema: %s',
    async (name) => {
      const schemas = [`a STRING, c AS ${name}(a)`, `a TIMESTAMP(3), WATERMARK FOR a AS ${name}(a)`]
      for (const schema of schemas) {
        const other = await TestPlanner.open({ t: [schema], v: ['a STRING', 'blackhole'] })
        await expect(other.plan('INSERT INTO v SELECT a FROM t')).rejects.toThrow(
          `function '${name.toUpperCase()}' is not supported`,
        )
        other.close()
      }
    },
  )

  test.each(DANGEROUS)('%s is refused as a row, as a table, and with a dot', async (name) => {
    expect(await refusal(`INSERT INTO v SELECT ${name}('x') FROM t`)).toContain(`: ${name}`)
    expect(await refusal(`INSERT INTO v SELECT a FROM ${name}('x')`)).toContain('is not supported')
    expect(await refusal(`INSERT INTO v SELECT a FROM TABLE(${name}('x'))`)).not.toBe('planned')
    expect(await refusal(`INSERT INTO v SELECT b.${name}() FROM t`)).toContain(`without a database: ${name}`)
  })
})

test.each([
  ["`UPPER`('x')", 'planned'],
  ["'x' || `upper`('x')", 'planned'],
  ["'x' SIMILAR TO 'y'", 'SIMILAR TO is not supported; run this job on a Flink cluster: SIMILAR'],
  ["`all`('x')", `function 'ALL' ${ON_FLINK}: \`all\``],
])('SELECT %s', async (expression, answer) => {
  expect(await refusal(`INSERT INTO v SELECT ${expression}`)).toEqual(answer)
})

function wordsOf(text: string): readonly string[] {
  return text.trim().split(/\s+/)
}
