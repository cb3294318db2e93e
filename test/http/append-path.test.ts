/** The plain path of a POST skips parts of node: bodies, heads and time limits of connections must be as without it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { RawConnection } from '../support/raw-http.ts'
import { stallingStorage } from '../support/stalling-storage.ts'
import { STREAMS, type TestApp, testApp } from '../support/test-app.ts'

const HOST = 'Host: x\r\n'
const PING = `GET /ping HTTP/1.1\r\n${HOST}\r\n`

function post(body: string, headers = '', suffix = ''): string {
  return `POST ${STREAMS}/s${suffix} HTTP/1.1\r\n${HOST}${headers}Content-Length: ${body.length}\r\n\r\n${body}`
}

async function connect(app: TestApp): Promise<RawConnection> {
  const connection = await RawConnection.open(app.port)
  onTestFinished(() => connection.destroy())
  return connection
}

async function bodiesOf(app: TestApp): Promise<string[]> {
  return (await app.events('s')).map(({ body }) => body)
}

describe('a body', () => {
  test('that arrives in one piece after its head is stored', async () => {
    const app = await testApp({ streams: ['s'] })
    const connection = await connect(app)
    const [head, body] = post('later').split('\r\n\r\n')
    connection.write(`${head}\r\n\r\n`)
    await sleep(30)
    connection.write(body!)
    expect(await connection.response()).toMatchObject({ status: 200, text: '' })
    expect(await bodiesOf(app)).toEqual(['later'])
  })

  test('of a request that waited for the one before it is stored, also where it arrives in pieces', async () => {
    const app = await testApp({ streams: ['s'] })
    const connection = await connect(app)
    const last = post('in pieces')
    connection.write(post('first') + post('second') + post('third', '', '/async') + last.slice(0, -4))
    await sleep(30)
    connection.write(last.slice(-4))
    for (const status of [200, 200, 202, 200]) {
      expect(await connection.response()).toMatchObject({ status, text: '' })
    }
    expect(await bodiesOf(app)).toEqual(['first', 'second', 'third', 'in pieces'])
  })

  test.each(['', '?'])(
    'that arrives while its stream is truncated is in the emptied stream (path%s)',
    async (query) => {
      const app = await testApp({ streams: ['s'] })
      await app.post(`${STREAMS}/s`, { body: 'old' })
      const connection = await connect(app)
      const request = post('new', '', query)
      connection.write(request.slice(0, -3))
      await sleep(30)
      await app.post(`${STREAMS}/s/truncate`)
      connection.write(request.slice(-3))
      expect(await connection.response()).toMatchObject({ status: 200 })
      await app.tidy()
      expect(await bodiesOf(app)).toEqual(['new'])
    },
  )
})

test('the head of an answer is the same each time, says the time of day, and ends a connection where it should', async () => {
  const app = await testApp({ streams: ['s'] })
  const connection = await connect(app)
  const headers = []
  for (let i = 0; i < 4; i++) {
    connection.write(post('x'))
    headers.push((await connection.response()).headers)
    await sleep(400)
  }
  const dates = headers.map(({ date }) => Date.parse(date!))
  for (const { date, ...others } of headers) {
    expect(Math.abs(Date.parse(date!) - Date.now())).toBeLessThan(5_000)
    expect(others).toEqual({ ...headers[0], date: undefined })
  }
  expect(dates.at(-1)).toBeGreaterThan(dates[0]!)
  expect(headers[0]).toMatchObject({ connection: 'keep-alive', 'keep-alive': 'timeout=75' })
  connection.write(post('last', 'Connection: close\r\n'))
  expect((await connection.response()).headers).toMatchObject({ connection: 'close' })
  await connection.closed
})

describe('a connection', () => {
  test('without a request is closed after --keep-alive-seconds, and not before', async () => {
    const app = await testApp({ streams: ['s'], limits: { keepAliveSeconds: 2 } })
    const idle = await connect(app)
    const busy = await connect(app)
    idle.write(post('x'))
    expect(await idle.response()).toMatchObject({ status: 200, headers: { 'keep-alive': 'timeout=2' } })
    const sinceMs = performance.now()
    const traffic = setInterval(() => busy.write(PING), 500)
    onTestFinished(() => clearInterval(traffic))
    await idle.closed
    expect(performance.now() - sinceMs).toBeGreaterThan(1_900)
    clearInterval(traffic)
    busy.write(PING)
    expect(await busy.response()).toMatchObject({ status: 200 })
  })

  test('stays open for --keep-alive-seconds after an answer that took longer than that', async () => {
    const disk = stallingStorage()
    const app = await testApp({ streams: ['s'], limits: { keepAliveSeconds: 2 }, openStorage: disk.open })
    const connection = await connect(app)
    disk.stall()
    connection.write(post('x'))
    await sleep(3_500)
    disk.goOn()
    expect(await connection.response()).toMatchObject({ status: 200 })
    const sinceMs = performance.now()
    await connection.closed
    expect(performance.now() - sinceMs).toBeGreaterThan(1_990)
  })

  test('on which nothing arrives is closed after --idle-seconds, and not before', async () => {
    const app = await testApp({ limits: { idleSeconds: 2 } })
    const lifetimes: Promise<number>[] = []
    for (let i = 0; i < 5; i++) {
      const sinceMs = performance.now()
      const silent = await connect(app)
      lifetimes.push(silent.closed.then(() => performance.now() - sinceMs))
      await sleep(220) // spread over the time between two sweeps
    }
    expect(Math.min(...(await Promise.all(lifetimes)))).toBeGreaterThan(1_990)
  })

  test('is closed if nothing of a body arrives for --idle-seconds, and stays open while bytes do', async () => {
    const app = await testApp({ streams: ['s'], limits: { idleSeconds: 2 } })
    const silent = await connect(app)
    const slow = await connect(app)
    const request = post('x'.repeat(10))
    silent.write(request.slice(0, -10))
    slow.write(request.slice(0, -10))
    const sinceMs = performance.now()
    const trickle = setInterval(() => slow.write('x'), 700)
    onTestFinished(() => clearInterval(trickle))
    await silent.closed
    expect(performance.now() - sinceMs).toBeGreaterThan(1_900)
    expect(await slow.response()).toMatchObject({ status: 200 })
  })
})
