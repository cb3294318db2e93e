import { expect, test } from 'vitest'
import type { EventLog } from '../../storage/log.ts'
import { memoryStorage } from '../support/memory-storage.ts'
import { STREAMS, testApp } from '../support/test-app.ts'

/** A log that has a large batch behind its events, which is being committed while `isPending`. */
function withPendingBatch(log: EventLog, isPending: () => boolean): EventLog {
  return new Proxy(log, {
    get(target, name) {
      if (name !== 'read') {
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      }
      const read: EventLog['read'] = async (id, range) => {
        const found = await target.read(id, range)
        return found && { ...found, ...(isPending() && { isBehind: true }) }
      }
      return read
    },
  })
}

test('an answer tells that stored events behind it cannot be read yet', async () => {
  let isPending = true
  const app = await testApp({
    openStorage: async (nowMs) => {
      const storage = await memoryStorage(nowMs)
      const log = withPendingBatch(storage.log, () => isPending)
      return {
        log,
        catalog: storage.catalog,
        promises: storage.promises,
        remarks: [],
        write: (write) => storage.write(write),
        close: () => storage.close(),
      }
    },
  })
  await app.put(`${STREAMS}/s`)
  for (const body of ['a', 'b']) await app.post(`${STREAMS}/s`, { body })
  const headers = async (query: string) => {
    const answer = await app.get(`${STREAMS}/s/events${query}`)
    return [answer.status, answer.headers['millrace-behind']]
  }
  expect(await headers('')).toEqual([200, 'pending-batch'])
  expect(await headers('?limit=1')).toEqual([200, 'pending-batch'])
  isPending = false
  expect(await headers('')).toEqual([200, undefined])
})
