/** Uploads of files that were not made for these tests; they are kept beside the repository, not in it. */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import avro from 'avsc'
import { parse } from 'csv-parse/sync'
import { describe, expect, test } from 'vitest'
import { answerOf, empty } from '../support/answer.ts'
import { STREAMS, type TestApp, testApp } from '../support/test-app.ts'

const FOLDER = fileURLToPath(new URL('../../../shared/data/', import.meta.url))
const present = existsSync(FOLDER)
const where = present ? 'found' : 'skipped: there is no folder shared/data beside the repository'

const file = (name: string) => readFileSync(FOLDER + name)

async function upload(app: TestApp, contentType: string, bytes: Buffer, size = bytes.length) {
  const chunks: Buffer[] = []
  for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size))
  return app.post(`${STREAMS}/s/batch`, { headers: { 'Content-Type': contentType }, chunks })
}

async function bodiesOf(app: TestApp): Promise<Buffer[]> {
  return (await app.events('s', 'encoding=base64')).map(({ body }) => Buffer.from(body, 'base64'))
}

describe.skipIf(!present)(`real files (${where})`, () => {
  test.each([1_000_000_000, 65_536, 1_000])(
    'the access log comes back line by line, sent by %i bytes',
    async (size) => {
      const app = await testApp({ streams: ['s'] })
      const bytes = file('access-log.txt')
      expect(answerOf(await upload(app, 'text/plain', bytes, size))).toEqual(empty(200))
      const bodies = await bodiesOf(app)
      expect(bodies).toHaveLength(10_000)
      expect(
        Buffer.concat(bodies.flatMap((body) => [body, Buffer.from('\n')])).equals(withFinalLineEnd(bytes)),
      ).toBe(true)
    },
  )

  test('the access log comes back the same sent line by line', async () => {
    const app = await testApp({ streams: ['s'] })
    const lines = file('access-log.txt').toString('latin1').split('\n').slice(0, 300)
    for (const line of lines) await app.post(`${STREAMS}/s`, { body: Buffer.from(line, 'latin1') })
    expect((await bodiesOf(app)).map((body) => body.toString('latin1'))).toEqual(lines)
  })

  test.each(['nba-2012.csv', 'nba-2013.csv'])('%s comes back record by record', async (name) => {
    const bytes = file(name)
    for (const size of [bytes.length, 4096, 333]) {
      const app = await testApp({ streams: ['s'] })
      expect(answerOf(await upload(app, 'text/csv', bytes, size))).toEqual(empty(200))
      const bodies = await bodiesOf(app)
      const options = { relax_column_count: true, skip_empty_lines: true }
      expect(bodies.map((body) => parse(body, options)[0])).toEqual(parse(bytes, options))
      const lines = bytes.toString('latin1').split(/[\r\n]+/)
      expect(bodies.map((body) => body.toString('latin1'))).toEqual(lines.filter((line) => line !== ''))
    }
  })

  const containers = [
    'weather.avro',
    'weather-deflate.avro',
    'weather-snappy.avro',
    'weather-zstd.avro',
    'syncInMeta.avro',
  ]
  test.each(containers)('%s comes back datum by datum', async (name) => {
    const bytes = file(name)
    for (const size of [bytes.length, 100, 1]) {
      const app = await testApp({ streams: ['s'] })
      expect(answerOf(await upload(app, 'avro/binary', bytes, size))).toEqual(empty(200))
      const events = await app.events('s', 'encoding=base64')
      const { schema } = events[0]!.headers
      const type = avro.Type.forSchema(JSON.parse(schema!))
      const values = events.map(({ body }) => type.fromBuffer(Buffer.from(body, 'base64')))
      // avsc, which reads the plain file on its own, knows no zstd: all files of the weather hold the same.
      const plain = name.startsWith('weather') ? 'weather.avro' : name
      expect(values.map(String)).toEqual((await valuesOf(plain)).map(String))
      expect(values).toEqual(await valuesOf(plain))
    }
  })

  function valuesOf(name: string): Promise<unknown[]> {
    return new Promise((resolve, reject) => {
      const values: unknown[] = []
      avro
        .createFileDecoder(FOLDER + name)
        .on('data', (value: unknown) => values.push(value))
        .on('error', reject)
        .on('end', () => resolve(values))
    })
  }
})

function withFinalLineEnd(bytes: Buffer): Buffer {
  return bytes.at(-1) === 0x0a ? bytes : Buffer.concat([bytes, Buffer.from('\n')])
}
