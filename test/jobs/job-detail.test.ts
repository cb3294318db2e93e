/** A job in the words of Flink's REST API: every member that its clients read, whole numbers, all states in every table of counts. */
import { describe, expect, test } from 'vitest'
import { JOB_STATES, type JobState, type JobView } from '../../src/jobs/job.ts'
import { jobDetail } from '../../src/jobs/job-detail.ts'
import { TASK_STATES } from '../../src/jobs/task-times.ts'
import { vertexId } from '../../src/jobs/vertex-detail.ts'
import type { NamespaceName } from '../../src/streams/names.ts'

const START_MS = 1_633_336_792_083
const NOW_MS = START_MS + 423_503

const JOB: JobView = {
  jid: 'b63c78c70033e00afa84de9029257e31',
  namespace: 'default' as NamespaceName,
  name: 'JobExample',
  statement: 'INSERT INTO KAlert SELECT * FROM KCpuIn WHERE `cpu` > 70',
  tableIds: ['t1', 't2'],
  state: 'RUNNING',
  startMs: START_MS,
  endMs: undefined,
  enteredMs: { INITIALIZING: START_MS, CREATED: START_MS + 7, RUNNING: START_MS + 67 },
  attempt: 0,
  attemptStates: [
    { state: 'INITIALIZING', atMs: START_MS },
    { state: 'CREATED', atMs: START_MS + 7 },
    { state: 'RUNNING', atMs: START_MS + 67 },
  ],
  vertices: [
    { name: 'Source: CPU_IN', kind: 'source', index: 0, inputs: [] },
    { name: 'Query: a < b & "c"\nd\\e', kind: 'query', index: 0, inputs: [0] },
    { name: 'Sink: KAlert', kind: 'sink', index: 0, inputs: [1] },
  ],
  figures: undefined,
  exceptions: [],
  badRecords: [],
  warnings: [],
}

const NO_FIGURES = {
  ...{ recordsIn: 0, recordsOut: 0, bytesIn: 0, bytesOut: 0, busyMs: 0, backpressuredMs: 0, idleMs: 400 },
  ...{ recordsLate: 0, recordsBad: 0, watermarkMs: undefined, pendingRecords: undefined },
}

const FIGURES: NonNullable<JobView['figures']> = {
  epoch: 12,
  checkpoint: { id: 12, startedMs: START_MS + 900.5, durationMs: 7.25, bytes: 4096, stateBytes: 12_288 },
  sources: [
    {
      recordsIn: 100,
      bytesIn: 5000,
      recordsBad: 2,
      lagRecords: 3,
      lagMs: 250,
      watermarkMs: START_MS - 10_000,
    },
  ],
  inserts: [{ recordsOut: 40, bytesOut: 1600, recordsLate: 1 }],
  busyMs: 12.75,
  backpressuredMs: 3.5,
  idleMs: 400.25,
  vertices: [
    {
      ...NO_FIGURES,
      recordsIn: 100,
      recordsOut: 98,
      bytesIn: 5000,
      bytesOut: 4900,
      busyMs: 5,
      backpressuredMs: 3,
    },
    {
      ...NO_FIGURES,
      recordsIn: 98,
      recordsOut: 40,
      bytesIn: 4900,
      bytesOut: 1600,
      busyMs: 8,
      backpressuredMs: 3,
    },
    { ...NO_FIGURES, recordsIn: 40, recordsOut: 39, bytesIn: 1600, bytesOut: 1600, busyMs: 3 },
  ],
}

interface Detail {
  readonly [member: string]: unknown
  readonly vertices: readonly { readonly [member: string]: unknown; readonly metrics: object }[]
  readonly plan: { readonly nodes: readonly object[] }
  readonly millrace: object
}

const detailOf = (job: Partial<JobView> = {}, nowMs = NOW_MS) =>
  JSON.parse(JSON.stringify(jobDetail({ ...JOB, ...job }, nowMs))) as Detail

const NO_TASKS = Object.fromEntries(TASK_STATES.map((state) => [state, 0]))
const NO_TIMES = Object.fromEntries(JOB_STATES.map((state) => [state, 0]))

test('a running job', () => {
  const { vertices, plan, millrace: _, ...rest } = detailOf()
  expect(rest).toEqual({
    jid: JOB.jid,
    name: 'JobExample',
    isStoppable: false,
    state: 'RUNNING',
    'job-type': 'STREAMING',
    'start-time': START_MS,
    'end-time': -1,
    duration: 423_503,
    maxParallelism: 128,
    now: NOW_MS,
    timestamps: { ...NO_TIMES, ...JOB.enteredMs },
    'status-counts': { ...NO_TASKS, RUNNING: 3 },
    'pending-operators': 0,
  })
  expect(vertices[0]).toEqual({
    id: vertexId({ kind: 'source', index: 0 }),
    slotSharingGroupId: expect.stringMatching(/^[0-9a-f]{32}$/),
    name: 'Source: CPU_IN',
    maxParallelism: 128,
    parallelism: 1,
    status: 'RUNNING',
    'start-time': START_MS + 67,
    'end-time': -1,
    duration: 423_436,
    tasks: { ...NO_TASKS, RUNNING: 1 },
    metrics: expect.any(Object),
  })
  const input = (kind: 'source' | 'query') => ({
    num: 0,
    id: vertexId({ kind, index: 0 }),
    ship_strategy: 'FORWARD',
    exchange: 'pipelined_bounded',
  })
  const node = (kind: 'source' | 'query' | 'sink', description: string) => ({
    id: vertexId({ kind, index: 0 }),
    parallelism: 1,
    operator: '',
    operator_strategy: '',
    description,
    optimizer_properties: {},
  })
  expect(plan).toEqual({
    jid: JOB.jid,
    name: 'JobExample',
    type: 'STREAMING',
    nodes: [
      node('source', 'Source: CPU_IN'),
      {
        ...node('query', 'Query: a &lt; b &amp; &quot;c&quot;<br/>d&#92;e'),
        inputs: [input('source')],
      },
      { ...node('sink', 'Sink: KAlert'), inputs: [input('query')] },
    ],
  })
})

test('vertices have ids of their own, the same in every run', () => {
  const ids = detailOf().vertices.map(({ id }) => id)
  expect(new Set(ids).size).toBe(3)
  expect(ids).toEqual(detailOf({ jid: 'f'.repeat(32), state: 'FAILED' }).vertices.map(({ id }) => id))
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{32}$/)
})

const states: readonly (readonly [JobState, string])[] = [
  ['INITIALIZING', 'CREATED'],
  ['CREATED', 'DEPLOYING'],
  ['RUNNING', 'RUNNING'],
  ['RESTARTING', 'SCHEDULED'],
  ['FAILING', 'CANCELING'],
  ['FAILED', 'FAILED'],
  ['CANCELLING', 'CANCELING'],
  ['CANCELED', 'CANCELED'],
  ['FINISHED', 'FINISHED'],
]
test.each(states)('tasks of a job that is %s are %s', (state, task) => {
  const detail = detailOf({ state })
  expect(detail['status-counts']).toEqual({ ...NO_TASKS, [task]: 3 })
  expect(detail.vertices.map(({ status }) => status)).toEqual([task, task, task])
})

test('a job that has ended', () => {
  const endMs = START_MS + 5_000
  const detail = detailOf({
    state: 'CANCELED',
    endMs,
    enteredMs: { ...JOB.enteredMs, CANCELLING: endMs - 9, CANCELED: endMs },
  })
  expect(detail).toMatchObject({ 'end-time': endMs, duration: 5_000, now: NOW_MS })
  expect(detail.vertices[2]).toMatchObject({ 'end-time': endMs, duration: 4_933 })
})

test('a job that has not run', () => {
  const detail = detailOf({ state: 'INITIALIZING', enteredMs: { INITIALIZING: START_MS } })
  expect(detail.vertices[0]).toMatchObject({ 'start-time': -1, 'end-time': -1, duration: -1 })
})

describe('figures', () => {
  const io = (
    readRecords: number,
    readBytes: number,
    writeRecords: number,
    writeBytes: number,
    busy: number,
    backpressured: number,
  ) => ({
    'read-records': readRecords,
    'read-records-complete': true,
    'read-bytes': readBytes,
    'read-bytes-complete': true,
    'write-records': writeRecords,
    'write-records-complete': true,
    'write-bytes': writeBytes,
    'write-bytes-complete': true,
    'accumulated-busy-time': busy,
    'accumulated-backpressured-time': backpressured,
    'accumulated-idle-time': 400,
  })

  test('of vertices', () => {
    expect(detailOf({ figures: FIGURES }).vertices.map(({ metrics }) => metrics)).toEqual([
      io(100, 5000, 98, 4900, 5, 3),
      io(98, 4900, 40, 1600, 8, 3),
      io(40, 1600, 39, 1600, 3, 0),
    ])
  })

  test('of a job that has not reported: nothing', () => {
    expect(detailOf().vertices.map(({ metrics }) => metrics)).toEqual(
      Array(3).fill({ ...io(0, 0, 0, 0, 0, 0), 'accumulated-idle-time': 0 }),
    )
  })

  test('of the job, for people', () => {
    expect(detailOf({ figures: FIGURES, attempt: 2, warnings: ['at least once'] }).millrace).toEqual({
      statement: JOB.statement,
      tableIds: ['t1', 't2'],
      restarts: 2,
      recordsIn: 100,
      recordsOut: 40,
      recordsLate: 1,
      recordsBad: 2,
      lagRecords: 3,
      lagMs: 250,
      lastCheckpoint: {
        id: 12,
        timestamp: START_MS + 900,
        durationMs: 7,
        bytes: 4096,
        stateBytes: 12_288,
      },
      sources: [
        {
          name: 'Source: CPU_IN',
          recordsIn: 100,
          bytesIn: 5000,
          recordsBad: 2,
          lagRecords: 3,
          lagMs: 250,
          watermark: START_MS - 10_000,
        },
      ],
      sinks: [{ name: 'Sink: KAlert', recordsOut: 40, bytesOut: 1600, recordsLate: 1 }],
      badRecords: [],
      exceptions: [],
      warnings: ['at least once'],
    })
  })

  test('before the first report, and where a lag is not known', () => {
    expect(detailOf().millrace).toMatchObject({
      recordsIn: 0,
      lagRecords: null,
      lagMs: null,
      lastCheckpoint: null,
      sources: [],
    })
    const sources = [FIGURES.sources[0]!, { ...FIGURES.sources[0]!, lagRecords: undefined, lagMs: 300 }]
    expect(detailOf({ figures: { ...FIGURES, sources } }).millrace).toMatchObject({
      lagRecords: null,
      lagMs: 300,
    })
  })

  test('the first bad events, and the newest failures first', () => {
    const record = {
      tableName: 'CPU_IN',
      partition: 0,
      sequence: 7,
      timestampMs: START_MS,
      reason: 'no number',
    }
    const exceptions = Array.from({ length: 30 }, (_, i) => ({
      timestampMs: START_MS + i,
      message: `failure ${i}`,
      isRoot: false,
      ...(i === 29 && { record }),
    }))
    const { millrace } = detailOf({ badRecords: [record], exceptions })
    const shown = {
      table: 'CPU_IN',
      partition: 0,
      sequence: 7,
      timestamp: START_MS,
      reason: 'no number',
    }
    expect(millrace).toMatchObject({ badRecords: [shown] })
    const all = (millrace as { exceptions: readonly object[] }).exceptions
    expect([all.length, all[0], all[19]]).toEqual([
      20,
      { timestamp: START_MS + 29, message: 'failure 29', record: shown },
      { timestamp: START_MS + 10, message: 'failure 10' },
    ])
  })
})

test('all numbers are whole: the client for Go reads integers', () => {
  const figures = { ...FIGURES, busyMs: 0.1, idleMs: 1e9 + 0.5 }
  const text = JSON.stringify(jobDetail({ ...JOB, figures, startMs: START_MS + 0.4 }, NOW_MS + 0.9))
  const numbers: number[] = []
  JSON.parse(text, (_, value) => {
    if (typeof value === 'number') numbers.push(value)
    return value
  })
  expect(numbers.filter((value) => !Number.isInteger(value))).toEqual([])
})
