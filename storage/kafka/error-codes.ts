/** Error codes of Kafka's answers and what each one means for a write, and the error of a request without an answer. */

export const KAFKA_ERRORS = {
  unknownServerError: -1,
  none: 0,
  offsetOutOfRange: 1,
  corruptMessage: 2,
  unknownTopicOrPartition: 3,
  leaderNotAvailable: 5,
  notLeaderOrFollower: 6,
  requestTimedOut: 7,
  brokerNotAvailable: 8,
  replicaNotAvailable: 9,
  messageTooLarge: 10,
  networkException: 13,
  coordinatorLoadInProgress: 14,
  coordinatorNotAvailable: 15,
  notCoordinator: 16,
  invalidTopic: 17,
  recordListTooLarge: 18,
  notEnoughReplicas: 19,
  notEnoughReplicasAfterAppend: 20,
  topicAuthorizationFailed: 29,
  clusterAuthorizationFailed: 31,
  unsupportedVersion: 35,
  topicAlreadyExists: 36,
  invalidPartitions: 37,
  invalidReplicationFactor: 38,
  invalidConfig: 40,
  notController: 41,
  invalidRequest: 42,
  policyViolation: 44,
  outOfOrderSequenceNumber: 45,
  duplicateSequenceNumber: 46,
  invalidProducerEpoch: 47,
  invalidTxnState: 48,
  invalidProducerIdMapping: 49,
  invalidTransactionTimeout: 50,
  concurrentTransactions: 51,
  transactionCoordinatorFenced: 52,
  transactionalIdAuthorizationFailed: 53,
  kafkaStorageError: 56,
  saslAuthenticationFailed: 58,
  unknownProducerId: 59,
  fencedLeaderEpoch: 74,
  unknownLeaderEpoch: 75,
  offsetNotAvailable: 78,
  throttlingQuotaExceeded: 89,
  producerFenced: 90,
  unknownTopicId: 100,
  transactionAbortable: 120,
} as const

/**
 * What an error code of Produce means for the batch.
 *
 * - stored: it is in the log (0), or was before (46).
 * - refused: certainly not stored by this request, and a later one may be accepted.
 * - unknown: it may be stored, now or later.
 * - state: the producer's id, epoch or sequence is not what the broker expects.
 * - lasting: certainly not stored, and the same batch will never be accepted.
 */
export type ProduceOutcome = 'stored' | 'refused' | 'unknown' | 'state' | 'lasting'

const REFUSED: ReadonlySet<number> = new Set([3, 5, 6, 8, 9, 14, 15, 16, 19, 51, 74, 75, 78, 89, 100])
const UNKNOWN: ReadonlySet<number> = new Set([-1, 7, 13, 20, 56])
const STATE: ReadonlySet<number> = new Set([45, 47, 48, 49, 59, 90, 120])

export function produceOutcome(errorCode: number): ProduceOutcome {
  if (errorCode === 0 || errorCode === KAFKA_ERRORS.duplicateSequenceNumber) return 'stored'
  if (REFUSED.has(errorCode)) return 'refused'
  if (STATE.has(errorCode)) return 'state'
  return UNKNOWN.has(errorCode) ? 'unknown' : 'lasting'
}

/** The same request may be accepted later, by this broker or by another one. */
export function isRetriable(errorCode: number): boolean {
  return REFUSED.has(errorCode) || UNKNOWN.has(errorCode)
}

/** The leader or coordinator that was asked is not the present one, or has just changed: read the metadata again. */
export function isStaleLeader(errorCode: number): boolean {
  return STALE.has(errorCode)
}

const STALE: ReadonlySet<number> = new Set([3, 5, 6, 9, 13, 15, 16, 41, 56, 74, 75, 100])

/** `NOT_LEADER_OR_FOLLOWER (6)`: for messages. */
export function errorName(errorCode: number): string {
  const name = NAMES.get(errorCode)
  return name === undefined ? `error ${errorCode}` : `${name} (${errorCode})`
}

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(KAFKA_ERRORS).map(([name, code]) => [
    code,
    name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase(),
  ]),
)

/**
 * - not-sent: no broker received the request.
 * - lost: it was sent, or part of it, and no answer came: the broker may have done it.
 * - malformed: the answer does not fit the request: the broker may have done it.
 */
export type RequestOutcome = 'not-sent' | 'lost' | 'malformed'

/**
 * A request without a usable answer. `isLasting`: trying again is of no use before an operator changes something: wrong
 * password, a certificate that is not trusted, a broker without a needed version.
 */
export class KafkaRequestError extends Error {
  override readonly name = 'KafkaRequestError'
  readonly outcome: RequestOutcome
  readonly isLasting: boolean

  constructor(outcome: RequestOutcome, message: string, options?: ErrorOptions & { isLasting?: boolean }) {
    super(message, options)
    this.outcome = outcome
    this.isLasting = options?.isLasting ?? false
  }
}
