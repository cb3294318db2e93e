/** Every statement of the corpus as a job, through planner, worker and store: the direct run does not see those. */
import { expect, test } from 'vitest'
import { difference, readCorpus, readDeviations } from './corpus.ts'
import { JobRunner } from './job-runner.ts'

test('every statement gives the answer of Flink as a job, and every known deviation differs', async () => {
  const { statements, streams } = readCorpus()
  const deviations = readDeviations()
  const runner = await JobRunner.open(streams)
  const found: string[] = []
  for (const statement of statements) {
    const answer = await runner.run(statement.sql)
    const different = difference(statement, answer)
    if ((different !== undefined) === Object.hasOwn(deviations, statement.key)) continue
    found.push(`${statement.key} => ${different ?? `the answer of Flink: ${JSON.stringify(answer)}`}`)
  }
  await runner.close()
  expect(found).toEqual([])
}, 600_000)
