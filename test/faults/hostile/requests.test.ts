/** Malformed names, queries, cursors and headers: the right answer, or a refusal with a sentence. */
import type { IncomingMessage } from 'node:http'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseCursor, printCursor } from '../../../src/http/cdap/cursor.ts'
import { eventHeaders } from '../../../src/http/cdap/event-headers.ts'
import { parseReadRange } from '../../../src/http/cdap/read-range.ts'
import { DEFAULT_LIMITS } from '../../../src/limits.ts'
import { ServiceError } from '../../../src/service-error.ts'
import { parseNamespaceName, parseStreamName } from '../../../src/streams/names.ts'
import { FUZZ_TIMEOUT_MS, fuzz } from '../../support/fuzz.ts'
import { rawRequest, rawStatus } from '../../support/raw-http.ts'
import { STREAMS, testApp } from '../../support/test-app.ts'
import { mutated, mutations } from './mutations.ts'

const ID = { namespace: parseNamespaceName('default'), stream: parseStreamName('s') }
const OTHER = { ...ID, stream: parseStreamName('t') }

test(
  'a cursor is read as it was printed, and altered in any way it is none',
  () =>
    fuzz('cursors', {
      input: fc.record({
        log: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
        sequence: fc.nat(2 ** 31 - 1),
        timestampMs: fc.oneof(
          fc.nat(),
          fc.maxSafeNat().map((ms) => ms % 2 ** 48),
        ),
        origin: fc.option(fc.record({ identity: fc.nat(2 ** 32 - 1), epoch: fc.nat(2 ** 32 - 1) }), {
          nil: undefined,
        }),
        wrong: mutations,
      }),
      longSeconds: 20,
      check({ log, sequence, timestampMs, origin, wrong }) {
        const cursor = { log, position: { sequence, timestampMs }, ...(origin && { origin }) }
        const text = printCursor(ID, cursor)
        expect(parseCursor(ID, text)).toEqual(cursor)
        expectRefused('invalid_cursor', () => parseCursor(OTHER, text))
        const altered = mutated(Buffer.from(text), wrong).toString('latin1')
        if (altered !== text) expectRefused('invalid_cursor', () => parseCursor(ID, altered))
      },
    }),
  FUZZ_TIMEOUT_MS,
)

const step = fc.record({
  sign: fc.constantFrom('+', '-'),
  amount: fc.oneof(fc.nat(100_000).map(BigInt), fc.bigInt({ min: 0n, max: 2n ** 64n })),
  unit: fc.constantFrom('ms', 's', 'm', 'h', 'd'),
})
const UNIT_MS: Readonly<Record<string, bigint>> = {
  ms: 1n,
  s: 1_000n,
  m: 60_000n,
  h: 3_600_000n,
  d: 86_400_000n,
}
const INT64_MAX = 2n ** 63n - 1n

test(
  'time math is what arithmetic without limits says, cut to what is asked for',
  () =>
    fuzz('time math', {
      input: fc.record({
        nowMs: fc.nat(2 ** 31 - 1).map((s) => s * 1000),
        steps: fc.array(step, { maxLength: 6 }),
      }),
      longSeconds: 15,
      check({ nowMs, steps }) {
        const text = `now${steps.map(({ sign, amount, unit }) => `${sign}${amount}${unit}`).join('')}`
        const time = steps.reduce(
          (sum, { sign, amount, unit }) => sum + (sign === '+' ? 1n : -1n) * amount * UNIT_MS[unit]!,
          BigInt(nowMs),
        )
        const range = orRefusal('invalid_range', () => parseReadRange({ start: text }, nowMs))
        if (steps.some(({ amount }) => amount > INT64_MAX) || time < 0n || time >= INT64_MAX) {
          expect(range).toBeUndefined()
        } else {
          const startMs = time > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(time)
          expect(range).toMatchObject({ startMs })
        }
      },
    }),
  FUZZ_TIMEOUT_MS,
)

const timeText = fc.oneof(
  fc.constantFrom(
    'now',
    'NOW',
    'now-',
    'now-1',
    'now-1h',
    'now--1h',
    'now +1h',
    '',
    '-1',
    '+1',
    '0x10',
    '1e3',
    '1.5',
    '１',
  ),
  fc.constantFrom(
    '9223372036854775806',
    '9223372036854775807',
    '9223372036854775808',
    '9223372036854775809',
    '00',
  ),
  fc.constantFrom(
    '9'.repeat(15_000),
    `now${'-1d'.repeat(5_000)}`,
    `now-${'1'.repeat(15_000)}`,
    `now${'-1'.repeat(5_000)}`,
  ),
  fc.nat().map(String),
  fc.string({
    unit: fc.constantFrom('n', 'o', 'w', '+', '-', '1', '0', 'm', 's', 'h', 'd', ' ', '\n'),
    maxLength: 12,
  }),
)

test(
  'a range is one, or is refused',
  () =>
    fuzz('ranges', {
      input: fc.record({ start: timeText, end: timeText, limit: timeText }, { requiredKeys: [] }),
      longSeconds: 20,
      check(query) {
        const range = orRefusal('invalid_range', () => parseReadRange(query, 1_700_000_000_000))
        if (range === undefined) return
        const { startMs, endMs, limit } = range
        for (const number of [startMs, endMs, limit]) expect(Number.isSafeInteger(number)).toBe(true)
        expect(startMs).toBeGreaterThanOrEqual(0)
        expect(endMs).toBeGreaterThanOrEqual(startMs)
        expect(limit).toBeGreaterThanOrEqual(1)
      },
    }),
  FUZZ_TIMEOUT_MS,
)

const name = fc.oneof(
  fc.constantFrom(
    's.',
    'S.',
    's.k',
    's.K',
    's.__proto__',
    's.content.type',
    's',
    '.s',
    'ss.k',
    's..',
    'ſ.k',
    't.k',
    'K.s',
  ),
  fc.string({ unit: fc.constantFrom('s', 'S', '.', 'k', 'K', '-', 'é', 'ı'), maxLength: 6 }),
)

test(
  'event headers are those of the stream, or one is given twice',
  () =>
    fuzz('event headers', {
      input: fc.array(fc.tuple(name, fc.string({ maxLength: 4 })), { maxLength: 25 }),
      longSeconds: 15,
      check(lines) {
        const incoming = { rawHeaders: lines.flat() } as IncomingMessage
        const wanted = lines
          .filter(([name]) => name.startsWith('s.') || name.startsWith('S.'))
          .map(([name, value]) => [name.slice(2), value])
        const headers = orRefusal('duplicate_header', () => eventHeaders(ID.stream, incoming, DEFAULT_LIMITS))
        const distinct = new Set(wanted.map(([name]) => name)).size === wanted.length
        expect(headers).toEqual(distinct ? wanted : undefined)
      },
    }),
  FUZZ_TIMEOUT_MS,
)

const segment = fc.oneof(
  fc.constantFrom(
    's',
    'default',
    'nope',
    '%73',
    '%2573',
    's%00',
    '%',
    '%zz',
    '%ff',
    '%c0%af',
    '%e0%80%80',
    '%F0%9F%98%80',
    '..',
  ),
  fc.constantFrom(
    '%2e%2e',
    '.',
    '',
    '*',
    ':stream',
    '{x}',
    '__proto__',
    'constructor',
    's%2Fevents',
    's;x',
    's?',
    's#',
    'x'.repeat(1025),
  ),
  fc.string({
    unit: fc.constantFrom('%', '2', 'F', '0', 'a', '/', '\\', '.', '~', '\xe9', '\xff', '+', '='),
    maxLength: 8,
  }),
)
const paths = fc.oneof(
  fc.tuple(segment, segment).map(([a, b]) => `/v3/namespaces/${a}/streams/${b}`),
  fc
    .tuple(
      segment,
      fc.constantFrom('', '/events', '/batch', '/async', '/properties', '/truncate', '/programs', '/'),
    )
    .map(([a, b]) => `${STREAMS}/${a}${b}`),
  fc
    .tuple(segment, segment, segment)
    .map(([a, b, c]) => `/v3/namespaces/default/apps/${a}/${b}/${c}/streams`),
  segment.map((a) => `/v3/namespaces/${a}`),
  segment.map((a) => `/v2/streams/${a}/info`),
  segment.map((a) => `/${a}`),
)
const parameter = fc.tuple(
  fc.constantFrom(
    'start',
    'end',
    'limit',
    'after',
    'encoding',
    'cursor',
    '%73tart',
    '__proto__',
    'start[]',
    '',
  ),
  fc.oneof(
    timeText.filter((text) => text.length < 100).map(encodeURIComponent),
    fc.constantFrom(
      '%',
      '%zz',
      '%ff',
      '%00',
      'utf8',
      'base64',
      'true',
      '&',
      '=',
      '+',
      'now%2B1d',
      '\xe9',
      'A'.repeat(27),
    ),
  ),
)

test(
  'no path and no query makes the server fail or change what it should not',
  async () => {
    const app = await testApp({ streams: ['s'] })
    await app.post(`${STREAMS}/s`, { body: 'kept' })
    await fuzz('paths and queries', {
      input: fc.record({
        method: fc.constantFrom('GET', 'GET', 'HEAD', 'POST', 'OPTIONS', 'PATCH'),
        path: paths,
        parameters: fc.array(parameter, { maxLength: 3 }),
      }),
      longSeconds: 40,
      async check({ method, path, parameters }) {
        const query = parameters.map(([name, value]) => `${name}=${value}`).join('&')
        const target = `${path}${query === '' ? '' : `?${query}`}`
        // To POST there must be no way to the stream that is not its name.
        const sent = method === 'POST' ? target.replace(/\/(truncate|batch|async)/, '/events') : target
        const request = `${method} ${sent} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`
        if (method === 'HEAD') {
          expect(await rawStatus(app.port, request)).toBeLessThan(500)
        } else {
          const { status, headers, text } = await rawRequest(app.port, request)
          expect(status).toBeLessThan(500)
          const told = headers['content-type'] === 'text/plain; charset=utf-8' && text.length > 10
          if (status >= 400) expect(told || text === '').toBe(true)
        }
        expect(app.reported).toEqual([])
      },
    })
    expect((await app.events('s'))[0]?.body).toBe('kept')
    expect((await app.get(STREAMS)).text).toBe('[{"name":"s"}]')
  },
  FUZZ_TIMEOUT_MS,
)

/** Undefined if it is refused by this code, with a sentence. */
function orRefusal<T>(code: string, parse: () => T): T | undefined {
  try {
    return parse()
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error
    expect(error.code).toBe(code)
    expect(error.message.length).toBeGreaterThan(10)
    return undefined
  }
}

function expectRefused(code: string, parse: () => unknown): void {
  expect(orRefusal(code, parse)).toBeUndefined()
}
