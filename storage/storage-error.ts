/** What can go wrong in storage, as a closed list. The message is for an operator; `cause` keeps what the engine said. */
export type StorageErrorCode =
  | 'unavailable' // the engine cannot read or write now; nothing was stored
  | 'full' // no disk space is left; nothing was stored
  | 'unknown' // the write was sent and its outcome is not known: it may be stored, or appear after a restart
  | 'dropped' // the log is being dropped; nothing was stored
  | 'corrupt' // bytes on disk are not what was written
  | 'closed' // used after close()
  | 'locked' // another process has the data folder open
  | 'format' // the data folder is not ours, or of a newer format

export class StorageError extends Error {
  override readonly name = 'StorageError'
  readonly code: StorageErrorCode

  constructor(code: StorageErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
