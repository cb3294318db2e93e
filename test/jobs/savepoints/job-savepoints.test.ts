/** Savepoints, stops and restores in the job model, with a scripted engine: states, documents, operations, restarts. */
import { existsSync } from 'node:fs'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { JobOrder, OrderOutcome, SavepointFormat } from '../../../src/jobs/savepoints/savepoint.ts'
import { encodeMetadata, type SavepointMetadata } from '../../../src/jobs/savepoints/savepoint-metadata.ts'
import { DEFAULT_NAMESPACE } from '../../../src/streams/names.ts'
import { StorageError } from '../../../storage/storage-error.ts'
import { jobsSetup, STATEMENT, settled } from '../../support/jobs.ts'

type Setup = Awaited<ReturnType<typeof jobsSetup>>

const TRIGGER = 'ab'.repeat(16)
const PASSING = { kind: 'passing', message: 'the database is down' } as const
const LASTING = { kind: 'lasting', message: 'stream in was truncated' } as const
const FIGURES = { startedMs: 1, durationMs: 5, syncMs: 2, bytes: 10, stateBytes: 20 }
const DONE: OrderOutcome = { kind: 'done', epoch: 7, savepoint: FIGURES }
const FULL: OrderOutcome = { kind: 'failed', message: 'no space left on device' }
const IDLE = { directory: undefined, format: 'CANONICAL' as SavepointFormat, triggerId: TRIGGER }

const savepoint = (setup: Setup, jid: string, more: object = {}) =>
  setup.jobs.savepoint(DEFAULT_NAMESPACE, jid, { ...IDLE, cancels: false, ...more })
const stop = (setup: Setup, jid: string, more: object = {}) =>
  setup.jobs.stop(DEFAULT_NAMESPACE, jid, { ...IDLE, drains: false, ...more })
const operation = (setup: Setup, jid: string, trigger = TRIGGER) =>
  setup.jobs.operation(DEFAULT_NAMESPACE, jid, trigger)

type Savepoint = JobOrder & { readonly kind: 'savepoint' }

function ordered(setup: Setup, index = 0): Savepoint {
  return setup.engine.orders[index]!.order as Savepoint
}

describe('a savepoint', () => {
  test('is ordered, and its location is answered when it is written', async () => {
    const setup = await jobsSetup()
    const { jid } = await setup.create()
    expect(await savepoint(setup, jid)).toBe(TRIGGER)
    const order = ordered(setup)
    expect(order).toMatchObject({
      ...{ kind: 'savepoint', id: TRIGGER, format: 'CANONICAL', drains: false, ends: false, replaces: false },
      about: {
        namespace: 'default',
        name: 'insert-into_OUT',
        statement: STATEMENT,
        schemas: { IN: 'a INT', OUT: 'a INT' },
      },
    })
    expect(order.location).toMatch(new RegExp(`^${setup.folder}/savepoint-${jid.slice(0, 6)}-[0-9a-f]{12}$`))
    expect(operation(setup, jid)).toEqual({ state: 'in-progress' })
    setup.engine.running.get(jid)!.ordered(TRIGGER, DONE)
    await settled()
    expect(operation(setup, jid)).toEqual({
      state: 'completed',
      location: pathToFileURL(order.location).href,
    })
    expect(setup.state(jid)).toBe('RUNNING')
  })

  test('with the same trigger id is the same, whatever else is asked', async () => {
    const setup = await jobsSetup()
    const { jid } = await setup.create()
    await savepoint(setup, jid)
    expect(await savepoint(setup, jid, { directory: '/elsewhere' })).toBe(TRIGGER)
    expect(await stop(setup, jid, { triggerId: TRIGGER.toUpperCase() })).toBe(TRIGGER)
    expect(setup.engine.orders.length).toBe(1)
    const other = await savepoint(setup, jid, { triggerId: undefined })
    expect(other).toMatch(/^[0-9a-f]{32}$/)
    expect(setup.engine.orders.length).toBe(2)
  })

  test.each([
    ['a folder outside', { directory: '/elsewhere' }, 'savepoint_outside'],
    ['a trigger id that is none', { triggerId: 'x' }, 'invalid_parameter'],
  ])('with %s is refused, and nothing is made', async (_, more, code) => {
    const setup = await jobsSetup()
    const { jid } = await setup.create()
    await expect(savepoint(setup, jid, more)).rejects.toMatchObject({ code })
    expect(setup.engine.orders).toEqual([])
  })

  test('of a job that does not exist is refused, and so is its operation', async () => {
    const setup = await jobsSetup()
    await expect(savepoint(setup, 'f'.repeat(32))).rejects.toMatchObject({ code: 'job_not_found' })
    const { jid } = await setup.create()
    expect(() => operation(setup, jid)).toThrow(
      `There is no savepoint operation with triggerId=${TRIGGER} for job ${jid}.`,
    )
  })

  test.each(['savepoint', 'stop', 'cancel'] as const)(
    '%s of an ended job fails as an operation',
    async (kind) => {
      const setup = await jobsSetup()
      const { jid } = await setup.create()
      setup.engine.running.get(jid)!.finished()
      await settled()
      if (kind === 'stop') await stop(setup, jid)
      else await savepoint(setup, jid, { cancels: kind === 'cancel' })
      expect(operation(setup, jid)).toEqual({ state: 'failed', message: 'job is not running' })
    },
  )

  test.each(['savepoint', 'stop', 'cancel'] as const)(
    '%s of a job that restarts fails as an operation',
    async (kind) => {
      const setup = await jobsSetup()
      const { jid } = await setup.create()
      setup.engine.running.get(jid)!.failed(PASSING)
      if (kind === 'stop') await stop(setup, jid)
      else await savepoint(setup, jid, { cancels: kind === 'cancel' })
      await settled()
      const message = 'job is RESTARTING; try again when it is RUNNING'
      expect(operation(setup, jid)).toEqual({ state: 'failed', message })
      await setup.clock.pass(2_000)
      expect([setup.state(jid), setup.engine.orders]).toEqual(['RUNNING', []])
    },
  )

  test.each([
    ['restarts', PASSING, 'the job has failed: the database is down', 'RESTARTING'],
    ['fails', LASTING, 'the job has failed: stream in was truncated', 'FAILED'],
  ] as const)('fails when the job %s before it is written', async (_, failure, message, state) => {
    const setup = await jobsSetup()
    const { jid } = await setup.create()
    await savepoint(setup, jid)
    setup.engine.running.get(jid)!.failed(failure)
    await settled()
    expect([operation(setup, jid), setup.state(jid)]).toEqual([{ state: 'failed', message }, state])
  })

  test('that the engine does not take fails', async () => {
    const setup = await jobsSetup()
    const { jid } = await setup.create()
    setup.engine.onOrder = () => {
      throw new Error('the disk has 5 bytes free')
    }
    await savepoint(setup, jid)
    await settled()
    expect(operation(setup, jid)).toEqual({ state: 'failed', message: 'the disk has 5 bytes free' })
    await stop(setup, jid, { triggerId: 'cd'.repeat(16) })
    await settled()
    expect([operation(setup, jid, 'cd'.repeat(16)).state, setup.state(jid)]).toEqual(['failed', 'RUNNING'])
    await expect.poll(async () => (await setup.document(jid))?.stopping).toBeUndefined()
  })

  test('is forgotten 5 minutes after its end', async () => {
    const setup = await jobsSetup()
    const { jid } = await setup.create()
    await savepoint(setup, jid)
    setup.engine.running.get(jid)!.ordered(TRIGGER, DONE)
    await settled()
    await setup.clock.pass(299_000)
    expect(operation(setup, jid).state).toBe('completed')
    await setup.clock.pass(1_000)
    expect(() => operation(setup, jid)).toThrow('There is no savepoint operation')
  })

  test('a client cannot have many that have not ended', async () => {
    const setup = await jobsSetup()
    const { jid } = await setup.create()
    for (let i = 0; i < 16; i++) await savepoint(setup, jid, { triggerId: undefined })
    await expect(savepoint(setup, jid)).rejects.toMatchObject({ code: 'overloaded' })
  })

  test('whose directory cannot be made fails as an operation', async () => {
    const setup = await jobsSetup()
    const { jid } = await setup.create()
    await mkdir(setup.folder)
    await writeFile(join(setup.folder, 'file'), '')
    await savepoint(setup, jid, { directory: join(setup.folder, 'file', 'x') })
    expect(operation(setup, jid)).toMatchObject({
      message: expect.stringContaining('the savepoint directory cannot be made'),
    })
  })
})

test('a checkpoint has the id of the commit', async () => {
  const setup = await jobsSetup()
  const { jid } = await setup.create()
  await setup.jobs.checkpoint(DEFAULT_NAMESPACE, jid, TRIGGER)
  expect(setup.engine.orders).toEqual([{ jid, order: { kind: 'checkpoint', id: TRIGGER } }])
  setup.engine.running.get(jid)!.ordered(TRIGGER, { kind: 'done', epoch: 9 })
  await settled()
  expect(operation(setup, jid)).toEqual({ state: 'completed', checkpointId: 9 })
})

const ENDS = [
  { name: 'stop', begin: stop, more: { drains: true }, state: 'FINISHED' },
  { name: 'savepoint with cancel', begin: savepoint, more: { cancels: true }, state: 'CANCELED' },
] as const

describe.each(ENDS)('$name', ({ begin, more, state }) => {
  test('ends the job when the savepoint is written; then the operation is completed', async () => {
    const setup = await jobsSetup()
    const { jid } = await setup.create()
    await begin(setup, jid, more)
    const order = ordered(setup)
    expect(order).toMatchObject({ ends: true, drains: state === 'FINISHED', replaces: false })
    expect((await setup.document(jid))?.stopping).toEqual({
      ...{ triggerId: TRIGGER, location: order.location, format: 'CANONICAL' },
      ...{ drains: state === 'FINISHED', cancels: state === 'CANCELED' },
    })
    const run = setup.engine.running.get(jid)!
    run.ordered(TRIGGER, DONE)
    await settled()
    expect([setup.state(jid), operation(setup, jid).state]).toEqual(['RUNNING', 'in-progress'])
    run.finished()
    await settled()
    expect(setup.state(jid)).toBe(state)
    expect(await setup.document(jid)).toMatchObject({ state })
    expect((await setup.document(jid))?.stopping).toBeUndefined()
    expect(operation(setup, jid)).toEqual({
      state: 'completed',
      location: pathToFileURL(order.location).href,
    })
    expect(setup.engine.removed).toEqual([jid])
  })

  test('is not completed, and the state is kept, before the end of the job is durable', async () => {
    const setup = await jobsSetup()
    const { jid } = await setup.create()
    await begin(setup, jid, more)
    const run = setup.engine.running.get(jid)!
    run.ordered(TRIGGER, DONE)
    setup.storage.fail(new StorageError('unavailable', 'the disk is gone'))
    run.finished()
    await settled()
    expect([setup.state(jid), operation(setup, jid).state, setup.engine.removed]).toEqual([
      state,
      'in-progress',
      [],
    ])
    setup.storage.heal()
    await setup.clock.pass(5_000)
    await settled()
    expect(operation(setup, jid).state).toBe('completed')
  })

  test('goes on in the job when the savepoint fails', async () => {
    const setup = await jobsSetup()
    const { jid } = await setup.create()
    await begin(setup, jid, more)
    setup.engine.running.get(jid)!.ordered(TRIGGER, FULL)
    await settled()
    expect(operation(setup, jid)).toEqual({ state: 'failed', message: 'no space left on device' })
    expect([setup.state(jid), (await setup.document(jid))?.stopping]).toEqual(['RUNNING', undefined])
  })

  test('is given to the next run of a job that restarts', async () => {
    const setup = await jobsSetup()
    const { jid } = await setup.create()
    await begin(setup, jid, more)
    const { location } = ordered(setup)
    setup.engine.running.get(jid)!.ordered(TRIGGER, DONE) // written, and then the process ends
    setup.engine.running.get(jid)!.failed(PASSING)
    await setup.clock.pass(2_000)
    await expect.poll(() => setup.engine.submitted.length).toBe(2) // the name of the new folder is read from it
    const { run } = setup.engine.submitted[1]!
    expect(run.order).toMatchObject({ id: TRIGGER, location, ends: true, replaces: true })
    expect(operation(setup, jid).state).toBe('in-progress')
    setup.engine.running.get(jid)!.ordered(TRIGGER, DONE)
    setup.engine.running.get(jid)!.finished()
    await settled()
    expect([setup.state(jid), operation(setup, jid).state]).toEqual([state, 'completed'])
    expect(setup.engine.orders.length).toBe(1)
  })

  test('goes on after a restart of the service, with its trigger id', async () => {
    const setup = await jobsSetup()
    const { jid } = await setup.create()
    await begin(setup, jid, more)
    const { location } = ordered(setup)
    await setup.restart()
    expect(operation(setup, jid)).toEqual({ state: 'in-progress' })
    await expect.poll(() => setup.engine.submitted.length).toBe(1)
    expect(setup.engine.submitted[0]!.run.order).toMatchObject({ id: TRIGGER, location, replaces: true })
    setup.engine.running.get(jid)!.ordered(TRIGGER, DONE)
    setup.engine.running.get(jid)!.finished()
    await settled()
    expect([setup.state(jid), operation(setup, jid).state]).toEqual([state, 'completed'])
    await setup.restart()
    expect([setup.state(jid), setup.engine.submitted]).toEqual([state, []])
  })

  test('is given up after a restart with other savepoint directories', async () => {
    const setup = await jobsSetup()
    const { jid } = await setup.create()
    await begin(setup, jid, more)
    setup.moveSavepoints(join(setup.folder, 'elsewhere'))
    await setup.restart()
    await expect.poll(() => setup.state(jid)).toBe('RUNNING')
    expect(setup.engine.submitted[0]!.run.order).toBeUndefined()
    expect(operation(setup, jid)).toMatchObject({
      message: expect.stringContaining('is outside of the savepoint'),
    })
  })

  test('a second one fails, and the first goes on', async () => {
    const setup = await jobsSetup()
    const { jid } = await setup.create()
    await begin(setup, jid, more)
    const other = 'cd'.repeat(16)
    await stop(setup, jid, { triggerId: other })
    await settled()
    const message = `the job is being stopped already, with triggerId=${TRIGGER}`
    expect(operation(setup, jid, other)).toEqual({ state: 'failed', message })
    expect(operation(setup, jid)).toEqual({ state: 'in-progress' })
  })

  test('cancel ends the job without it', async () => {
    const setup = await jobsSetup()
    const { jid } = await setup.create()
    await begin(setup, jid, more)
    await setup.jobs.cancel(DEFAULT_NAMESPACE, jid)
    await settled()
    expect([setup.state(jid), operation(setup, jid).state]).toEqual(['CANCELED', 'failed'])
    await setup.restart()
    expect([setup.state(jid), setup.engine.submitted]).toEqual(['CANCELED', []])
  })

  test('a job that fails ends it', async () => {
    const setup = await jobsSetup()
    const { jid } = await setup.create()
    await begin(setup, jid, more)
    setup.engine.running.get(jid)!.failed(LASTING)
    await settled()
    expect(setup.state(jid)).toBe('FAILED')
    expect(operation(setup, jid)).toEqual({
      state: 'failed',
      message: 'the job has failed: stream in was truncated',
    })
    expect((await setup.document(jid))?.stopping).toBeUndefined()
  })

  test('a store that refuses the stop: it is refused, and the job goes on', async () => {
    const setup = await jobsSetup()
    const { jid } = await setup.create()
    setup.storage.fail(new StorageError('unavailable', 'the disk is gone'))
    await expect(begin(setup, jid, more)).rejects.toThrow()
    setup.storage.heal()
    await setup.clock.pass(5_000)
    expect([setup.state(jid), setup.engine.orders]).toEqual(['RUNNING', []])
    expect((await setup.document(jid))?.stopping).toBeUndefined()
    expect(() => operation(setup, jid)).toThrow('There is no savepoint operation')
  })
})

/** A savepoint of the statement of the scripted engine, at epoch 7. */
async function saved(
  setup: Setup,
  more: Partial<SavepointMetadata> = {},
  name = 'savepoint-aaaaaa-000000000001',
) {
  const folder = join(setup.folder, name)
  await mkdir(folder, { recursive: true })
  const metadata: SavepointMetadata = {
    ...{
      format: 1,
      kind: 'CANONICAL',
      version: '0',
      timestampMs: 1,
      jid: 'a'.repeat(32),
      namespace: 'default',
    },
    ...{
      name: 'x',
      statement: STATEMENT,
      schemas: {},
      signature: 's',
      stateFormat: 1,
      epoch: 7,
      drained: false,
    },
    ...{ counters: {}, positions: [], tables: [], files: [], ...more },
  }
  await writeFile(join(folder, '_metadata'), encodeMetadata(metadata))
  return folder
}

const create = (
  setup: Setup,
  location: string,
  more: { allowNonRestoredState?: boolean; jid?: string } = {},
) =>
  setup.jobs.create(
    DEFAULT_NAMESPACE,
    {
      ...{ statement: STATEMENT, tableIds: [], name: undefined, jid: more.jid },
      restore: { location, allowNonRestoredState: more.allowNonRestoredState ?? false },
    },
    undefined,
  )

describe('restore', () => {
  test('the sinks have the epoch of the savepoint in the write that creates the job', async () => {
    const setup = await jobsSetup()
    const folder = await saved(setup)
    const { jid } = await create(setup, pathToFileURL(folder).href)
    expect(setup.engine.restored).toEqual([{ jid, savepoint: folder }])
    expect((await setup.storage.catalog.get('job-epochs', `${jid}:0`))?.document).toBe(7)
    const restored = { id: 7, restoredMs: 1_000_000, location: pathToFileURL(folder).href }
    expect((await setup.document(jid))?.restored).toEqual(restored)
    await setup.restart()
    expect(setup.jobs.get(DEFAULT_NAMESPACE, jid)).toMatchObject({ state: 'RUNNING', restored })
  })

  test.each([
    [
      'another statement',
      { signature: 'other' },
      'state_not_restorable',
      'is of another statement (signature other, wanted s)',
    ],
    ['another namespace', { namespace: 'elsewhere' }, 'state_not_restorable', 'is not of namespace default'],
    [
      'a later format',
      { format: 2 },
      'savepoint_unreadable',
      'it has format 2, and this version reads up to 1',
    ],
    [
      'a missing file',
      { files: [{ name: 'a-0.parquet', bytes: 1, sha256: '' }] },
      'savepoint_unreadable',
      'its file a-0.parquet is missing',
    ],
    [
      'a name that leads elsewhere',
      { files: [{ name: '../x.parquet', bytes: 1, sha256: '' }] },
      'savepoint_unreadable',
      "names the file '../x.parquet'",
    ],
  ] as const)('%s is refused, and nothing is created', async (_, more, code, text) => {
    const setup = await jobsSetup()
    const folder = await saved(setup, more)
    await expect(create(setup, folder)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(text),
    })
    expect([setup.jobs.list(DEFAULT_NAMESPACE), setup.engine.restored]).toEqual([[], []])
  })

  test.each([
    ['no folder', () => {}, 'it has no _metadata'],
    ['an empty folder', (folder: string) => mkdir(folder, { recursive: true }), 'it has no _metadata'],
    ['a half _metadata', (folder: string) => written(folder, '{"format":1,'), 'its _metadata is no JSON'],
    ['another JSON', (folder: string) => written(folder, '[]'), 'its _metadata is not one of a savepoint'],
    ['a changed _metadata', changed, 'its _metadata is damaged'],
  ] as const)('%s is refused', async (_, make, text) => {
    const setup = await jobsSetup()
    const folder = join(setup.folder, 'sp')
    await make(folder)
    await expect(create(setup, folder)).rejects.toMatchObject({
      code: 'savepoint_unreadable',
      message: `savepoint ${pathToFileURL(folder).href} cannot be restored: ${text}`,
    })
  })

  test('a folder outside is refused', async () => {
    const setup = await jobsSetup()
    await expect(create(setup, '/etc')).rejects.toMatchObject({ code: 'savepoint_outside' })
  })

  test('with allowNonRestoredState another statement starts empty, with a warning', async () => {
    const setup = await jobsSetup()
    const folder = await saved(setup, { signature: 'other' })
    const { jid, warnings, restored } = await create(setup, folder, { allowNonRestoredState: true })
    expect(warnings).toEqual([
      `the state of savepoint ${pathToFileURL(folder).href} does not fit the statement and was not restored`,
    ])
    expect([restored, setup.engine.restored]).toEqual([undefined, []])
    expect(await setup.storage.catalog.get('job-epochs', `${jid}:0`)).toBeUndefined()
  })

  test('a copy that fails leaves nothing', async () => {
    const setup = await jobsSetup()
    const folder = await saved(setup)
    setup.engine.onRestore = () => {
      throw new Error('no space left on device')
    }
    await expect(create(setup, folder)).rejects.toThrow('no space left on device')
    expect(setup.jobs.list(DEFAULT_NAMESPACE)).toEqual([])
    expect(setup.engine.removed.length).toBe(1)
  })

  test('a wanted id is taken, once', async () => {
    const setup = await jobsSetup()
    const folder = await saved(setup)
    const jid = 'ef'.repeat(16)
    expect((await create(setup, folder, { jid })).jid).toBe(jid)
    await expect(create(setup, folder, { jid })).rejects.toMatchObject({ code: 'job_exists' })
    await expect(create(setup, folder, { jid: 'nope' })).rejects.toMatchObject({ code: 'invalid_parameter' })
    expect(setup.engine.removed).toEqual([])
  })
})

async function written(folder: string, text: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, '_metadata'), text)
}

async function changed(folder: string): Promise<void> {
  await written(folder, '{"format":1,"epoch":7,"files":[],"checksum":"00"}')
}

describe('disposal', () => {
  async function disposed(setup: Setup, location: string) {
    const trigger = await setup.jobs.disposeSavepoint(location)
    await expect.poll(() => setup.jobs.disposal(trigger).state).not.toBe('in-progress')
    return setup.jobs.disposal(trigger)
  }

  test('deletes the savepoint', async () => {
    const setup = await jobsSetup()
    const folder = await saved(setup, { files: [{ name: 'a-0.parquet', bytes: 1, sha256: '' }] })
    await writeFile(join(folder, 'a-0.parquet'), 'x')
    expect(await disposed(setup, pathToFileURL(folder).href)).toEqual({ state: 'completed' })
    expect(existsSync(folder)).toBe(false)
    expect(existsSync(setup.folder)).toBe(true)
  })

  test.each([
    ['a folder without _metadata', undefined, ['other.txt'], 'is no savepoint: it has no _metadata'],
    ['a folder with another _metadata', 'text', [], 'its _metadata is no JSON'],
    [
      'a savepoint with other files',
      'saved',
      ['other.txt'],
      'holds other.txt, which is not of the savepoint',
    ],
  ] as const)('%s stays', async (_, metadata, files, text) => {
    const setup = await jobsSetup()
    const folder = metadata === 'saved' ? await saved(setup, {}, 'sp') : join(setup.folder, 'sp')
    await mkdir(folder, { recursive: true })
    if (metadata === 'text') await writeFile(join(folder, '_metadata'), 'text')
    for (const file of files) await writeFile(join(folder, file), 'x')
    const before = await readdir(folder)
    expect(await disposed(setup, folder)).toEqual({ state: 'failed', message: expect.stringContaining(text) })
    expect(await readdir(folder)).toEqual(before)
  })

  test('a folder outside, and a savepoint directory, are refused', async () => {
    const setup = await jobsSetup()
    await expect(setup.jobs.disposeSavepoint('/etc')).rejects.toMatchObject({ code: 'savepoint_outside' })
    await expect(setup.jobs.disposeSavepoint(setup.folder)).rejects.toMatchObject({
      code: 'savepoint_outside',
    })
    expect(() => setup.jobs.disposal(TRIGGER)).toThrow('There is no disposal')
  })
})
