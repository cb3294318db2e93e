/** One deployment, without crashes: what a client sees of each transition. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test, vi } from 'vitest'
import { DEFAULT_NAMESPACE } from '../../../src/streams/names.ts'
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

test('the files of a retained state stay while a savepoint of a client is at their place', async () => {
  const run = await DeploymentsRun.begin()
  const retained = () =>
    run.store
      .savepoints(DEFAULT_NAMESPACE, run.id)
      .filter(({ metadata }) => metadata.origin === 'RETAINED_CHECKPOINT')
      .map(({ spec }) => spec.savepointLocation!)
  const runsAndEnds = async (rows: number) => {
    await run.request(specOf())
    await run.pass(() => run.disk.emitted.length >= rows)
    await run.request(specOf({ state: 'CANCELLED' }))
    await run.reaches('CANCELLED')
  }
  await runsAndEnds(3)
  const [first] = retained()
  await run.store.change(DEFAULT_NAMESPACE, (change) => {
    const [one] = change.savepoints(DEFAULT_NAMESPACE, run.id)
    const metadata = { ...one!.metadata, id: run.store.newId(), origin: 'COPIED' as const }
    change.putSavepoint({ ...one!, metadata })
  })
  await runsAndEnds(6)
  const [second] = retained()
  await runsAndEnds(9)
  const [third] = retained()
  expect(new Set([first, second, third]).size).toBe(3)
  await vi.waitFor(() => expect(existsSync(fileURLToPath(second!))).toBe(false), { timeout: 20_000 })
  expect([first, third].map((place) => existsSync(fileURLToPath(place!)))).toEqual([true, true])
  expect(run.reported).toEqual([])
})

test('the oldest savepoints that were taken for suspensions are removed, and none of clients', async () => {
  const run = await DeploymentsRun.begin()
  const taken = () => run.store.savepoints(DEFAULT_NAMESPACE, run.id)
  const suspends = async () => {
    await run.request(specOf())
    await run.reaches('RUNNING')
    await run.request(specOf({ state: 'SUSPENDED' }))
    await run.reaches('SUSPENDED')
  }
  await suspends()
  const [first] = taken()
  await run.store.change(DEFAULT_NAMESPACE, (change) => {
    for (let i = 0; i < 150; i++) {
      const origin = i % 3 === 0 ? ('USER_REQUEST' as const) : ('SUSPEND' as const)
      const metadata = { ...first!.metadata, id: `${i}`, origin }
      change.putSavepoint({ metadata, spec: {}, status: { state: 'FAILED' } })
    }
  })
  await suspends()
  const origins = taken().map(({ metadata }) => metadata.origin)
  expect(origins.filter((origin) => origin === 'USER_REQUEST')).toHaveLength(50)
  expect(origins.filter((origin) => origin === 'SUSPEND')).toHaveLength(102)
  expect(existsSync(fileURLToPath(first!.spec.savepointLocation!))).toBe(true)
  await suspends()
  expect(taken().filter(({ metadata }) => metadata.origin === 'SUSPEND')).toHaveLength(101)
  expect(taken().some(({ metadata }) => metadata.id === first!.metadata.id)).toBe(false)
  await vi.waitFor(() => expect(existsSync(fileURLToPath(first!.spec.savepointLocation!))).toBe(false))
  expect(run.reported).toEqual([])
})
