/** A store on a disk that is full. */
import { alteredStorage, type WriteBatch } from './altered-storage.ts'

/** Every write of events fails; documents are stored. */
export function failingStorage(nowMs: () => number) {
  return alteredStorage(nowMs, ({ put, write }) => {
    let events = false
    return {
      put(key: Buffer, value: Buffer) {
        events ||= key[0] === 'e'.charCodeAt(0)
        return put(key, value)
      },
      write: (options: Parameters<WriteBatch['write']>[0]) =>
        events ? Promise.reject(new Error('IO error: 000003.log: No space left on device')) : write(options),
    }
  })
}
