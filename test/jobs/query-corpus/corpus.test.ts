/**
 * Statements of PostgreSQL give the answers that a PostgreSQL 15 gave. With RECORD_ANSWERS=1, where PostgreSQL is installed, the
 * answers are recorded anew:
 *
 *   RECORD_ANSWERS=1 npx vitest run test/jobs/query-corpus/corpus.test.ts
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import duckdb from '@duckdb/node-api'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Planner } from '../../../src/jobs/plan/planner.ts'
import { TestPostgres } from '../../support/postgres.ts'
import { compared, settled, sorted } from './answers.ts'
import { answerOf, connected, createSamples, type RecordedAnswer, sampleRows } from './pg-answers.ts'
import { QueryRunner } from './query-runner.ts'
import { SAMPLE_TABLES } from './sample-tables.ts'
import { STATEMENTS } from './statements.ts'

const FILE = fileURLToPath(new URL('answers.jsonl', import.meta.url))
const ROWS_LEAST = 400
/** Statements whose answers plain DuckDB does not give. */
const DIFFERENCES_LEAST = 300

/** A query without tables, and what queries over arrays do not have. */
const UNSUPPORTED = /reads no table|ARRAY is not supported|elements of arrays/

if (process.env.RECORD_ANSWERS === '1') await record()

async function record(): Promise<void> {
  const server = await TestPostgres.start()
  try {
    const client = await connected(server.uri())
    await createSamples(client, SAMPLE_TABLES)
    const lines: string[] = []
    for (const sql of STATEMENTS) lines.push(JSON.stringify(await answerOf(client, sql)))
    await client.end()
    writeFileSync(FILE, `${lines.join('\n')}\n`)
  } finally {
    await server.remove()
  }
}

const ANSWERS = new Map(
  readFileSync(FILE, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as RecordedAnswer)
    .map((answer) => [answer.sql, answer]),
)

let runner: QueryRunner

beforeAll(async () => {
  runner = await QueryRunner.open()
  for (const table of SAMPLE_TABLES) {
    const columns = table.columns.map(([name, type]) => ({ name, type }))
    await runner.create({ name: table.name, columns, rows: sampleRows(table) })
  }
})
afterAll(() => runner.close())

async function given(sql: string, run: (sql: string) => Promise<object>): Promise<RecordedAnswer> {
  try {
    return { sql, ...(await run(sql)) } as RecordedAnswer
  } catch (error) {
    return { sql, error: (error as Error).message }
  }
}

describe('the corpus of PostgreSQL', () => {
  test('every statement has a recorded answer', () => {
    expect([...ANSWERS.keys()]).toEqual([...new Set(STATEMENTS)])
    const rows = [...ANSWERS.values()].flatMap((answer) => ('rows' in answer ? answer.rows : []))
    expect(rows.length).toBeGreaterThan(ROWS_LEAST)
  })

  test('every statement gives the answer of PostgreSQL', async () => {
    const differences: unknown[] = []
    for (const expected of ANSWERS.values()) {
      const answer = settled(await given(expected.sql, (sql) => runner.run(sql)), expected)
      if (JSON.stringify(compared(answer)) !== JSON.stringify(compared(expected)))
        differences.push({ expected, answer })
    }
    expect(differences).toEqual([])
  })

  test('the planner of cached queries gives the same rows, or says what it does not support', async () => {
    const planner = await Planner.open(duckdb)
    const differences: unknown[] = []
    let planned = 0
    for (const recorded of ANSWERS.values()) {
      const expected = sorted(recorded)
      const answer = await given(recorded.sql, (sql) => runner.runPlanned(sql, planner))
      if ('error' in answer && UNSUPPORTED.test(answer.error)) continue
      planned++
      const same = settled(sorted(answer), expected)
      if (JSON.stringify(compared(same)) !== JSON.stringify(compared(expected)))
        differences.push({ expected, answer })
    }
    await planner.close()
    expect(differences).toEqual([])
    expect(planned).toBeGreaterThan(ANSWERS.size * 0.9)
  })

  test('plain DuckDB gives other answers', async () => {
    let differences = 0
    for (const expected of ANSWERS.values()) {
      const answer = await given(expected.sql, (sql) => runner.runPlain(sql))
      const rows = 'rows' in answer ? JSON.stringify(answer.rows) : 'fails'
      if (rows !== ('rows' in expected ? JSON.stringify(expected.rows) : 'fails')) differences++
    }
    expect(differences).toBeGreaterThan(DIFFERENCES_LEAST)
  })
})
