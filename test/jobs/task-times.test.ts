/** Times of task states: those of the present attempt, also from documents without `attemptStates`. */
import { describe, expect, test } from 'vitest'
import type { JobView, StateEntry } from '../../src/jobs/job.ts'
import { decodeJobDocument } from '../../src/jobs/job-record.ts'
import { taskTimesOf } from '../../src/jobs/task-times.ts'

const view = (attemptStates: readonly StateEntry[], endMs?: number) => ({ attemptStates, endMs }) as JobView

describe('task states', () => {
  test('of a running job', () => {
    const states = view([
      { state: 'INITIALIZING', atMs: 100 },
      { state: 'CREATED', atMs: 110 },
      { state: 'RUNNING', atMs: 150 },
    ])
    expect(taskTimesOf(states, 1_150)).toEqual({
      startMs: 100,
      enteredMs: { CREATED: 100, DEPLOYING: 110, RUNNING: 150 },
      lastedMs: { CREATED: 10, DEPLOYING: 40, RUNNING: 1_000 },
    })
  })

  test('of a job that was cancelled', () => {
    const states = view(
      [
        { state: 'CREATED', atMs: 100 },
        { state: 'RUNNING', atMs: 150 },
        { state: 'CANCELLING', atMs: 200 },
        { state: 'CANCELED', atMs: 230 },
      ],
      230,
    )
    expect(taskTimesOf(states, 9_000).lastedMs).toEqual({
      ...{ DEPLOYING: 50, RUNNING: 50, CANCELING: 30, CANCELED: 0 },
    })
  })

  test('of a job without known states', () => {
    expect(taskTimesOf(view([]), 9_000)).toEqual({ startMs: undefined, enteredMs: {}, lastedMs: {} })
  })
})

describe('a document of an older version', () => {
  const decoded = (enteredMs: object, more: object = {}) =>
    decodeJobDocument('default:a', {
      ...{
        number: 1,
        name: 'n',
        statement: 's',
        reads: [],
        writes: [],
        startMs: 1,
        vertices: [],
        attempt: 0,
      },
      ...{ state: 'RUNNING', enteredMs, ...more },
    })

  test.each([
    {
      name: 'a first attempt',
      enteredMs: { INITIALIZING: 1, CREATED: 2, RUNNING: 3 },
      states: ['INITIALIZING', 'CREATED', 'RUNNING'],
    },
    {
      name: 'an attempt after a failure',
      enteredMs: { INITIALIZING: 1, CREATED: 20, RUNNING: 30, RESTARTING: 10 },
      states: ['CREATED', 'RUNNING'],
    },
    {
      name: 'an attempt that has not run yet',
      enteredMs: { INITIALIZING: 1, CREATED: 20, RUNNING: 5, RESTARTING: 10 },
      states: ['CREATED'],
    },
    {
      name: 'an attempt after a restart of the service',
      enteredMs: { INITIALIZING: 40, CREATED: 50, RUNNING: 30, RESTARTING: 10 },
      states: ['INITIALIZING', 'CREATED'],
    },
  ])('has the states of $name', ({ enteredMs, states }) => {
    expect(decoded(enteredMs).attemptStates.map(({ state }) => state)).toEqual(states)
  })

  test('has no figures of operators', () => {
    const figures = { epoch: 3, sources: [], inserts: [], busyMs: 1, backpressuredMs: 0, idleMs: 2 }
    const record = decoded({ INITIALIZING: 1, FINISHED: 2 }, { state: 'FINISHED', figures })
    expect(record.figures).toEqual({ ...figures, vertices: [] })
    expect(decoded({ INITIALIZING: 1 }).figures).toBeUndefined()
  })
})
