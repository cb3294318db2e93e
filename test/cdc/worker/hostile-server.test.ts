/** Servers that are no PostgreSQL, or send more than fits: the session ends, and the process goes on. */
import { createServer, type Server, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { problemOf } from '../../../src/cdc/worker/capture-problem.ts'
import { databaseAddressOf } from '../../../src/cdc/worker/database-address.ts'
import { DatabaseSession } from '../../../src/cdc/worker/database-session.ts'
import { MessageLimits } from '../../../src/cdc/worker/message-limits.ts'
import { MessageSplitter } from '../../../src/cdc/worker/message-splitter.ts'

/** No test here waits for them: a busy machine may take seconds for 40 MiB. */
const LIMITS = { connectMs: 60_000, statementMs: 60_000, silenceMs: 60_000 }
const MIB = 1024 * 1024

let server: Server | undefined
const sockets = new Set<Socket>()
afterEach(async () => {
  for (const socket of sockets) socket.destroy()
  await new Promise((resolve) => server?.close(resolve))
})

function message(type: string, length: number, content: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(5)
  head.write(type)
  head.writeUInt32BE(length, 1)
  return Buffer.concat([head, content])
}
const whole = (type: string, content: Buffer) => message(type, content.length + 4, content)

/** Accepts everyone, and answers each statement with `answer`. */
async function session(answer: Buffer): Promise<DatabaseSession> {
  const ready = whole('Z', Buffer.from('I'))
  const hello = Buffer.concat([whole('R', Buffer.alloc(4)), ready])
  server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('data', () => {
      socket.write(hello)
      socket.on('data', () => socket.write(answer))
    })
  })
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return DatabaseSession.open(
    databaseAddressOf(`postgres://app:word@127.0.0.1:${port}/shop?sslmode=disable`),
    LIMITS,
  )
}

const row = Buffer.concat([Buffer.from([0, 1, 0, 16, 0, 0]), Buffer.alloc(MIB)])
const rows = Buffer.concat([
  whole('T', Buffer.concat([Buffer.from([0, 1, 118]), Buffer.alloc(19)])),
  ...Array<Buffer>(40).fill(whole('D', row)),
])

test.each([
  [
    'a row of 1 GB',
    message('D', 1024 * MIB),
    'the database sends a row or message of 1073741824 bytes; at most 33554432 fit',
  ],
  ['more rows than fit', rows, 'the database answers a statement with more than 33554432 bytes'],
  [
    'a length below that of itself',
    message('D', 3),
    'the database has sent what is no message of PostgreSQL: its length is 3',
  ],
  [
    'a row without its values',
    whole('D', Buffer.alloc(1)),
    /^the database has sent what is no message of PostgreSQL: /,
  ],
  ['a type that does not exist', whole('~', Buffer.alloc(9)), /^the database /],
  [
    'the answer of an HTTP server',
    Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'),
    /^the database sends a row or message of /,
  ],
])('%s ends the session at once', async (_, answer, reason) => {
  const open = await session(answer)
  const message = typeof reason === 'string' ? reason : expect.stringMatching(reason)
  await expect(open.query('SELECT 1')).rejects.toMatchObject({ message })
  await expect(open.query('SELECT 1')).rejects.toMatchObject({ message })
})

function splitter(others: Buffer[], copied: Buffer[], isCopying = () => true): MessageSplitter {
  const takes = (bytes: Buffer, start: number, end: number) => {
    copied.push(Buffer.from(bytes.subarray(start, end)))
  }
  return new MessageSplitter({
    limits: new MessageLimits(),
    others: (bytes) => others.push(Buffer.from(bytes)),
    copyTaker: () => (isCopying() ? takes : undefined),
  })
}

test.each([1, 2, 3, 5, 7, 11, 1_000])(
  'messages are counted and divided in pieces of %i bytes that arrive',
  (size) => {
    const others: Buffer[] = []
    const copied: Buffer[] = []
    const split = splitter(others, copied, () => Buffer.concat(others).includes('Z'))
    const before = Buffer.concat([
      ...[whole('d', Buffer.from('early')), whole('D', Buffer.alloc(100)), whole('Z', Buffer.from('I'))],
    ])
    const after = whole('C', Buffer.from('COPY 3'))
    const rows = ['one', '', 'x'.repeat(40)].map((text) => whole('d', Buffer.from(text)))
    const all = Buffer.concat([before, ...rows, after, rows[0]!])
    for (let at = 0; at < all.length; at += size) split.take(Buffer.from(all.subarray(at, at + size)))
    expect(copied.map(String)).toEqual(['one', '', 'x'.repeat(40), 'one'])
    expect(Buffer.concat(others)).toEqual(Buffer.concat([before, after]))
    expect(() => split.take(message('D', 33 * MIB))).toThrow('at most 33554432 fit')
  },
)

test('rows of a COPY have no limit together', () => {
  const split = splitter([], [])
  const rows = whole('d', Buffer.alloc(16 * MIB))
  for (let i = 0; i < 10; i++) split.take(rows)
})

test('the text of an error is cut', () => {
  const error = Object.assign(new Error('x'.repeat(MIB)), { code: '28000', severity: 'FATAL' })
  expect(problemOf(error, []).message.length).toBeLessThan(1_100)
})
