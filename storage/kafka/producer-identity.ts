/** Requests a producer id for idempotent batches without transactions. */
import { setTimeout as sleep } from 'node:timers/promises'
import { StorageError } from '../storage-error.ts'
import { errorName, isRetriable, KafkaRequestError } from './error-codes.ts'
import type { ProducerIdentity } from './transaction-requests.ts'
import type { WriteRequests } from './write-requests.ts'

const PAUSE_MS = 100

/**
 * Tries again while brokers are not ready: a cluster that has just started answers with an error for some seconds. Rejects with
 * StorageError 'unavailable' after `timeoutMs`.
 */
export async function requestIdentity(
  requests: Pick<WriteRequests, 'anyNode' | 'initProducerId'>,
  timeoutMs: number,
): Promise<ProducerIdentity> {
  const endMs = performance.now() + timeoutMs
  for (;;) {
    let problem: string
    let isLasting: boolean
    try {
      const { producerId, epoch, errorCode } = await requests.initProducerId(await requests.anyNode(), {})
      if (errorCode === 0) return { producerId, epoch }
      problem = errorName(errorCode)
      isLasting = !isRetriable(errorCode)
    } catch (error) {
      if (!(error instanceof KafkaRequestError)) throw error
      problem = error.message
      isLasting = error.isLasting
    }
    if (isLasting || performance.now() + PAUSE_MS > endMs)
      throw new StorageError('unavailable', `no producer id could be obtained from the brokers: ${problem}`)
    await sleep(PAUSE_MS)
  }
}
