/** Random queries on a PostgreSQL server and through the planner of cached queries: their answers must be equal. */
import duckdb from '@duckdb/node-api'
import { Planner } from '../../../src/jobs/plan/planner.ts'
import { seededRandom } from '../../support/seeded-random.ts'
import { compared, settled, sorted } from './answers.ts'
import { answerOf, connected, createSamples, type RecordedAnswer, sampleRows } from './pg-answers.ts'
import { QueryRunner } from './query-runner.ts'
import { RandomQueries, randomTable } from './random-queries.ts'

export interface Difference {
  readonly expected: RecordedAnswer
  readonly answer: RecordedAnswer
}

export interface Differential {
  readonly differences: readonly Difference[]
  readonly statements: number
  /** Statements that fail on both sides. */
  readonly failing: number
}

/** Numbers that a result cannot hold: they have more than 38 digits. */
const TOO_LONG = /DECIMAL|HUGEINT|INT128|38|precision/i

export async function runDifferential(uri: string, seed: number, statements: number): Promise<Differential> {
  const random = seededRandom(seed)
  const table = randomTable(random, 40)
  const client = await connected(uri)
  const runner = await QueryRunner.open()
  const planner = await Planner.open(duckdb)
  const differences: Difference[] = []
  let failing = 0
  try {
    await createSamples(client, [table])
    const columns = table.columns.map(([name, type]) => ({ name, type }))
    await runner.create({ name: table.name, columns, rows: sampleRows(table) })
    const queries = new RandomQueries(random)
    for (let count = 0; count < statements; count++) {
      const sql = queries.query()
      const expected = sorted(await answerOf(client, sql))
      const answer = settled(sorted(await answered(sql, runner, planner)), expected)
      if ('error' in expected) failing++
      if ('error' in answer && !('error' in expected) && TOO_LONG.test(answer.error)) continue
      if (JSON.stringify(compared(answer)) !== JSON.stringify(compared(expected)))
        differences.push({ expected, answer })
    }
  } finally {
    await client.query('DROP TABLE IF EXISTS r')
    await client.end()
    await planner.close()
    runner.close()
  }
  return { differences, statements, failing }
}

async function answered(sql: string, runner: QueryRunner, planner: Planner): Promise<RecordedAnswer> {
  try {
    return { sql, ...(await runner.runPlanned(sql, planner)) }
  } catch (error) {
    return { sql, error: (error as Error).message }
  }
}
