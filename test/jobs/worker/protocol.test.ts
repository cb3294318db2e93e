/** The protocol of emissions: every state in which a job can stop between its commit and the record of its sink. */
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { describe, expect, test } from 'vitest'
import { decideAtStart } from '../../../src/jobs/worker/emission.ts'
import { JobError } from '../../../src/jobs/worker/job-error.ts'
import { CPU, cpuSource, FILTER, FILTERED, planOf } from '../../support/job-plans.ts'
import {
  JID,
  jobStart,
  streamTable,
  TestStore,
  type TestWorker,
  temporaryFolder,
  testWorker,
} from '../../support/job-worker.ts'

const MISMATCH = (sink: number, state: number) =>
  `sink is at epoch ${sink}, state at ${state}: they are not from the same moment; restore both, or start with another state`

describe('the decision at the start', () => {
  const cases = [
    {
      name: 'the sink has the last emission',
      epoch: 7,
      last: 7,
      previous: 5,
      rows: 3,
      recorded: 7,
      decision: 'go-on',
    },
    {
      name: 'the last emission is missing',
      epoch: 7,
      last: 7,
      previous: 5,
      rows: 3,
      recorded: 5,
      decision: 'emit',
    },
    {
      name: 'the first emission is missing',
      epoch: 1,
      last: 1,
      previous: 0,
      rows: 3,
      recorded: 'none',
      decision: 'emit',
    },
    {
      name: 'the last outbox was empty',
      epoch: 7,
      last: 5,
      previous: 4,
      rows: 0,
      recorded: 5,
      decision: 'go-on',
    },
    {
      name: 'nothing was ever emitted',
      epoch: 7,
      last: 0,
      previous: 0,
      rows: 0,
      recorded: 'none',
      decision: 'go-on',
    },
    { name: 'a first start', epoch: 0, last: 0, previous: 0, rows: 0, recorded: 'none', decision: 'go-on' },
    {
      name: 'a sink without record, outbox marked',
      epoch: 7,
      last: 7,
      previous: 5,
      rows: 0,
      recorded: 'unknowable',
      decision: 'go-on',
    },
    {
      name: 'a sink without record, outbox not marked',
      epoch: 7,
      last: 7,
      previous: 5,
      rows: 2,
      recorded: 'unknowable',
      decision: 'emit',
    },
    {
      name: 'the sink is ahead',
      epoch: 7,
      last: 7,
      previous: 5,
      rows: 3,
      recorded: 9,
      error: MISMATCH(9, 7),
    },
    {
      name: 'the sink is behind',
      epoch: 7,
      last: 7,
      previous: 5,
      rows: 3,
      recorded: 4,
      error: MISMATCH(4, 7),
    },
    {
      name: 'the record is gone',
      epoch: 7,
      last: 7,
      previous: 5,
      rows: 3,
      recorded: 'none',
      error: MISMATCH(0, 7),
    },
    {
      name: 'the state is gone',
      epoch: 0,
      last: 0,
      previous: 0,
      rows: 0,
      recorded: 9,
      error: MISMATCH(9, 0),
    },
  ] as const
  test.each(cases)('$name', ({ epoch, last, previous, rows, recorded, ...expected }) => {
    const decide = () => decideAtStart(epoch, { last, previous }, rows, recorded)
    if ('error' in expected) expect(decide).toThrow(new JobError(expected.error, 'lasting'))
    else expect(decide()).toBe(expected.decision)
  })
})

const usage = (n: number) =>
  JSON.stringify({ hostname: `h${n}`, cpu: 'c', usage: 90, occurred_at: 1633956780000 + n })
const plan = planOf([cpuSource()], [FILTER])
const tables = [streamTable('cpu', CPU), streamTable('out', FILTERED)]

async function hostnames(store: TestStore): Promise<string[]> {
  return (await store.bodies('out')).map((body) => (JSON.parse(body) as { hostname: string }).hostname)
}

/** A worker that stops for ever between the commit of an epoch and its emission, as a killed process does. */
async function stopped(store: TestStore, jobsFolder: string, atEpoch: number): Promise<void> {
  let reached = () => {}
  const stop = new Promise<void>((resolve) => {
    reached = resolve
  })
  const worker = await testWorker({
    store,
    jobsFolder,
    beforeEmit: async (epoch) => {
      if (epoch !== atEpoch) return
      reached()
      await new Promise(() => {})
    },
  })
  await worker.start(jobStart(worker, plan, tables, { tickEventsMax: 1 }))
  await stop
  worker.abandon()
}

async function goneOn(store: TestStore, jobsFolder: string): Promise<TestWorker> {
  const worker = await testWorker({ store, jobsFolder })
  await worker.start(jobStart(worker, plan, tables, { tickEventsMax: 2 }))
  return worker
}

describe('a job that was stopped between commit and emission', () => {
  for (const epoch of [1, 2, 3]) {
    test(`of epoch ${epoch} writes every row once`, async () => {
      const store = await TestStore.open()
      const folder = await temporaryFolder()
      await store.create('cpu', 'out')
      await store.append('cpu', [1, 2, 3, 4, 5].map(usage))
      await stopped(store, folder, epoch)
      expect(await hostnames(store)).toEqual(['h1', 'h2', 'h3', 'h4', 'h5'].slice(0, epoch - 1))
      const worker = await goneOn(store, folder)
      await worker.until(async () => (await hostnames(store)).length >= 5 || worker.failure !== undefined)
      expect(worker.failure).toBeUndefined()
      await store.append('cpu', [usage(6)])
      await worker.until(async () => (await hostnames(store)).length >= 6)
      expect(await hostnames(store)).toEqual(['h1', 'h2', 'h3', 'h4', 'h5', 'h6'])
    })
  }

  test('fails if its sink is of another moment', async () => {
    const store = await TestStore.open()
    const folder = await temporaryFolder()
    await store.create('cpu', 'out')
    await store.append('cpu', [1, 2, 3].map(usage))
    await stopped(store, folder, 3)
    store.epochs.set(`${JID}/0`, 9)
    const worker = await goneOn(store, folder)
    expect(await worker.failed()).toEqual({ kind: 'lasting', message: MISMATCH(9, 3) })
  })

  test('fails if its state is gone and the sink has its record', async () => {
    const store = await TestStore.open()
    await store.create('cpu', 'out')
    await store.append('cpu', [1, 2, 3].map(usage))
    await stopped(store, await temporaryFolder(), 3)
    const worker = await goneOn(store, await temporaryFolder())
    expect(await worker.failed()).toEqual({ kind: 'lasting', message: MISMATCH(2, 0) })
  })
})

describe('the state file', () => {
  async function used(): Promise<{ store: TestStore; folder: string }> {
    const store = await TestStore.open()
    const folder = await temporaryFolder()
    await store.create('cpu', 'out')
    await store.append('cpu', [1, 2, 3].map(usage))
    const worker = await testWorker({ store, jobsFolder: folder })
    await worker.start(jobStart(worker, plan, tables))
    await worker.until(async () => (await hostnames(store)).length === 3)
    await worker.cancel(JID)
    await worker.close()
    return { store, folder }
  }

  test('goes on after a cancel', async () => {
    const { store, folder } = await used()
    const worker = await goneOn(store, folder)
    await store.append('cpu', [usage(4)])
    await worker.until(async () => (await hostnames(store)).length === 4)
    await worker.until(() => worker.figures)
    expect(worker.figures?.sources[0]?.recordsIn).toBe(4)
  })

  test('of another statement is refused', async () => {
    const { store, folder } = await used()
    const worker = await testWorker({ store, jobsFolder: folder })
    await worker.start(jobStart(worker, { ...plan, signature: 'cd'.repeat(32) }, tables))
    const failure = await worker.failed()
    expect(failure.kind).toBe('lasting')
    expect(failure.message).toContain('is of another statement (signature abababababab, wanted cdcdcdcdcdcd)')
  })

  test('with damaged bytes fails with a sentence', async () => {
    const { store, folder } = await used()
    await writeFile(join(folder, JID, 'state.duckdb'), Buffer.alloc(20_000, 0x5a))
    const worker = await goneOn(store, folder)
    const failure = await worker.failed()
    expect(failure.kind).toBe('lasting')
    expect(failure.message).toMatch(
      /^the state file .*state\.duckdb is damaged: .*; restore it together with the store/,
    )
  })

  test.each([
    { name: 'lost', damage: () => Buffer.alloc(0) },
    { name: 'overwritten', damage: (log: Buffer) => log.fill(0x5a) },
    { name: 'damaged in one byte', damage: flipped },
  ])('whose log is $name fails instead of writing rows twice', async ({ damage }) => {
    const store = await TestStore.open()
    const folder = await temporaryFolder()
    await store.create('cpu', 'out')
    await store.append('cpu', [1, 2, 3].map(usage))
    await stopped(store, folder, 3)
    const log = join(folder, JID, 'state.duckdb.wal')
    const copy = await temporaryFolder() // the engine of the stopped worker still has the old file
    await cp(folder, copy, { recursive: true })
    await writeFile(join(copy, JID, 'state.duckdb.wal'), damage(await readFile(log)))
    const worker = await goneOn(store, copy)
    const { kind, message } = await worker.failed()
    expect(kind).toBe('lasting')
    expect(message).toMatch(/is damaged|not from the same moment/)
    expect(await hostnames(store)).toEqual(['h1', 'h2'])
  })

  test('of a newer version is refused', async () => {
    const { store, folder } = await used()
    const instance = await DuckDBInstance.create(join(folder, JID, 'state.duckdb'))
    const connection = await instance.connect()
    await connection.run('UPDATE meta SET format = 2')
    connection.closeSync()
    instance.closeSync()
    const worker = await goneOn(store, folder)
    const { kind, message } = await worker.failed()
    expect(kind).toBe('lasting')
    expect(message).toMatch(
      /has format 2, and this version reads up to 1; run the version that has written it$/,
    )
  })
})

describe('the state file after a power cut', () => {
  /** Each changes what the last commit has written, from `begin` on. */
  const torn: readonly { readonly name: string; readonly tear: (log: Buffer, begin: number) => Buffer }[] = [
    { name: 'is missing', tear: (log, begin) => log.subarray(0, begin) },
    { name: 'is there for one byte', tear: (log, begin) => log.subarray(0, begin + 1) },
    { name: 'is there in part', tear: (log, begin) => log.subarray(0, middle(log, begin)) },
    { name: 'lacks its end', tear: (log) => log.subarray(0, -1) },
    { name: 'is zeros', tear: (log, begin) => log.fill(0, begin) },
    { name: 'is zeros behind its middle', tear: (log, begin) => log.fill(0, middle(log, begin)) },
    { name: 'is zeros before its end', tear: (log, begin) => log.fill(0, begin + 20, log.length - 21) },
    { name: 'is 16 zeros', tear: (log, begin) => log.fill(0, begin).subarray(0, begin + 16) },
    { name: 'is other bytes', tear: (log, begin) => log.fill(0xa5, begin) },
    { name: 'is other bytes behind its middle', tear: (log, begin) => log.fill(0xa5, middle(log, begin)) },
  ]
  test.each(torn)('whose last commit $name goes on from the commit before', async ({ tear }) => {
    const store = await TestStore.open()
    const folder = await temporaryFolder()
    await store.create('cpu', 'out')
    await store.append('cpu', [1, 2, 3, 4].map(usage))
    await stopped(store, folder, 3)
    const log = await readFile(join(folder, JID, 'state.duckdb.wal'))
    const begin = log.lastIndexOf(COMMIT_END, -COMMIT_END.length - 1) + COMMIT_END.length
    expect(begin).toBeGreaterThan(COMMIT_END.length)
    const copy = await temporaryFolder() // the engine of the stopped worker still has the old file
    await cp(folder, copy, { recursive: true })
    await writeFile(join(copy, JID, 'state.duckdb.wal'), tear(log, begin))
    const worker = await goneOn(store, copy)
    await worker.until(async () => (await hostnames(store)).length >= 4 || worker.failure !== undefined)
    expect(worker.failure).toBeUndefined()
    expect(await hostnames(store)).toEqual(['h1', 'h2', 'h3', 'h4'])
  })

  const leftovers = ['state.duckdb.new', 'state.duckdb.new.wal', 'state.duckdb.wal']
  test('that was being created is created again', async () => {
    const store = await TestStore.open()
    const folder = await temporaryFolder()
    await store.create('cpu', 'out')
    await store.append('cpu', [1, 2].map(usage))
    await mkdir(join(folder, JID))
    for (const name of leftovers) await writeFile(join(folder, JID, name), Buffer.alloc(5_000, 0x5a))
    const worker = await goneOn(store, folder)
    await worker.until(async () => (await hostnames(store)).length >= 2 || worker.failure !== undefined)
    expect(worker.failure).toBeUndefined()
    await worker.cancel(JID)
    expect(await readdir(join(folder, JID))).toEqual(['state.duckdb'])
  })
})

/** The last bytes of each commit in the log of the engine. */
const COMMIT_END = Buffer.from('0500000000000000e7fe7d722fed3d5e640064ffff', 'hex')

function middle(log: Buffer, begin: number): number {
  return Math.floor((begin + log.length) / 2)
}

function flipped(log: Buffer): Buffer {
  const at = Math.floor(log.length / 2)
  log[at] = log[at]! ^ 1
  return log
}

test('a sink that does not answer ends the attempt, and nothing is lost or written twice', async () => {
  const store = await TestStore.open()
  const folder = await temporaryFolder()
  await store.create('cpu', 'out')
  const worker = await testWorker({ store, jobsFolder: folder })
  worker.appendFailure = { message: 'the disk has too little free space', passing: true }
  await worker.start(jobStart(worker, plan, tables))
  await store.append('cpu', [usage(1)])
  const message = 'the disk has too little free space'
  expect(await worker.failed()).toEqual({ kind: 'passing', message, vertex: 2 })
  worker.reports.length = 0
  worker.appendFailure = undefined
  await worker.start(jobStart(worker, plan, tables))
  await store.append('cpu', [usage(2)])
  await worker.until(async () => (await hostnames(store)).length === 2)
  expect(await hostnames(store)).toEqual(['h1', 'h2'])
})
