/** The checkpoints of a job: every commit counts, also those whose reports are lost; the lists are bounded. */
import { describe, expect, test } from 'vitest'
import { type Checkpoint, Checkpoints } from '../../src/jobs/checkpoint-history.ts'

const commit = (id: number) => ({
  ...{ id, startedMs: 1_000 + id, durationMs: 7.4, syncMs: 2.6 },
  ...{ bytes: 100 + id, stateBytes: 4_096 },
})
const commits = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, i) => commit(first + i))
const shown = (id: number): Checkpoint => ({
  ...{ id, status: 'COMPLETED', kind: 'CHECKPOINT', triggeredMs: 1_000 + id, durationMs: 7, syncMs: 3 },
  ...{ bytes: 100 + id, stateBytes: 4_096 },
})
const savepoint: Checkpoint = {
  ...{ id: 9, status: 'COMPLETED', kind: 'SAVEPOINT', format: 'NATIVE', location: 'file:///sp' },
  ...{ triggeredMs: 5_000, durationMs: 20, bytes: 1, stateBytes: 1 },
}

test('a new job has none', () => {
  const checkpoints = new Checkpoints()
  const none = {
    counts: { restored: 0, total: 0, inProgress: 0, completed: 0, failed: 0 },
    ...{ history: [], latest: {}, samples: [] },
  }
  expect(checkpoints.view(0)).toEqual(none)
  checkpoints.running(undefined, 1)
  checkpoints.reported(0, undefined)
  expect(checkpoints.view(0)).toEqual(none)
})

test('all commits count; the last ten are the history, newest first', () => {
  const checkpoints = new Checkpoints()
  checkpoints.running(undefined, 1)
  checkpoints.reported(3, { completed: commits(1, 3) })
  checkpoints.reported(12, { completed: commits(4, 12) })
  const { counts, history, latest, samples } = checkpoints.view(0)
  expect(counts).toEqual({ restored: 0, total: 12, inProgress: 0, completed: 12, failed: 0 })
  expect(history).toEqual([12, 11, 10, 9, 8, 7, 6, 5, 4, 3].map(shown))
  expect([latest, samples.length]).toEqual([{ completed: shown(12) }, 12])
})

test('commits that a report leaves out, or whose report is lost, count too', () => {
  const checkpoints = new Checkpoints()
  checkpoints.running(undefined, 1)
  checkpoints.reported(500, { completed: commits(401, 500) })
  checkpoints.running(507, 2_000) // the process was killed after seven more
  checkpoints.reported(508, { completed: commits(508, 508) })
  const { counts, latest, samples } = checkpoints.view(0)
  expect(counts).toEqual({ restored: 1, total: 508, inProgress: 0, completed: 508, failed: 0 })
  expect(latest.restored).toEqual({ id: 507, restoredMs: 2_000, isSavepoint: false })
  expect([samples.length, samples[0]]).toEqual([100, shown(508)])
})

test('commits before the service started do not count', () => {
  const checkpoints = new Checkpoints()
  checkpoints.running(57, 3_000)
  checkpoints.reported(59, { completed: commits(58, 59) })
  const { counts, history, latest } = checkpoints.view(0)
  expect(counts).toEqual({ restored: 1, total: 2, inProgress: 0, completed: 2, failed: 0 })
  expect([history.map(({ id }) => id), latest.restored?.id]).toEqual([[59, 58], 57])
})

test('a failed commit, and the attempt after it', () => {
  const checkpoints = new Checkpoints()
  checkpoints.running(undefined, 1)
  const failed = { id: 3, startedMs: 1_500, durationMs: 30.2, message: 'the disk is full' }
  checkpoints.reported(2, { completed: commits(1, 2), failed })
  checkpoints.running(2, 4_000)
  checkpoints.reported(3, { completed: commits(3, 3) })
  const { counts, history, latest } = checkpoints.view(0)
  expect(counts).toEqual({ restored: 1, total: 4, inProgress: 0, completed: 3, failed: 1 })
  const entry = {
    ...{ id: 3, status: 'FAILED', kind: 'CHECKPOINT', triggeredMs: 1_500, durationMs: 30 },
    ...{ bytes: 0, stateBytes: 0, message: 'the disk is full' },
  }
  expect([history[1], latest.failed, latest.completed]).toEqual([entry, entry, shown(3)])
})

describe('savepoints', () => {
  test('are in progress, then in the history', () => {
    const checkpoints = new Checkpoints()
    expect(checkpoints.view(1).counts).toMatchObject({ total: 1, inProgress: 1, completed: 0 })
    checkpoints.savepointed(savepoint)
    const { counts, history, latest } = checkpoints.view(0)
    expect(counts).toEqual({ restored: 0, total: 1, inProgress: 0, completed: 1, failed: 0 })
    expect([history, latest]).toEqual([[savepoint], { savepoint }])
  })

  test('that fail count as failed', () => {
    const checkpoints = new Checkpoints()
    const failed: Checkpoint = { ...savepoint, status: 'FAILED', message: 'no space' }
    checkpoints.savepointed(failed)
    const { counts, latest, samples } = checkpoints.view(0)
    expect([counts.failed, latest, samples]).toEqual([1, { failed }, []])
  })

  test('from which a job starts', () => {
    const checkpoints = new Checkpoints()
    const restored = { id: 9, restoredMs: 6_000, isSavepoint: true, location: 'file:///sp' }
    checkpoints.running(9, 6_000, 'file:///sp')
    expect(checkpoints.view(0)).toMatchObject({ counts: { restored: 1, total: 0 }, latest: { restored } })
  })
})
