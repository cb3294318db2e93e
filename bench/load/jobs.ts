/**
 * What the bench and its load processes say to each other: a job as JSON on the command line, then
 *
 *   load: { kind: 'warm' }   bench: 'go'   load: { kind: 'result', result }
 */
import type { BodyKind } from '../events/upload-body.ts'

/** Each is a file of this folder, and its job. */
export interface LoadJobs {
  readonly posts: PostJob
  readonly 'point-reads': PointReadJob
  readonly uploads: UploadJob
  readonly reads: ReadJob
}

export type LoadEntry = keyof LoadJobs

/** Requests as many as go over these connections, each of which waits for its answer before it sends the next. */
interface ManyRequests {
  /** `http://host:port` */
  readonly base: string
  readonly connections: number
  readonly warmupSeconds: number
  readonly seconds: number
}

/** Single events, to `streams` streams in turn. */
export interface PostJob extends ManyRequests {
  readonly streams: number
  /** Whether to send to the path that answers before the event is on disk. */
  readonly async: boolean
  readonly bodyBytes: number
  /** Event headers of each, 3 at most. */
  readonly headers: number
}

/** Reads of `limit` events of one of `streams` streams from a random time within the range on. */
export interface PointReadJob extends ManyRequests {
  readonly streams: number
  readonly startMs: number
  readonly endMs: number
  readonly limit: number
}

/** Requests that take long: one after the other, at least `atLeast` of them and until `seconds` are over. */
export interface Repetition {
  readonly warmups: number
  readonly atLeast: number
  readonly seconds: number
}

export interface UploadJob extends Repetition {
  readonly url: string
  readonly body: BodyKind
  readonly events: number
}

export interface ReadJob extends Repetition {
  readonly url: string
  readonly accept: string
  /** An answer with another number of events is a failure. */
  readonly events: number
}

/** Of the measured time, warm-up aside, except where it says so. */
export interface LoadResult {
  readonly seconds: number
  /** Requests with a whole answer 2xx. */
  readonly answers: number
  /** Events of those requests: sent, or read. */
  readonly events: number
  /** Bytes of the bodies that hold events: of requests when writing, of answers when reading. */
  readonly bytes: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
  /** All other requests, warm-up included: a status or an error, and how many. */
  readonly failures: Readonly<Record<string, number>>
  /** `events` and those of the warm-up: what the server must have stored if they were sent. */
  readonly acknowledged: number
  /** Share of a core that the load itself took: near 1, the load may be what is measured. */
  readonly busy: number
}

export type FromLoad = { readonly kind: 'warm' } | { readonly kind: 'result'; readonly result: LoadResult }

export type ToLoad = 'go'
