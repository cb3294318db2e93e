/** Bodies said to be compressed, damaged in every way: read as what they were, or refused with a sentence and not stored. */
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FUZZ_TIMEOUT_MS, fuzz } from '../../support/fuzz.ts'
import { STREAMS, testApp } from '../../support/test-app.ts'
import { mutated, mutations } from './mutations.ts'

const ENCODERS: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  gzip: (bytes) => gzipSync(bytes),
  'x-gzip': (bytes) => gzipSync(bytes),
  deflate: (bytes) => deflateSync(bytes),
  br: (bytes) => brotliCompressSync(bytes),
  identity: (bytes) => bytes,
}
const encoding = fc.constantFrom(...Object.keys(ENCODERS))

test(
  'a damaged body is refused, or is what it was',
  async () => {
    const app = await testApp({ streams: ['s'] })
    let events = 0
    let refused = 0
    await fuzz('content encodings', {
      input: fc.record({
        applied: fc.array(encoding, { minLength: 1, maxLength: 3 }),
        said: fc.option(fc.array(fc.oneof(encoding, fc.constantFrom('', 'zip', 'GZIP')), { maxLength: 3 }), {
          nil: undefined,
        }),
        lines: fc.array(fc.stringMatching(/^[a-z]{1,9}$/), { maxLength: 40 }),
        wrong: fc.array(mutations, { maxLength: 1 }),
        path: fc.constantFrom('', '/batch'),
        chunkBytes: fc.option(fc.integer({ min: 1, max: 200 }), { nil: undefined }),
      }),
      longSeconds: 50,
      tell: () => ({ events, refused }),
      async check({ applied, said = applied, lines, wrong, path, chunkBytes }) {
        const encoded = applied.reduce<Buffer>(
          (bytes, name) => ENCODERS[name]!(bytes),
          Buffer.from(lines.join('\n')),
        )
        const body = mutated(encoded, wrong.flat())
        const headers = { 'Content-Type': 'text/plain', 'Content-Encoding': said.join(', ') }
        const sent = chunkBytes === undefined ? { body } : { chunks: cut(body, chunkBytes) }
        const { status, text } = await app.post(`${STREAMS}/s${path}`, { headers, ...sent })
        if (status !== 200) {
          refused++
          expect([400, 413, 415]).toContain(status)
          expect(text.length).toBeGreaterThan(20)
        }
        const stored = (await app.events('s', 'encoding=utf8')).slice(events)
        const intact = status === 200 && wrong.length === 0 && said === applied
        if (status !== 200) expect(stored).toEqual([])
        else if (intact)
          expect(stored.map((event) => event.body)).toEqual(path === '' ? [lines.join('\n')] : lines)
        events += stored.length
        if (events > 200) {
          await app.post(`${STREAMS}/s/truncate`)
          events = 0
        }
        expect(app.reported).toEqual([])
      },
    })
    expect((await app.get('/status')).status).toBe(200)
  },
  FUZZ_TIMEOUT_MS,
)

function cut(body: Buffer, bytes: number): Buffer[] {
  const chunks: Buffer[] = []
  for (let at = 0; at < body.length; at += bytes) chunks.push(body.subarray(at, at + bytes))
  return chunks
}
