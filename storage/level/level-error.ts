/** Converts LevelDB's errors to StorageError. The engine reports the operating system's reason only as text. */
import { StorageError } from '../storage-error.ts'

export function storageErrorOf(error: unknown): StorageError {
  if (error instanceof StorageError) return error
  const { code, message } = innermost(error)
  if (/no space left on device|ENOSPC|disk quota exceeded/i.test(message)) {
    return new StorageError('full', `the disk is full: ${message}`, { cause: error })
  }
  if (code === 'LEVEL_CORRUPTION') return new StorageError('corrupt', `LevelDB: ${message}`, { cause: error })
  // Closing the store closes the iterators of reads that are still running.
  if (code === 'LEVEL_DATABASE_NOT_OPEN' || code === 'LEVEL_ITERATOR_NOT_OPEN')
    return new StorageError('closed', 'the store is closed', { cause: error })
  return new StorageError('unavailable', `LevelDB: ${message}`, { cause: error })
}

/** Code and message of the last error in the chain of causes, which is the engine's own error. */
export function innermost(error: unknown): { code: string; message: string } {
  let current = error
  while (current instanceof Error && current.cause instanceof Error) current = current.cause
  if (!(current instanceof Error)) return { code: '', message: String(current) }
  return { code: 'code' in current ? String(current.code) : '', message: current.message }
}
