/** Random sequences of tokens: a plan or SqlProblem, never another error. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SqlProblem } from '../../../src/sql/sql-problem.ts'
import { TestPlanner } from './plan-support.ts'

const STATEMENTS = 150
const WORDS =
  `SELECT FROM WHERE GROUP BY HAVING ORDER LIMIT UNION ALL DISTINCT AS ON JOIN LEFT WITH VALUES CASE WHEN THEN ELSE END AND OR NOT
  IN IS NULL LIKE BETWEEN CAST INTERVAL SECOND OVER PARTITION ROW_NUMBER COUNT SUM AVG UPPER TABLE TUMBLE HOP DESCRIPTOR FOR
  SYSTEM_TIME OF TIMESTAMP STRING INT ARRAY MAP ROW EXTRACT YEAR FLOOR TO TRIM t u f up a b d ts p q ( ) ( ) , , . * + - / % = <> <
  > || [ ] 1 2.5 1e3 'x' '10' \`a\` => ; FILTER EXISTS window_start`.split(/\s+/)

let planner: TestPlanner
beforeAll(async () => {
  const schema =
    "a INT, b STRING, d DOUBLE, ts TIMESTAMP(3), p AS PROCTIME(), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND"
  planner = await TestPlanner.open({
    t: [schema],
    u: [schema],
    f: ['a INT, b STRING', 'jdbc'],
    up: ['a INT, b STRING, PRIMARY KEY (a)', 'upsert-topic'],
    sink: ['a INT'],
  })
})
afterAll(() => planner.close())

/** A linear congruential generator: the same numbers for a seed on every machine. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

async function outcomeOf(statement: string): Promise<string> {
  try {
    await planner.plan(statement)
    return 'plan'
  } catch (error) {
    if (error instanceof SqlProblem) return 'refusal'
    return `${statement}\n${error instanceof Error ? error.stack : String(error)}`
  }
}

test('a random rest after a valid beginning', async () => {
  const random = numbers(7)
  const outcomes = new Map<string, number>()
  for (let i = 0; i < STATEMENTS; i++) {
    const words = Array.from({ length: 1 + random(14) }, () => WORDS[random(WORDS.length)])
    const begin = ['INSERT INTO sink ', 'INSERT INTO sink SELECT a ', 'INSERT INTO sink SELECT a FROM t '][
      random(3)
    ]
    const outcome = await outcomeOf(begin + words.join(' '))
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
  }
  expect([...outcomes.keys()].filter((one) => one !== 'plan' && one !== 'refusal')).toEqual([])
})

test('a valid statement with a token removed, doubled or replaced', async () => {
  const random = numbers(11)
  const tokens =
    "INSERT INTO sink WITH q AS ( SELECT t . a , ts FROM t JOIN f FOR SYSTEM_TIME AS OF p AS g ON t . a = g . a WHERE d > 1 ) SELECT CAST ( COUNT ( * ) AS INT ) FROM TABLE ( TUMBLE ( TABLE q , DESCRIPTOR ( ts ) , INTERVAL '10' SECOND ) ) GROUP BY window_start , window_end".split(
      ' ',
    )
  expect(await outcomeOf(tokens.join(' '))).not.toContain('\n')
  const wrong: string[] = []
  for (let i = 0; i < STATEMENTS; i++) {
    const changed = [...tokens]
    const at = random(tokens.length)
    const replacement = [[], [tokens[at]!, tokens[at]!], [WORDS[random(WORDS.length)]!]][random(3)]!
    changed.splice(at, 1, ...replacement)
    const outcome = await outcomeOf(changed.join(' '))
    if (outcome.includes('\n')) wrong.push(outcome)
  }
  expect(wrong).toEqual([])
})

const LARGE: readonly (readonly [name: string, statement: string, part: string])[] = [
  ['above the limit', `INSERT INTO sink SELECT ${'1 + '.repeat(40_000)}1`, 'at most 131072'],
  [
    'parentheses',
    `INSERT INTO sink SELECT ${'('.repeat(3_000)}1${')'.repeat(3_000)}`,
    'nested deeper than 600',
  ],
  ['a long name', `INSERT INTO sink SELECT ${'x'.repeat(100_000)}`, 'a name has at most 256'],
  ['a long number', `INSERT INTO sink SELECT ${'9'.repeat(100_000)}`, 'at most 38 digits'],
  ['a long text', `INSERT INTO sink SELECT '${'x'.repeat(100_000)}'`, 'do not match'],
  [
    'a type within types',
    `INSERT INTO sink SELECT CAST(a AS ${'ARRAY<'.repeat(900)}INT${'>'.repeat(900)}) FROM t`,
    '',
  ],
]

test.each(LARGE)('%s', async (_, statement, part) => {
  const problem = await planner.plan(statement).then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(problem).toBeInstanceOf(SqlProblem)
  expect((problem as SqlProblem).message).toContain(part)
})
