/**
 * Servers that reset a connection at any moment: no error is without a listener, which would end the process. Vitest fails a run in
 * which an error was not handled.
 */
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { databaseAddressOf } from '../../../src/cdc/worker/database-address.ts'
import { DatabaseSession } from '../../../src/cdc/worker/database-session.ts'
import { PostgresConnection } from '../../../src/jobs/connectors/postgres-connection.ts'

const LIMITS = { connectMs: 5_000, statementMs: 5_000, silenceMs: 5_000 }
/** AuthenticationOk, ReadyForQuery. */
const HELLO = Buffer.concat([Buffer.from('R\0\0\0\x08\0\0\0\0'), Buffer.from('Z\0\0\0\x05I')])
/** CommandComplete of a SET, ReadyForQuery. */
const DONE = Buffer.from('C\0\0\0\x08SET\0Z\0\0\0\x05I')

/** When the server resets: its `messages` from the client before, and what it does with the last of them. */
const moments = [
  { name: 'at once', messages: 0 },
  { name: 'after the first message', messages: 1 },
  { name: 'during the first statement', messages: 2 },
  { name: 'during a later statement', messages: 3 },
  { name: 'between two statements', messages: 3, answersLast: true },
] as const

/** The port of a server that answers statements with nothing, and resets at this moment. */
async function resettingServer({
  messages,
  answersLast = false,
}: {
  readonly messages: number
  readonly answersLast?: boolean
}): Promise<{ readonly port: number; reset(): void }> {
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    let seen = 0
    if (messages === 0) socket.resetAndDestroy()
    socket.on('data', () => {
      if (++seen >= messages && !answersLast) socket.resetAndDestroy()
      else socket.write(seen === 1 ? HELLO : DONE, () => seen === messages && socket.resetAndDestroy())
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return {
    port: (server.address() as AddressInfo).port,
    reset: () => {
      for (const socket of sockets) socket.resetAndDestroy()
    },
  }
}

const uriOf = (port: number) => `postgres://app:word@127.0.0.1:${port}/shop?sslmode=disable`
const accessOf = (port: number) => ({ kind: 'postgres', connectionUri: uriOf(port) }) as const

/** It may succeed on a connection that was opened again. */
async function endsWell(work: Promise<unknown>): Promise<void> {
  const problem = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (problem !== undefined) expect(problem).toMatchObject({ passing: true })
  await delay(20) // an error that comes later
}

describe.each(moments)('a connection that is reset $name', (moment) => {
  test('rejects the statements of a connector', async () => {
    const { port } = await resettingServer(moment)
    const connection = new PostgresConnection(accessOf(port), LIMITS)
    await endsWell(twoStatements((sql) => connection.query(sql)))
    await connection.close()
  })

  test('rejects the statements of capture', async () => {
    const { port } = await resettingServer(moment)
    let session: DatabaseSession | undefined
    const work = async () => {
      session = await DatabaseSession.open(databaseAddressOf(uriOf(port)), LIMITS)
      await twoStatements((sql) => session!.query(sql))
    }
    await endsWell(work())
    session?.destroy()
  })
})

test('a reset while the connection is being closed is handled', async () => {
  const server = await resettingServer({ messages: Number.POSITIVE_INFINITY })
  const connection = new PostgresConnection(accessOf(server.port), LIMITS)
  await connection.query('SET a = 1')
  const session = await DatabaseSession.open(databaseAddressOf(uriOf(server.port)), LIMITS)
  const closing = [connection.close(), session.close()]
  server.reset()
  await Promise.all(closing)
  await delay(20)
})

async function twoStatements(query: (sql: string) => Promise<unknown>): Promise<void> {
  await query('SET a = 1')
  await delay(20) // the reset arrives
  await query('SET a = 2')
}
