/** What a worker counts and measures, with known inputs: counts of each operator, times of its steps, all commits, restarts. */
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { describe, expect, test } from 'vitest'
import type { InsertPlan, JobPlan } from '../../../src/jobs/plan/job-plan.ts'
import { verticesOf } from '../../../src/jobs/plan/vertices.ts'
import type {
  ConnectedTable,
  JobReport,
  VertexFigures,
} from '../../../src/jobs/worker/job-worker-protocol.ts'
import {
  AGGREGATED,
  CPU,
  cpuSource,
  FILTER,
  FILTERED,
  planOf,
  windowInsert,
  windowOf,
} from '../../support/job-plans.ts'
import {
  JID,
  jobStart,
  streamTable,
  TestStore,
  type TestWorker,
  temporaryFolder,
  testWorker,
} from '../../support/job-worker.ts'

const B = 1_633_956_780_000
const event = (n: number, usage = 90, at = n) =>
  JSON.stringify({ hostname: `h${n}`, cpu: 'c', usage, occurred_at: B + at })
const tables = [streamTable('cpu', CPU), streamTable('out', FILTERED)]

function planWithVertices(inserts: readonly InsertPlan[]): JobPlan {
  const source = cpuSource()
  const inputs = inserts.map((insert) => ({ insert, sources: new Set(['s0']), lookups: [] }))
  return planOf([source], inserts, { vertices: verticesOf([source], inputs) })
}

const plan = planWithVertices([FILTER])

/** Counts without times. */
function counts(vertices: readonly VertexFigures[] | undefined) {
  return vertices?.map(({ busyMs: _, idleMs: __, backpressuredMs: ___, ...rest }) => rest)
}

/** The figures of the first report after the first tick. */
async function afterStart(worker: TestWorker): Promise<readonly VertexFigures[]> {
  const report = await worker.until(() => worker.reports.filter(({ kind }) => kind === 'progress')[1])
  return report.kind === 'progress' ? report.figures.vertices : []
}

const sumOf = (texts: readonly string[]) => texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0)

const commits = (reports: readonly JobReport[]) =>
  reports.flatMap((report) => (report.kind === 'progress' ? (report.checkpoints?.completed ?? []) : []))

/** The vertices once the sink has taken so many rows. */
function taken(worker: TestWorker, rows: number): Promise<readonly VertexFigures[]> {
  return worker.until(() => {
    if (worker.failure !== undefined) throw new Error(worker.failure.message)
    const vertices = worker.figures?.vertices
    return vertices?.at(-1)?.recordsIn === rows ? vertices : undefined
  })
}

async function setup(
  more: { readonly inserts?: readonly InsertPlan[]; readonly into?: readonly ConnectedTable[] } = {},
) {
  const store = await TestStore.open()
  const jobsFolder = await temporaryFolder()
  await store.create('cpu', 'out', 'windows')
  const ofJob = more.inserts === undefined ? plan : planWithVertices(more.inserts)
  const start = async (tickEventsMax = 1_000) => {
    const worker = await testWorker({ store, jobsFolder })
    await worker.start(jobStart(worker, ofJob, more.into ?? tables, { tickEventsMax }))
    return worker
  }
  return { store, jobsFolder, start }
}

describe('counts', () => {
  test('of a filter are those of the events that were sent and written', async () => {
    const { store, start } = await setup()
    const good = [event(1), event(2, 10), event(3), event(4, 20)]
    const bad = 'no json at all'
    await store.append('cpu', [...good.slice(0, 2), bad, ...good.slice(2)])
    const worker = await start()
    const written = sumOf(await bodies(store, worker, 2))
    const shared = { recordsLate: 0, watermarkMs: B + 4 - 10_000 }
    expect(counts(await taken(worker, 2))).toEqual([
      {
        ...{ recordsIn: 5, recordsOut: 4, bytesIn: sumOf([...good, bad]), bytesOut: sumOf(good) },
        ...{ recordsBad: 1, pendingRecords: 0, ...shared },
      },
      {
        ...{ recordsIn: 4, recordsOut: 2, bytesIn: sumOf(good), bytesOut: written },
        ...{ recordsBad: 0, pendingRecords: undefined, ...shared },
      },
      {
        ...{ recordsIn: 2, recordsOut: 2, bytesIn: written, bytesOut: written },
        ...{ recordsBad: 0, pendingRecords: undefined, ...shared },
      },
    ])
  })

  test('of two queries over one source: a window counts its late rows and the rows of closed windows', async () => {
    const window = windowInsert(windowOf())
    const inserts = [FILTER, { ...window, sink: { ...window.sink, tableId: 'windows' } }]
    const into = [...tables, streamTable('windows', AGGREGATED)]
    const { store, start } = await setup({ inserts, into })
    // The third event closes the window of the first two, and the fourth comes too late for it.
    await store.append('cpu', [
      event(1, 90, 0),
      event(1, 10, 1_000),
      event(2, 10, 60_000),
      event(3, 10, 2_000),
    ])
    const worker = await start()
    const vertices = counts(await taken(worker, 1))!
    const shown = vertices.map(({ recordsIn, recordsOut, recordsLate }) => [
      recordsIn,
      recordsOut,
      recordsLate,
    ])
    expect(shown).toEqual([
      [4, 4, 0],
      [4, 1, 0],
      [4, 1, 1],
      [1, 1, 0],
      [1, 1, 0],
    ])
  })
})

describe('restarts', () => {
  test('counts are those of a run without an interruption, wherever the job stopped', async () => {
    const events = [1, 2, 3].map((n) => event(n))
    const { store, start } = await setup()
    await store.append('cpu', events)
    const expected = counts(await taken(await start(), 3))
    const other = await setup()
    const stops: number[] = []
    for (const [index, one] of events.entries()) {
      // What the last emission has written is durable with the next commit only, so each restart counts it again.
      const worker = await other.start()
      await other.store.append('cpu', [one])
      await bodies(other.store, worker, index + 1)
      stops.push(index + 1)
      await worker.cancel(JID)
      await worker.close()
    }
    const last = await other.start()
    expect([stops.length, counts(await afterStart(last))]).toEqual([3, expected])
    expect(last.reports.find(({ kind }) => kind === 'running')).toEqual({ kind: 'running', epoch: 3 })
  })

  test('a state file of an older version goes on with what it has', async () => {
    const { store, jobsFolder, start } = await setup()
    await store.append('cpu', [event(1), event(2, 10), 'no json'])
    const worker = await start()
    await taken(worker, 1)
    await worker.cancel(JID)
    await worker.close()
    await asOlder(join(jobsFolder, JID, 'state.duckdb'))
    const next = await start()
    await store.append('cpu', [event(3)])
    const shown = (await taken(next, 2)).map(({ recordsIn, recordsOut, recordsBad }) => [
      recordsIn,
      recordsOut,
      recordsBad,
    ])
    expect(shown).toEqual([
      [4, 3, 1],
      [3, 2, 0],
      [2, 2, 0],
    ])
  })
})

describe('times', () => {
  test('a slow sink is backpressure of what is before it, also while the step still waits', async () => {
    const { store, start } = await setup()
    const worker = await start()
    await worker.until(() => (worker.running > 0 ? true : undefined))
    const startMs = performance.now()
    let goOn = () => {}
    const isHeld = new Promise<void>((resolve) => {
      goOn = resolve
    })
    const heldMs = { begin: 0, end: 0 }
    worker.beforeAppend = async () => {
      heldMs.begin = performance.now()
      await isHeld
      heldMs.end = performance.now()
    }
    await store.append('cpu', [event(1)])
    const early = await worker.until(() => worker.figures?.vertices)
    goOn()
    expect(early.map(({ recordsOut }) => recordsOut)).toEqual([1, 1, 0])
    expect(early[0]!.backpressuredMs).toBeGreaterThan(100)
    const [source, query, sink] = (await taken(worker, 1)) as [VertexFigures, VertexFigures, VertexFigures]
    const wallMs = performance.now() - startMs
    expect(source.backpressuredMs).toBeGreaterThan(heldMs.end - heldMs.begin - 50)
    expect([query.backpressuredMs, sink.busyMs]).toEqual([source.backpressuredMs, source.backpressuredMs])
    expect(sink.backpressuredMs).toBe(0)
    expect(source.busyMs).toBeGreaterThan(0)
    expect(source.backpressuredMs).toBeLessThan(wallMs)
    for (const { busyMs, idleMs, backpressuredMs } of [source, query, sink]) {
      const sum = busyMs + idleMs + backpressuredMs
      expect(sum).toBeGreaterThan(source.backpressuredMs)
      expect(sum).toBe(source.busyMs + source.idleMs + source.backpressuredMs)
    }
  })

  test('a job without events is idle', async () => {
    const { start } = await setup()
    const worker = await start()
    const vertices = await afterStart(worker)
    expect(vertices.map(({ recordsIn, backpressuredMs }) => [recordsIn, backpressuredMs])).toEqual([
      [0, 0],
      [0, 0],
      [0, 0],
    ])
  })
})

describe('commits', () => {
  test('each one is reported, although reports are rare', async () => {
    const { store, start } = await setup()
    await store.append(
      'cpu',
      [1, 2, 3, 4, 5, 6, 7, 8].map((n) => event(n)),
    )
    const worker = await start(1)
    await bodies(store, worker, 8)
    await worker.cancel(JID)
    await worker.until(() => (commits(worker.reports).length >= 8 ? true : undefined))
    const all = commits(worker.reports)
    expect(all.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    for (const { durationMs, syncMs, stateBytes } of all) {
      expect(durationMs).toBeGreaterThanOrEqual(syncMs!)
      expect(Math.min(syncMs!, stateBytes)).toBeGreaterThan(0)
    }
  })

  test('one that fails is reported with the reason and the operator, after those before it', async () => {
    const failing: InsertPlan = {
      ...FILTER,
      select: `SELECT __ord, NULL::TIMESTAMP AS c0, "hostname" AS c1, "cpu" AS c2, CAST("cpu" AS DOUBLE) AS c3 FROM s0`,
    } as InsertPlan
    const { store, start } = await setup({ inserts: [failing] })
    const worker = await start()
    await store.append('cpu', [JSON.stringify({ cpu: '7' })])
    await bodies(store, worker, 1)
    await store.append('cpu', [JSON.stringify({ cpu: 'seven' })])
    const failure = await worker.failed()
    expect([failure.kind, failure.vertex]).toEqual(['conversion', 1])
    expect(commits(worker.reports).map(({ id }) => id)).toEqual([1])
    const last = worker.reports.findLast((report) => report.kind === 'progress')
    const failed = last?.kind === 'progress' ? last.checkpoints?.failed : undefined
    expect(failed).toMatchObject({ id: 2, message: failure.message })
  })
})

test('the process reports itself, what its sinks print, and what its jobs are doing', async () => {
  const print: ConnectedTable = {
    ...streamTable('out', FILTERED),
    connector: { kind: 'print' },
    stream: undefined,
  }
  const { store, start } = await setup({ into: [tables[0]!, print] })
  const worker = await start()
  await store.append('cpu', [event(1)])
  await taken(worker, 1)
  worker.look()
  const heartbeat = await worker.until(() => worker.heartbeats.find(({ printed }) => printed !== ''))
  expect(heartbeat.printed).toBe('out> +I[2021-10-11T12:53:00.001, h1, c, 90.0]\n')
  expect(heartbeat.pid).toBe(process.pid)
  expect(heartbeat.gc.map(({ name }) => name)).toContain('Scavenge')
  const { heap, residentBytes, engineBytes, cpuMs } = heartbeat
  expect(Math.min(heap.used, heap.total, heap.limit, residentBytes, engineBytes!, cpuMs)).toBeGreaterThan(0)
  if (process.platform === 'linux') expect(heartbeat.threads).toBeGreaterThan(1)
  const dump = await worker.until(() => worker.dumps[0])
  expect(dump.jobs).toEqual([{ jid: JID, part: 'idle', ms: expect.any(Number) }])
})

/** The bodies of the sink, once there are so many. */
function bodies(store: TestStore, worker: TestWorker, count: number): Promise<readonly string[]> {
  return worker.until(async () => {
    const all = await store.bodies('out')
    return all.length === count ? all : undefined
  })
}

/** Leaves out the counts that earlier versions did not have. */
async function asOlder(file: string): Promise<void> {
  const instance = await DuckDBInstance.create(file)
  const connection = await instance.connect()
  const [row] = (await connection.runAndReadAll('SELECT counters FROM meta')).getRows()
  const { sources, inserts } = JSON.parse(String(row![0]))
  const older = {
    sources: sources.map(({ recordsIn, bytesIn, recordsBad }: object & Record<string, number>) => ({
      ...{ recordsIn, bytesIn, recordsBad },
    })),
    inserts: inserts.map(({ recordsOut, bytesOut, recordsLate }: object & Record<string, number>) => ({
      ...{ recordsOut, bytesOut, recordsLate },
    })),
  }
  await connection.run(`UPDATE meta SET counters = '${JSON.stringify(older)}'`)
  connection.closeSync()
  instance.closeSync()
}
