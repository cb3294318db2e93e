/** The client of the measured reads notices what an answer lacks, though it looks at almost none of it. */
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { rawRead } from '../../bench/load/raw-read.ts'
import { readEvents } from '../../bench/load/read-events.ts'

const PIECE = Buffer.alloc(300_000, 'x')

async function withServer<T>(answer: RequestListener, work: (url: string) => Promise<T>): Promise<T> {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    return await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}/events?limit=1`)
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

test('a whole answer', async () => {
  const read = await withServer(
    (_, answer) => {
      answer.write(PIECE)
      answer.end(PIECE)
    },
    (url) => rawRead(url, 'application/json'),
  )
  expect(read).toMatchObject({ status: 200, whole: true })
  expect(read.bytes).toBeGreaterThan(2 * PIECE.length)
})

test('an answer that is cut off', async () => {
  const read = await withServer(
    (_, answer) => answer.write(PIECE, () => answer.socket!.end()),
    (url) => rawRead(url, 'application/json'),
  )
  expect(read).toMatchObject({ status: 200, whole: false })
})

test('an answer without events', async () => {
  const read = await withServer(
    (_, answer) => answer.writeHead(204).end(),
    (url) => rawRead(url, 'application/json'),
  )
  expect(read).toMatchObject({ status: 204, whole: false })
})

test('events are counted however the answer is cut into pieces', async () => {
  const event = Buffer.from('{"timestamp":1,"headers":{},"body":"\\"timestamp\\""}\n')
  const body = Buffer.concat(Array.from({ length: 50 }, () => event))
  const read = await withServer(
    async (_, answer) => {
      for (let at = 0; at < body.length; at += 37) {
        answer.write(body.subarray(at, at + 37))
        await new Promise(setImmediate)
      }
      answer.end()
    },
    (url) => readEvents(url, 'application/x-ndjson'),
  )
  expect(read).toEqual({ status: 200, events: 50, bytes: body.length })
})
