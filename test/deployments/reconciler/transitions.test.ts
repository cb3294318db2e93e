/** Every state of a deployment and every request ends in the wanted state, once; also if the process ends at any point between. */
import { afterAll, expect, test } from 'vitest'
import { GOALS, PHASES } from '../../../src/deployments/reconciler/phases.ts'
import { effort, tellProof } from '../../support/effort.ts'
import { REQUESTS, runCase, STATES } from '../../support/reconciler-cases.ts'

const IS_LONG = effort({ short: false, long: true })
let kills = 0
let cases = 0
const cells = new Set<string>()

/** All of them in the long form; each state and each request in the short one. */
const chosen = STATES.flatMap((state, one) =>
  REQUESTS.filter((_, other) => IS_LONG || (one + other) % REQUESTS.length === 0).map((request) => ({
    ...{ state, request, name: `${state.name}, then ${request.name}` },
  })),
)

test.each(chosen)('$name', async ({ state, request }) => {
  const plain = await runCase(state, request)
  expect(plain.points.length).toBeGreaterThan(0)
  cases++
  for (const cell of plain.cells) cells.add(cell)
  const middle = Math.floor(plain.points.length / 2)
  const points = IS_LONG ? [...plain.points.keys()] : [middle]
  for (const point of points) {
    for (const when of IS_LONG ? (['before', 'after'] as const) : (['after'] as const)) {
      kills++
      const result = await runCase(state, request, { point, when }).catch((error) => {
        const place = `${when} point ${point} of ${plain.points.join(' ')}`
        throw new Error(`the process ended ${place}: ${error.message}`, { cause: error })
      })
      for (const cell of result.cells) cells.add(cell)
    }
  }
})

afterAll(() => {
  const table = GOALS.length * PHASES.length
  tellProof('transitions', { cases, kills, 'cells of the table': table, 'cells seen': cells.size })
})
