/** The worker's side of the protocol: opens the engine, starts and cancels jobs, and passes messages to them. */
import { SqlError } from '../../duckdb/sql-error.ts'
import { FLINK_MACROS } from '../../sql/flink-macros.ts'
import { POSTGRES_MACROS } from '../../sql/postgres-macros.ts'
import { POSTGRES_SCALARS } from '../../sql/postgres-scalars.ts'
import type { EventMessage } from '../../worker/event-pipe.ts'
import { failureOf } from '../../worker/failure.ts'
import { RemoteSource } from '../../worker/remote-source.ts'
import type { ServicePort } from '../../worker/worker-child.ts'
import { BufferPool } from './buffered-table.ts'
import type { BeforeEmit } from './emission.ts'
import { EngineTurns } from './engine-turns.ts'
import { Heartbeats } from './heartbeats.ts'
import { JobDatabase } from './job-database.ts'
import type { FromJobWorker, JobId, JobStart, ToJobWorker } from './job-worker-protocol.ts'
import { RunningJob } from './running-job.ts'
import { GrowthSignals, PortRequests } from './service-requests.ts'

type Port = ServicePort<ToJobWorker, FromJobWorker>

export interface JobWorkerOptions {
  readonly nowMs: () => number
  readonly random: () => number
  /** No statement runs longer. */
  readonly statementMsMax?: number
  /** Called between the commit of a tick and its emission. */
  readonly beforeEmit?: BeforeEmit
  /** Called when a savepoint is at its place, before the job goes on or ends. */
  readonly afterSavepoint?: () => Promise<void>
}

export class JobWorkerServer {
  readonly #port: Port
  readonly #options: JobWorkerOptions
  readonly #source: RemoteSource
  readonly #requests: PortRequests
  readonly #growth = new GrowthSignals()
  readonly #pool = new BufferPool()
  readonly #turns: EngineTurns
  readonly #heartbeats: Heartbeats
  readonly #jobs = new Map<JobId, RunningJob>()
  #memoryMax: number | undefined
  #opening: Promise<JobDatabase> | undefined
  #closed = false
  /** The job whose statement was interrupted last, for its memory. One statement runs at a time. */
  #interrupted: JobId | null = null
  #begins: () => void = () => {}

  constructor(port: Port, options: JobWorkerOptions) {
    this.#port = port
    this.#options = options
    this.#source = new RemoteSource((message) => port.post(message))
    this.#requests = new PortRequests((message) => port.post(message))
    this.#turns = new EngineTurns((jid) => {
      this.#begins()
      this.#heartbeats.works()
      port.post({ kind: 'ticking', jid })
    })
    this.#heartbeats = new Heartbeats({
      send: (heartbeat) => port.post({ kind: 'heartbeat', heartbeat }),
      engineBytes: async () => (await this.#opening)?.memoryBytes(),
    })
    port.listen((message) => this.#take(message))
  }

  /** Limit of the process in bytes; undefined before the engine is open. */
  get memoryMax(): number | undefined {
    return this.#memoryMax
  }

  /** Whether a statement runs. If so, `interruptAll` can end it. */
  get isBusy(): boolean {
    return [...this.#jobs.values()].some(({ isBusy }) => isBusy)
  }

  interruptAll(reason: SqlError): void {
    this.#interrupted = null
    for (const [jid, job] of this.#jobs) {
      if (job.isBusy) this.#interrupted = jid
      job.interrupt(reason)
    }
  }

  onBusy(begins: () => void): void {
    this.#begins = begins
  }

  /** Asks the service to end this process. */
  askToEnd(): void {
    this.#port.post({ kind: 'out-of-memory', jid: this.#interrupted })
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#heartbeats.close()
    this.#requests.close()
    this.#source.close()
    const reason = new SqlError('57014', 'the service stops')
    await Promise.all([...this.#jobs.values()].map((job) => job.cancel(reason)))
    const database = await this.#opening?.catch(() => undefined)
    await database?.close()
  }

  #print(text: string): void {
    process.stdout.write(text)
    this.#heartbeats.printed(text)
  }

  /** After some errors, such as a sync that fails, the engine refuses all statements until it is opened again. */
  async #checkEngine(database: JobDatabase): Promise<void> {
    const message = await database.failure()
    if (message !== undefined) this.#port.post({ kind: 'engine-failed', message })
  }

  #take(message: ToJobWorker | EventMessage): void {
    switch (message.kind) {
      case 'open':
        this.#memoryMax = message.options.processBytes
        this.#opening = JobDatabase.open(
          message.options,
          [...FLINK_MACROS, ...POSTGRES_MACROS],
          POSTGRES_SCALARS,
        )
        this.#opening.catch(() => {}) // every call is refused with this error
        void this.#heartbeats.send()
        break
      case 'call':
        void this.#answer(message)
        break
      case 'grown':
        this.#growth.take(message.jid, message.source)
        break
      case 'look':
        void this.#heartbeats.send()
        break
      case 'dump':
        this.#dump(message.asked)
        break
      case 'reply':
        this.#requests.take(message)
        break
      default:
        this.#source.take(message)
    }
  }

  #dump(asked: number): void {
    const jobs = [...this.#jobs].map(([jid, job]) => ({ jid, ...job.now }))
    const stack = (new Error().stack ?? '').split('\n').slice(1).join('\n')
    this.#port.post({ kind: 'dumped', asked, jobs, stack })
  }

  async #answer(message: ToJobWorker & { kind: 'call' }): Promise<void> {
    const { call } = message
    try {
      if (message.method === 'start') await this.#start(message.start)
      else if (message.method === 'order') this.#running(message.jid).order(message.order)
      else await this.#jobs.get(message.jid)?.cancel(new SqlError('57014', 'the job was cancelled'))
      this.#port.post({ kind: 'answer', call, value: null })
    } catch (error) {
      this.#port.post({ kind: 'refusal', call, failure: failureOf(error) })
    }
  }

  #running(jid: JobId): RunningJob {
    const job = this.#jobs.get(jid)
    if (job === undefined) throw new Error('job is not running')
    return job
  }

  async #start(start: JobStart): Promise<void> {
    const { jid } = start
    const database = await this.#opening!
    this.#begins()
    if (this.#jobs.has(jid)) throw new Error(`job ${jid} runs already`)
    const { nowMs, random, statementMsMax, beforeEmit, afterSavepoint } = this.#options
    const connection = await database.connect(statementMsMax, () => this.#port.post({ kind: 'stuck', jid }))
    if (this.#closed) {
      connection.close()
      throw new SqlError('57014', 'the service stops')
    }
    const job = new RunningJob({
      database,
      connection,
      pool: this.#pool,
      start,
      connectors: {
        jid,
        service: this.#requests,
        events: this.#source,
        grown: (source, signal) => this.#growth.next(jid, source, signal),
        nowMs,
        random,
        print: (text) => this.#print(text),
      },
      engine: (tickMs, work) => this.#turns.run(jid, tickMs, work),
      report: (report) => {
        // A job that has ended may be started again as soon as the service has the report.
        if (report.kind === 'finished' || report.kind === 'failed') this.#jobs.delete(jid)
        this.#port.post({ kind: 'report', jid, report })
        if (report.kind === 'failed') void this.#checkEngine(database)
      },
      beforeEmit,
      afterSavepoint,
    })
    this.#jobs.set(jid, job)
    void job.ended.then(() => {
      if (this.#jobs.get(jid) === job) this.#jobs.delete(jid)
    })
  }
}
