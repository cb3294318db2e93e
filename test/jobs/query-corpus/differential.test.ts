/** Random queries have the answers of a live PostgreSQL. Another seed: RANDOM_SEED=7; more statements: RANDOM_STATEMENTS=5000. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { NO_POSTGRES, TestPostgres } from '../../support/postgres.ts'
import { runDifferential } from './differential.ts'

const SEED = Number(process.env.RANDOM_SEED ?? 1)
const STATEMENTS = Number(process.env.RANDOM_STATEMENTS ?? 400)

describe.skipIf(NO_POSTGRES !== undefined)(`random queries ${NO_POSTGRES ?? ''}`, () => {
  let server: TestPostgres

  beforeAll(async () => {
    server = await TestPostgres.start()
  }, 120_000)
  afterAll(() => server.remove())

  test('have the answers of PostgreSQL', { timeout: 1_200_000 }, async () => {
    const { differences, failing } = await runDifferential(server.uri(), SEED, STATEMENTS)
    expect(differences).toEqual([])
    expect(failing).toBeLessThan(STATEMENTS / 4)
  })
})
