/**
 * Every statement of the corpus gives the types and rows that Flink gave, but for those in deviations.json, which must
 * differ: a list of what is different stays true.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type CorpusStatement, difference, readCorpus, readDeviations } from './corpus.ts'
import { DirectRunner } from './direct-runner.ts'

const { statements, streams } = readCorpus()
const deviations = readDeviations()
const isKnown = ({ key }: CorpusStatement) => Object.hasOwn(deviations, key)

let runner: DirectRunner
beforeAll(async () => {
  runner = await DirectRunner.open(streams)
})
afterAll(() => runner.close())

async function differences(of: DirectRunner, list: readonly CorpusStatement[]): Promise<string[]> {
  const found: string[] = []
  for (const statement of list) {
    const different = difference(statement, await of.run(statement.sql))
    if (different !== undefined) found.push(`${statement.key} => ${different}`)
  }
  return found
}

test('the corpus has statements of every kind, each once', () => {
  expect([...new Set(statements.map(({ kind }) => kind))].sort()).toEqual([
    'aggregate',
    'constant',
    'query',
    'row',
    'streaming',
  ])
  expect(statements.length).toBeGreaterThan(900)
  expect(statements.filter(({ error }) => error !== undefined).length).toBeLessThan(100)
})

test('every statement that is no known deviation gives the answer of Flink', async () => {
  const wanted = statements.filter((statement) => !isKnown(statement))
  expect(await differences(runner, wanted)).toEqual([])
})

test('every known deviation is one', async () => {
  const known = statements.filter(isKnown)
  expect(Object.keys(deviations).filter((key) => !known.some((statement) => statement.key === key))).toEqual(
    [],
  )
  expect(await differences(runner, known)).toHaveLength(known.length)
})

test('without the meaning of Flink at least 20 statements differ', async () => {
  const plain = await DirectRunner.open(streams, false)
  const wanted = statements.filter((statement) => !isKnown(statement) && statement.kind !== 'row')
  expect((await differences(plain, wanted)).length).toBeGreaterThan(20)
  plain.close()
})
