/** The planner and PostgreSQL accept the same statements, with the same names and types of columns. */
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { QueryProblem } from '../../../../src/jobs/plan/query-plan.ts'
import { NO_POSTGRES, TestPostgres } from '../../../support/postgres.ts'
import { connectedClient } from '../../../support/postgres-client.ts'
import { TestQueries } from './query-support.ts'
import { ACCEPTED, INVALID, INVALID_TYPES, TABLES, TABLES_SQL, UNSUPPORTED } from './statements.ts'

describe.skipIf(NO_POSTGRES !== undefined)('PostgreSQL', () => {
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

  /** Names and types; the text of the refusal if it refuses. */
  async function ofServer(sql: string): Promise<unknown> {
    try {
      const { fields } = await client.query({ text: sql, rowMode: 'array' })
      const oids = fields.map(({ dataTypeID }) => `format_type(${dataTypeID}, NULL)`).join(', ')
      const { rows } = await client.query({ text: `SELECT ${oids}`, rowMode: 'array' })
      return fields.map(({ name }, at) => `${name} ${String((rows[0] as unknown[])[at])}`)
    } catch (error) {
      return (error as Error).message
    }
  }

  async function ofPlanner(sql: string): Promise<unknown> {
    const refusal = await queries.refusal(sql)
    if (refusal !== 'planned') return refusal
    const { columns } = await queries.plan(sql)
    return columns.map(({ name, type }) => `${name.replace(/_[2-9]$/, '')} ${type}`)
  }

  test.each(ACCEPTED)('%s', async (sql) => {
    expect(await ofPlanner(sql)).toEqual(await ofServer(sql))
  })

  test.each(INVALID)('%s', async (sql) => {
    const refused = await serverRefusal(sql)
    // It does not give the place of all.
    const place = refused[1] ?? expect.any(String)
    expect(await plannerRefusal(sql)).toEqual([refused[0], place])
  })

  test.each(INVALID_TYPES)('%s', async (sql) => {
    expect(await serverRefusal(sql)).not.toEqual(['accepted'])
    expect(await queries.refusal(sql)).toMatch(/^invalid_sql: .* \[.+\]$/)
  })

  test.each(UNSUPPORTED)('%s', async (sql, reason, marked) => {
    expect(await queries.refusal(sql)).toBe(`unsupported_sql: ${reason} [${marked}]`)
  })

  async function serverRefusal(sql: string): Promise<readonly [string, (string | undefined)?]> {
    try {
      await client.query(sql)
      return ['accepted']
    } catch (error) {
      const { message, position } = error as pg.DatabaseError
      return [message, position]
    }
  }

  async function plannerRefusal(sql: string): Promise<unknown> {
    try {
      await queries.plan(sql)
      return 'accepted'
    } catch (error) {
      const { code, message, place } = error as QueryProblem
      const text = `${code === 'invalid_sql' ? '' : `${code}: `}${message.split(';')[0]}`
      return [text, String(place?.column)]
    }
  }
})
