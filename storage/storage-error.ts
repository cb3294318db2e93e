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
