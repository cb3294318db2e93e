/** Statements with random edits: a plan or QueryProblem, and never a plan for what PostgreSQL refuses. */
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { tokensOfQuery } from '../../../../src/jobs/plan/query/query-tokens.ts'
import { QueryProblem } from '../../../../src/jobs/plan/query-plan.ts'
import { effort, tellProof } from '../../../support/effort.ts'
import { NO_POSTGRES, TestPostgres } from '../../../support/postgres.ts'
import { connectedClient } from '../../../support/postgres-client.ts'
import { TestQueries } from './query-support.ts'
import { ACCEPTED, TABLES, TABLES_SQL } from './statements.ts'

const STATEMENTS = effort({ short: 300, long: 5000 })
const WORDS =
  `SELECT FROM WHERE GROUP BY HAVING ORDER LIMIT OFFSET UNION ALL DISTINCT AS ON JOIN LEFT USING WITH CASE WHEN THEN ELSE END
  AND OR NOT IN IS NULL LIKE BETWEEN CAST OVER PARTITION count sum lower id amount name note orders customers o c ( ) ( ) , , . * + - / =
  < > || :: 1 2.5 1e3 'x' integer text true FILTER EXISTS DESC x "A" [ ] ; row_number max date interval extract year`.split(
    /\s+/,
  )

/** A linear congruential generator: the same numbers for a seed on every machine. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

function edited(random: (below: number) => number): string {
  const sql = ACCEPTED[random(ACCEPTED.length)]!
  const tokens = tokensOfQuery(sql)
    .filter(({ kind }) => kind !== 'end')
    .map(({ text }) => text)
  for (let edits = 1 + random(2); edits > 0; edits--) {
    const at = random(tokens.length)
    const words = [tokens[random(tokens.length)]!, WORDS[random(WORDS.length)]!]
    const replacement = [
      [],
      [tokens[at]!, tokens[at]!],
      [words[random(2)]!],
      [tokens[at]!, words[random(2)]!],
    ][random(4)]!
    tokens.splice(at, 1, ...replacement)
  }
  return tokens.join(' ')
}

describe.skipIf(NO_POSTGRES !== undefined)('random edits', () => {
  let server: TestPostgres
  let client: pg.Client
  let queries: TestQueries
  beforeAll(async () => {
    server = await TestPostgres.start()
    await server.sql(TABLES_SQL)
    client = await connectedClient(server.uri())
    queries = await TestQueries.open(TABLES)
  })
  afterAll(async () => {
    await queries.close()
    await client.end()
    await server.remove()
  })

  test('a plan is only made of what PostgreSQL accepts', async () => {
    const random = numbers(5)
    const counts = { planned: 0, invalid_sql: 0, unsupported_sql: 0, strict: 0 }
    const wrong: string[] = []
    for (let i = 0; i < STATEMENTS; i++) {
      const sql = edited(random)
      const outcome = await outcomeOf(sql)
      if (!(outcome in counts)) wrong.push(`${sql}\n  ${outcome}`)
      else counts[outcome as keyof typeof counts]++
      if (outcome === 'unsupported_sql') continue
      const reason = await refusalOfServer(sql)
      if (outcome === 'planned' && reason !== undefined) wrong.push(`${sql}\n  PostgreSQL: ${reason}`)
      if (outcome === 'invalid_sql' && reason === undefined) counts.strict++
    }
    tellProof('random statements of cached queries', counts)
    expect(wrong).toEqual([])
  }, 600_000)

  async function outcomeOf(sql: string): Promise<string> {
    try {
      await queries.plan(sql)
      return 'planned'
    } catch (error) {
      if (error instanceof QueryProblem) return error.code
      return error instanceof Error ? String(error.stack) : String(error)
    }
  }

  /** Undefined if it accepts the statement. */
  async function refusalOfServer(sql: string): Promise<string | undefined> {
    try {
      await client.query(`PREPARE p AS ${sql}`)
      return undefined
    } catch (error) {
      return (error as Error).message
    } finally {
      await client.query('DEALLOCATE ALL')
    }
  }
})
