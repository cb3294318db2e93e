/**
 * Bytes on a socket that are no HTTP, or two things at once: every answer is below 500, what is refused stores nothing, and
 * nothing hidden in a body is ever done.
 */
import { connect } from 'node:net'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FUZZ_TIMEOUT_MS, fuzz } from '../../support/fuzz.ts'
import { STREAMS, type TestApp, testApp } from '../../support/test-app.ts'
import { mutated, mutations } from './mutations.ts'

const POST = `POST ${STREAMS}/s HTTP/1.1\r\nHost: x\r\n`
const BATCH = `POST ${STREAMS}/s/batch HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n`
const PING = 'GET /ping HTTP/1.1\r\nHost: x\r\n\r\n'

/** How a body is said to end, in ways that two readers might take differently. Each is followed by `body`. */
const FRAMINGS: readonly string[] = [
  'Content-Length: 5\r\nContent-Length: 6\r\n',
  'Content-Length: 5, 6\r\n',
  'Content-Length: 5, 5\r\n',
  'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n',
  'Transfer-Encoding: chunked\r\nContent-Length: 5\r\n',
  'Content-Length: 5\r\nTransfer-Encoding: identity\r\n',
  'Content-Length: 5\r\nTransfer-Encoding: \r\n',
  'Transfer-Encoding: chunked, identity\r\n',
  'Transfer-Encoding: identity, chunked\r\n',
  'Transfer-Encoding: chunked, chunked\r\n',
  'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n',
  'Transfer-Encoding: xchunked\r\n',
  'Transfer-Encoding: chunked;x=y\r\n',
  'Transfer-Encoding: "chunked"\r\n',
  'Transfer-Encoding : chunked\r\n',
  'Transfer-Encoding:\tchunked\r\n',
  'Transfer-Encoding:\x0bchunked\r\n',
  'Transfer-Encoding:\r\n chunked\r\n',
  'Transfer\x00-Encoding: chunked\r\n',
  'Transfer_Encoding: chunked\r\n',
  'X: y\rTransfer-Encoding: chunked\r\n',
  'X: y\nTransfer-Encoding: chunked\n',
  'Content-Length: +5\r\n',
  'Content-Length: -5\r\n',
  'Content-Length: 5 \r\n',
  'Content-Length: 0x5\r\n',
  'Content-Length: 5e0\r\n',
  'Content-Length: 00000000000000000005\r\n',
  'Content-Length: 18446744073709551621\r\n',
  'Content-Length:\r\n',
  'Content-Length : 5\r\n',
  ' Content-Length: 5\r\n',
  'Content-Length: 5\nX: y\r\n',
]
const CHUNKS: readonly string[] = [
  '0\r\n\r\n',
  '5\r\nabcde\r\n0\r\n\r\n',
  '5;x="\r\n"\r\nabcde\r\n0\r\n\r\n',
  '5\nabcde\n0\n\n',
  '0x5\r\nabcde\r\n0\r\n\r\n',
  '-5\r\nabcde\r\n0\r\n\r\n',
  '5 \r\nabcde\r\n0\r\n\r\n',
  'FFFFFFFFFFFFFFFF\r\nabcde',
  '10000000000000000\r\nabcde',
  '5\r\nabcdefgh\r\n0\r\n\r\n',
  '5\r\nabc',
  '0\r\nContent-Length: 5\r\n\r\n',
  '0\r\ns.trailer: x\r\n\r\n',
  '\r\n',
  `${'0'.repeat(20_000)}\r\n\r\n`,
  `5;${'x'.repeat(20_000)}\r\nabcde\r\n0\r\n\r\n`,
]

/** Whole requests; none of them may store anything. */
const CORPUS: readonly string[] = [
  ...[
    '',
    '\r\n',
    '\n',
    '\0',
    '\r\n'.repeat(5_000),
    'GET',
    'GET ',
    'GET /',
    'GET /\r\n',
    'GET /ping\r\n\r\n',
    'get /ping HTTP/1.1\r\n\r\n',
  ],
  'GET /ping HTTP/0.9\r\n\r\n',
  'GET /ping HTTP/1.0\r\n\r\n',
  'GET /ping HTTP/1.2\r\nHost: x\r\n\r\n',
  'GET /ping HTTP/2.0\r\nHost: x\r\n\r\n',
  'GET /ping HTTP/9.9\r\nHost: x\r\n\r\n',
  'GET /ping HTTP/1.1.1\r\nHost: x\r\n\r\n',
  'GET  /ping HTTP/1.1\r\nHost: x\r\n\r\n',
  'GET /ping  HTTP/1.1\r\nHost: x\r\n\r\n',
  'GET\t/ping\tHTTP/1.1\r\nHost: x\r\n\r\n',
  'GET /ping HTTP/1.1\nHost: x\n\n',
  'GET /ping HTTP/1.1\rHost: x\r\r',
  'GET /ping HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n',
  'GET /ping HTTP/1.1\r\n Host: x\r\n\r\n',
  'GET * HTTP/1.1\r\nHost: x\r\n\r\n',
  'OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n',
  'GET http://x HTTP/1.1\r\nHost: y\r\n\r\n',
  'GET http:///ping HTTP/1.1\r\nHost: y\r\n\r\n',
  'GET http://u:p@x:1/ping HTTP/1.1\r\nHost: y\r\n\r\n',
  'GET file:///etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n',
  'GET javascript:alert(1) HTTP/1.1\r\nHost: x\r\n\r\n',
  'GET //x/ping HTTP/1.1\r\nHost: x\r\n\r\n',
  'GET /../../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n',
  'GET ?x HTTP/1.1\r\nHost: x\r\n\r\n',
  'GET # HTTP/1.1\r\nHost: x\r\n\r\n',
  'CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n',
  'CONNECT / HTTP/1.1\r\nHost: x\r\n\r\n',
  'TRACE /ping HTTP/1.1\r\nHost: x\r\nCookie: secret\r\n\r\n',
  `QUERY ${STREAMS}/s HTTP/1.1\r\nHost: x\r\n\r\n`,
  'GET /ping HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: h2c, websocket, x\r\n\r\nabc',
  'GET /ping HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: \r\n\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x06\x04\0\0\0\0\0\0\x04\0\x10\0\0',
  '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03',
  'GET /ping HTTP/1.1\r\nHost: x\r\nExpect: the unexpected\r\n\r\n',
  `${POST}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`,
  `${POST}Content-Length: 5\r\n\r\n`,
  `${POST}Content-Length: 5\r\n\r\nabc`,
  `${POST}Content-Length: 16777217\r\n\r\nabc`,
  `${POST}Content-Length: 9007199254740993\r\n\r\nabc`,
  `${POST}Content-Length: 9223372036854775807\r\n\r\nabc`,
  `${BATCH}Content-Length: 1000000\r\n\r\na\nb\nc\n`,
  `${BATCH}Transfer-Encoding: chunked\r\n\r\n6\r\na\nb\nc\n\r\n`,
  `${BATCH}Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\na\nb`,
  `${POST}s.a\0b: x\r\nContent-Length: 0\r\n\r\n`,
  `${POST}\0: x\r\nContent-Length: 0\r\n\r\n`,
  `${POST}s.a: x\0y\r\nContent-Length: 0\r\n\r\n`,
  `${POST}s.a: x\x7fy\r\ns.a: z\r\nContent-Length: 0\r\n\r\n`,
  `${POST}s.a: x\r\n y\r\nContent-Length: 0\r\n\r\n`,
  `${POST}(): x\r\nContent-Length: 0\r\n\r\n`,
  `${POST}no colon\r\nContent-Length: 0\r\n\r\n`,
  `${POST}s.k: ${'x'.repeat(20_000)}\r\nContent-Length: 0\r\n\r\n`,
  `${POST}${'x'.repeat(20_000)}: y\r\nContent-Length: 0\r\n\r\n`,
  `${POST}${'a: b\r\n'.repeat(9_000)}Content-Length: 0\r\n\r\n`,
  `GET /${'x'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
]

/** What a body would do if it were read as a request. */
const HIDDEN = `DELETE ${STREAMS}/victim HTTP/1.1\r\nHost: x\r\n\r\n`

test(
  'nothing that is hidden behind a doubtful end of a body is done',
  async () => {
    const app = await testApp({ streams: ['s', 'victim'] })
    const rows = FRAMINGS.flatMap((framing) =>
      CHUNKS.map((body) => ({ head: POST, framing, body, pieces: [] })),
    )
    let answered = 0
    await fuzz('request smuggling', {
      input: fc.record({
        head: fc.constantFrom(POST, BATCH, PING.slice(0, -2), `PUT ${STREAMS}/s HTTP/1.1\r\nHost: x\r\n`),
        framing: fc.constantFrom(...FRAMINGS),
        body: fc.oneof(fc.constantFrom(...CHUNKS), fc.string({ maxLength: 12 })),
        pieces: fc.array(fc.nat(), { maxLength: 3 }),
      }),
      corpus: rows.filter((_, i) => i % 7 === 0),
      longSeconds: 60,
      tell: () => ({ answered }),
      async check({ head, framing, body, pieces }) {
        const bytes = Buffer.from(`${head}${framing}\r\n${body}${HIDDEN}`, 'latin1')
        const statuses = await exchange(app.port, bytes, pieces)
        answered += statuses.length
        for (const status of statuses) expect(status).toBeLessThan(500)
        const gone = (await app.get(`${STREAMS}/victim`)).status === 404
        if (gone) await app.put(`${STREAMS}/victim`)
        // Where the end is plain, what follows is a request of its own, and that is right.
        if (!isPlain(framing, body)) expect({ framing, body, gone }).toEqual({ framing, body, gone: false })
        expect(app.reported).toEqual([])
      },
    })
  },
  FUZZ_TIMEOUT_MS,
)

/** Read by RFC 9112, whose every reader agrees: one length, or chunks alone, each as it says. */
function isPlain(framing: string, body: string): boolean {
  if (/^Content-Length: (0000000000000000000)?5 ?\r\n$/.test(framing)) return body.length === 5
  if (/^Transfer-Encoding:[ \t](identity, )?chunked\r\n$/.test(framing))
    return /^(5(;x*)?\r\nabcde\r\n)?0+\r\n(.*\r\n)?\r\n$/.test(body)
  // A name that is not one of the two: there is no body at all.
  return framing.startsWith('Transfer_Encoding')
}

const plainRequest = fc.constantFrom(
  PING,
  `${POST}Content-Length: 5\r\n\r\nabcde`,
  `${POST}s.k: v\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n`,
  `${BATCH}Content-Length: 6\r\n\r\na\nb\nc\n`,
  `GET ${STREAMS}/s/events?limit=2 HTTP/1.1\r\nHost: x\r\n\r\n`,
  `PUT ${STREAMS}/s/properties HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"ttl":5}`,
)

test(
  'no bytes make the server fail, or store more events than were sent',
  async () => {
    const app = await testApp({ streams: ['s'] })
    let answered = 0
    await fuzz('raw HTTP', {
      input: fc.record({
        bytes: fc.oneof(
          { weight: 1, arbitrary: fc.constantFrom(...CORPUS).map(latin1) },
          {
            weight: 4,
            arbitrary: fc
              .tuple(fc.oneof(fc.constantFrom(...CORPUS), plainRequest), mutations)
              .map(([text, wrong]) => mutated(latin1(text), wrong)),
          },
          {
            weight: 2,
            arbitrary: fc
              .tuple(
                fc.array(plainRequest, { minLength: 2, maxLength: 8 }),
                fc.array(mutations, { maxLength: 1 }),
              )
              .map(([texts, wrong]) => mutated(latin1(texts.join('')), wrong.flat())),
          },
        ),
        pieces: fc.array(fc.nat(), { maxLength: 4 }),
      }),
      corpus: CORPUS.map((text) => ({ bytes: latin1(text), pieces: [] })),
      longSeconds: 60,
      tell: () => ({ answered }),
      async check({ bytes, pieces }) {
        const before = await count(app)
        const statuses = await exchange(app.port, bytes, pieces)
        answered += statuses.length
        for (const status of statuses) expect(status).toBeLessThan(500)
        const stored = (await count(app)) - before
        // Three events a batch. A client that sends garbage behind a request may be cut off before its answer arrives.
        expect(stored).toBeLessThanOrEqual(3 * bytes.toString('latin1').split('POST ').length)
        expect(app.reported).toEqual([])
        if (before + stored > 100) await app.post(`${STREAMS}/s/truncate`)
      },
    })
    expect((await app.get('/status')).status).toBe(200)
  },
  FUZZ_TIMEOUT_MS,
)

test('what is refused as a request stores nothing', async () => {
  const app = await testApp({ streams: ['s'] })
  for (const text of CORPUS) {
    for (const status of await exchange(app.port, latin1(text), [])) expect(status).toBeLessThan(500)
    expect([JSON.stringify(text), await count(app)]).toEqual([JSON.stringify(text), 0])
  }
})

async function count(app: TestApp): Promise<number> {
  await app.put(`${STREAMS}/s`) // a request may have deleted it
  await app.put(`${STREAMS}/s/properties`, { body: '{"ttl":9223372036854775}' })
  return (await app.events('s')).length
}

function latin1(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}

/** Sends the bytes in pieces, and nothing more; resolves with the status of every answer once the connection is closed. */
function exchange(port: number, bytes: Buffer, places: readonly number[]): Promise<number[]> {
  return new Promise((resolve, reject) => {
    const received: Buffer[] = []
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, async () => {
      const cuts = [...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
      let at = 0
      for (const to of cuts) {
        if (to > at && !socket.destroyed) socket.write(bytes.subarray(at, to))
        at = to
        await new Promise((turn) => setImmediate(turn))
      }
      socket.end()
    })
    const giveUp = setTimeout(() => {
      socket.destroy()
      reject(new Error('the connection is still open after half a minute'))
    }, 30_000)
    socket.on('data', (chunk) => received.push(chunk))
    socket.on('error', () => {}) // cut off by the server: what it said before counts
    socket.once('close', () => {
      clearTimeout(giveUp)
      const text = Buffer.concat(received).toString('latin1')
      resolve(
        [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)]
          .map(([, status]) => Number(status))
          .filter((s) => s !== 100),
      )
    })
  })
}
