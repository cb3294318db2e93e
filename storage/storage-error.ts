/** All errors of storage, as a closed list. The message is for an operator; `cause` contains the engine's error. */
export type StorageErrorCode =
  | 'unavailable' // the engine cannot read or write now; nothing was stored
  | 'full' // no disk space is left; nothing was stored
  | 'unknown' // the write was sent and its outcome is not known: it may be stored, or appear after a restart
  | 'dropped' // the log is being dropped; nothing was stored
  | 'corrupt' // bytes on disk differ from those that were written
  | 'closed' // used after close()
  | 'locked' // another process has the data folder open
  | 'format' // the data folder is not a Millrace folder, or its format is too old or too new

export class StorageError extends Error {
  override readonly name = 'StorageError'
  readonly code: StorageErrorCode

  constructor(code: StorageErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Of a write that is stored, unless another process of the store has changed something that makes it void: this one cannot tell. */
export function outcomeUnknown(cause: unknown): StorageError {
  return new StorageError(
    'unknown',
    'the node was cut off from the store, and the write may be stored; send it again',
    { cause },
  )
}
