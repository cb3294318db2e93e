/**
 * The service and its worker are killed around savepoints: what the disk holds at that moment is what a new service starts with.
 * No row is lost or doubled. At the end two faults that must show: a plan signature that is ignored, and sinks without the epoch.
 */

import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test, vi } from 'vitest'
import { checkSavepoint } from '../../../src/jobs/savepoints/savepoint-files.ts'
import { decodeMetadata, encodeMetadata } from '../../../src/jobs/savepoints/savepoint-metadata.ts'
import { DEFAULT_NAMESPACE } from '../../../src/streams/names.ts'
import { proven } from '../../support/proven.ts'
import {
  begun,
  EVENTS,
  ended,
  expectNoRepeats,
  HALF,
  type Jobs,
  last,
  locationOf,
  post,
  postEvent,
  SLOW,
  stopped,
  uninterrupted,
  WAYS,
  type WayOf,
} from '../../support/savepoint-jobs.ts'

const FORMATS = ['CANONICAL', 'NATIVE'] as const
const TRIGGER = 'ab'.repeat(16)
/** With other tests on the same processors. */
vi.setConfig({ testTimeout: 180_000 })

/** A job whose worker calls what the test sets. */
async function setUp({ tables, upsert, statement }: WayOf) {
  const hooks = { beforeEmit: async () => {}, afterSavepoint: async () => {} }
  const worker = { beforeEmit: () => hooks.beforeEmit(), afterSavepoint: () => hooks.afterSavepoint() }
  return { hooks, ...(await begun({ tables, upsert, worker }, statement)) }
}

/** Resolves with the snapshot that is taken when the hook is called first. */
function snapshotAt(
  jobs: Jobs,
  hooks: { [name: string]: () => Promise<void> },
  name: string,
): Promise<string> {
  return new Promise((resolve, reject) => {
    hooks[name] = async () => {
      hooks[name] = async () => {}
      await jobs.snapshot().then(resolve, reject)
    }
  })
}

const stop = (jobs: Jobs, jid: string, format: 'CANONICAL' | 'NATIVE') => {
  const request = { directory: undefined, drains: false, format, triggerId: TRIGGER }
  return jobs.now().jobs.stop(DEFAULT_NAMESPACE, jid, request)
}

async function savepoints(jobs: Jobs): Promise<string[]> {
  return readdir(join(jobs.folder, 'data', 'savepoints'))
}

/** Posts the rest and compares everything with what one job writes. */
async function expectWanted(jobs: Jobs, jid: string, way: WayOf): Promise<void> {
  await post(jobs, jid, HALF, EVENTS.length)
  locationOf(await stopped(jobs, jid))
  const rows = await jobs.resultsJson()
  const wanted = await uninterrupted(way)
  await proven(() => {
    if (way.upsert.length === 0) return expect(rows).toEqual(wanted)
    expect(last(rows)).toEqual(last(wanted))
    expectNoRepeats(rows)
  })
}

describe.each(WAYS.filter(({ name }) => name !== 'CUMULATE'))('$name', (way) => {
  test.each(FORMATS)(
    'killed when a stop has written its savepoint %s, before its end is recorded',
    async (format) => {
      const { jobs, jid, hooks } = await setUp(way)
      await post(jobs, jid, 0, HALF)
      const killed = snapshotAt(jobs, hooks, 'afterSavepoint')
      await stop(jobs, jid, format)
      await jobs.continueFrom(await killed)
      const location = locationOf(await ended(jobs, jid, TRIGGER))
      expect(jobs.view(jid).state).toBe('FINISHED')
      expect((await savepoints(jobs)).length).toBe(1)
      await checkSavepoint(fileURLToPath(location))
      await expectWanted(jobs, await jobs.create(way.statement, { location }), way)
    },
  )

  test.each(FORMATS)('killed after a restored job (%s) has committed and before it emits', async (format) => {
    const { jobs, jid, hooks } = await setUp(way)
    await post(jobs, jid, 0, HALF)
    const location = locationOf(await stopped(jobs, jid, { format }))
    await Promise.all(EVENTS.slice(HALF).map((event) => postEvent(jobs, event)))
    const killed = snapshotAt(jobs, hooks, 'beforeEmit')
    const next = await jobs.create(way.statement, { location })
    await jobs.continueFrom(await killed)
    await expect.poll(() => jobs.view(next).state, SLOW).toBe('RUNNING')
    locationOf(await stopped(jobs, next))
    const [rows, wanted] = [await jobs.resultsJson(), await uninterrupted(way)]
    await proven(() => {
      if (way.upsert.length === 0) expect(rows).toEqual(wanted)
      else expect(last(rows)).toEqual(last(wanted))
      if (way.upsert.length > 0) expectNoRepeats(rows)
    })
  })
})

test.each(FORMATS)('killed right after a restored job (%s) is recorded', async (format) => {
  const way = WAYS[1]!
  const { jobs, jid } = await setUp(way)
  await post(jobs, jid, 0, HALF)
  const location = locationOf(await stopped(jobs, jid, { format }))
  const next = await jobs.create(way.statement, { location })
  await jobs.continueFrom(await jobs.snapshot())
  await expectWanted(jobs, next, way)
})

test.each(FORMATS)(
  'killed after a savepoint %s of a job that goes on: the job goes on, the savepoint is whole',
  async (format) => {
    const way = WAYS[4]!
    const { jobs, jid, hooks } = await setUp(way)
    await post(jobs, jid, 0, HALF)
    const killed = snapshotAt(jobs, hooks, 'afterSavepoint')
    const request = { directory: undefined, cancels: false, format, triggerId: TRIGGER }
    await jobs.now().jobs.savepoint(DEFAULT_NAMESPACE, jid, request)
    await jobs.continueFrom(await killed)
    const [name] = await savepoints(jobs)
    await checkSavepoint(join(jobs.folder, 'data', 'savepoints', name!))
    expect(() => jobs.now().jobs.operation(DEFAULT_NAMESPACE, jid, TRIGGER)).toThrow(
      'There is no savepoint operation',
    )
    await expectWanted(jobs, jid, way)
  },
)

test('control: where the signature is ignored, the counts differ', async () => {
  const way = WAYS[1]!
  const other: WayOf = { ...way, name: 'TUMBLE 20', statement: way.statement.replace("'10'", "'20'") }
  const { jobs, jid } = await setUp(way)
  await post(jobs, jid, 0, HALF)
  const location = locationOf(await stopped(jobs, jid))
  await expect(jobs.create(other.statement, { location })).rejects.toMatchObject({
    code: 'state_not_restorable',
  })
  const wanted = (await jobs.now().jobs.list(DEFAULT_NAMESPACE)).length
  expect(wanted).toBe(1)
  const file = join(fileURLToPath(location), '_metadata')
  const metadata = decodeMetadata(await readFile(file, 'utf8'))
  await writeFile(file, encodeMetadata({ ...metadata, signature: await signatureOf(jobs, other) }))
  const next = await jobs.create(other.statement, { location })
  await post(jobs, next, HALF, EVENTS.length)
  await stopped(jobs, next)
  expect((await jobs.resultsJson()).slice(-3)).not.toEqual((await uninterrupted(other)).slice(-3))
  expect(await jobs.resultsJson()).not.toEqual(await uninterrupted(other))
})

async function signatureOf(jobs: Jobs, { statement }: WayOf): Promise<string> {
  const { engine } = jobs.now()
  return (await engine.validate(statement, jobs.tables())).signature
}

test('control: where the sinks do not get the epoch, a restored job does not run', async () => {
  const way = WAYS[0]!
  const { jobs, jid } = await setUp(way)
  await post(jobs, jid, 0, HALF)
  const location = locationOf(await stopped(jobs, jid))
  const { catalog } = jobs.now().storage
  const commit = catalog.commit.bind(catalog)
  // The write that creates the job, without the epochs.
  catalog.commit = (changes, ...more) =>
    commit(
      changes.filter(({ collection }) => collection !== 'job-epochs'),
      ...more,
    )
  const next = await jobs.create(way.statement, { location })
  await expect.poll(() => jobs.view(next).state, SLOW).toBe('FAILED')
  expect(jobs.view(next).exceptions.at(-1)?.message).toMatch(/sink is at epoch 0, state at [1-9]/)
})
