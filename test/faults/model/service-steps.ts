/** What clients can do to the service, as plain data that JSON can hold. Numbers that choose are taken modulo what there is. */
import fc from 'fast-check'

/** A time by the event it is near to: `event` chooses one, `by` is added to its time. */
export interface NearTime {
  readonly event: number
  readonly by: number
  /** Written as `now-…ms` rather than in digits. */
  readonly math: boolean
}

export interface Query {
  readonly start?: NearTime
  readonly end?: NearTime
  readonly limit?: number
  readonly cursor?: number
}

export type ServiceStep =
  | { readonly do: 'create'; readonly stream: number; readonly ttl: number }
  | { readonly do: 'delete' | 'truncate'; readonly stream: number }
  | { readonly do: 'ttl'; readonly stream: number; readonly ttl: number }
  | {
      readonly do: 'send'
      readonly stream: number
      readonly length: number
      readonly headers: number
      readonly how: 'plain' | 'chunked' | 'gzip'
    }
  /** By several clients at once. */
  | { readonly do: 'together'; readonly stream: number; readonly lengths: readonly number[] }
  | { readonly do: 'async'; readonly stream: number; readonly lengths: readonly number[] }
  | {
      readonly do: 'batch'
      readonly stream: number
      readonly lengths: readonly number[]
      readonly type: 'text/plain' | 'text/csv'
      readonly headers: number
    }
  /** Above 1 MiB, in chunks; not `whole` breaks off half way. */
  | { readonly do: 'upload'; readonly stream: number; readonly length: number; readonly whole: boolean }
  | { readonly do: 'read'; readonly stream: number; readonly query: Query; readonly ndjson: boolean }
  /** From page to page, as far as they go. */
  | { readonly do: 'pages'; readonly stream: number; readonly limit: number }
  | { readonly do: 'clock'; readonly byMs: number }
  | { readonly do: 'tidy' }
  | { readonly do: 'restart' }

/** Seconds; undefined is for ever. */
export const TTLS: readonly (number | undefined)[] = [undefined, 1, 1, 60, 0]

const stream = fc.nat(2)
const any = fc.nat(10_000)
const length = fc.oneof(
  { weight: 8, arbitrary: fc.nat(60) },
  { weight: 1, arbitrary: fc.integer({ min: 2_000, max: 40_000 }) },
)
const lengths = fc.array(length, { minLength: 1, maxLength: 8 })
const ttl = fc.nat(TTLS.length - 1)
const headers = fc.nat(3)
const nearTime = fc.record({ event: any, by: fc.integer({ min: -1, max: 1 }), math: fc.boolean() })
const query: fc.Arbitrary<Query> = fc.record(
  {
    start: nearTime,
    end: nearTime,
    limit: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 50 })),
    cursor: any,
  },
  { requiredKeys: [] },
)
const clock = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 500 }) },
  { weight: 2, arbitrary: fc.constantFrom(500, 999, 1_000, 1_000, 1_001, 59_999, 60_000, 9_000_000) },
  { weight: 1, arbitrary: fc.integer({ min: -5_000, max: -1 }) },
)

function step<T extends ServiceStep['do'], R>(name: T, others: { [K in keyof R]: fc.Arbitrary<R[K]> }) {
  return fc.record({ do: fc.constant(name), ...others })
}

export const serviceStep = fc.oneof(
  { weight: 3, arbitrary: step('create', { stream, ttl }) },
  { weight: 1, arbitrary: step('delete', { stream }) },
  { weight: 1, arbitrary: step('truncate', { stream }) },
  { weight: 2, arbitrary: step('ttl', { stream, ttl }) },
  {
    weight: 8,
    arbitrary: step('send', {
      stream,
      length,
      headers,
      how: fc.constantFrom('plain', 'plain', 'chunked', 'gzip'),
    }),
  },
  { weight: 2, arbitrary: step('together', { stream, lengths }) },
  { weight: 3, arbitrary: step('async', { stream, lengths }) },
  {
    weight: 4,
    arbitrary: step('batch', { stream, lengths, headers, type: fc.constantFrom('text/plain', 'text/csv') }),
  },
  {
    weight: 1,
    arbitrary: step('upload', { stream, length: fc.constantFrom(999, 20_011), whole: fc.boolean() }),
  },
  { weight: 10, arbitrary: step('read', { stream, query, ndjson: fc.boolean() }) },
  { weight: 2, arbitrary: step('pages', { stream, limit: fc.integer({ min: 1, max: 7 }) }) },
  { weight: 5, arbitrary: step('clock', { byMs: clock }) },
  { weight: 3, arbitrary: step('tidy', {}) },
  { weight: 1, arbitrary: step('restart', {}) },
) as fc.Arbitrary<ServiceStep>
