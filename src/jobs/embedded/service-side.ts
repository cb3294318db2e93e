/** What the service does for the worker: reads, tails and appends of streams, each with the grants of its job. */
import type { EventLog, LogId } from '../../../storage/log.ts'
import type { StreamId } from '../../streams/names.ts'
import { earliestVisibleMs } from '../../streams/properties.ts'
import type { Registry } from '../../streams/registry.ts'
import type { JobRole } from '../job-access.ts'
import type { QueryBoundary, QueryJobSource, ResultUpdate } from '../query-job.ts'
import type { JobId, JobStart, ServiceRequests, SinkEvents } from '../worker/job-worker-protocol.ts'
import type { LogWatches } from './log-watches.ts'
import { RequestError } from './request-error.ts'
import type { SinkWrites } from './sink-writes.ts'

export interface ServiceSideParts {
  readonly log: EventLog
  /** Whether sequences of a log may have holes. */
  readonly hasHoles: boolean
  readonly registry: Registry
  readonly nowMs: () => number
  readonly sinks: SinkWrites
  readonly watches: LogWatches
  /** Undefined if the job does not run. */
  readonly startOf: (jid: JobId) => JobStart | undefined
  /** Why the job may not use the stream now; undefined if it may. */
  readonly refusal: (jid: JobId, role: JobRole, stream: StreamId) => string | undefined
  /** Undefined if the service has no cached queries. */
  readonly queries: () => QueryJobSource | undefined
}

export class ServiceSide implements ServiceRequests {
  readonly #parts: ServiceSideParts

  constructor(parts: ServiceSideParts) {
    this.#parts = parts
  }

  recorded(jid: JobId, sink: number): Promise<number | null> {
    return this.#parts.sinks.recorded(jid, sink)
  }

  async stage(jid: JobId, sink: number, epoch: number, tableId: string, events: SinkEvents): Promise<void> {
    await this.#parts.sinks.stage(jid, sink, epoch, this.#stream(jid, tableId, 'write'), events)
  }

  async append(jid: JobId, sink: number, epoch: number, tableId: string, events: SinkEvents): Promise<void> {
    const stream = this.#stream(jid, tableId, 'write')
    await this.#parts.sinks.append(jid, sink, epoch, stream, events)
  }

  async tail(jid: JobId, tableId: string): ReturnType<ServiceRequests['tail']> {
    const { log, registry, nowMs, hasHoles } = this.#parts
    const { namespace, stream } = this.#stream(jid, tableId, 'read')
    const found = registry.find(namespace, stream)
    if (found === undefined) return null
    const tail = await log.tail(found.log)
    const visibleMs = earliestVisibleMs(nowMs(), found.properties.ttlSeconds)
    return {
      log: found.log,
      nextSequence: tail?.nextSequence ?? 0,
      lastTimestampMs: tail?.lastTimestampMs ?? 0,
      firstSequence: tail?.firstSequence ?? 0,
      firstTimestampMs: Math.max(tail?.firstTimestampMs ?? 0, visibleMs),
      nowMs: log.nowMs(),
      hasHoles,
    }
  }

  async watch(jid: JobId, source: number, log: number, sequence: number): Promise<void> {
    const start = this.#start(jid)
    if (!Number.isInteger(source) || source < 0 || source >= start.plan.sources.length)
      throw new RequestError(`the job has no source ${source}`, false)
    const { watches } = this.#parts
    watches.start(jid, source, log, sequence)
    // A log that has been replaced before this request grows no more.
    if (this.#logOf(start, source) !== log) watches.replaced(log)
  }

  async boundary(jid: JobId): Promise<QueryBoundary | null> {
    return (await this.#queries(jid).boundary(jid)) ?? null
  }

  async publish(jid: JobId, update: ResultUpdate): Promise<void> {
    this.#queries(jid).publish(jid, update)
  }

  /** Throws RequestError. */
  #queries(jid: JobId): QueryJobSource {
    const queries = this.#parts.queries()
    if (this.#start(jid).query === undefined || queries === undefined)
      throw new RequestError('the job is not that of a cached query', false)
    return queries
  }

  /** The present log of the stream of a source; undefined if it has none. */
  #logOf({ plan, tables }: JobStart, source: number): LogId | undefined {
    const stream = tables.find(({ id }) => id === plan.sources[source]?.tableId)?.stream
    return stream && this.#parts.registry.find(stream.namespace, stream.stream)?.log
  }

  #start(jid: JobId): JobStart {
    const start = this.#parts.startOf(jid)
    if (start === undefined) throw new RequestError('the job has been stopped', true)
    return start
  }

  /** Throws RequestError if the job may not use the stream of the table. */
  #stream(jid: JobId, tableId: string, role: JobRole): StreamId {
    const stream = this.#start(jid).tables.find(({ id }) => id === tableId)?.stream
    if (stream === undefined) throw new RequestError(`table ${tableId} of the job is no stream`, false)
    const refusal = this.#parts.refusal(jid, role, stream)
    if (refusal !== undefined) throw new RequestError(refusal, false)
    return stream
  }
}
