/**
 * What can be done to a log engine, as plain data that JSON can hold: a failing run is a list of them, fit for the corpus.
 *
 * Numbers that choose (a log, a time, an event) are taken modulo what there is, so that every step can be done at any time.
 */
import fc from 'fast-check'

/** Events of one call: the lengths of their bodies, and one of a few sets of headers for each. */
export interface Writing {
  readonly log: number
  readonly lengths: readonly number[]
  readonly headers: number
  readonly linger: boolean
}

/** A time by the event it is near to: `event` chooses one, `by` is added to its time. */
export interface NearTime {
  readonly event: number
  readonly by: number
}

export interface Range {
  readonly start?: NearTime
  readonly end?: NearTime
  readonly after?: number
  readonly limit?: number
}

export type Tidying =
  | { readonly trim: NearTime; readonly limit: number }
  | { readonly merge: number; readonly limit: number }

export type StorageStep =
  | ({ readonly do: 'append' } & Writing)
  /** All of them run at the same time. */
  | { readonly do: 'together'; readonly writings: readonly Writing[] }
  | { readonly do: 'batch'; readonly parts: readonly Writing[]; readonly end: 'commit' | 'discard' }
  /** Above 1 MiB: staged as a segment. 'leave' neither commits nor discards it. */
  | {
      readonly do: 'large'
      readonly log: number
      readonly bodyLength: number
      readonly headers: readonly number[]
      readonly end: 'commit' | 'discard' | 'leave'
    }
  /** One write over several logs and a document, among appends; `stale`: its condition does not hold. */
  | {
      readonly do: 'write'
      readonly appends: readonly Writing[]
      readonly before: readonly Writing[]
      readonly after: readonly Writing[]
      readonly stale: boolean
    }
  | { readonly do: 'read'; readonly log: number; readonly range: Range }
  | { readonly do: 'locate'; readonly log: number; readonly event: number; readonly near?: number }
  | { readonly do: 'clock'; readonly byMs: number }
  | { readonly do: 'tidy'; readonly log: number; readonly tidying: Tidying }
  /** The log is used no more; another takes its place. */
  | { readonly do: 'retire'; readonly log: number }
  | { readonly do: 'drop'; readonly limit: number }
  | { readonly do: 'sweep'; readonly limit: number }
  /** Reads while others write and the janitor works on the same log. */
  | {
      readonly do: 'busy'
      readonly log: number
      readonly ranges: readonly Range[]
      readonly writings: readonly Writing[]
      readonly tidyings: readonly Tidying[]
    }
  | { readonly do: 'reopen' }
  /** The process is lost with all this under way, `turns` turns of the event loop after it began. */
  | {
      readonly do: 'crash'
      readonly writings: readonly Writing[]
      /** One write over several logs and a document, after the others. */
      readonly joint?: readonly Writing[]
      readonly tidying?: Tidying
      readonly turns: number
    }

const few = fc.nat(5)
const any = fc.nat(10_000)
/** Single events make blocks of their own, kilobytes fill merged blocks, and some events are as large as a block. */
const bodyLength = fc.oneof(
  { weight: 6, arbitrary: fc.nat(40) },
  { weight: 3, arbitrary: fc.integer({ min: 1_000, max: 9_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 20_000, max: 150_000 }) },
)
const writing: fc.Arbitrary<Writing> = fc.record({
  log: few,
  lengths: fc.oneof(
    { weight: 6, arbitrary: fc.array(bodyLength, { minLength: 1, maxLength: 1 }) },
    { weight: 3, arbitrary: fc.array(bodyLength, { minLength: 2, maxLength: 6 }) },
    { weight: 1, arbitrary: fc.array(fc.nat(3), { minLength: 250, maxLength: 300 }) },
  ),
  headers: few,
  linger: fc.boolean(),
})
const nearTime: fc.Arbitrary<NearTime> = fc.record({ event: any, by: fc.integer({ min: -1, max: 1 }) })
const range: fc.Arbitrary<Range> = fc.record(
  {
    start: nearTime,
    end: nearTime,
    after: any,
    limit: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 400 })),
  },
  { requiredKeys: [] },
)
const tidying: fc.Arbitrary<Tidying> = fc.oneof(
  fc.record({ trim: nearTime, limit: fc.oneof(fc.integer({ min: 1, max: 3 }), fc.constant(512)) }),
  fc.record({
    merge: fc.constantFrom(-1, 0, 10_000, 3_700_000),
    limit: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.constant(4096)),
  }),
)
const HOUR_MS = 3_600_000
const clock = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 50 }) },
  { weight: 1, arbitrary: fc.constantFrom(HOUR_MS - 1, HOUR_MS, HOUR_MS + 1, 10 * HOUR_MS) },
  { weight: 1, arbitrary: fc.integer({ min: -10_000, max: -1 }) },
)
const limit = fc.oneof(fc.integer({ min: 1, max: 3 }), fc.constant(512))

export const storageStep = fc.oneof(
  { weight: 14, arbitrary: writing.map((one) => ({ do: 'append', ...one })) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('together'),
      writings: fc.array(writing, { minLength: 2, maxLength: 8 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('batch'),
      parts: fc.array(writing, { maxLength: 4 }),
      end: fc.constantFrom('commit', 'commit', 'commit', 'discard'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('large'),
      log: few,
      bodyLength: fc.constantFrom(997, 9_973, 99_991),
      headers: fc.array(few, { minLength: 1, maxLength: 3 }),
      end: fc.constantFrom('commit', 'commit', 'discard', 'leave'),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('write'),
      appends: fc.array(writing, { maxLength: 4 }),
      before: fc.array(writing, { maxLength: 3 }),
      after: fc.array(writing, { maxLength: 3 }),
      stale: fc.constantFrom(false, false, true),
    }),
  },
  { weight: 12, arbitrary: fc.record({ do: fc.constant('read'), log: few, range }) },
  {
    weight: 8,
    arbitrary: fc.record(
      { do: fc.constant('locate'), log: few, event: any, near: any },
      { requiredKeys: ['do', 'log', 'event'] },
    ),
  },
  { weight: 10, arbitrary: fc.record({ do: fc.constant('clock'), byMs: clock }) },
  { weight: 7, arbitrary: fc.record({ do: fc.constant('tidy'), log: few, tidying }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('retire'), log: few }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('drop'), limit }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('sweep'), limit }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('busy'),
      log: few,
      ranges: fc.array(range, { minLength: 1, maxLength: 4 }),
      writings: fc.array(writing, { maxLength: 3 }),
      tidyings: fc.array(tidying, { maxLength: 4 }),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ do: 'reopen' }) },
  {
    weight: 2,
    arbitrary: fc.record(
      {
        do: fc.constant('crash'),
        writings: fc.array(writing, { maxLength: 6 }),
        joint: fc.array(writing, { minLength: 1, maxLength: 4 }),
        tidying,
        turns: fc.nat(8),
      },
      { requiredKeys: ['do', 'writings', 'turns'] },
    ),
  },
) as fc.Arbitrary<StorageStep>
