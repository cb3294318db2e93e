/** The supervisor and a store whose failure ends by itself; test/http/recovery.test.ts has those that are opened again. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type Service, Supervisor } from '../src/supervisor.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

test.each([
  { failureHeals: true, opened: 0 },
  { failureHeals: false, opened: 1 },
])('a failure that heals ($failureHeals) opens the store $opened times', async ({ failureHeals, opened }) => {
  let failure: Error | undefined = new Error('broker lost')
  const service: Service = { listener() {}, failure: () => failure, failureHeals, close: async () => {} }
  let opens = 0
  const supervisor = new Supervisor(service, {
    async open() {
      opens++
      return { ...service, failure: () => undefined }
    },
    ready: async () => {},
    report() {},
  })
  let isEnded = false
  const waiting = supervisor.reopened(60_000).then(() => {
    isEnded = true
  })
  await vi.advanceTimersByTimeAsync(10_000)
  expect([opens, isEnded, supervisor.recoveries]).toEqual([opened, opened === 1, opened])
  failure = undefined
  await vi.advanceTimersByTimeAsync(5_000)
  await waiting
  expect([opens, supervisor.failure()]).toEqual([opened, undefined])
  await supervisor.stop()
})
