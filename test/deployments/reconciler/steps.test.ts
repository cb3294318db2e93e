/** One deployment, without crashes: what a client sees of each transition. */
import { expect, test } from 'vitest'
import { DeploymentsRun, specOf } from '../../support/reconciler-run.ts'

test('a plain start has these events, in this order', async () => {
  const run = await DeploymentsRun.begin()
  await run.request(specOf())
  expect(run.deployment.status).toEqual({ state: 'TRANSITIONING' })
  await run.reaches('RUNNING', 2_000)
  expect(run.events).toEqual([
    'STATE_TRANSITION_IS_NEEDED',
    'CREATING_A_NEW_JOB',
    'AWAITING_A_JOB_TO_START',
    'JOB_SUCCESSFULLY_STARTED',
    'STATE_TRANSITION_IS_COMPLETED',
  ])
  expect(run.reported).toEqual([])
})
