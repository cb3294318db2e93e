import { brotliCompressSync, constants, crc32, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import avro from 'avsc'
import fc from 'fast-check'
import { compressSync } from 'snappy'
import { describe, expect, test } from 'vitest'
import { avroFile } from '../decoders/avro-file.ts'
import { answerOf, empty, plain } from '../support/answer.ts'
import { RawConnection, rawRequest } from '../support/raw-http.ts'
import {
  type EventJson,
  STREAMS,
  type TestApp,
  type TestResponse,
  testApp,
  testOnLevelDb,
} from '../support/test-app.ts'

const BATCH = `${STREAMS}/s/batch`
const NOW = 1_000_000
const MIB = 1024 * 1024

/** Sends a batch whole, or in these chunks. */
function send(
  app: TestApp,
  contentType: string,
  body: string | Uint8Array | readonly Uint8Array[],
  headers: Record<string, string> = {},
): Promise<TestResponse> {
  const content = Array.isArray(body) ? { chunks: body } : { body: body as string | Uint8Array }
  return app.post(BATCH, { headers: { 'Content-Type': contentType, ...headers }, ...content })
}

async function bodiesOf(app: TestApp): Promise<string[]> {
  return (await app.events('s', 'encoding=utf8')).map(({ body }) => body)
}

/** Every way to cut a few bytes into one, two or three chunks. */
function cuts(bytes: Buffer): Buffer[][] {
  const all: Buffer[][] = [[bytes]]
  for (let first = 1; first < bytes.length; first++) {
    all.push([bytes.subarray(0, first), bytes.subarray(first)])
    for (let second = first + 1; second < bytes.length; second++) {
      all.push([bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)])
    }
  }
  return all
}

function quickBrotli(data: Buffer): Buffer {
  return brotliCompressSync(data, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } })
}

function piecesOf(bytes: Buffer, size: number): Buffer[] {
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size))
  return pieces
}

describe('text', () => {
  const bodies = [
    { body: 'a\nb\nc', events: ['a', 'b', 'c'] },
    { body: 'a\nb\n', events: ['a', 'b'] },
    { body: 'a\r\nb\r\n', events: ['a', 'b'] },
    { body: 'a\rb', events: ['a', 'b'] },
    { body: 'a\n\n\nb', events: ['a', 'b'] },
    { body: 'a\r\n\r\n\rb', events: ['a', 'b'] },
    { body: 'a', events: ['a'] },
    { body: '\na\nb\n', events: ['a', 'b'] },
    { body: '\r\na', events: ['a'] },
    { body: '\n', events: [] },
    { body: '\r\n\n\r', events: [] },
    { body: ' a \n\tb\n ', events: [' a ', '\tb', ' '] },
    { body: '"a\nb"', events: ['"a', 'b"'] },
    { body: 'abc\nd', events: ['abc', 'd'] },
    { body: 'é\n€', events: ['é', '€'] },
    { body: 'a\u2028b\u0085c\vd\fe\0f', events: ['a\u2028b\u0085c\vd\fe\0f'] },
  ]
  test.each(bodies)('$body is $events, however it is cut into chunks', async ({ body, events }) => {
    const app = await testApp({ streams: ['s'] })
    for (const chunks of cuts(Buffer.from(body))) {
      expect(answerOf(await send(app, 'text/plain', chunks))).toEqual(empty(200))
      expect(await bodiesOf(app)).toEqual(events)
      await app.post(`${STREAMS}/s/truncate`)
    }
    expect(answerOf(await send(app, 'text/plain', body))).toEqual(empty(200))
    expect(await bodiesOf(app)).toEqual(events)
  })

  test.each([
    { name: 'no bytes', content: { body: '' } },
    { name: 'no chunks', content: { chunks: [] } },
  ])('of $name is no event', async ({ content }) => {
    const app = await testApp({ streams: ['s'] })
    const headers = { 'Content-Type': 'text/plain' }
    expect(answerOf(await app.post(BATCH, { headers, ...content }))).toEqual(empty(200))
    expect(answerOf(await app.get(`${STREAMS}/s/events`))).toEqual(empty(204))
  })

  test('may be any bytes: it is cut at CR and LF and nowhere else', async () => {
    const app = await testApp({ streams: ['s'] })
    const byte = fc.oneof(fc.constantFrom(0x0a, 0x0d, 0x22, 0x2c), fc.integer({ min: 0, max: 255 }))
    const chunk = fc.array(byte, { minLength: 1, maxLength: 40 }).map((bytes) => Buffer.from(bytes))
    const expected: string[] = []
    await fc.assert(
      fc.asyncProperty(fc.array(chunk, { maxLength: 5 }), async (chunks) => {
        expect((await send(app, 'text/plain', chunks)).status).toBe(200)
        const lines = Buffer.concat(chunks)
          .toString('latin1')
          .split(/[\r\n]+/)
        const events = lines.filter((line) => line !== '')
        expected.push(...events.map((line) => Buffer.from(line, 'latin1').toString('base64')))
      }),
      { numRuns: 200 },
    )
    expect((await app.events('s', 'encoding=base64')).map(({ body }) => body)).toEqual(expected)
  })
})

describe('csv', () => {
  const bodies = [
    {
      body: '1,Sam,Smith,18\n2,Max,Johnson,28\n3,Bill,Jones,20',
      events: ['1,Sam,Smith,18', '2,Max,Johnson,28', '3,Bill,Jones,20'],
    },
    { body: 'a,"b\nc"\nd', events: ['a,"b\nc"', 'd'] },
    { body: '"a\r\n\r\nb",c\r\nd\r\n', events: ['"a\r\n\r\nb",c', 'd'] },
    { body: '"a""\n""b"\nc', events: ['"a""\n""b"', 'c'] },
    { body: 'a"b\nc"d', events: ['a"b', 'c"d'] },
    { body: '\n\n"a"\n\n', events: ['"a"'] },
    { body: '""\n"x",""', events: ['""', '"x",""'] },
  ]
  test.each(bodies)('$body is $events, however it is cut into chunks', async ({ body, events }) => {
    const app = await testApp({ streams: ['s'] })
    const ways =
      body.length < 20 ? cuts(Buffer.from(body)) : [1, 2, 7].map((size) => piecesOf(Buffer.from(body), size))
    for (const chunks of ways) {
      expect(answerOf(await send(app, 'text/csv', chunks))).toEqual(empty(200))
      expect(await bodiesOf(app)).toEqual(events)
      await app.post(`${STREAMS}/s/truncate`)
    }
  })

  test.each([
    {
      body: 'a\n"b\nc',
      text:
        'record 2 ends inside a quoted field, whose quote opened at byte 2 of the body; close it with a quote, ' +
        'or send the body as text/plain to split it on line ends alone',
    },
    {
      body: 'a\n"b"c\nd',
      text:
        "record 2 has 'c' right after a closing quote, at byte 5 of the body; a comma, a line end or the end of the " +
        'body belongs there. Write a quote inside a quoted field twice (""), or send the body as text/plain to split ' +
        'it on line ends alone',
    },
  ])('$body is refused, and text/plain takes it', async ({ body, text }) => {
    const app = await testApp({ streams: ['s'] })
    expect(answerOf(await send(app, 'text/csv', body))).toEqual(plain(400, text))
    expect(await app.events('s')).toEqual([])
    expect(answerOf(await send(app, 'text/plain', body))).toEqual(empty(200))
  })
})

describe('the content type', () => {
  const taken = [
    'text/plain',
    'text/csv',
    'text/tsv',
    'text/csv; charset=utf-8',
    'text/csv;header=present',
    'text/plain; charset=UTF-8',
    'text/anything-at-all',
    'text/',
    'TEXT/plain',
    'Text/Html; charset=UTF-8',
    'text/plain, text/html',
  ]
  test.each(taken)('%j is taken, and every event tells of it first', async (contentType) => {
    const app = await testApp({ streams: ['s'] })
    expect(answerOf(await send(app, contentType, 'a\nb', { 's.z': '1', 's.a': '2' }))).toEqual(empty(200))
    const event = (body: string) =>
      `{"timestamp":${NOW},"headers":{"content.type":${JSON.stringify(contentType)},"z":"1","a":"2"},"body":"${body}"}`
    expect((await app.get(`${STREAMS}/s/events`)).text).toBe(`[${event('a')},${event('b')}]`)
  })

  const refused = [
    'text',
    'application/json',
    'application/x-www-form-urlencoded',
    'application/octet-stream',
    'avro/binary; x=y',
    'avro/binary;charset=utf-8',
    'Avro/Binary; x=y',
    'avro/json',
    'avro',
    'multipart/form-data; boundary=x',
    '',
  ]
  test.each(refused)('%j is refused', async (contentType) => {
    const app = await testApp({ streams: ['s'] })
    expect(answerOf(await send(app, contentType, 'a\nb'))).toEqual(
      plain(406, `Unsupported content type ${contentType}`),
    )
    expect(await app.events('s')).toEqual([])
  })

  test('has to be there', async () => {
    const app = await testApp({ streams: ['s'] })
    expect(answerOf(await app.post(BATCH, { body: 'a\nb' }))).toEqual(plain(406, 'Unknown content type'))
    expect(answerOf(await app.post(BATCH, { chunks: [Buffer.from('a')] }))).toEqual(
      plain(406, 'Unknown content type'),
    )
    expect(await app.events('s')).toEqual([])
  })

  test('comes after the stream', async () => {
    const app = await testApp()
    const missing = plain(404, "'stream:default.s' was not found.")
    expect(answerOf(await app.post(BATCH, { body: 'a' }))).toEqual(missing)
    expect(answerOf(await send(app, 'application/json', 'a'))).toEqual(missing)
    expect(answerOf(await send(app, 'text/csv', '"'))).toEqual(missing)
  })
})

describe('headers', () => {
  const rows = [
    { sent: { 's.k': 'v' }, kept: { k: 'v' } },
    { sent: { 'S.Key': 'v', 's.': 'e' }, kept: { Key: 'v', '': 'e' } },
    { sent: { 't.k': 'v', 'X-K': 'v', ss: 'v' }, kept: {} },
    { sent: { 's.schema': 'mine', 's.schema.hash': 'too' }, kept: { schema: 'mine', 'schema.hash': 'too' } },
    { sent: { 's.Content.Type': 'v' }, kept: { 'Content.Type': 'v' } },
  ]
  test.each(rows)('$sent stand in every event', async ({ sent, kept }) => {
    const app = await testApp({ streams: ['s'] })
    expect(answerOf(await send(app, 'text/plain', 'a\nb', sent))).toEqual(empty(200))
    const headers = { 'content.type': 'text/plain', ...kept }
    expect(await app.events('s')).toEqual(['a', 'b'].map((body) => ({ timestamp: NOW, headers, body })))
  })

  test.each([
    { lines: 's.k: 1\r\ns.k: 2', key: 'k' },
    { lines: 's.k: 1\r\nS.k: 1', key: 'k' },
    { lines: 's.content.type: text/plain', key: 'content.type' },
  ])('$lines give $key twice and are refused', async ({ lines, key }) => {
    const app = await testApp({ streams: ['s'] })
    const answer = await rawRequest(
      app.port,
      `POST ${BATCH} HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n${lines}\r\nContent-Length: 3\r\n\r\na\nb`,
    )
    expect(answerOf(answer)).toEqual(plain(400, `event header '${key}' is given twice; send it once`))
    expect(await app.events('s')).toEqual([])
  })
})

const RECORD =
  '{"type":"record","name":"Record","fields":[{"name":"id","type":"int"},{"name":"name","type":["null","string"]}]}'
const RECORD_HASH = '19d61ad4deaa8452909648f836d40067'

type Done = (error: null, data: Buffer) => void

/** A container file as avsc writes it. */
async function container(type: avro.Type, values: readonly unknown[], codec: string): Promise<Buffer> {
  const encoder = new avro.streams.BlockEncoder(type, {
    codec,
    blockSize: 512,
    writeHeader: 'always',
    codecs: {
      null: (data: Buffer, done: Done) => done(null, data),
      deflate: (data: Buffer, done: Done) => done(null, deflateRawSync(data)),
      snappy(data: Buffer, done: Done) {
        const checksum = Buffer.alloc(4)
        checksum.writeUInt32BE(crc32(data))
        done(null, Buffer.concat([compressSync(data), checksum]))
      },
    },
  })
  const file: Buffer[] = []
  const ended = new Promise((resolve) => encoder.on('data', (chunk) => file.push(chunk)).on('end', resolve))
  for (const value of values) encoder.write(value)
  encoder.end()
  await ended
  return Buffer.concat(file)
}

function records(count: number) {
  return Array.from({ length: count }, (_, id) => ({ id, name: id % 3 === 0 ? null : `name ${id}` }))
}

describe('avro', () => {
  const type = avro.Type.forSchema(JSON.parse(RECORD))

  describe.each(['null', 'deflate', 'snappy'])('with the codec %s', (codec) => {
    test('gives every datum as it stands in the file, under its schema', async () => {
      const app = await testApp({ streams: ['s'] })
      const values = records(300)
      expect(answerOf(await send(app, 'avro/binary', await container(type, values, codec)))).toEqual(
        empty(200),
      )
      const headers = { 'content.type': 'avro/binary', schema: RECORD, 'schema.hash': RECORD_HASH }
      expect(await app.events('s', 'encoding=base64')).toEqual(
        values.map((value) => ({ timestamp: NOW, headers, body: type.toBuffer(value).toString('base64') })),
      )
    })

    test.each([1, 7, 1000])('does not mind chunks of %i bytes', async (size) => {
      const app = await testApp({ streams: ['s'] })
      const values = records(40)
      const chunks = piecesOf(await container(type, values, codec), size)
      expect(answerOf(await send(app, 'avro/binary', chunks))).toEqual(empty(200))
      expect((await app.events('s', 'encoding=base64')).map(({ body }) => body)).toEqual(
        values.map((value) => type.toBuffer(value).toString('base64')),
      )
    })

    test('of no record is no event', async () => {
      const app = await testApp({ streams: ['s'] })
      expect(answerOf(await send(app, 'avro/binary', await container(type, [], codec)))).toEqual(empty(200))
      expect(await app.events('s')).toEqual([])
    })

    test('cut off anywhere but between two blocks is refused, and nothing is stored', async () => {
      const app = await testApp({ streams: ['s'] })
      const file = await container(type, records(60), codec)
      const statuses = new Set<number>()
      let whole = 0
      for (let length = 0; length < file.length; length += 3) {
        const { status, text } = await send(app, 'avro/binary', file.subarray(0, length))
        statuses.add(status)
        if (status === 200) whole++
        else expect(text).toMatch(/^Failed to process uploaded avro file: ./)
      }
      statuses.delete(200)
      expect([...statuses]).toEqual([400])
      expect(whole).toBeLessThan(4)
      expect(app.reported).toEqual([])
    })
  })

  const others: { schema: avro.Schema; values: unknown[]; text: string }[] = [
    { schema: 'int', values: [1, -5, 1e9], text: '"int"' },
    { schema: 'string', values: ['', 'a\nb'], text: '"string"' },
    { schema: ['null', 'long'], values: [null, { long: 5 }], text: '["null","long"]' },
    { schema: 'null', values: [null, null, null], text: '"null"' },
    {
      schema: { type: 'record', name: 'Empty', fields: [] },
      values: [{}, {}],
      text: '{"type":"record","name":"Empty","fields":[]}',
    },
    { schema: { type: 'array', items: 'int' }, values: [[], [1, 2]], text: '{"type":"array","items":"int"}' },
    { schema: { type: 'map', values: 'bytes' }, values: [{}], text: '{"type":"map","values":"bytes"}' },
  ]
  test.each(others)(
    'of the schema $text gives one event for each datum',
    async ({ schema, values, text }) => {
      const app = await testApp({ streams: ['s'] })
      const other = avro.Type.forSchema(schema, { wrapUnions: true })
      // Written by hand: streams of node, and so avsc's encoder, take no null.
      const data = Buffer.concat(values.map((value) => other.toBuffer(value)))
      const file = avroFile({ schema, blocks: [{ count: values.length, data }] })
      expect(answerOf(await send(app, 'avro/binary', file))).toEqual(empty(200))
      const headers = {
        'content.type': 'avro/binary',
        schema: text,
        'schema.hash': expect.stringMatching(/^[0-9a-f]{32}$/),
      }
      expect(await app.events('s', 'encoding=base64')).toEqual(
        values.map((value) => ({ timestamp: NOW, headers, body: other.toBuffer(value).toString('base64') })),
      )
    },
  )

  test('keeps headers of the client, but not those it says better', async () => {
    const app = await testApp({ streams: ['s'] })
    const file = await container(type, records(1), 'null')
    await send(app, 'avro/binary', file, {
      's.schema': 'mine',
      's.k': 'v',
      's.schema.hash': 'mine',
    })
    // As text, for JSON.parse would hide a name that stands there twice.
    const text = `{"content.type":"avro/binary","k":"v","schema":${JSON.stringify(RECORD)},"schema.hash":"${RECORD_HASH}"}`
    expect((await app.get(`${STREAMS}/s/events`)).text).toContain(`"headers":${text},"body"`)
  })

  const header = Buffer.from('Obj\x01', 'latin1')
  const refused = [
    { name: 'no bytes', body: Buffer.alloc(0), reason: 'Not a data file.' },
    { name: 'the start of the magic', body: header.subarray(0, 3), reason: 'Not a data file.' },
    { name: 'text', body: Buffer.from('id,name\n1,a\n'), reason: 'Not a data file.' },
    { name: 'another version', body: Buffer.from('Obj\x02abc', 'latin1'), reason: 'Not a data file.' },
    { name: 'the magic alone', body: header, reason: 'the file ends inside its header' },
    {
      name: 'a header without a schema',
      body: Buffer.concat([header, Buffer.alloc(17)]),
      reason: 'the file header has no avro.schema',
    },
  ]
  test.each(refused)('of $name is refused', async ({ body, reason }) => {
    const app = await testApp({ streams: ['s'] })
    const answer = plain(400, `Failed to process uploaded avro file: ${reason}`)
    expect(answerOf(await send(app, 'avro/binary', body))).toEqual(answer)
    expect(answerOf(await send(app, 'avro/binary', piecesOf(body, 1)))).toEqual(answer)
    expect(await app.events('s')).toEqual([])
    expect(app.reported).toEqual([])
  })

  const failure = { status: 400, text: expect.stringMatching(/^Failed to process uploaded avro file: .{5}/) }
  const damages = [
    {
      name: 'a wrong sync marker after its last block',
      damage: (file: Buffer) => file.writeUInt8(file.at(-1)! ^ 1, file.length - 1),
    },
    {
      name: 'a wrong sync marker after its first block',
      damage: (file: Buffer) => file.fill(0, file.indexOf('name 1') + 480, file.indexOf('name 1') + 540),
    },
    {
      name: 'an unknown codec',
      damage: (file: Buffer) => file.write('nope', file.indexOf('null', file.indexOf('avro.codec'))),
    },
    { name: 'a schema that is not JSON', damage: (file: Buffer) => file.write('!', file.indexOf('{"')) },
    { name: 'an unknown type', damage: (file: Buffer) => file.write('"inx"', file.indexOf('"int"')) },
  ]
  test.each(damages)('with $name is refused, and nothing of it is stored', async ({ damage }) => {
    const app = await testApp({ streams: ['s'] })
    const file = await container(type, records(200), 'null')
    damage(file)
    const { status, text } = await send(app, 'avro/binary', file)
    expect({ status, text }).toEqual(failure)
    expect(await app.events('s')).toEqual([])
    expect(app.reported).toEqual([])
  })

  test('damaged in any byte is taken or refused, and never a failure of the server', async () => {
    const app = await testApp({ streams: ['s'] })
    for (const codec of ['null', 'deflate', 'snappy']) {
      const file = await container(type, records(50), codec)
      await fc.assert(
        fc.asyncProperty(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
          const damaged = Buffer.from(file)
          damaged[at]! ^= flip
          expect([200, 400]).toContain((await send(app, 'avro/binary', damaged)).status)
        }),
        { numRuns: 150 },
      )
    }
    expect(app.reported).toEqual([])
  })
})

/** Lines of together about so many bytes. */
function linesOf(bytes: number, name = 'line'): string[] {
  const count = Math.ceil(bytes / 100)
  return Array.from({ length: count }, (_, i) => `${name} ${i} `.padEnd(99, 'x'))
}

const sizes = [
  { size: 'small', bytes: 20_000 },
  { size: 'of 3 MiB', bytes: 3 * MIB },
]

describe.each(sizes)('a batch that is $size', ({ bytes }) => {
  const lines = linesOf(bytes)
  const body = Buffer.from(lines.join('\n'))

  test('is read back in its order', async () => {
    const app = await testApp({ streams: ['s'] })
    expect(answerOf(await send(app, 'text/plain', body))).toEqual(empty(200))
    expect(answerOf(await send(app, 'text/csv', piecesOf(body, 50_001)))).toEqual(empty(200))
    expect(await bodiesOf(app)).toEqual([...lines, ...lines])
  })

  const encodings = [
    { encoding: 'gzip', encode: gzipSync },
    { encoding: 'deflate', encode: deflateSync },
    { encoding: 'br', encode: quickBrotli },
    { encoding: 'identity', encode: (data: Buffer) => data },
  ]
  test.each(encodings)('may come in Content-Encoding $encoding', async ({ encoding, encode }) => {
    const app = await testApp({ streams: ['s'] })
    const headers = { 'Content-Encoding': encoding }
    expect(answerOf(await send(app, 'text/plain', encode(body), headers))).toEqual(empty(200))
    expect(await bodiesOf(app)).toEqual(lines)
    expect((await app.events('s', 'limit=1'))[0]?.headers).toEqual({ 'content.type': 'text/plain' })
  })

  test('has one timestamp: the time at which it was complete', async () => {
    const app = await testApp({ streams: ['s'] })
    const upload = await startUpload(app, `Content-Length: ${body.length}`)
    upload.write(body.subarray(0, body.length / 2))
    await settle(app)
    app.nowMs += 100
    await app.post(`${STREAMS}/s`, { body: 'between' })
    app.nowMs += 100
    upload.write(body.subarray(body.length / 2))
    expect(answerOf(await upload.response())).toEqual(empty(200))
    upload.destroy()
    expect(timeline(await app.events('s'))).toEqual([
      { timestamp: NOW + 100, name: 'between', count: 1 },
      { timestamp: NOW + 200, name: 'line', count: lines.length },
    ])
  })

  test('is not seen before it is complete', async () => {
    const app = await testApp({ streams: ['s'] })
    const upload = await startUpload(app, 'Transfer-Encoding: chunked')
    upload.write(chunkOf(body))
    await settle(app)
    expect(await app.events('s')).toEqual([])
    upload.write('0\r\n\r\n')
    expect(answerOf(await upload.response())).toEqual(empty(200))
    upload.destroy()
    expect(await bodiesOf(app)).toEqual(lines)
  })

  test('goes to the emptied stream if it is truncated meanwhile', async () => {
    const app = await testApp({ streams: ['s'] })
    await app.post(`${STREAMS}/s`, { body: 'gone' })
    const upload = await startUpload(app, 'Transfer-Encoding: chunked')
    upload.write(chunkOf(body))
    await settle(app)
    await app.post(`${STREAMS}/s/truncate`)
    upload.write('0\r\n\r\n')
    expect(answerOf(await upload.response())).toEqual(empty(200))
    upload.destroy()
    expect(await bodiesOf(app)).toEqual(lines)
    await app.tidy()
    expect(await bodiesOf(app)).toEqual(lines)
  })

  test('is refused if the stream is deleted meanwhile', async () => {
    const app = await testApp({ streams: ['s'] })
    const upload = await startUpload(app, 'Transfer-Encoding: chunked')
    upload.write(chunkOf(body))
    await settle(app)
    await app.delete(`${STREAMS}/s`)
    upload.write('0\r\n\r\n')
    expect(answerOf(await upload.response())).toEqual(plain(404, "'stream:default.s' was not found."))
    upload.destroy()
    await app.put(`${STREAMS}/s`)
    expect(await app.events('s')).toEqual([])
    expect(app.reported).toEqual([])
  })

  const failures = [
    { name: 'a stray quote', contentType: 'text/csv', tail: '\n"a"b\nc', status: 400 },
    { name: 'a quote that is never closed', contentType: 'text/csv', tail: '\n"ab\nc', status: 400 },
    {
      name: 'a line that is too long',
      contentType: 'text/plain',
      tail: `\n${'x'.repeat(5001)}\nc`,
      status: 413,
    },
    {
      name: 'a record that is too long',
      contentType: 'text/csv',
      tail: `\n"${'x'.repeat(5001)}\n"\nc`,
      status: 413,
    },
    {
      name: 'a last line that is too long',
      contentType: 'text/plain',
      tail: `\n${'x'.repeat(5001)}`,
      status: 413,
    },
  ]
  test.each(failures)(
    'with $name is refused whole, and the next one is not',
    async ({ contentType, tail, status }) => {
      const app = await testApp({ streams: ['s'], config: { eventBytesMax: 5000 } })
      const bad = Buffer.concat([body, Buffer.from(tail)])
      expect((await send(app, contentType, bad)).status).toBe(status)
      expect((await send(app, contentType, piecesOf(bad, 65_536))).status).toBe(status)
      expect((await send(app, contentType, gzipSync(bad), { 'Content-Encoding': 'gzip' })).status).toBe(
        status,
      )
      expect(await app.events('s')).toEqual([])
      await app.tidy()
      expect(await app.tidy()).toBe(0)
      expect(answerOf(await send(app, contentType, body))).toEqual(empty(200))
      expect(await bodiesOf(app)).toEqual(lines)
      expect(app.reported).toEqual([])
    },
  )

  test('refused early leaves its connection ready for the next request', async () => {
    const app = await testApp({ streams: ['s'] })
    const bad = Buffer.concat([Buffer.from('"a"b\n'), body, body])
    const upload = await startUpload(app, `Content-Length: ${bad.length}`, 'text/csv')
    upload.write(bad.subarray(0, 100))
    expect((await upload.response()).status).toBe(400)
    upload.write(bad.subarray(100))
    upload.write('GET /ping HTTP/1.1\r\nHost: x\r\n\r\n')
    expect(answerOf(await upload.response())).toEqual(plain(200, 'OK.\n'))
    upload.destroy()
  })
})

describe('an avro file of 3 MiB', () => {
  const type = avro.Type.forSchema(JSON.parse(RECORD))
  const values = Array.from({ length: 3 * 1024 }, (_, id) => ({ id, name: 'n'.repeat(1000) }))

  test('is stored whole', async () => {
    const app = await testApp({ streams: ['s'] })
    expect(answerOf(await send(app, 'avro/binary', await container(type, values, 'snappy')))).toEqual(
      empty(200),
    )
    const events = await app.events('s', 'encoding=base64')
    expect(events.map(({ body }) => body)).toEqual(
      values.map((value) => type.toBuffer(value).toString('base64')),
    )
    expect(events.at(-1)?.headers['schema.hash']).toBe(RECORD_HASH)
  })

  test.each(['null', 'deflate'])('that ends early is not stored at all, codec %s', async (codec) => {
    const app = await testApp({ streams: ['s'] })
    const file = await container(type, values, codec)
    const { status, text } = await send(app, 'avro/binary', file.subarray(0, -1))
    expect({ status, text }).toEqual({
      status: 400,
      text: expect.stringMatching(
        /^Failed to process uploaded avro file: block [0-9]+: the file ends inside it$/,
      ),
    })
    expect(await app.events('s')).toEqual([])
    expect(app.reported).toEqual([])
  })
})

test.each([
  { contentType: 'text/plain', body: (length: number) => `a\n${'x'.repeat(length)}\nb` },
  { contentType: 'text/csv', body: (length: number) => `a\n"${'\n'.repeat(length - 2)}"\nb` },
])(
  'an event of $contentType may be as long as an event sent alone, and no longer',
  async ({ contentType, body }) => {
    const app = await testApp({ streams: ['s'], config: { eventBytesMax: 1000 } })
    expect(answerOf(await send(app, contentType, body(1000)))).toEqual(empty(200))
    expect(await app.events('s')).toHaveLength(3)
    const { status, text } = await send(app, contentType, body(1001))
    expect({ status, text }).toEqual({
      status: 413,
      text: expect.stringMatching(
        /^(event|record) 2 .*is longer than 1000 bytes, the most one event may hold; /,
      ),
    })
    expect(await app.events('s')).toHaveLength(3)
  },
)

testOnLevelDb('batches stay whole and contiguous among other writers', async () => {
  const app = await testApp({ streams: ['s'] })
  const batches = ['A', 'B', 'C', 'D', 'E', 'F'].map((name, i) =>
    linesOf(i % 2 === 0 ? 30_000 : 1.5 * MIB, name),
  )
  let done = 0
  const uploads = batches.map(async (lines) => {
    const chunks = piecesOf(Buffer.from(lines.join('\r\n')), 40_000)
    expect((await send(app, 'text/plain', chunks)).status).toBe(200)
    done++
  })
  const singles = Array.from({ length: 4 }, async (_, writer) => {
    for (let i = 0; done < batches.length; i++) {
      app.nowMs += 1
      await app.post(`${STREAMS}/s`, { body: `single ${writer}-${i}` })
    }
  })
  await Promise.all([...uploads, ...singles])

  const runs = timeline(await app.events('s')).filter(({ name }) => name !== 'single')
  expect(runs.map(({ name, count }) => ({ name, count })).sort((a, b) => (a.name < b.name ? -1 : 1))).toEqual(
    batches.map((lines) => ({ name: lines[0]!.split(' ')[0], count: lines.length })),
  )
  for (const lines of batches) {
    const own = (await bodiesOf(app)).filter((body) => body.startsWith(`${lines[0]!.split(' ')[0]} `))
    expect(own).toEqual(lines)
  }
  expect(app.reported).toEqual([])
})

/** Runs of events with the same timestamp and first word. */
function timeline(events: readonly EventJson[]): { timestamp: number; name: string; count: number }[] {
  const runs: { timestamp: number; name: string; count: number }[] = []
  for (const { timestamp, body } of events) {
    const name = body.split(' ')[0]!
    const last = runs.at(-1)
    if (last?.name === name && last.timestamp === timestamp) last.count++
    else runs.push({ timestamp, name, count: 1 })
  }
  return runs
}

async function startUpload(app: TestApp, length: string, contentType = 'text/plain'): Promise<RawConnection> {
  const connection = await RawConnection.open(app.port)
  connection.write(`POST ${BATCH} HTTP/1.1\r\nHost: x\r\nContent-Type: ${contentType}\r\n${length}\r\n\r\n`)
  return connection
}

function chunkOf(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')])
}

/** Gives the server turns enough to take what was written so far; no test depends on its being all. */
async function settle(app: TestApp): Promise<void> {
  for (let i = 0; i < 5; i++) await app.get('/ping')
}
