/**
 * The host of the worker process, with a worker that does what the test says: calls, reports, requests with the grants of
 * their job, the end of the process, cancelling, idling.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { JobHost } from '../../../src/jobs/embedded/job-host.ts'
import { SinkWrites } from '../../../src/jobs/embedded/sink-writes.ts'
import { StateFolders } from '../../../src/jobs/embedded/state-folders.ts'
import type { JobListener } from '../../../src/jobs/job-engine.ts'
import type {
  FromJobWorker,
  JobFailure,
  JobId,
  JobReport,
  JobStart,
  ToJobWorker,
} from '../../../src/jobs/worker/job-worker-protocol.ts'
import { DEFAULT_NAMESPACE, parseStreamName } from '../../../src/streams/names.ts'
import { Registry } from '../../../src/streams/registry.ts'
import { StreamWrites } from '../../../src/streams/stream-writes.ts'
import { Streams } from '../../../src/streams/streams.ts'
import type { EventMessage } from '../../../src/worker/event-pipe.ts'
import { StreamSource } from '../../../src/worker/event-source.ts'
import type { ServicePort } from '../../../src/worker/worker-child.ts'
import { memoryStorage } from '../../support/memory-storage.ts'
import { POLL } from '../../support/speeds.ts'

type Port = ServicePort<ToJobWorker, FromJobWorker>
const A = 'a'.repeat(32)
const B = 'b'.repeat(32)
const IN = { namespace: DEFAULT_NAMESPACE, stream: parseStreamName('in') }
const OUT = { namespace: DEFAULT_NAMESPACE, stream: parseStreamName('out') }
const ALL = { startMs: 0, endMs: Number.MAX_SAFE_INTEGER, limit: 100 }

/** A worker that answers every call, and whose other messages the test sends. */
class ScriptedWorker {
  readonly calls: string[] = []
  readonly other: (ToJobWorker | EventMessage)[] = []
  readonly #port: Port
  #requests = 0
  refusal: string | undefined
  answers = true

  constructor(port: Port) {
    this.#port = port
    port.listen((message) => this.#take(message))
  }

  post(message: FromJobWorker): void {
    this.#port.post(message)
  }

  report(jid: JobId, report: JobReport): void {
    this.post({ kind: 'report', jid, report })
  }

  /** Resolves with the value, or rejects with the failure. */
  async request(
    method: FromJobWorker extends infer M ? (M extends { method: infer N } ? N : never) : never,
    ...args: unknown[]
  ) {
    const requested = ++this.#requests
    this.post({ kind: 'request', requested, method, args })
    const replied = () => this.other.find((one) => one.kind === 'reply' && one.request === requested)
    await expect.poll(() => replied() !== undefined, POLL).toBe(true)
    const { value, failure } = replied() as ToJobWorker & { kind: 'reply' }
    if (failure !== undefined) throw Object.assign(new Error(failure.message), failure)
    return value
  }

  async close(): Promise<void> {}

  #take(message: ToJobWorker | EventMessage): void {
    if (message.kind !== 'call') return void this.other.push(message)
    this.calls.push(`${message.method} ${message.method === 'start' ? message.start.jid[0] : message.jid[0]}`)
    if (!this.answers) return
    const { call } = message
    if (this.refusal === undefined) this.post({ kind: 'answer', call, value: null })
    else this.post({ kind: 'refusal', call, failure: { sqlState: undefined, message: this.refusal } })
  }
}

async function setup() {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-host-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const storage = await memoryStorage(() => 1_000)
  const registry = await Registry.load(storage.catalog)
  const streams = new Streams(storage.log, registry, {
    ...{ nowMs: () => 1_000, asyncQueueBytesMax: 1, onAsyncLost: () => {} },
  })
  for (const id of [IN, OUT]) await streams.create(id, {})
  const workers: ScriptedWorker[] = []
  const refusals = new Map<JobId, string>()
  const reported: unknown[] = []
  const writes = new StreamWrites(storage, streams, { low: false, refusal: () => new Error() as never })
  const folders = new StateFolders(join(folder, 'jobs'))
  const host = new JobHost({
    ...{ log: storage.log, registry, nowMs: () => 1_000, random: () => 0.5, folders, hasHoles: false },
    options: {
      memoryBytes: 1,
      processBytes: 1,
      diskBytes: 1,
      spillFolder: join(folder, 'spill'),
      jobsFolder: folder,
    },
    source: new StreamSource(streams, registry, () => 1_000),
    sinks: new SinkWrites({ catalog: storage.catalog, writes, eventBytesMax: 1_000 }),
    refusal: (jid) => refusals.get(jid),
    report: (error) => reported.push(error),
    code: {
      entry: new URL('file:///none'),
      async serve(port) {
        const worker = new ScriptedWorker(port)
        workers.push(worker)
        return worker
      },
    },
  })
  onTestFinished(() => host.close(0))

  async function start(jid: JobId) {
    const heard: unknown[] = []
    const failures: JobFailure[] = []
    const listener: JobListener = {
      running: () => heard.push('running'),
      progress: ({ epoch }) => heard.push(epoch),
      ordered() {},
      badRecord: ({ sequence }) => heard.push({ sequence }),
      finished: () => heard.push('finished'),
      failed(failure) {
        heard.push(failure.message)
        failures.push(failure)
      },
    }
    await host.start(await startOf(jid), listener)
    return { heard, failures }
  }
  async function startOf(jid: JobId): Promise<JobStart> {
    const table = (id: string, stream: typeof IN) =>
      ({ id, name: id, stream }) as unknown as JobStart['tables'][number]
    return {
      ...{ jid, stateFolder: await folders.make(jid), stateBytesMax: 1, tickEventsMax: 1, tickBytesMax: 1 },
      plan: { sources: [{ tableId: 't-in' }] } as unknown as JobStart['plan'],
      tables: [table('t-in', IN), table('t-out', OUT)],
    }
  }
  const worker = () => workers.at(-1)!
  return { host, worker, workers, start, refusals, reported, streams, storage, registry }
}

const figures = (epoch: number) => ({
  ...{ epoch, checkpoint: undefined, sources: [], inserts: [], busyMs: 0, backpressuredMs: 0, idleMs: 0 },
  vertices: [],
})
const sinkEvents = (text: string) => ({
  ...{ bytes: Buffer.from(text), starts: Uint32Array.of(0), ends: Uint32Array.of(text.length) },
  runs: [{ end: 1, headers: [] }],
})

test('one process runs all jobs, and reports reach the listener of their job in order', async () => {
  const { start, worker, workers } = await setup()
  const [a, b] = [await start(A), await start(B)]
  worker().report(A, { kind: 'running' })
  worker().report(A, { kind: 'progress', figures: figures(3) })
  worker().report(B, {
    kind: 'bad-record',
    record: { tableName: '', partition: 0, sequence: 9, timestampMs: 0, reason: '' },
  })
  worker().report(A, { kind: 'finished' })
  worker().report(A, { kind: 'failed', failure: { kind: 'lasting', message: 'too late' } })
  await expect.poll(() => a.heard, POLL).toEqual(['running', 3, 'finished'])
  expect([b.heard, workers.length, worker().calls]).toEqual([[{ sequence: 9 }], 1, ['start a', 'start b']])
})

test('a start that the worker refuses rejects', async () => {
  const { start, worker } = await setup()
  await start(A)
  worker().refusal = 'no such file'
  await expect(start(B)).rejects.toThrow('no such file')
})

test('cancel: the listener gets the last figures, and nothing else', async () => {
  const { host, start, worker } = await setup()
  const { heard } = await start(A)
  worker().answers = false
  const cancelled = host.cancel(A)
  await expect.poll(() => worker().calls, POLL).toEqual(['start a', 'cancel a'])
  worker().report(A, { kind: 'progress', figures: figures(1) })
  worker().report(A, { kind: 'finished' })
  worker().post({ kind: 'answer', call: 2, value: null })
  await cancelled
  expect([heard, host.jobs()]).toEqual([[1], []])
  await host.cancel(B) // not known
})

test('a job that is cancelled while it is being started is cancelled after the start', async () => {
  const { host, start, worker } = await setup()
  await start(A)
  worker().answers = false
  const starting = start(B)
  await expect.poll(() => worker().calls.length, POLL).toBe(2)
  const cancelled = host.cancel(B)
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(worker().calls).toEqual(['start a', 'start b'])
  worker().answers = true
  worker().post({ kind: 'answer', call: 2, value: null })
  await Promise.all([starting, cancelled])
  expect([worker().calls, host.jobs()]).toEqual([['start a', 'start b', 'cancel b'], [A]])
})

test('when the process ends, the job whose tick ran is the cause', async () => {
  const { start, worker, workers, host, reported } = await setup()
  const [a, b] = [await start(A), await start(B)]
  for (const jid of [A, B]) worker().report(jid, { kind: 'running' })
  worker().post({ kind: 'ticking', jid: A })
  worker().post({ kind: 'out-of-memory', jid: null })
  await expect.poll(() => b.failures.length, POLL).toBe(1)
  expect([a.failures[0]?.processEnd, b.failures[0]?.processEnd]).toEqual(['own', 'foreign'])
  expect(a.failures[0]).toMatchObject({
    kind: 'passing',
    message: expect.stringContaining('--max-job-memory-bytes'),
  })
  expect(reported.map(String)).toEqual([expect.stringContaining('more memory')])
  await start(A)
  expect([workers.length, host.jobs()]).toEqual([2, [A]])
})

test('the job whose statement was interrupted for its memory is the cause, not the one that ticks since', async () => {
  const { start, worker } = await setup()
  const [a, b] = [await start(A), await start(B)]
  for (const jid of [A, B]) worker().report(jid, { kind: 'running' })
  worker().post({ kind: 'ticking', jid: B })
  worker().post({ kind: 'out-of-memory', jid: A })
  await expect
    .poll(() => [a, b].map(({ failures }) => failures[0]?.processEnd), POLL)
    .toEqual(['own', 'foreign'])
  expect(b.failures[0]?.message).toContain('a tick of another job was the cause')
})

test('without a tick the cause is not known: jobs that ran are none', async () => {
  const { start, worker } = await setup()
  const [a, b] = [await start(A), await start(B)]
  worker().report(A, { kind: 'running' })
  worker().post({ kind: 'out-of-memory', jid: null })
  await expect.poll(() => b.failures.length, POLL).toBe(1)
  expect([a, b].map(({ failures }) => failures[0]?.processEnd)).toEqual(['foreign', undefined])
})

test('epochs, appends and tails', async () => {
  const { start, worker, streams } = await setup()
  await start(A)
  expect(await worker().request('recorded', A, 0)).toBe(null)
  await worker().request('stage', A, 0, 1, 't-out', sinkEvents('one'))
  await worker().request('append', A, 0, 1, 't-out', sinkEvents('two'))
  expect(await worker().request('recorded', A, 0)).toBe(1)
  expect(streams.get(OUT).counts.events).toBe(2)
  expect(await worker().request('tail', A, 't-in')).toMatchObject({ nextSequence: 0, nowMs: 1_000 })
  await streams.delete(IN)
  expect(await worker().request('tail', A, 't-in')).toBe(null)
})

test('requests of a job without the grant, or that does not run, are refused', async () => {
  const { start, worker, refusals, host, streams } = await setup()
  await start(A)
  await start(B)
  refusals.set(A, "token 'x' has no write grant for stream out")
  const append = (jid: JobId, table = 't-out') =>
    worker().request('append', jid, 0, 1, table, sinkEvents('x'))
  await expect(append(A)).rejects.toMatchObject({ passing: false, message: refusals.get(A) })
  await expect(append(B, 'other')).rejects.toMatchObject({ passing: false })
  await host.cancel(B)
  await expect(append(B)).rejects.toMatchObject({ passing: true, message: 'the job has been stopped' })
  await expect(worker().request('close' as never)).rejects.toThrow('no request')
  expect(streams.get(OUT).counts.events).toBe(0)
})

test('events are sent of streams that a job may read now, and of no others', async () => {
  const { start, worker, refusals, streams } = await setup()
  const secret = { namespace: DEFAULT_NAMESPACE, stream: parseStreamName('secret') }
  await streams.create(secret, {})
  for (const id of [IN, secret])
    await streams.append(streams.get(id), { headers: [], body: Buffer.from('e') })
  await start(A)
  const outcome = async (request: number, id: typeof IN) => {
    worker().post({ kind: 'start-read', request, id, query: ALL })
    const ended = () => worker().other.find((one) => one.kind === 'read-ended' && one.request === request)
    await expect.poll(() => ended() !== undefined, POLL).toBe(true)
    const blocks = worker().other.filter((one) => one.kind === 'block' && one.request === request)
    return [blocks.length, (ended() as EventMessage & { kind: 'read-ended' }).failure?.message]
  }
  expect(await outcome(1, IN)).toEqual([1, undefined])
  expect(await outcome(2, secret)).toEqual([0, 'no job may read stream default:secret now'])
  refusals.set(A, 'revoked')
  expect(await outcome(3, IN)).toEqual([0, 'no job may read stream default:in now'])
})

test('a watch ends with an event, with the end of the log, and without a message when the job is cancelled', async () => {
  const { start, worker, streams, host } = await setup()
  await start(A)
  const grown = () => worker().other.filter(({ kind }) => kind === 'grown').length
  const { log } = streams.get(IN)
  await worker().request('watch', A, 0, log, 5)
  await worker().request('watch', A, 0, log, 0)
  expect(grown()).toBe(0)
  await streams.append(streams.get(IN), { headers: [], body: Buffer.from('e') })
  await expect.poll(grown, POLL).toBe(1)
  await worker().request('watch', A, 0, log, 1_000_000)
  await streams.truncate(IN)
  await expect.poll(grown, POLL).toBe(2)
  await worker().request('watch', A, 0, streams.get(IN).log, 0)
  await host.cancel(A)
  expect(grown()).toBe(2)
  await expect(worker().request('watch', B, 0, log, 0)).rejects.toThrow('stopped')
})

test.each(['truncate', 'delete'] as const)('a watch that arrives after %s ends at once', async (change) => {
  const { start, worker, streams } = await setup()
  await start(A)
  const { log } = streams.get(IN)
  await streams[change](IN)
  await worker().request('watch', A, 0, log, 0)
  const grown = () => worker().other.filter(({ kind }) => kind === 'grown').length
  await expect.poll(grown, POLL).toBe(1)
})

test('close cancels all jobs, and does not wait for one that does not end', async () => {
  const { start, worker, host } = await setup()
  const { heard } = await start(A)
  await start(B)
  worker().answers = false
  const begunMs = performance.now()
  await host.close(50)
  expect([worker().calls.slice(2), heard, performance.now() - begunMs < 5_000]).toEqual([
    ['cancel a', 'cancel b'],
    [],
    true,
  ])
  await expect(start(A)).rejects.toThrow('the service stops')
})

describe('the process as it reports itself', () => {
  const heartbeat = {
    ...{ pid: 7, heap: { used: 1, total: 2, limit: 3 }, externalBytes: 4, arrayBufferBytes: 5 },
    ...{ residentBytes: 6, engineBytes: 8, cpuMs: 9, cpuLoad: 0.5, threads: 11 },
    ...{ gc: [{ name: 'Scavenge', count: 1, ms: 2 }], printed: 'OUT> +I[1]\n' },
  }
  const AT = '1970-01-01T00:00:01.000Z'

  test('none runs, or it has not reported yet', async () => {
    const { host, start } = await setup()
    expect([host.worker(), await host.threadDump()]).toEqual([undefined, []])
    await start(A)
    expect(host.worker()).toBeUndefined()
  })

  test('memory, what sinks have printed, and a log of its jobs', async () => {
    const { host, start, worker } = await setup()
    await start(A)
    worker().post({ kind: 'heartbeat', heartbeat })
    worker().report(A, { kind: 'running', epoch: 3 })
    const record = { tableName: 'IN', partition: 0, sequence: 9, timestampMs: 0, reason: 'no\njson' }
    worker().report(A, { kind: 'bad-record', record })
    const failed = { id: 4, startedMs: 1, durationMs: 1, message: 'no space' }
    worker().report(A, { kind: 'progress', figures: figures(3), checkpoints: { completed: [], failed } })
    worker().report(A, { kind: 'failed', failure: { kind: 'passing', message: 'no space' } })
    await expect.poll(() => host.worker()?.log, POLL).toContain('failed: no space\n')
    await start(A)
    worker().post({ kind: 'heartbeat', heartbeat: { ...heartbeat, printed: 'OUT> +I[2]\n' } })
    await expect.poll(() => host.worker()?.stdout, POLL).toBe('OUT> +I[1]\nOUT> +I[2]\n')
    const { engineBytes: _, printed: __, ...measured } = heartbeat
    expect(host.worker()).toEqual({
      ...{ id: 'jobs-800000', startedMs: 1_000, heartbeatMs: 1_000, ...measured },
      engine: { usedBytes: 8, limitBytes: 1 },
      log: [
        `${AT} INFO  jobs-800000 is started`,
        `${AT} INFO  job ${A} is started`,
        `${AT} INFO  job ${A} is running from checkpoint 3`,
        `${AT} WARN  job ${A}: event 9 of IN, partition 0, is skipped: no json`,
        `${AT} WARN  job ${A}: checkpoint 4 failed: no space`,
        `${AT} ERROR job ${A} failed: no space`,
        `${AT} INFO  job ${A} is started again`,
        '',
      ].join('\n'),
      stdout: 'OUT> +I[1]\nOUT> +I[2]\n',
    })
  })

  test('is another one after its end, and names the end', async () => {
    const { host, start, worker, workers } = await setup()
    const { heard } = await start(A)
    worker().post({ kind: 'heartbeat', heartbeat })
    await expect.poll(() => host.worker()?.pid, POLL).toBe(7)
    worker().post({ kind: 'engine-failed', message: 'a sync failed' })
    await expect.poll(() => heard.length, POLL).toBe(1)
    expect([host.worker(), await host.threadDump()]).toEqual([undefined, []])
    await start(A)
    expect(host.worker()).toBeUndefined()
    worker().post({ kind: 'heartbeat', heartbeat })
    await expect.poll(() => host.worker()?.log, POLL).toMatch(/the process before ended: .*a sync failed/)
    expect(workers.length).toBe(2)
  })

  test('a thread dump says what each job does; a process that does not answer is busy', async () => {
    const { host, start, worker } = await setup()
    await start(A)
    worker().post({ kind: 'ticking', jid: A })
    const dump = host.threadDump()
    const asked = () => worker().other.find(({ kind }) => kind === 'dump')
    await expect.poll(asked, POLL).toBeDefined()
    const jobs = [
      { jid: A, part: 'sink 0', ms: 1_234.5 },
      { jid: B, part: 'idle', ms: 2 },
    ]
    const { asked: number } = asked() as ToJobWorker & { kind: 'dump' }
    worker().post({ kind: 'dumped', asked: number, jobs, stack: '    at here' })
    const [first] = await dump
    expect(first?.name).toBe('jobs-800000')
    expect(first?.text.replace(/engine for \d+ ms/, 'engine for N ms')).toBe(
      [
        '"jobs-800000"',
        `    job ${A} has used the engine for N ms`,
        `    job ${A}: waits for sink 0 for 1235 ms`,
        `    job ${B}: waits for events or for the engine for 2 ms`,
        '    at here',
        '',
      ].join('\n'),
    )
    const [busy] = await host.threadDump()
    expect(busy?.text).toMatch(/^"jobs-800000" busy\n {4}job a+ has used the engine for \d+ ms\n$/)
  })
})
