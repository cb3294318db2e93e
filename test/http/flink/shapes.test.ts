/**
 * The answers of Flink's REST API, member by member: a table of paths and bodies, each asked for under every prefix. Jobs and
 * processes are made up, so that each value is found again.
 */
import { availableParallelism, totalmem } from 'node:os'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { APIS } from '../../../src/http/app.ts'
import type { Checkpoint } from '../../../src/jobs/checkpoint-history.ts'
import { jobDetail, planDetail } from '../../../src/jobs/job-detail.ts'
import { TASK_STATES } from '../../../src/jobs/task-times.ts'
import { vertexId } from '../../../src/jobs/vertex-detail.ts'
import { appParts } from '../../support/app-parts.ts'
import { apisWith, CHECKPOINT, FakeJobs, JID, jobView, RATES, TRIGGER, WORKER } from '../../support/flink.ts'
import { routeOptions, startTestApp } from '../../support/test-app.ts'

const NOW_MS = 6_000
const JOB = jobView()
const FAILED_JID = 'b'.repeat(32)
const FAILED = jobView({
  ...{ jid: FAILED_JID, name: 'Broken', state: 'FAILED', endMs: 3_000 },
  enteredMs: { INITIALIZING: 1_000, CREATED: 1_010, RUNNING: 1_070, FAILING: 2_990, FAILED: 3_000 },
  exceptions: [
    { timestampMs: 2_000, message: 'the database is away', isRoot: true },
    { timestampMs: 2_990, message: 'table a is gone', isRoot: false },
  ],
  badRecords: [{ tableName: 'a', partition: 0, sequence: 5, timestampMs: 1_500, reason: 'no JSON' }],
})
const OTHER_JID = 'c'.repeat(32)
const DONE = jobView({ jid: OTHER_JID, state: 'FINISHED', endMs: 4_000 })
const [SOURCE, QUERY, SINK] = [
  vertexId({ kind: 'source', index: 0 }),
  vertexId({ kind: 'query', index: 0 }),
  vertexId({ kind: 'sink', index: 0 }),
]
const J = `/jobs/${JID}`
const V = `${J}/vertices/${SOURCE}`

const zeros = (given: object) => ({ ...Object.fromEntries(TASK_STATES.map((state) => [state, 0])), ...given })
const IO = {
  ...{ 'read-bytes': 100, 'read-bytes-complete': true, 'write-bytes': 90, 'write-bytes-complete': true },
  ...{ 'read-records': 10, 'read-records-complete': true },
  ...{ 'write-records': 9, 'write-records-complete': true },
  ...{ 'accumulated-backpressured-time': 3, 'accumulated-idle-time': 5, 'accumulated-busy-time': 7 },
}
const STATUS_DURATION = {
  ...Object.fromEntries(TASK_STATES.map((state) => [state, -1])),
  ...{ CREATED: 10, DEPLOYING: 60, RUNNING: 4_930 },
}
const PLACE = { host: 'localhost', endpoint: 'localhost:-1', 'taskmanager-id': WORKER.id }
const SUB = {
  ...{ subtask: 0, status: 'RUNNING', attempt: 2, host: PLACE.host, endpoint: PLACE.endpoint },
  ...{ 'start-time': 1_070, start_time: 1_070, 'end-time': -1, duration: 4_930, metrics: IO },
  ...{ 'taskmanager-id': WORKER.id, 'status-duration': STATUS_DURATION },
}
const same = (value: unknown) =>
  Object.fromEntries(['min', 'max', 'avg', 'sum', 'median', 'p25', 'p75', 'p95'].map((name) => [name, value]))
const AGG = {
  metrics: Object.fromEntries(
    Object.entries(IO).flatMap(([name, value]) => (value === true ? [] : [[name, same(value)]])),
  ),
  'status-duration': Object.fromEntries(
    Object.entries(STATUS_DURATION).map(([state, ms]) => [state, same(ms)]),
  ),
}
const RESOURCE = { taskOffHeapMemory: 0, networkMemory: 0, extendedResources: {} }
const CORES = availableParallelism()
const TM = {
  ...{ id: WORKER.id, path: 'local://jobs', dataPort: -1, jmxPort: -1, timeSinceLastHeartbeat: 5_500 },
  ...{ slotsNumber: 64, freeSlots: 63 },
  totalResource: { cpuCores: CORES, taskHeapMemory: 4, managedMemory: 8, ...RESOURCE },
  freeResource: { cpuCores: CORES - 0.5, taskHeapMemory: 3, managedMemory: 5, ...RESOURCE },
  hardware: {
    ...{ cpuCores: CORES, physicalMemory: totalmem(), freeMemory: 3_145_728, managedMemory: 8_388_608 },
  },
  memoryConfiguration: {
    ...{ frameworkHeap: null, taskHeap: 4_194_304, frameworkOffHeap: null, taskOffHeap: null },
    ...{ networkMemory: null, managedMemory: 8_388_608, jvmMetaspace: null, jvmOverhead: null },
    ...{ totalFlinkMemory: null, totalProcessMemory: null },
  },
}
const CP = {
  ...{ '@class': 'completed', id: 7, status: 'COMPLETED', is_savepoint: false, trigger_timestamp: 4_000 },
  ...{ latest_ack_timestamp: 4_020, checkpointed_size: 300, state_size: 900, end_to_end_duration: 20 },
  ...{ alignment_buffered: 0, processed_data: 0, persisted_data: 0 },
  ...{ num_subtasks: 3, num_acknowledged_subtasks: 3, checkpoint_type: 'CHECKPOINT', tasks: {} },
  ...{ external_path: 'file:///state', discarded: false },
}
const SAVEPOINT = {
  ...{ ...CP, id: 6, is_savepoint: true, savepointFormat: 'NATIVE', checkpoint_type: 'SAVEPOINT' },
  external_path: 'file:///sp',
}
const { external_path: _, discarded: __, ...failedPart } = CP
const FAILED_CP = {
  ...{ ...failedPart, '@class': 'failed', id: 5, status: 'FAILED', latest_ack_timestamp: -1 },
  ...{ num_acknowledged_subtasks: 0, failure_timestamp: 4_020, failure_message: 'the disk is full' },
}
const TASK = (bytes: number, state: number) => ({
  ...{ id: 7, status: 'COMPLETED', latest_ack_timestamp: 4_020, checkpointed_size: bytes, state_size: state },
  ...{ end_to_end_duration: 20, alignment_buffered: 0, processed_data: 0, persisted_data: 0 },
  ...{ num_subtasks: 1, num_acknowledged_subtasks: 1 },
})
const ST = (value: number) => ({
  ...{ min: value, max: value, avg: value, p50: value, p90: value, p95: value, p99: value, p999: value },
})
const NO_SAMPLES = { min: 0, max: 0, avg: 0, p50: 'NaN', p90: 'NaN', p95: 'NaN', p99: 'NaN', p999: 'NaN' }
const SUMMARY = ['checkpointed_size', 'state_size', 'end_to_end_duration'] as const
const IN_FLIGHT = ['alignment_buffered', 'processed_data', 'persisted_data'] as const
const CAUSE = {
  ...{ class: 'org.apache.flink.util.FlinkException', 'serialized-throwable': '' },
  'stack-trace': 'table a is gone',
}
const ids = (...names: string[]) => names.map((id) => ({ id }))
const VERTEX_METRICS = {
  ...{ numRecordsIn: '10', numRecordsOut: '9', numBytesIn: '100', numBytesOut: '90' },
  ...{ numRecordsInPerSecond: '1.5', numRecordsOutPerSecond: '2.5', numBytesInPerSecond: '3.5' },
  ...{ numBytesOutPerSecond: '4.5', currentInputWatermark: '12345', busyTimeMsPerSecond: '250' },
  ...{ idleTimeMsPerSecond: '600', backPressuredTimeMsPerSecond: '150', numLateRecordsDropped: '2' },
  ...{ numRecordsInErrors: '1', pendingRecords: '4' },
}
const JOB_METRICS = {
  ...{ uptime: '4930', downtime: '0', restartingTime: '0', numRestarts: '2', fullRestarts: '2' },
  ...{ lastCheckpointDuration: '20', lastCheckpointSize: '300', lastCheckpointFullSize: '900' },
  ...{ lastCheckpointExternalPath: 'file:///state', lastCheckpointRestoreTimestamp: '1050' },
  ...{ numberOfCompletedCheckpoints: '8', numberOfFailedCheckpoints: '1' },
  ...{ numberOfInProgressCheckpoints: '0', totalNumberOfCheckpoints: '9' },
}
const valued = (metrics: Readonly<Record<string, string>>, prefix = '') =>
  Object.entries(metrics).map(([id, value]) => ({ id: `${prefix}${id}`, value }))
const getOf = (metrics: object, prefix = '') =>
  `?get=${Object.keys(metrics)
    .map((name) => `${prefix}${name}`)
    .join(',')}`
const SOME_STATISTICS = { min: 4, max: 4, avg: 4, sum: 4, skew: 0 }

/** Bodies of GET, by path behind the prefix. */
const ANSWERS: Readonly<Record<string, unknown>> = {
  '/overview': {
    ...{ taskmanagers: 1, 'taskmanagers-blocked': 0, 'slots-total': 64, 'slots-available': 63 },
    ...{ 'slots-free-and-blocked': 0, 'jobs-running': 1, 'jobs-finished': 1, 'jobs-cancelled': 0 },
    ...{ 'jobs-failed': 1, 'flink-version': '1.20.3-millrace-1.2.3', 'flink-commit': 'abcdef0' },
  },
  '/config': {
    ...{ 'refresh-interval': 3000, 'timezone-name': 'Coordinated Universal Time', 'timezone-offset': 0 },
    ...{ 'flink-version': '1.20.3-millrace-1.2.3', 'flink-revision': 'abcdef0' },
    features: {
      ...{ 'web-submit': expect.any(Boolean), 'web-cancel': true },
      ...{ 'web-rescale': false, 'web-history': false },
    },
  },
  '/datasets': { dataSets: [] },
  '/jobmanager/config': [
    { key: 'port', value: '11015' },
    { key: 'tls-key', value: '******' },
  ],
  '/jobmanager/environment': {
    jvm: { version: `Node.js ${process.version}`, arch: process.arch, options: expect.any(Array) },
    classpath: [],
  },
  '/jobmanager/logs': { logs: [] },
  '/jobmanager/thread-dump': {
    threadInfos: [{ threadName: 'main', stringifiedThreadInfo: expect.stringContaining('waits for: ') }],
  },
  '/jobmanager/profiler': { profilingList: [] },
  '/jobmanager/metrics?get=Status.JVM.Memory.Heap.Used,Status.JVM.CPU.Load,numRunningJobs,nope': [
    { id: 'Status.JVM.Memory.Heap.Used', value: '10' },
    { id: 'Status.JVM.CPU.Load', value: '0.25' },
    { id: 'numRunningJobs', value: '1' },
  ],
  '/taskmanagers': { taskmanagers: [TM] },
  [`/taskmanagers/${WORKER.id}`]: {
    ...TM,
    allocatedSlots: [
      { jobId: JID, resource: { cpuCores: 0, taskHeapMemory: 0, managedMemory: 0, ...RESOURCE } },
    ],
    metrics: {
      ...{ heapUsed: 1_048_576, heapCommitted: 2_097_152, heapMax: 4_194_304 },
      ...{ nonHeapUsed: 901_848, nonHeapCommitted: 901_848, nonHeapMax: -1 },
      ...{ directCount: -1, directUsed: 1_000, directMax: -1 },
      ...{ mappedCount: 0, mappedUsed: 0, mappedMax: 0 },
      ...{ memorySegmentsAvailable: 0, memorySegmentsTotal: 0 },
      ...{ nettyShuffleMemorySegmentsAvailable: 0, nettyShuffleMemorySegmentsUsed: 0 },
      ...{ nettyShuffleMemorySegmentsTotal: 0, nettyShuffleMemoryAvailable: 0 },
      ...{ nettyShuffleMemoryUsed: 0, nettyShuffleMemoryTotal: 0 },
      garbageCollectors: [{ name: 'major', count: 2, time: 3 }],
    },
  },
  [`/taskmanagers/${WORKER.id}/logs`]: {
    logs: [
      { name: `${WORKER.id}.log`, size: 9, mtime: 5_500 },
      { name: `${WORKER.id}.out`, size: 0, mtime: 5_500 },
    ],
  },
  [`/taskmanagers/${WORKER.id}/thread-dump`]: {
    threadInfos: [{ threadName: 'main', stringifiedThreadInfo: 'waits' }],
  },
  [`/taskmanagers/${WORKER.id}/profiler`]: { profilingList: [] },
  [`/taskmanagers/${WORKER.id}/metrics?get=Status.Flink.Memory.Managed.Used,Status.JVM.Threads.Count`]: [
    { id: 'Status.Flink.Memory.Managed.Used', value: '3145728' },
    { id: 'Status.JVM.Threads.Count', value: '9' },
  ],
  '/taskmanagers/nope/metrics': [],
  '/taskmanagers/metrics?get=Status.JVM.GarbageCollector.major.Count&agg=min,avg': [
    { id: 'Status.JVM.GarbageCollector.major.Count', min: 2, avg: 2 },
  ],
  '/taskmanagers/metrics?get=Status.JVM.CPU.Load&taskmanagers=nope': [],
  '/jobs': {
    jobs: [
      { id: JID, status: 'RUNNING' },
      { id: FAILED_JID, status: 'FAILED' },
      { id: OTHER_JID, status: 'FINISHED' },
    ],
  },
  '/jobs/overview': {
    jobs: [
      {
        ...{ jid: JID, name: 'JobExample', 'start-time': 1_000, 'end-time': -1, duration: 5_000 },
        ...{ state: 'RUNNING', 'last-modification': 1_070, 'pending-operators': 0 },
        'job-type': 'STREAMING',
        tasks: {
          ...{ running: 3, canceling: 0, canceled: 0, total: 3, created: 0, scheduled: 0, deploying: 0 },
          ...{ reconciling: 0, finished: 0, initializing: 0, failed: 0 },
        },
      },
      expect.objectContaining({ jid: FAILED_JID, 'end-time': 3_000, duration: 2_000 }),
      expect.objectContaining({ jid: OTHER_JID, 'end-time': 4_000, 'last-modification': 1_070 }),
    ],
  },
  [J]: JSON.parse(JSON.stringify(jobDetail(JOB, NOW_MS))),
  [`/jobs/${JID.toUpperCase()}/status`]: { status: 'RUNNING' },
  [`${J}/config`]: {
    ...{ jid: JID, name: 'JobExample' },
    'execution-config': {
      ...{ 'execution-mode': 'PIPELINED', 'restart-strategy': expect.any(String), 'job-parallelism': 1 },
      ...{ 'object-reuse-mode': false, 'user-config': {} },
    },
  },
  [`${J}/plan`]: { plan: JSON.parse(JSON.stringify(planDetail(JOB))) },
  [`${J}/exceptions`]: {
    ...{ 'root-exception': null, timestamp: null, 'all-exceptions': [], truncated: false },
    exceptionHistory: { entries: [], truncated: false },
  },
  [`/jobs/${FAILED_JID}/exceptions?maxExceptions=2`]: {
    ...{ 'root-exception': 'table a is gone', timestamp: 2_990, truncated: false },
    'all-exceptions': ['table a is gone', 'the database is away'].map((exception, i) => ({
      ...{ exception, task: 'Broken', location: '(unassigned)', endpoint: '(unassigned)' },
      ...{ timestamp: [2_990, 2_000][i], taskManagerId: '(unassigned)' },
    })),
    exceptionHistory: {
      entries: [2_990, 2_000].map((timestamp, i) => ({
        ...{ exceptionName: CAUSE.class, timestamp, failureLabels: {}, concurrentExceptions: [] },
        stacktrace: ['table a is gone', 'the database is away'][i],
        ...{ taskName: null, location: null, endpoint: null, taskManagerId: null },
      })),
      truncated: true,
    },
  },
  [`${J}/execution-result`]: { status: { id: 'IN_PROGRESS' } },
  [`/jobs/${FAILED_JID}/execution-result`]: {
    status: { id: 'COMPLETED' },
    'job-execution-result': {
      ...{ id: FAILED_JID, 'application-status': 'FAILED', 'accumulator-results': {} },
      ...{ 'net-runtime': 2_000, 'failure-cause': CAUSE },
    },
  },
  [`/jobs/${OTHER_JID}/execution-result`]: {
    status: { id: 'COMPLETED' },
    'job-execution-result': {
      ...{ id: OTHER_JID, 'application-status': 'SUCCEEDED', 'accumulator-results': {} },
      'net-runtime': 3_000,
    },
  },
  [`${J}/accumulators?includeSerializedValue=true`]: {
    ...{ 'job-accumulators': [], 'user-task-accumulators': [], 'serialized-user-task-accumulators': {} },
  },
  [`${J}/jobmanager/config`]: [
    { key: 'port', value: '11015' },
    { key: 'tls-key', value: '******' },
  ],
  [`${J}/jobmanager/environment`]: expect.objectContaining({ classpath: [] }),
  [`${J}/resource-requirements`]: Object.fromEntries(
    [SOURCE, QUERY, SINK].map((id) => [id, { parallelism: { lowerBound: 1, upperBound: 1 } }]),
  ),
  [`${J}/metrics`]: ids(...Object.keys(JOB_METRICS)),
  [`${J}/metrics${getOf(JOB_METRICS)}`]: valued(JOB_METRICS),
  [`${J}/metrics?get=`]: [],
  [`/jobs/${'d'.repeat(32)}/metrics`]: [],
  '/jobs/metrics': ids(...Object.keys(JOB_METRICS)),
  '/jobs/metrics?get=numRestarts,lastCheckpointExternalPath': [
    { id: 'numRestarts', min: 2, max: 2, avg: 2, sum: 2, skew: 0 },
  ],
  [`/jobs/metrics?get=uptime&agg=max,sum,skew&jobs=${JID},${OTHER_JID}`]: [
    { id: 'uptime', max: 4_930, sum: 4_929, skew: 100 },
  ],

  [V]: {
    ...{ id: SOURCE, name: 'Source: a', parallelism: 1, maxParallelism: 128, now: NOW_MS },
    ...{ subtasks: [SUB], aggregated: AGG },
  },
  [`${V}/backpressure`]: {
    ...{ status: 'ok', 'backpressure-level': 'low', backpressureLevel: 'low', 'end-timestamp': 5_000 },
    subtasks: [
      {
        ...{ subtask: 0, 'attempt-number': 2, 'backpressure-level': 'low', backpressureLevel: 'low' },
        ...{ ratio: 0.15, idleRatio: 0.6, busyRatio: 0.25 },
      },
    ],
  },
  [`${J}/vertices/${SINK}/backpressure`]: { status: 'deprecated' },
  [`${V}/watermarks`]: [{ id: '0.currentInputWatermark', value: '12345' }],
  [`${V}/subtasktimes`]: {
    ...{ id: SOURCE, name: 'Source: a', now: NOW_MS },
    subtasks: [
      {
        ...{ subtask: 0, host: PLACE.host, endpoint: PLACE.endpoint, duration: 4_930 },
        timestamps: zeros({ CREATED: 1_000, DEPLOYING: 1_010, RUNNING: 1_070 }),
      },
    ],
  },
  [`${V}/taskmanagers`]: {
    ...{ id: SOURCE, name: 'Source: a', now: NOW_MS },
    taskmanagers: [
      {
        ...{ ...PLACE, status: 'RUNNING', 'start-time': 1_070, 'end-time': -1, duration: 4_930 },
        ...{ metrics: IO, 'status-counts': zeros({ RUNNING: 1 }), aggregated: AGG },
      },
    ],
  },
  [`${V}/accumulators`]: { id: SOURCE, 'user-accumulators': [] },
  [`${V}/subtasks/accumulators`]: {
    ...{ id: SOURCE, parallelism: 1 },
    subtasks: [
      {
        ...{ subtask: 0, attempt: 2, host: PLACE.host, endpoint: PLACE.endpoint },
        'user-accumulators': [],
      },
    ],
  },
  [`${V}/subtasks/0`]: SUB,
  [`/jobs/${FAILED_JID}/vertices/${SOURCE}/subtasks/0`]: expect.objectContaining({
    ...{ status: 'FAILED', host: '(unassigned)', endpoint: '(unassigned)', 'end-time': 3_000 },
    'taskmanager-id': '(unassigned)',
  }),
  [`${V}/subtasks/0/attempts/2`]: SUB,
  [`${V}/subtasks/0/attempts/2/accumulators`]: {
    ...{ subtask: 0, attempt: 2, id: SOURCE, 'user-accumulators': [] },
  },
  [`${V}/flamegraph?type=full`]: { endTimestamp: -2 },
  [`${V}/metrics`]: ids(...Object.keys(VERTEX_METRICS).map((name) => `0.${name}`)),
  [`${V}/metrics${getOf(VERTEX_METRICS, '0.')}`]: valued(VERTEX_METRICS, '0.'),
  [`${V}/subtasks/0/metrics${getOf(VERTEX_METRICS)}`]: valued(VERTEX_METRICS),
  [`${V}/subtasks/1/metrics`]: [],
  [`${V}/subtasks/metrics?get=pendingRecords&subtasks=0,2-3`]: [{ id: 'pendingRecords', ...SOME_STATISTICS }],
  [`${V}/subtasks/metrics?get=pendingRecords&subtasks=1-3`]: [],
  [`${V}/jm-operator-metrics`]: [],
  [`${J}/vertices/${'e'.repeat(32)}/metrics`]: [],

  [`${J}/checkpoints/config`]: {
    ...{ mode: 'exactly_once', interval: 100, timeout: 600_000, min_pause: 0, max_concurrent: 1 },
    externalization: { enabled: true, delete_on_cancellation: true },
    ...{ state_backend: expect.any(String), checkpoint_storage: expect.any(String) },
    ...{ unaligned_checkpoints: false, tolerable_failed_checkpoints: 0, aligned_checkpoint_timeout: 0 },
    ...{ checkpoints_after_tasks_finish: true, state_changelog_enabled: false },
    ...{ changelog_periodic_materialization_interval: 0, changelog_storage: expect.any(String) },
  },
  [`${J}/checkpoints`]: {
    counts: { restored: 1, total: 9, in_progress: 0, completed: 8, failed: 1 },
    summary: {
      ...Object.fromEntries(SUMMARY.map((name, i) => [name, ST([300, 900, 20][i]!)])),
      ...Object.fromEntries(IN_FLIGHT.map((name) => [name, ST(0)])),
    },
    latest: {
      ...{ completed: CP, savepoint: SAVEPOINT, failed: FAILED_CP },
      restored: { id: 2, restore_timestamp: 1_050, is_savepoint: true, external_path: 'file:///old' },
    },
    history: [CP, SAVEPOINT, FAILED_CP],
  },
  [`${J}/checkpoints/details/7`]: {
    ...CP,
    tasks: { [SOURCE]: TASK(0, 0), [QUERY]: TASK(300, 900), [SINK]: TASK(0, 0) },
  },
  [`${J}/checkpoints/details/7/subtasks/${QUERY}`]: {
    ...TASK(300, 900),
    summary: {
      ...{ checkpointed_size: ST(300), state_size: ST(900), end_to_end_duration: ST(20) },
      checkpoint_duration: { sync: ST(15), async: ST(5) },
      alignment: { buffered: ST(0), processed: ST(0), persisted: ST(0), duration: ST(0) },
      start_delay: ST(0),
    },
    subtasks: [
      {
        ...{ '@class': 'completed', index: 0, status: 'completed', ack_timestamp: 4_020 },
        ...{ end_to_end_duration: 20, checkpointed_size: 300, state_size: 900 },
        checkpoint: { sync: 15, async: 5 },
        alignment: { buffered: 0, processed: 0, persisted: 0, duration: 0 },
        ...{ start_delay: 0, unaligned_checkpoint: false, aborted: false },
      },
    ],
  },
  [`${J}/savepoints/${TRIGGER}`]: { status: { id: 'COMPLETED' }, operation: { location: 'file:///sp' } },
  [`${J}/savepoints/${'1'.repeat(32)}`]: { status: { id: 'IN_PROGRESS' } },
  [`${J}/savepoints/${'2'.repeat(32)}`]: {
    status: { id: 'COMPLETED' },
    operation: { 'failure-cause': { ...CAUSE, 'stack-trace': 'job is not running' } },
  },
  [`${J}/checkpoints/${'3'.repeat(32)}`]: { status: { id: 'COMPLETED' }, operation: { checkpointId: 8 } },
  [`/savepoint-disposal/${'4'.repeat(32)}`]: { status: { id: 'COMPLETED' }, operation: {} },
}

const TEXTS: Readonly<Record<string, string>> = {
  [`/taskmanagers/${WORKER.id}/logs/${WORKER.id}.log`]: 'line one\n',
  [`/taskmanagers/${WORKER.id}/log`]: 'line one\n',
  [`/taskmanagers/${WORKER.id}/stdout`]: '',
}

function fakeJobs(): FakeJobs {
  const jobs = new FakeJobs(JOB, FAILED, DONE)
  const failed = { ...CHECKPOINT, id: 5, status: 'FAILED', message: 'the disk is full' } as const
  const { location: _, ...withoutLocation } = failed
  const savepoint: Checkpoint = {
    ...CHECKPOINT,
    ...{ id: 6, kind: 'SAVEPOINT', format: 'NATIVE', location: 'file:///sp' },
  }
  const restored = { id: 2, restoredMs: 1_050, isSavepoint: true, location: 'file:///old' }
  jobs.history = {
    counts: { restored: 1, total: 9, inProgress: 0, completed: 8, failed: 1 },
    history: [CHECKPOINT, savepoint, withoutLocation],
    latest: { completed: CHECKPOINT, savepoint, failed: withoutLocation, restored },
    samples: [CHECKPOINT],
  }
  jobs.sampled = [RATES, RATES]
  jobs.operations.set(TRIGGER, { state: 'completed', location: 'file:///sp' })
  jobs.operations.set('1'.repeat(32), { state: 'in-progress' })
  jobs.operations.set('2'.repeat(32), { state: 'failed', message: 'job is not running' })
  jobs.operations.set('3'.repeat(32), { state: 'completed', checkpointId: 8 })
  jobs.operations.set('4'.repeat(32), { state: 'completed' })
  return jobs
}

const jobs = fakeJobs()
let app: Awaited<ReturnType<typeof startTestApp>>
beforeAll(async () => {
  app = await startTestApp({ apis: apisWith(jobs), nowMs: NOW_MS })
})
afterAll(() => app.stop())

const PREFIXES = [
  '',
  '/v3/namespaces/default/flink',
  '/v1/project/p/service/default/flink/proxy',
  '/v1/project/p/test/service/default/flink/proxy',
].flatMap((prefix) => [prefix, `${prefix}/v1`])

test.each(Object.entries(ANSWERS))('GET %s', async (path, body) => {
  const answers = await Promise.all(PREFIXES.map((prefix) => app.get(`${prefix}${path}`)))
  for (const [i, answer] of answers.entries()) {
    expect([answer.status, JSON.parse(answer.text)], PREFIXES[i]).toEqual([200, body])
    expect(answer.headers['content-type']).toBe('application/json; charset=UTF-8')
  }
  const head = await app.request('HEAD', path)
  expect([head.status, head.text, head.headers['content-type']]).toEqual([
    200,
    '',
    'application/json; charset=UTF-8',
  ])
})

test.each(Object.entries(TEXTS))('GET %s is text', async (path, text) => {
  for (const prefix of PREFIXES) {
    const answer = await app.get(`${prefix}${path}`)
    expect([answer.status, answer.text, answer.headers['content-type']]).toEqual([
      200,
      text,
      'text/plain; charset=utf-8',
    ])
  }
})

test('before a checkpoint, a sample and a process of jobs everything is unknown', async () => {
  const bare = new FakeJobs(jobView({ figures: undefined }))
  bare.process = undefined
  const empty = await startTestApp({ apis: apisWith(bare), nowMs: NOW_MS })
  try {
    const read = async (path: string) => JSON.parse((await empty.get(path)).text)
    expect(await read('/taskmanagers')).toEqual({ taskmanagers: [] })
    expect((await empty.get(`/taskmanagers/${WORKER.id}`)).text).toBe(
      `{"errors":["Could not find TaskExecutor ${WORKER.id}."]}`,
    )
    expect(await read('/taskmanagers/metrics')).toEqual([])
    expect(await read('/overview')).toMatchObject({ taskmanagers: 0 })
    expect(await read(`${J}/checkpoints`)).toEqual({
      counts: { restored: 0, total: 0, in_progress: 0, completed: 0, failed: 0 },
      summary: Object.fromEntries([...SUMMARY, ...IN_FLIGHT].map((name) => [name, NO_SAMPLES])),
      latest: { completed: null, savepoint: null, failed: null, restored: null },
      history: [],
    })
    expect(await read(`${V}/watermarks`)).toEqual([
      { id: '0.currentInputWatermark', value: '-9223372036854775808' },
    ])
    expect(await read(`${V}/subtasks/0`)).toMatchObject({ host: '(unassigned)' })
    expect(await read(`${V}/metrics?get=0.pendingRecords,0.busyTimeMsPerSecond,0.numRecordsIn`)).toEqual([
      { id: '0.numRecordsIn', value: '0' },
    ])
    expect(await read(`${J}/metrics?get=lastCheckpointSize,lastCheckpointExternalPath`)).toEqual([
      { id: 'lastCheckpointSize', value: '-1' },
      { id: 'lastCheckpointExternalPath', value: 'n/a' },
    ])
  } finally {
    await empty.stop()
  }
})

test('every GET of the route table is in a table above, or of files and refusals', async () => {
  const { parts, storage } = await appParts(() => 0)
  await storage.close()
  const api = APIS.find(({ name }) => name === 'flink')!
  const routes = api.routes(parts, routeOptions({ nowMs: () => 0, report: () => {} }))
  const asked = [...Object.keys(ANSWERS), ...Object.keys(TEXTS)].map((path) => path.split('?')[0]!)
  const refused = /^\/jars|log$|stdout$|logs\/:file$|profiler\/:file$|yarn-|rescaling|datasets\/delete/
  const missing = routes.filter(([method, path]) => {
    if (method !== 'GET' || /^\/v[13]\//.test(path) || refused.test(path)) return false
    const pattern = new RegExp(`^${path.replace(/:[a-z]+/g, '[^/]+')}$`)
    return !asked.some((one) => pattern.test(one))
  })
  expect(missing.map(([, path]) => path)).toEqual([])
  // The same paths under every prefix.
  const bare = routes.filter(([, path]) => !/^\/v[13]\//.test(path))
  expect(routes.length).toBe(bare.length * PREFIXES.length)
})
