/** One deployment, without crashes: what a client sees of each transition. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test, vi } from 'vitest'
import { deleteWithFiles } from '../../../src/deployments/savepoint-disposals.ts'
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

test('of the jobs that have ended the newest stay: at most 100, and fewer if their templates are long', async () => {
  const run = await DeploymentsRun.begin()
  const ended = () =>
    run.store
      .jobs(DEFAULT_NAMESPACE, run.id)
      .filter(({ metadata }) => metadata.terminatedMs !== undefined)
      .map(({ metadata }) => metadata.id)
  const runsAndEnds = async () => {
    await run.request(specOf())
    await run.reaches('RUNNING')
    await run.request(specOf({ state: 'CANCELLED' }))
    await run.reaches('CANCELLED')
  }
  const put = (ids: readonly string[], sqlScript: string) =>
    run.store.change(DEFAULT_NAMESPACE, (change) => {
      const first = change.jobs(DEFAULT_NAMESPACE, run.id)[0]!
      for (const id of ids) {
        const spec = { ...first.spec, artifact: { kind: 'SQLSCRIPT' as const, sqlScript } }
        change.putJob({ ...first, metadata: { ...first.metadata, id }, spec })
      }
    })
  await runsAndEnds()
  await put(
    Array.from({ length: 150 }, (_, i) => `short ${i}`),
    'INSERT INTO a SELECT * FROM b',
  )
  await runsAndEnds()
  expect(ended().slice(0, 2)).toEqual(['short 50', 'short 51'])
  expect(ended()).toHaveLength(101) // those before the last start, and its own
  await put(['long 0', 'long 1', 'long 2'], `-- ${'x'.repeat(60 * 1024)}`)
  await runsAndEnds()
  expect(ended().slice(0, -1)).toEqual(['long 1', 'long 2'])
  await put(['longer'], `-- ${'x'.repeat(200 * 1024)}`)
  await runsAndEnds()
  expect(ended().slice(0, -1), 'the last one stays').toEqual(['longer'])
  expect(run.reported).toEqual([])
})

test('files that were to be deleted when the service ended are deleted later', async () => {
  const run = await DeploymentsRun.begin()
  await run.request(specOf())
  await run.reaches('RUNNING')
  await run.request(specOf({ state: 'SUSPENDED' }))
  await run.reaches('SUSPENDED')
  const [savepoint] = run.store.savepoints(DEFAULT_NAMESPACE, run.id)
  const files = fileURLToPath(savepoint!.spec.savepointLocation!)
  expect(existsSync(files)).toBe(true)
  await run.store.change(DEFAULT_NAMESPACE, (change) => deleteWithFiles(change, savepoint!))
  expect(existsSync(files)).toBe(true)
  await run.request(specOf())
  await run.reaches('RUNNING')
  await vi.waitFor(() => expect(existsSync(files)).toBe(false), { timeout: 20_000 })
  expect(run.reported).toEqual([])
})
