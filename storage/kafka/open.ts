/** Opens the Kafka engine for one node. */
import type { Storage } from '../storage.ts'
import { StorageError } from '../storage-error.ts'
import { type KafkaStorageOptions, PREFIX_PATTERN } from './settings.ts'

/**
 * Opens a store on a Kafka cluster, and creates it if it does not exist. Rejects with StorageError 'format', 'locked' or
 * 'unavailable'.
 */
export async function openKafkaStorage(options: KafkaStorageOptions): Promise<Storage> {
  if (!PREFIX_PATTERN.test(options.prefix)) {
    throw new StorageError(
      'format',
      `the prefix of topics is '${options.prefix}'; use up to 100 letters, digits, '_', '-' and '.'`,
    )
  }
  throw new StorageError('unavailable', 'the Kafka engine is not complete yet')
}
