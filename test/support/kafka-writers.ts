/** The write path of the Kafka engine on a cluster that follows a script. */
import { LogTopics } from '../../storage/kafka/log-topics.ts'
import { LogWriters, type LogWritersParts, type WriteLimits } from '../../storage/kafka/log-writers.ts'
import { requestIdentity } from '../../storage/kafka/producer-identity.ts'
import { ProducerState } from '../../storage/kafka/producer-state.ts'
import { Transactions } from '../../storage/kafka/transaction.ts'
import type { WriteRequests } from '../../storage/kafka/write-requests.ts'

export interface WritersOptions {
  readonly requests: WriteRequests
  readonly prefix: string
  readonly limits?: WriteLimits
  readonly producers?: ProducerState
  readonly isUnused?: LogWritersParts['isUnused']
  readonly replicas?: number
  readonly settings?: Readonly<Record<string, string>>
  readonly visibleMs?: number
  readonly fresh?: () => Promise<void>
}

export const LIMITS: WriteLimits = { retryMs: 20_000, replicaMs: 3_000, waitingBytesMax: 64 * 1024 * 1024 }
/** Times so short that a test of a batch that is given up takes a moment. */
export const SHORT_LIMITS: WriteLimits = { ...LIMITS, retryMs: 300 }

export function writersOn({
  requests,
  prefix,
  limits = LIMITS,
  producers = new ProducerState(() => requestIdentity(requests, 1_000)),
  isUnused = () => false,
  replicas = 1,
  settings = {},
  visibleMs = 1_000,
  fresh,
}: WritersOptions) {
  const reports: string[] = []
  const report = (error: Error) => reports.push(error.message)
  const topics = new LogTopics(requests, { nameOf: (log) => `${prefix}.log.${log}`, replicas, settings })
  const ids = [0, 1].map((i) => `${prefix}.node.${i}`)
  const transactions = new Transactions({ requests, ids, report, limits: { ...limits, visibleMs } })
  const given = { requests, topics, producers, transactions, isUnused, report, limits }
  const parts = { ...given, ...(fresh && { fresh }) }
  const writers = new LogWriters(parts)
  /** The same logs, but a batch is given up soon. */
  const hasty = new LogWriters({ ...parts, limits: SHORT_LIMITS })
  return { writers, hasty, topics, producers, transactions, reports, ids }
}
