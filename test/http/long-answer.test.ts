/** Answers in pieces on a real server, with pieces that the tests make. */
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { answerPieces, beginPieces, type LongAnswerOptions } from '../../src/http/messages/long-answer.ts'
import { AnswerCounts } from '../../src/http/server/answer-class.ts'
import type { HttpEnv } from '../../src/http/server/bindings.ts'
import { Gate } from '../../src/http/server/gate.ts'
import { Load } from '../../src/http/server/load.ts'
import { OpenAnswers } from '../../src/http/server/open-answers.ts'
import { newServer } from '../../src/http/server/server.ts'
import { SlowClients } from '../../src/http/server/slow-clients.ts'
import { DEFAULT_LIMITS } from '../../src/limits.ts'
import { RawConnection } from '../support/raw-http.ts'

type Pieces = () => AsyncGenerator<Uint8Array, void, undefined>

/** Answers `GET /` with pieces, and everything else with "other". */
async function serverOf(pieces: Pieces, answer = answerPieces) {
  const reported: unknown[] = []
  const load = new Load(DEFAULT_LIMITS)
  const options: LongAnswerOptions = {
    load,
    slowClients: new SlowClients(DEFAULT_LIMITS, {}),
    openAnswers: new OpenAnswers(undefined),
    report: (error) => reported.push(error),
  }
  const app = new Hono<HttpEnv>()
  app.get('/', async (c) => answer(c, await beginPieces(pieces()), { 'Content-Type': 'text/test' }, options))
  app.get('/other', (c) => c.text('other'))
  app.onError((error, c) => c.text(`refused: ${error.message}`, 500))
  const { server } = newServer(getRequestListener(app.fetch as Parameters<typeof getRequestListener>[0]), {
    limits: DEFAULT_LIMITS,
    gate: new Gate(load, DEFAULT_LIMITS, () => 0),
    answers: new AnswerCounts(),
    corsOrigins: [],
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const connection = await RawConnection.open((server.address() as AddressInfo).port)
  onTestFinished(() => connection.destroy())
  return { connection, reported }
}

const GET = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'
const OTHER = 'GET /other HTTP/1.1\r\nHost: x\r\n\r\n'

function piecesOf(...texts: string[]): Pieces {
  return async function* () {
    for (const text of texts) yield Buffer.from(text)
  }
}

/** Pieces of 128 KiB in two buffers in turn, as many as are asked for up to `count`; tells what happened. */
function endless(count = Number.POSITIVE_INFINITY) {
  const seen = { made: 0, ended: false }
  async function* pieces(): AsyncGenerator<Uint8Array, void, undefined> {
    const buffers = [Buffer.alloc(128 * 1024), Buffer.alloc(128 * 1024)]
    try {
      while (seen.made < count) {
        await sleep(0)
        yield buffers[seen.made % 2]!.fill(letter(seen.made++))
      }
    } finally {
      seen.ended = true
    }
  }
  return { seen, pieces }
}

function letter(i: number): string {
  return String.fromCharCode(0x41 + (i % 26))
}

describe('an answer', () => {
  test('of one piece has a length', async () => {
    const { connection } = await serverOf(piecesOf('short'))
    connection.write(GET)
    const { status, headers, text } = await connection.response()
    expect([
      status,
      headers['content-type'],
      headers['content-length'],
      headers['transfer-encoding'],
    ]).toEqual([200, 'text/test', '5', undefined])
    expect(text).toBe('short')
  })

  test('of several comes in chunks and leaves the connection usable', async () => {
    const { connection, reported } = await serverOf(piecesOf('a', 'bc', 'def'))
    for (const _ of [1, 2]) {
      connection.write(GET)
      const { status, headers, text } = await connection.response()
      expect([status, headers['content-type'], headers['transfer-encoding'], text]).toEqual([
        200,
        'text/test',
        'chunked',
        'abcdef',
      ])
    }
    expect(reported).toEqual([])
  })

  test('is left alone by the server below, whichever of the two is loaded first', async () => {
    await serverOf(piecesOf('a'))
    vi.resetModules()
    const loadedLater = await import('../../src/http/messages/long-answer.ts')
    const { connection } = await serverOf(piecesOf('a', 'bc', 'def'), loadedLater.answerPieces)
    connection.write(GET + OTHER)
    expect([(await connection.response()).text, (await connection.response()).text]).toEqual([
      'abcdef',
      'other',
    ])
  })

  test('to HTTP/1.0 ends with the connection', async () => {
    const { connection } = await serverOf(piecesOf('a', 'bc', 'def'))
    connection.write('GET / HTTP/1.0\r\nHost: x\r\n\r\n')
    const { headers, text } = await connection.response()
    expect([headers['transfer-encoding'], text]).toEqual([undefined, 'abcdef'])
    await connection.closed
  })

  test('comes before that of the next request, however many are sent at once', async () => {
    const { pieces } = endless(5)
    const { connection } = await serverOf(pieces)
    connection.write(GET + OTHER + OTHER)
    const long = await connection.response()
    expect(long.text.replace(/(.)\1*/g, '$1')).toBe('ABCDE')
    expect([(await connection.response()).text, (await connection.response()).text]).toEqual([
      'other',
      'other',
    ])
  })

  test('to a client that takes it slowly has every piece as it was', async () => {
    const { pieces, seen } = endless(200)
    const { connection } = await serverOf(pieces)
    connection.write(GET)
    await connection.received(1)
    for (let i = 0; i < 5; i++) {
      connection.pause()
      await sleep(20)
      connection.resume()
      await sleep(1)
    }
    const { text } = await connection.response()
    expect(text.length).toBe(200 * 128 * 1024)
    expect(text.replace(/(.)\1*/g, '$1')).toBe(Array.from({ length: 200 }, (_, i) => letter(i)).join(''))
    expect(seen.ended).toBe(true)
  })
})

describe('the pieces', () => {
  test('are made no faster than they are taken', async () => {
    const { pieces, seen } = endless()
    const { connection } = await serverOf(pieces)
    connection.write(GET)
    await connection.received(1)
    connection.pause()
    let before: number
    do {
      before = seen.made
      await sleep(100)
    } while (seen.made > before)
    expect(seen.made * 128).toBeLessThan(16 * 1024) // KiB: what the system buffers on both sides
    connection.resume()
    await expect.poll(() => seen.made).toBeGreaterThan(before + 10)
  })

  test.each(['in the middle of it', 'while it takes nothing'])(
    'end when the client goes %s',
    async (when) => {
      const { pieces, seen } = endless()
      const { connection, reported } = await serverOf(pieces)
      connection.write(GET)
      await connection.received(300_000)
      if (when === 'while it takes nothing') {
        connection.pause()
        await sleep(200)
      }
      connection.destroy()
      await vi.waitFor(() => expect(seen.ended).toBe(true))
      expect(reported).toEqual([])
    },
  )

  test('end when the client goes before the first of them', async () => {
    const { pieces, seen } = endless()
    let goOn = () => {}
    const gone = new Promise<void>((resolve) => {
      goOn = resolve
    })
    const { connection, reported } = await serverOf(async function* () {
      await gone
      yield* pieces()
    })
    connection.write(GET)
    await sleep(20)
    connection.destroy()
    await sleep(50)
    goOn()
    await vi.waitFor(() => expect(seen).toEqual({ made: 2, ended: true }))
    expect(reported).toEqual([])
  })

  test('that fail before anything was sent are an ordinary failure', async () => {
    for (const texts of [[], ['a']]) {
      const { connection, reported } = await serverOf(failingAfter(texts))
      connection.write(GET)
      const { status, text } = await connection.response()
      expect([status, text]).toEqual([500, 'refused: disk on fire'])
      expect(reported).toEqual([])
    }
  })

  test('that fail on the way cut the connection, and are reported', async () => {
    const { connection, reported } = await serverOf(failingAfter(['a', 'b', 'c']))
    connection.write(GET)
    await connection.closed
    expect(reported).toEqual([new Error('disk on fire')])
    await expect(connection.response()).rejects.toThrow('the connection ended after')
  })
})

function failingAfter(texts: string[]): Pieces {
  return async function* () {
    yield* piecesOf(...texts)()
    throw new Error('disk on fire')
  }
}
