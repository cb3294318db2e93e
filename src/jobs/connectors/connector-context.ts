/** What connectors get from the worker in which they run. */
import type { EventSource } from '../../worker/event-source.ts'
import type { JobId, ServiceRequests } from '../worker/job-worker-protocol.ts'

export interface ConnectorContext {
  readonly jid: JobId
  /** Requests to the service: reads of tails, appends with an epoch. */
  readonly service: ServiceRequests
  /** Events of streams. */
  readonly events: EventSource
  /** Resolves with the next `grown` message for this source of the job, or when `signal` is aborted. */
  grown(source: number, signal: AbortSignal): Promise<void>
  readonly nowMs: () => number
  /** Between 0 and 1. */
  readonly random: () => number
  /** Writes lines to the output of the process. */
  readonly print: (text: string) => void
}
