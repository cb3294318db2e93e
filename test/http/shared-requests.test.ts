/** Requests whose handlers wait for a shared store before they begin. What happens to the request meanwhile is not missed. */
import { expect, test } from 'vitest'
import { rawRequest } from '../support/raw-http.ts'
import { openSharedStorage } from '../support/shared-engine/shared-storage.ts'
import { SharedStore } from '../support/shared-engine/shared-store.ts'
import { ON_KAFKA, STREAMS, type TestApp, type TestAppOptions, testApp } from '../support/test-app.ts'
import { tokenFile } from '../support/tokens.ts'

const S = `${STREAMS}/s`

function sharedApp(options: TestAppOptions = {}): Promise<TestApp> {
  if (ON_KAFKA) return testApp(options)
  const store = new SharedStore()
  return testApp({
    ...options,
    openStorage: (nowMs) => openSharedStorage(store, { id: 'a', url: 'http://127.0.0.1:1', nowMs }),
  })
}

const requests = [
  { name: 'an event', method: 'POST', path: S },
  { name: 'a batch', method: 'POST', path: `${S}/batch` },
  { name: 'properties', method: 'PUT', path: `${S}/properties` },
]
const CHUNKED = 'Host: x\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n'

test.each(requests)('$name whose next chunk is none is refused at once', async ({ method, path }) => {
  const app = await sharedApp({ streams: ['s'] })
  const { status, text } = await rawRequest(app.port, `${method} ${path} HTTP/1.1\r\n${CHUNKED}zz\r\n`)
  expect([status, text]).toEqual([400, expect.stringMatching(/^the request is not HTTP: ./)])
  expect(await app.events('s')).toEqual([])
  expect(app.reported).toEqual([])
})

test('events that arrive together do not pass the rate of their token', async () => {
  const tokens = await tokenFile([
    { name: 'all' },
    { name: 'slow', grants: ['default:*:write'], eventsPerSecond: 3 },
  ])
  const app = await sharedApp({ config: { authFile: tokens.path } })
  expect((await app.put(S, { headers: tokens.bearer('all') })).status).toBe(200)
  const send = () => app.post(`${S}?`, { headers: tokens.bearer('slow'), body: 'x' })
  const answers = await Promise.all(Array.from({ length: 6 }, send))
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 200, 429, 429, 429])
})
