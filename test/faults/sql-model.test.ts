/**
 * Random runs of what can be done to streams, and SQL over them in between, against a model that looks at every event anew:
 * what is kept between queries may make an answer quicker, and nothing else.
 *
 * Failures and the corpus are as those of model.test.ts.
 */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FUZZ_TIMEOUT_MS, fuzz } from '../support/fuzz.ts'
import { startTestApp, type TestApp } from '../support/test-app.ts'
import { type ExpectedSql, noSql, prepare, SqlCommand } from './model/sql-run.ts'
import { type SqlStep, sqlStep } from './model/sql-steps.ts'

const corpus = JSON.parse(
  readFileSync(new URL('model/sql-corpus.json', import.meta.url), 'utf8'),
) as readonly {
  readonly why: string
  readonly steps: readonly SqlStep[]
}[]

const runs: fc.Arbitrary<Iterable<fc.AsyncCommand<ExpectedSql, TestApp>>> = fc.commands(
  [sqlStep.map((step) => new SqlCommand(step))],
  { maxCommands: 60, size: 'max' },
)

test(
  'an answer in SQL is what the events say',
  async () => {
    let steps = 0
    let queries = 0
    await fuzz('model of SQL over streams', {
      input: runs,
      corpus: corpus.map((entry) => entry.steps.map((step) => new SqlCommand(step))),
      longSeconds: 45,
      inputsPerRound: 5,
      unbiased: true,
      tell: () => ({ steps, queries }),
      async check(run) {
        const app = await startTestApp()
        const model = noSql()
        try {
          await prepare(model, app)
          await fc.asyncModelRun(
            () => ({ model, real: app }),
            counted(run, () => steps++),
          )
          expect(app.reported).toEqual([])
        } finally {
          queries += model.queries
          await app.stop()
        }
      },
    })
  },
  FUZZ_TIMEOUT_MS,
)

test('the corpus says of every entry what it is for', () => {
  expect(corpus.filter(({ why }) => why === '')).toEqual([])
})

function* counted<T>(run: Iterable<T>, count: () => void): Generator<T> {
  for (const command of run) {
    count()
    yield command
  }
}
