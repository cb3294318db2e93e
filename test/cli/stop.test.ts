/** SIGTERM and SIGINT: the service finishes accepted requests, refuses new connections, and exits soon. */
import { connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { Connection } from '../support/connection.ts'
import { RawConnection } from '../support/raw-http.ts'
import { type ServiceProcess, startServiceProcess, temporaryFolder } from '../support/service-process.ts'
import { STREAMS } from '../support/test-app.ts'

/** The grace of the service, and some time for a busy machine. */
const STUCK_MS = 10_000
const PROMPT_MS = 5_000

const SIGNALS = ['SIGTERM', 'SIGINT'] as const

test.each(SIGNALS)('%s with nothing to do ends the process with code 0', async (signal) => {
  const service = await serviceWithStream(await temporaryFolder())
  service.signal(signal)
  expect(await service.exited).toEqual({ code: 0, signal: null })
  expect(service.stderr).toBe('')
})

test.each(SIGNALS)(
  '%s lets a request finish whose body is still coming, and keeps its event',
  async (signal) => {
    const folder = await temporaryFolder()
    const service = await serviceWithStream(folder)
    const slow = await open(service)
    slow.write(`POST ${STREAMS}/s HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\nfirst `)
    await answered(service) // so the half request has been read, too

    service.signal(signal)
    await service.printed(`${signal}: finishing`)
    await expect(connecting(service)).resolves.toBe('ECONNREFUSED')

    slow.write('second')
    expect(await slow.response()).toMatchObject({ status: 200, text: '' })
    const since = Date.now()
    expect(await service.exited).toEqual({ code: 0, signal: null })
    expect(Date.now() - since).toBeLessThan(PROMPT_MS)
    expect(service.stderr).toBe('')

    const restarted = await startServiceProcess(folder)
    expect(await bodies(restarted)).toEqual(['first second'])
  },
)

test('a batch whose body is still coming is finished as a whole', async () => {
  const folder = await temporaryFolder()
  const service = await serviceWithStream(folder)
  const slow = await open(service)
  slow.write(
    `POST ${STREAMS}/s/batch HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\na\nb`,
  )
  await answered(service)
  service.signal('SIGTERM')
  await service.printed('SIGTERM: finishing')
  slow.write('\nc')
  expect(await slow.response()).toMatchObject({ status: 200 })
  expect(await service.exited).toEqual({ code: 0, signal: null })

  const restarted = await startServiceProcess(folder)
  expect(await bodies(restarted)).toEqual(['a', 'b', 'c'])
})

test('an idle connection does not hold the process up', async () => {
  const service = await serviceWithStream(await temporaryFolder())
  const idle = await open(service)
  idle.write('GET /ping HTTP/1.1\r\nHost: x\r\n\r\n')
  await idle.response()
  const since = Date.now()
  expect(await service.stop()).toEqual({ code: 0, signal: null })
  expect(Date.now() - since).toBeLessThan(PROMPT_MS)
  await idle.closed
})

test('connections that never sent a byte do not hold the process up', async () => {
  const service = await serviceWithStream(await temporaryFolder())
  const silent = [await open(service), await open(service)]
  await answered(service)
  const since = Date.now()
  expect(await service.stop()).toEqual({ code: 0, signal: null })
  expect(Date.now() - since).toBeLessThan(PROMPT_MS)
  for (const connection of silent) await connection.closed
})

test('clients that send one request after the other are let go with an answer', async () => {
  const folder = await temporaryFolder()
  const service = await serviceWithStream(folder)
  const sent = Array.from({ length: 8 }, () => writeUntilClosed(service))
  await answered(service)
  const since = Date.now()
  expect(await service.stop()).toEqual({ code: 0, signal: null })
  expect(Date.now() - since).toBeLessThan(PROMPT_MS)
  const acknowledged = (await Promise.all(sent)).flat()
  expect(acknowledged.length).toBeGreaterThan(0)

  const restarted = await startServiceProcess(folder)
  expect(await bodies(restarted)).toEqual(expect.arrayContaining(acknowledged))
})

test('events that were answered 202 before the signal are on disk after it', async () => {
  const folder = await temporaryFolder()
  const service = await serviceWithStream(folder)
  const connection = new Connection(service.port)
  const accepted = Array.from({ length: 200 }, (_, i) => `event ${i}`)
  for (const body of accepted) {
    expect(await connection.send('POST', `${STREAMS}/s/async`, {}, body)).toEqual({ status: 202, text: '' })
  }
  await service.stop()
  connection.close()
  const restarted = await startServiceProcess(folder)
  expect(await bodies(restarted)).toEqual(accepted)
})

test('a client that sends no more and one that reads no more are cut off after the grace', {
  timeout: 60_000,
}, async () => {
  const folder = await temporaryFolder()
  const service = await serviceWithStream(folder)
  const body = Buffer.alloc(16_000_000, 'x')
  const connection = new Connection(service.port)
  for (let i = 0; i < 4; i++) await connection.send('POST', `${STREAMS}/s`, {}, body)
  connection.close()

  const silent = await open(service)
  silent.write(`POST ${STREAMS}/s HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\nfirst `)
  const deaf = await open(service)
  deaf.write(`GET ${STREAMS}/s/events HTTP/1.1\r\nHost: x\r\n\r\n`)
  await deaf.received(1)
  deaf.pause()
  await answered(service)

  const since = Date.now()
  expect(await service.stop()).toEqual({ code: 0, signal: null })
  const tookMs = Date.now() - since
  expect(tookMs).toBeGreaterThan(STUCK_MS - 500)
  expect(tookMs).toBeLessThan(STUCK_MS + PROMPT_MS)
  await silent.closed

  const restarted = await startServiceProcess(folder)
  expect((await bodies(restarted)).map(({ length }) => length)).toEqual(Array(4).fill(body.length))
})

test('a read whose client has gone before the signal is no failure', async () => {
  const service = await serviceWithStream(await temporaryFolder())
  const connection = new Connection(service.port)
  const lines = 'line of a text\n'.repeat(200_000)
  expect(
    await connection.send('POST', `${STREAMS}/s/batch`, { 'Content-Type': 'text/plain' }, lines),
  ).toMatchObject({ status: 200 })
  connection.close()
  for (let i = 0; i < 8; i++) {
    const reader = await open(service)
    reader.write(`GET ${STREAMS}/s/events HTTP/1.1\r\nHost: x\r\n\r\n`)
    await reader.received(1)
    reader.destroy()
  }
  expect(await service.stop()).toEqual({ code: 0, signal: null })
  expect(service.stderr).toBe('')
})

test('a second signal does not wait', async () => {
  const service = await serviceWithStream(await temporaryFolder())
  const silent = await open(service)
  silent.write(`POST ${STREAMS}/s HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\nfirst `)
  await answered(service)
  service.signal('SIGTERM')
  await service.printed('SIGTERM: finishing')
  const since = Date.now()
  const cancelled = setInterval(() => service.signal('SIGINT'), 100)
  onTestFinished(() => clearInterval(cancelled))
  expect(await service.exited).toEqual({ code: 1, signal: null })
  expect(Date.now() - since).toBeLessThan(PROMPT_MS)
})

test('the same signal twice at once, as Ctrl-C gives it below npm, still finishes what was accepted', async () => {
  const service = await serviceWithStream(await temporaryFolder())
  const slow = await open(service)
  slow.write(`POST ${STREAMS}/s HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\nfirst `)
  await answered(service)
  service.signal('SIGINT')
  await service.printed('SIGINT: finishing')
  service.signal('SIGINT')
  slow.write('second')
  expect(await slow.response()).toMatchObject({ status: 200 })
  expect(await service.exited).toEqual({ code: 0, signal: null })
})

async function serviceWithStream(folder: string): Promise<ServiceProcess> {
  const service = await startServiceProcess(folder)
  const connection = new Connection(service.port)
  expect(await connection.send('PUT', `${STREAMS}/s`)).toEqual({ status: 200, text: '' })
  connection.close()
  return service
}

async function open({ port }: ServiceProcess): Promise<RawConnection> {
  const connection = await RawConnection.open(port)
  onTestFinished(() => connection.destroy())
  return connection
}

/** Once this is answered, whatever was sent before has been read. */
async function answered({ port }: ServiceProcess): Promise<void> {
  const connection = new Connection(port)
  expect(await connection.send('GET', '/ping')).toMatchObject({ status: 200 })
  connection.close()
}

/** 'connected', or why not. */
function connecting({ port }: ServiceProcess): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve('connected')
    })
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
  })
}

let writers = 0

/** The bodies that were answered 200; the answer that came with `Connection: close` is the last one. */
async function writeUntilClosed(service: ServiceProcess): Promise<string[]> {
  const connection = await open(service)
  const writer = ++writers
  const acknowledged: string[] = []
  for (;;) {
    const body = `event ${acknowledged.length} of ${writer}`
    connection.write(`POST ${STREAMS}/s HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
    const { status, headers } = await connection.response()
    expect(status).toBe(200)
    acknowledged.push(body)
    if (headers.connection === 'close') return acknowledged
  }
}

async function bodies(service: ServiceProcess): Promise<string[]> {
  const response = await fetch(`${service.base}${STREAMS}/s/events`)
  if (response.status === 204) return []
  return ((await response.json()) as { body: string }[]).map(({ body }) => body)
}

test('a closed output neither ends the service nor disturbs its stop', async () => {
  const service = await serviceWithStream(await temporaryFolder())
  service.closeOutput()
  expect(await service.stop()).toEqual({ code: 0, signal: null })
})
