/** What can go wrong in storage, as a closed list. The message is for an operator; `cause` keeps what the engine said. */
export type StorageErrorCode =
  | 'corrupt' // bytes on disk are not what was written
  | 'closed' // used after close()
  | 'dropped' // the log was dropped while the write waited
  | 'unavailable' // the engine cannot write or read now; after a failed write, until it is opened again
  | 'full' // no space left on the device
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
