/** Clients share the planner: the calls of one neither delay nor refuse those of another. */
import { expect, onTestFinished, test } from 'vitest'
import { PlannerClient } from '../../../src/jobs/embedded/planner-client.ts'
import { parseTableSchema } from '../../../src/sql/table-schema.ts'

const SCHEMA = 'a INT, b AS a + 1'

test('a client waits for one call of another, not for all that wait; its own calls have a limit', async () => {
  const planner = new PlannerClient({ report: () => {} })
  onTestFinished(() => planner.close())
  const ended: string[] = []
  const check = (client: string) =>
    planner.typesOf(SCHEMA, parseTableSchema(SCHEMA), client).then((types) => {
      ended.push(client)
      return types.length
    })
  const greedy = Array.from({ length: 17 }, () => check('greedy')) // one runs, sixteen wait
  await expect(check('greedy')).rejects.toMatchObject({
    code: 'overloaded',
    message: '16 statements wait to be checked already; try again later',
  })
  expect(await check('honest')).toBe(2)
  expect(ended).toEqual(['greedy', 'honest'])
  expect(await Promise.all(greedy)).toEqual(greedy.map(() => 2))
})
