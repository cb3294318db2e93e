/** Every function with operands of every type: the meaning refuses the call, or the engine gives the type that it says. */
import { beforeAll, expect, test } from 'vitest'
import { duckdbType } from '../../src/sql/data-types.ts'
import { FUNCTION_NAMES, flinkFunction } from '../../src/sql/functions.ts'
import { TreeProblem } from '../../src/sql/tree.ts'
import { TreeEngine } from './parsed.ts'

const OPERANDS = [
  'i',
  'd',
  'x',
  's',
  'ts',
  'z',
  'a',
  'r.f',
  'NULL',
  "'a'",
  '2',
  '1.5',
  'i = 1',
  'CAST(s AS BYTES)',
]
const OPERATORS = ['+', '-', '*', '/', '%', '||', '=', '<', 'IS DISTINCT FROM', 'LIKE', 'AND', 'IN (1.5),']
const CAST_TARGETS = [
  ...[
    'BOOLEAN',
    'TINYINT',
    'INTEGER',
    'BIGINT',
    'FLOAT',
    'DOUBLE',
    'DECIMAL(38, 10)',
    'VARCHAR',
    '__char(3)',
  ],
  ...['BLOB', 'DATE', 'TIME', '__timestamp(0)', '__timestamp(4)', 'timestamp_ltz(3)'],
]
const AGGREGATES = ['COUNT', 'SUM', 'AVG', 'MIN', 'MAX', 'STDDEV_POP', 'VAR_SAMP', 'LISTAGG']
const NEVER_CALLED = new Set(['timestampadd', 'timestampdiff', 'position'])

let engine: TreeEngine
beforeAll(async () => {
  engine = await TreeEngine.open()
  await engine.rows(`CREATE TABLE t (i INTEGER, d DECIMAL(10, 2), x DOUBLE, s VARCHAR, ts TIMESTAMP, z TIMESTAMPTZ,
    a BIGINT[], m MAP(VARCHAR, INTEGER), r STRUCT(f DATE))`)
})

/** What is wrong with a call: an error that is no refusal, or a type that the engine does not give. */
async function fault(expression: string): Promise<string | undefined> {
  try {
    const { tree, columns } = await engine.meaning(`SELECT ${expression} AS c FROM t`)
    const [[, type]] = (await engine.rows(`DESCRIBE ${await engine.print(tree)}`)) as [[string, string]]
    const wanted = duckdbType(columns[0]!.type)
    const got = type.replace('TIMESTAMP WITH TIME ZONE', 'TIMESTAMPTZ')
    return wanted === got ? undefined : `${expression}: the engine gives ${got}, not ${wanted}`
  } catch (error) {
    return error instanceof TreeProblem
      ? undefined
      : `${expression}: ${(error as Error).message.slice(0, 200)}`
  }
}

async function faults(expressions: readonly string[]): Promise<string[]> {
  const found: string[] = []
  for (const expression of expressions) {
    const one = await fault(expression)
    if (one !== undefined) found.push(one)
  }
  return found
}

const pairs = OPERANDS.flatMap((left) => OPERANDS.map((right) => [left, right] as const))

test('functions of one to three operands', async () => {
  const calls = FUNCTION_NAMES.filter((name) => !NEVER_CALLED.has(name)).flatMap((name) => {
    const [least, most] = flinkFunction(name)!.arity
    return OPERANDS.flatMap((first, index) => {
      const rest = [OPERANDS[(index + 3) % OPERANDS.length], '2', "'yyyy'"]
      return [1, 2, 3]
        .filter((count) => count >= least && count <= most)
        .flatMap((count) => [
          `${name}(${[first, ...rest].slice(0, count)})`,
          `${name}(${[first, "'$.a'", "'INT'"].slice(0, count)})`,
          `${name}(${[first, first, first].slice(0, count)})`,
          `${name}(${[first, '1', "'x'"].slice(0, count)})`,
        ])
    })
  })
  expect(await faults([...new Set(calls)])).toEqual([])
}, 300_000)

test('operators of two operands', async () => {
  const calls = OPERATORS.flatMap((operator) =>
    pairs.map(([left, right]) => `(${left}) ${operator} (${right})`),
  )
  expect(await faults(calls.filter((one) => !one.includes('),')))).toEqual([])
}, 300_000)

test('casts of every type, CASE and COALESCE of two types', async () => {
  const casts = OPERANDS.flatMap((from) =>
    CAST_TARGETS.flatMap((to) => [`CAST(${from} AS ${to})`, `TRY_CAST(${from} AS ${to})`]),
  )
  const choices = pairs.flatMap(([left, right]) => [
    `CASE WHEN i = 1 THEN ${left} ELSE ${right} END`,
    `COALESCE(${left}, ${right})`,
    `(${left}) IN (${right}, ${left})`,
    `(${left}) BETWEEN (${right}) AND (${left})`,
  ])
  expect(await faults([...casts, ...choices])).toEqual([])
}, 300_000)

test('aggregates', async () => {
  const calls = AGGREGATES.flatMap((name) =>
    OPERANDS.flatMap((of) => [
      `${name}(${of})`,
      `${name}(DISTINCT ${of}) FILTER (WHERE i > 1)`,
      `${name}(${of}) OVER (ORDER BY i)`,
    ]),
  )
  expect(await faults(calls)).toEqual([])
}, 300_000)
