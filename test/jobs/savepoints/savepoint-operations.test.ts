/** Operations by trigger id: the same id, ids that are none, how long they are kept, how many there may be. */
import { expect, test } from 'vitest'
import {
  ALL_ENDED_MAX,
  ENDED_MAX,
  OPERATION_KEPT_MS,
  RUNNING_MAX,
  SavepointOperations,
} from '../../../src/jobs/savepoints/savepoint-operations.ts'

const ID = 'A1'.repeat(16)
const DONE = { state: 'completed', location: 'file:///x' } as const

function setUp() {
  const clock = { nowMs: 1_000 }
  const operations = new SavepointOperations(
    () => clock.nowMs,
    () => 0.5,
  )
  return { clock, operations }
}

test('the same id is the same operation, of each job', () => {
  const { operations } = setUp()
  expect(operations.begin('j1', ID)).toEqual({ id: ID.toLowerCase(), isNew: true })
  expect(operations.begin('j1', ID.toLowerCase())).toEqual({ id: ID.toLowerCase(), isNew: false })
  expect(operations.begin('j2', ID).isNew).toBe(true)
  expect(operations.get('j1', ID, 'none')).toEqual({ state: 'in-progress' })
  operations.end('j1', ID.toLowerCase(), DONE)
  expect(operations.begin('j1', ID).isNew).toBe(false)
  expect(operations.get('j1', ID, 'none')).toEqual(DONE)
  expect(operations.get('j2', ID, 'none')).toEqual({ state: 'in-progress' })
})

test('ids that are made differ, whatever the randomness', () => {
  const { operations } = setUp()
  const ids = [1, 2, 3].map(() => operations.begin('j', undefined).id)
  expect(new Set(ids).size).toBe(3)
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{32}$/)
})

test.each(['', 'x', 'g'.repeat(32), 'a'.repeat(31), 'a'.repeat(33), `${'a'.repeat(31)}\n`])(
  '%j is no id',
  (id) => {
    const { operations } = setUp()
    expect(() => operations.begin('j', id)).toThrow(
      `triggerId is '${id.toLowerCase()}'; use 32 hexadecimal digits`,
    )
  },
)

test('an operation is kept 5 minutes after its end', () => {
  const { clock, operations } = setUp()
  const { id } = operations.begin('j', ID)
  clock.nowMs += 10 * OPERATION_KEPT_MS
  expect(operations.get('j', id, 'none')).toEqual({ state: 'in-progress' })
  operations.end('j', id, DONE)
  clock.nowMs += OPERATION_KEPT_MS - 1
  expect(operations.get('j', id, 'none')).toEqual(DONE)
  clock.nowMs += 1
  expect(() => operations.get('j', id, 'There is none')).toThrow('There is none')
})

test('a job has a limited number of operations that have not ended', () => {
  const { operations } = setUp()
  const ids = Array.from({ length: RUNNING_MAX }, () => operations.begin('j', undefined).id)
  expect(() => operations.begin('j', undefined)).toThrow('16 operations of this job have not ended')
  expect(operations.begin('j', ids[0]).isNew).toBe(false)
  expect(operations.begin('other', undefined).isNew).toBe(true)
  operations.end('j', ids[0]!, DONE)
  expect(operations.begin('j', undefined).isNew).toBe(true)
})

test('of operations that have ended the newest are kept, of a job and of all', () => {
  const { operations } = setUp()
  const run = (scope: string) => {
    const { id } = operations.begin(scope, undefined)
    operations.end(scope, id, DONE)
    return id
  }
  const first = run('j')
  for (let i = 0; i < ENDED_MAX - 1; i++) run('j')
  expect(operations.has('j', first)).toBe(true)
  run('j')
  expect(operations.has('j', first)).toBe(false)
  const other = run('other')
  for (let i = 0; i < ALL_ENDED_MAX; i++) run(`j${i}`)
  expect(operations.has('other', other)).toBe(false)
})
