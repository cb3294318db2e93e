/** What clients can do to streams and ask of them in SQL, as plain data that JSON can hold. */
import fc from 'fast-check'

/** An event: which of the texts of each field, modulo how many there are. */
export type EventChoice = readonly number[]

export interface SqlQuery {
  readonly stream: number
  /** 0 is the stream itself, others its views. */
  readonly view: number
  readonly shape: 'rows' | 'star' | 'group' | 'count' | 'first'
  /** Which fields, as bits. */
  readonly fields: number
  readonly headers: boolean
  /** Times by the events they are near to. */
  readonly start?: { readonly event: number; readonly by: number }
  readonly end?: { readonly event: number; readonly by: number }
  /** A condition on a field: which text of it, and whether it is equal. */
  readonly where?: { readonly field: number; readonly text: number; readonly equal: boolean }
  readonly limit: number
  readonly offset: number
  readonly strict: boolean
  /** Rows of a page. */
  readonly page: number
}

export type SqlStep =
  | { readonly do: 'create'; readonly stream: number; readonly format: number }
  | { readonly do: 'delete' | 'truncate'; readonly stream: number }
  | { readonly do: 'format'; readonly stream: number; readonly format: number }
  | { readonly do: 'ttl'; readonly stream: number; readonly ttl: number }
  | { readonly do: 'send'; readonly stream: number; readonly event: EventChoice; readonly headers: boolean }
  | {
      readonly do: 'batch'
      readonly stream: number
      readonly events: readonly EventChoice[]
      readonly times: number
    }
  | { readonly do: 'view'; readonly stream: number; readonly view: number; readonly format: number }
  | { readonly do: 'unview'; readonly stream: number; readonly view: number }
  | { readonly do: 'clock'; readonly byMs: number }
  | { readonly do: 'tidy' }
  | { readonly do: 'query'; readonly query: SqlQuery }
  /** At once, with batches on their way. */
  | {
      readonly do: 'together'
      readonly queries: readonly SqlQuery[]
      readonly stream: number
      readonly batches: readonly (readonly EventChoice[])[]
    }

/** One of the two has most of it. */
const stream = fc.constantFrom(0, 0, 0, 1)
const view = fc.integer({ min: 1, max: 2 })
const any = fc.nat(10_000)
const format = fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 5, arbitrary: fc.nat(3) })
/** The first texts are good in every format. */
const choice = fc.oneof({ weight: 12, arbitrary: fc.nat(3) }, { weight: 1, arbitrary: fc.nat(40) })
const event: fc.Arbitrary<EventChoice> = fc.tuple(choice, choice, choice, choice, choice)
const near = fc.record({ event: any, by: fc.integer({ min: -1, max: 1 }) })
function sometimes<T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.oneof({ weight: 2, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value })
}

const query: fc.Arbitrary<SqlQuery> = fc
  .record({
    stream,
    view: fc.constantFrom(0, 0, 1, 2),
    shape: fc.constantFrom('rows', 'rows', 'rows', 'star', 'group', 'count', 'first'),
    fields: fc.oneof(fc.nat(31), fc.constantFrom(1, 2, 3)),
    headers: fc.boolean(),
    start: sometimes(near),
    end: sometimes(near),
    where: sometimes(fc.record({ field: fc.nat(4), text: fc.nat(5), equal: fc.boolean() })),
    limit: fc.integer({ min: 1, max: 6 }),
    offset: fc.nat(3),
    strict: fc.constantFrom(false, false, true),
    page: fc.constantFrom(3, 100, 10_000),
  })
  .map(({ start, end, where, ...others }) => ({
    ...others,
    ...(start && { start }),
    ...(end && { end }),
    ...(where && { where }),
  })) as fc.Arbitrary<SqlQuery>
const clock = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 500 }) },
  { weight: 2, arbitrary: fc.constantFrom(500, 999, 1_000, 1_001, 59_999, 60_000) },
  { weight: 1, arbitrary: fc.integer({ min: -3_000, max: -1 }) },
)

/** Seconds; undefined is for ever. */
export const SQL_TTLS: readonly (number | undefined)[] = [undefined, undefined, 1, 60, 0]

function step<T extends SqlStep['do'], R>(name: T, others: { [K in keyof R]: fc.Arbitrary<R[K]> }) {
  return fc.record({ do: fc.constant(name), ...others })
}

export const sqlStep = fc.oneof(
  { weight: 3, arbitrary: step('create', { stream, format }) },
  { weight: 1, arbitrary: step('delete', { stream }) },
  { weight: 1, arbitrary: step('truncate', { stream }) },
  { weight: 1, arbitrary: step('format', { stream, format }) },
  { weight: 3, arbitrary: step('ttl', { stream, ttl: fc.nat(SQL_TTLS.length - 1) }) },
  { weight: 6, arbitrary: step('send', { stream, event, headers: fc.boolean() }) },
  {
    weight: 6,
    arbitrary: step('batch', {
      stream,
      events: fc.array(event, { minLength: 1, maxLength: 6 }),
      times: fc.oneof({ weight: 12, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.constant(700) }),
    }),
  },
  { weight: 3, arbitrary: step('view', { stream, view, format }) },
  { weight: 1, arbitrary: step('unview', { stream, view }) },
  { weight: 6, arbitrary: step('clock', { byMs: clock }) },
  { weight: 3, arbitrary: step('tidy', {}) },
  { weight: 22, arbitrary: step('query', { query }) },
  {
    weight: 3,
    arbitrary: step('together', {
      queries: fc.array(query, { minLength: 2, maxLength: 4 }),
      stream,
      batches: fc.array(fc.array(event, { minLength: 1, maxLength: 5 }), { maxLength: 3 }),
    }),
  },
) as fc.Arbitrary<SqlStep>
