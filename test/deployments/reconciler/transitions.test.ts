/** Every state of a deployment and every request ends in the wanted state, once; also if the process ends at any point between. */
import { afterAll, describe, expect, test } from 'vitest'
import { GOALS, PHASES } from '../../../src/deployments/reconciler/phases.ts'
import { effort, tellProof } from '../../support/effort.ts'
import { REQUESTS, runCase, STATES } from '../../support/reconciler-cases.ts'

/** Of the points at which the process ends, these are tried: every one, or one in so many. */
const EVERY = effort({ short: 0, long: 1 })
let kills = 0
let cases = 0
const cells = new Set<string>()

describe.each(STATES)('$name', (state) => {
  test.each(REQUESTS)('$name', async (request) => {
    const plain = await runCase(state, request)
    expect(plain.points.length).toBeGreaterThan(0)
    cases++
    for (const cell of plain.cells) cells.add(cell)
    for (let point = 0; EVERY > 0 && point < plain.points.length; point += EVERY) {
      for (const when of ['before', 'after'] as const) {
        kills++
        const place = `${when} point ${point} of ${plain.points.join(' ')}`
        const result = await runCase(state, request, { point, when }).catch((error) => {
          throw new Error(`the process ended ${place}: ${error.message}`, { cause: error })
        })
        for (const cell of result.cells) cells.add(cell)
      }
    }
  })
})

afterAll(() => {
  const table = GOALS.length * PHASES.length
  tellProof('transitions', { cases, kills, 'cells of the table': table, 'cells seen': cells.size })
})
