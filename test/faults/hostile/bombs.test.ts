/**
 * Bodies of kilobytes that decompress to gigabytes, against the built service in a process of its own, whose memory the
 * system counts: they are refused with a sentence, store nothing and take no memory; and a log that is merely dull is taken.
 */

import { existsSync, readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { Connection } from '../../support/connection.ts'
import { effort, tellProof } from '../../support/effort.ts'
import { proven } from '../../support/proven.ts'
import { type ServiceProcess, startServiceProcess, temporaryFolder } from '../../support/service-process.ts'
import { STREAMS } from '../../support/test-app.ts'
import {
  avroDeflateBomb,
  avroZstdBomb,
  brotliBomb,
  emptyGzipInBrotli,
  gzipBomb,
  MIB,
  SAME_LINE,
} from './bombs.ts'

/** A service at work, one decompressed block of Avro with what zlib made it of, and what the garbage collector lets lie. */
const RSS_BYTES_MAX = 480 * MIB
const TIMEOUT_MS = effort({ short: 120_000, long: 600_000 })
const SIZE = effort({ short: 1, long: 8 })

const GREW = /^the body decompresses to more than 1100 times its size; /

interface Bomb {
  readonly name: string
  readonly body: () => Buffer
  readonly encoding?: string
  readonly type?: string
  readonly path?: string
  readonly method?: string
  readonly refusal: RegExp
}

const BOMBS: readonly Bomb[] = [
  { name: 'brotli', encoding: 'br', body: () => brotliBomb(64 * SIZE * MIB), refusal: GREW },
  { name: 'gzip in gzip', encoding: 'gzip, gzip', body: () => gzipSync(gzipBomb(16 * SIZE)), refusal: GREW },
  {
    name: 'nothing, in gzip, in brotli',
    encoding: 'gzip, br',
    body: () => emptyGzipInBrotli(1_000_000 * SIZE),
    refusal: GREW,
  },
  {
    name: 'Avro, zstandard, large events',
    type: 'avro/binary',
    body: () => avroZstdBomb(30, MIB),
    refusal: GREW,
  },
  {
    name: 'Avro, zstandard, events of a byte',
    type: 'avro/binary',
    body: () => avroZstdBomb(30, 1),
    refusal: GREW,
  },
  {
    name: 'Avro, deflate, in gzip',
    type: 'avro/binary',
    encoding: 'gzip',
    body: () => gzipSync(avroDeflateBomb(2 * SIZE)),
    refusal: GREW,
  },
  {
    name: 'one line of gzip',
    encoding: 'gzip',
    body: () => gzipSync(Buffer.alloc(64 * MIB)),
    refusal: /^event 1 of this batch is longer than 16777216 bytes/,
  },
  {
    name: 'one event',
    path: `${STREAMS}/s`,
    encoding: 'gzip',
    body: () => gzipBomb(8),
    refusal: /^the event body has more than 16777216 bytes/,
  },
  {
    name: 'a document',
    method: 'PUT',
    path: `${STREAMS}/s/properties`,
    encoding: 'br',
    body: () => brotliBomb(64 * MIB),
    refusal: /^the JSON document has more than 1048576 bytes/,
  },
]

const noProc = existsSync('/proc/self/status')
  ? ''
  : ' (skipped: no /proc, which tells the memory of a process)'

test.skipIf(noProc !== '')(
  `bombs are refused and store nothing, one by one and several at once${noProc}`,
  async () => {
    const service = await startServiceProcess(await temporaryFolder())
    const client = new Connection(service.port)
    await client.send('PUT', `${STREAMS}/s`)
    await client.send('POST', `${STREAMS}/s`, {}, 'kept')
    const told: Record<string, string> = {}
    for (const bomb of BOMBS) {
      const body = bomb.body()
      const clients = Array.from(
        { length: effort({ short: 2, long: 8 }) },
        () => new Connection(service.port),
      )
      const answers = await Promise.all(clients.map((one) => throwAt(one, bomb, body)))
      // Of several at once some may be more than is held in memory, before they are known for what they are.
      const known = answers.filter((answer) => answer?.status !== 503)
      for (const answer of known) {
        expect(answer, bomb.name).toEqual({ status: 413, text: expect.stringMatching(bomb.refusal) })
      }
      expect(known.length, bomb.name).toBeGreaterThan(0)
      // The same connections go on: what was left of the body has been taken off them.
      for (const one of clients) {
        expect(await one.send('GET', '/ping'), bomb.name).toMatchObject({ status: 200 })
        one.close()
      }
      const stored = (await client.send('GET', `${STREAMS}/s/events`))?.text
      await proven(() => expect(stored, bomb.name).toMatch(/^\[[^}]*{}[^}]*"kept"}\]$/))
      told[bomb.name] = `${body.length} B (peak RSS ${Math.round(peakBytes(service) / MIB)} MiB)`
    }
    const rss = peakBytes(service)
    tellProof('bombs', told)
    expect(rss).toBeLessThan(RSS_BYTES_MAX)
    expect(service.stderr).toBe('')
    client.close()
  },
  TIMEOUT_MS,
)

test.skipIf(noProc !== '')(
  `a log of one line that is repeated is taken, a thousand to one${noProc}`,
  async () => {
    const service = await startServiceProcess(await temporaryFolder())
    const client = new Connection(service.port)
    await client.send('PUT', `${STREAMS}/s`)
    const times = effort({ short: 4, long: 32 })
    const headers = { 'Content-Type': 'text/plain', 'Content-Encoding': 'gzip' }
    const body = gzipBomb(times)
    const answer = await client.send('POST', `${STREAMS}/s/batch`, headers, body)
    expect(answer).toEqual({ status: 200, text: '' })
    const read = await client.send('GET', `${STREAMS}/s/events?limit=1&encoding=utf8`)
    expect(JSON.parse(read!.text)[0].body).toBe(SAME_LINE)
    const rss = peakBytes(service)
    const ratio = Math.round((times * 16 * MIB) / body.length)
    tellProof('a dull log', {
      MiB: times * 16,
      'times its size': ratio,
      'peak RSS MiB': Math.round(rss / MIB),
    })
    expect(rss).toBeLessThan(RSS_BYTES_MAX)
    client.close()
  },
  TIMEOUT_MS,
)

function throwAt(client: Connection, bomb: Bomb, body: Buffer) {
  const headers = {
    'Content-Type': bomb.type ?? 'text/plain',
    ...(bomb.encoding !== undefined && { 'Content-Encoding': bomb.encoding }),
  }
  return client.send(bomb.method ?? 'POST', bomb.path ?? `${STREAMS}/s/batch`, headers, body)
}

/** The most memory the process ever had. */
function peakBytes({ pid }: ServiceProcess): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)![1]) * 1024
}
