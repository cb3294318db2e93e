/** The service with jobs that a test makes up, for the shapes of Flink's API: values are chosen so that each is found in an answer. */

import type { Api } from '../../src/http/api.ts'
import { APIS } from '../../src/http/app.ts'
import type { Checkpoint, CheckpointHistory } from '../../src/jobs/checkpoint-history.ts'
import type { JobView } from '../../src/jobs/job.ts'
import type { VertexRates } from '../../src/jobs/job-rates.ts'
import type { JobService } from '../../src/jobs/job-service.ts'
import type { Operation } from '../../src/jobs/savepoints/savepoint.ts'
import type { WorkerView } from '../../src/jobs/worker-view.ts'
import type { ServiceProcess } from '../../src/process/service-process.ts'
import { ServiceError } from '../../src/service-error.ts'
import { DEFAULT_NAMESPACE, type NamespaceName } from '../../src/streams/names.ts'
import { thisProcess } from './this-process.ts'

export const JID = 'a'.repeat(32)
export const TRIGGER = '0123456789abcdef0123456789abcdef'
/** MD5 of `source 0`, `query 0` and `sink 0`. */
export const SOURCE = '84a73e34bc5e68ce4cc88f5a2ad0d0f2'

const FIGURES = {
  recordsIn: 10,
  recordsOut: 9,
  bytesIn: 100,
  bytesOut: 90,
  busyMs: 7,
  backpressuredMs: 3,
  idleMs: 5,
  recordsLate: 2,
  recordsBad: 1,
  watermarkMs: 12_345,
  pendingRecords: 4,
}

export function jobView(given: Partial<JobView> = {}): JobView {
  return {
    jid: JID,
    namespace: DEFAULT_NAMESPACE,
    name: 'JobExample',
    statement: 'INSERT INTO b SELECT * FROM a',
    tableIds: [],
    state: 'RUNNING',
    startMs: 1_000,
    endMs: undefined,
    enteredMs: { INITIALIZING: 1_000, CREATED: 1_010, RUNNING: 1_070 },
    attempt: 2,
    attemptStates: [
      { state: 'INITIALIZING', atMs: 1_000 },
      { state: 'CREATED', atMs: 1_010 },
      { state: 'RUNNING', atMs: 1_070 },
    ],
    vertices: [
      { name: 'Source: a', kind: 'source', index: 0, inputs: [] },
      { name: 'a <b> & "c"', kind: 'query', index: 0, inputs: [0] },
      { name: 'Sink: b', kind: 'sink', index: 0, inputs: [1] },
    ],
    figures: {
      ...{ epoch: 3, checkpoint: undefined, sources: [], inserts: [] },
      ...{ busyMs: 70, backpressuredMs: 30, idleMs: 50 },
      vertices: [FIGURES, { ...FIGURES, recordsIn: 20 }, { ...FIGURES, recordsIn: 30 }],
    },
    ...{ exceptions: [], badRecords: [], warnings: [] },
    ...given,
  }
}

export const WORKER: WorkerView = {
  id: 'jobs-0a1b2c',
  ...{ pid: 7, startedMs: 900, heartbeatMs: 5_500.5 },
  heap: { used: 1_048_576, total: 2_097_152, limit: 4_194_304 },
  ...{ externalBytes: 1_000, arrayBufferBytes: 500, residentBytes: 3_000_000 },
  engine: { usedBytes: 3_145_728, limitBytes: 8_388_608 },
  ...{ cpuLoad: 0.5, cpuMs: 1_234.5, threads: 9 },
  gc: [{ name: 'major', count: 2, ms: 3.5 }],
  ...{ log: 'line one\n', stdout: '' },
}

export const RATES: VertexRates = {
  ...{ recordsInPerSecond: 1.5, recordsOutPerSecond: 2.5, bytesInPerSecond: 3.5, bytesOutPerSecond: 4.5 },
  ...{ busyRatio: 0.25, idleRatio: 0.6, backpressuredRatio: 0.15, sampledMs: 5_000 },
}

export const CHECKPOINT: Checkpoint = {
  ...{ id: 7, status: 'COMPLETED', kind: 'CHECKPOINT', triggeredMs: 4_000, durationMs: 20 },
  ...{ bytes: 300, stateBytes: 900, syncMs: 15, asyncMs: 5, location: 'file:///state' },
}

export const NO_HISTORY: CheckpointHistory = {
  counts: { restored: 0, total: 0, inProgress: 0, completed: 0, failed: 0 },
  ...{ history: [], latest: {}, samples: [] },
}

/** What a test made up, and what was asked for. */
export class FakeJobs implements JobService {
  readonly jobs: JobView[]
  readonly calls: unknown[] = []
  readonly operations = new Map<string, Operation>()
  history: CheckpointHistory = NO_HISTORY
  sampled: readonly VertexRates[] = []
  process: WorkerView | undefined = WORKER

  constructor(...jobs: JobView[]) {
    this.jobs = jobs
  }

  create(): never {
    throw new Error('not made here')
  }
  async validate(): Promise<void> {}
  async fits(): Promise<boolean> {
    return true
  }
  async settled(): Promise<void> {}
  describe(): never {
    throw new Error('no queries here')
  }

  outline(): never {
    throw new Error('not made here')
  }
  list(namespace: NamespaceName) {
    return this.jobs.filter((job) => job.namespace === namespace)
  }
  get(namespace: NamespaceName, jid: string): JobView {
    const job = this.jobs.find((one) => one.namespace === namespace && one.jid === jid)
    if (job === undefined) throw new ServiceError('job_not_found', `Job ${jid} does not exist`)
    return job
  }
  find(jid: string): JobView | undefined {
    return this.jobs.find((job) => job.jid === jid)
  }
  all(namespaces?: ReadonlySet<NamespaceName>) {
    return this.jobs.filter(({ namespace }) => namespaces === undefined || namespaces.has(namespace))
  }
  async cancel(...args: unknown[]): Promise<void> {
    this.calls.push(['cancel', ...args])
  }
  savepoint = this.#operation('savepoint')
  stop = this.#operation('stop')
  checkpoint = this.#operation('checkpoint')
  disposeSavepoint = this.#operation('disposeSavepoint')
  operation(_: NamespaceName, jid: string, trigger: string): Operation {
    const text = `There is no savepoint operation with triggerId=${trigger} for job ${jid}.`
    return this.#known(trigger, text)
  }
  disposal(trigger: string): Operation {
    return this.#known(trigger, `There is no disposal with triggerId=${trigger}.`)
  }
  #known(trigger: string, otherwise: string): Operation {
    const operation = this.operations.get(trigger)
    if (operation === undefined) throw new ServiceError('operation_not_found', otherwise)
    return operation
  }
  checkpoints(): CheckpointHistory {
    return this.history
  }
  rates(): readonly VertexRates[] {
    return this.sampled
  }
  worker(): WorkerView | undefined {
    return this.process
  }
  async threadDump() {
    return [{ name: 'main', text: 'waits' }]
  }
  slots() {
    return { total: 64, available: 63 }
  }

  #operation(name: string) {
    return async (...args: unknown[]): Promise<string> => {
      this.calls.push([name, ...args])
      return TRIGGER
    }
  }
}

/** All APIs of the service, with these jobs behind Flink's. */
export function apisWith(jobs: JobService, process: ServiceProcess = thisProcess()): readonly Api[] {
  return APIS.map((api) =>
    api.name === 'flink'
      ? { ...api, routes: (parts, options) => api.routes({ ...parts, jobs, process }, options) }
      : api,
  )
}
