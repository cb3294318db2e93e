/**
 * Resources that clients share: beside a greedy client an honest one is never refused, and about as fast as alone.
 * fairness/harness.ts says how a row is added.
 */
import { gzipSync } from 'node:zlib'
import { test } from 'vitest'
import { effort } from '../support/effort.ts'
import { STREAMS } from '../support/test-app.ts'
import { type FairnessRow, proveFairness, type Scene } from './fairness/harness.ts'

const KIB = 1024
const MIB = 1024 * KIB
const HOST = 'Host: x\r\n'
const TEXT = { 'Content-Type': 'text/plain' }
const LARGE_STREAM_BYTES = 32 * MIB

async function makeStreams(scene: Scene): Promise<void> {
  for (const stream of ['s', 'greedy', 'large']) await scene.send(`${STREAMS}/${stream}`, { method: 'PUT' })
}

async function makeLargeStream(scene: Scene): Promise<void> {
  await makeStreams(scene)
  const line = `${'a line of a large stream, '.repeat(4)}\n`
  const body = line.repeat(Math.ceil(LARGE_STREAM_BYTES / line.length))
  await scene.send(`${STREAMS}/large/batch`, { method: 'POST', headers: TEXT, body })
}

/** Bodies of all kinds and sizes, one after the other. */
const bodies: readonly Parameters<Scene['send']>[] = [
  [`${STREAMS}/s`, { method: 'POST', body: 'x'.repeat(500) }],
  [`${STREAMS}/s`, { method: 'POST', body: 'x'.repeat(20_000) }],
  [`${STREAMS}/s/async`, { method: 'POST', body: 'x'.repeat(2_000) }],
  [`${STREAMS}/s/batch`, { method: 'POST', headers: TEXT, body: 'a line\n'.repeat(100_000) }],
  [`${STREAMS}/s/properties`, { method: 'PUT', body: `{"description":"${'x'.repeat(10_000)}"}` }],
  [`${STREAMS}/s`, { method: 'POST', body: 'x'.repeat(1_000_000) }],
  [
    `${STREAMS}/s/batch`,
    {
      method: 'POST',
      headers: { ...TEXT, 'Content-Encoding': 'gzip' },
      body: gzipSync('a line\n'.repeat(10_000)),
    },
  ],
]

const sendBody: FairnessRow['honest'] = (scene, i) => scene.send(...bodies[i % bodies.length]!)

function chunk(bytes: number): Buffer {
  return Buffer.concat([
    Buffer.from(`${bytes.toString(16)}\r\n`),
    Buffer.alloc(bytes, 'x'),
    Buffer.from('\r\n'),
  ])
}

/** Uploads that bring much at once, and then a byte of the body now and then, with a thousand around it. */
const slowUploads =
  (path: string, sizes: readonly number[]): FairnessRow['greedy'] =>
  async (scene) => {
    for (const size of sizes) {
      scene.hold((socket) => {
        const type = 'Content-Type: text/plain\r\n'
        const head = `POST ${path} HTTP/1.1\r\n${HOST}${type}${scene.authorization('greedy')}`
        socket.write(`${head}Transfer-Encoding: chunked\r\n\r\n`)
        for (let sent = 0; sent < size; sent += MIB) socket.write(chunk(Math.min(MIB, size - sent)))
        scene.every(250, socket, () => socket.write(`1;${'e'.repeat(1_100)}\r\nx\r\n`))
      })
    }
    await scene.greedyConnections(sizes.length)
  }

/** Uploads that keep to the minimum rate, and hold much all the same. */
const heavyUploads =
  (sizes: readonly number[]): FairnessRow['greedy'] =>
  async (scene) => {
    for (const size of sizes) {
      scene.hold((socket) => {
        const head = `POST ${STREAMS}/greedy HTTP/1.1\r\n${HOST}${scene.authorization('greedy')}`
        socket.write(`${head}Content-Length: ${15 * MIB}\r\n\r\n`)
        socket.write(Buffer.alloc(size, 'x'))
        scene.every(100, socket, () => socket.write(Buffer.alloc(600, 'x')))
      })
    }
    await scene.greedyConnections(sizes.length)
  }

const THREE = [15 * MIB, 15 * MIB, 6 * MIB - 300]

const LONG_READS = ['/events', '/export'] as const

const readLong: FairnessRow['honest'] = (scene, i) =>
  scene.send(`${STREAMS}/large${LONG_READS[i % 2]}?limit=${10_000 + (i % 7) * 1_000}`)

const slowReaders =
  (count: number, bytesPerSecond: number): FairnessRow['greedy'] =>
  async (scene) => {
    for (let i = 0; i < count; i++) {
      scene.hold((socket) => {
        const head = `GET ${STREAMS}/large${LONG_READS[i % 2]} HTTP/1.1\r\n${HOST}`
        socket.write(`${head}${scene.authorization('greedy')}\r\n`)
      }, bytesPerSecond)
    }
    await scene.greedyConnections(count)
  }

const askOnNewConnection: FairnessRow['honest'] = (scene, i) =>
  [
    () => scene.send('/status', { newConnection: true }),
    () => scene.send(`${STREAMS}/s`, { method: 'POST', body: 'x', newConnection: true }),
    () => scene.send('/ping'),
  ][i % 3]!()

/** A few more than there are places, in the long form with the limit that the service has by itself. */
const CONNECTIONS = effort<{ count: number; args: readonly string[] }>({
  short: { count: 700, args: ['--max-connections', '600'] },
  long: { count: 4_300, args: [] },
})

/** So many connections that each send `bytes` and no more. */
/** Each takes a connection of its own; enough for the slowest hundredth to be more than a single pause. */
const CONNECTION_OPERATIONS = effort({ short: 200, long: 1_000 })

const openConnections =
  (count: number, bytes: string): FairnessRow['greedy'] =>
  async (scene) => {
    for (let i = 0; i < count; i++) {
      scene.hold((socket) => socket.write(bytes))
      if (i % 200 === 199) await scene.greedyConnections(Math.min(i, 300) - 100)
    }
  }

const rows: readonly FairnessRow[] = [
  {
    name: 'memory of bodies, three slow uploads from another address',
    prepare: makeStreams,
    honest: sendBody,
    greedy: slowUploads(`${STREAMS}/greedy`, THREE),
  },
  {
    name: 'memory of bodies, three slow uploads from the same address',
    sameAddress: true,
    prepare: makeStreams,
    honest: sendBody,
    greedy: slowUploads(`${STREAMS}/greedy`, THREE),
  },
  {
    name: 'memory of bodies, three slow uploads with another token',
    tokens: true,
    sameAddress: true,
    prepare: makeStreams,
    honest: sendBody,
    greedy: slowUploads(`${STREAMS}/greedy`, THREE),
  },
  {
    name: 'memory of bodies, uploads at the minimum rate from another address',
    prepare: makeStreams,
    honest: sendBody,
    greedy: heavyUploads([14 * MIB, 14 * MIB, 2 * MIB, 2 * MIB, 2 * MIB]),
  },
  {
    name: 'memory of bodies, many slow batches from another address',
    prepare: makeStreams,
    honest: sendBody,
    greedy: slowUploads(`${STREAMS}/greedy/batch`, Array(24).fill(3 * MIB)),
  },
  {
    name: 'long reads, slow readers from another address',
    prepare: makeLargeStream,
    honest: readLong,
    greedy: slowReaders(48, 400),
  },
  {
    name: 'long reads, slow readers from the same address',
    sameAddress: true,
    prepare: makeLargeStream,
    honest: readLong,
    greedy: slowReaders(48, 400),
  },
  {
    name: 'connections, half-open ones from another address',
    args: CONNECTIONS.args,
    operations: CONNECTION_OPERATIONS,
    prepare: makeStreams,
    honest: askOnNewConnection,
    greedy: openConnections(CONNECTIONS.count, 'GET /status HTTP/1.1\r\na: '),
  },
  {
    name: 'connections, half-open ones from the same address',
    args: CONNECTIONS.args,
    operations: CONNECTION_OPERATIONS,
    sameAddress: true,
    prepare: makeStreams,
    honest: askOnNewConnection,
    greedy: openConnections(CONNECTIONS.count, 'GET /status HTTP/1.1\r\na: '),
  },
  {
    name: 'connections, with bodies that never come, from another address',
    args: CONNECTIONS.args,
    operations: CONNECTION_OPERATIONS,
    prepare: makeStreams,
    honest: askOnNewConnection,
    greedy: openConnections(
      CONNECTIONS.count,
      `POST ${STREAMS}/s HTTP/1.1\r\n${HOST}Content-Length: 9\r\n\r\n`,
    ),
  },
]

test.each(rows)('$name', { timeout: 300_000 }, async (row) => {
  await proveFairness(row)
})
