/**
 * What the bench and its load processes say to each other: a job as JSON on the command line, then
 *
 *   load: { kind: 'warm' }   bench: 'go'   load: { kind: 'result', result }
 */

/** Each is a file of this folder, and its job. */
export interface LoadJobs {
  readonly posts: PostJob
  readonly uploads: UploadJob
  readonly reads: ReadJob
}

export type LoadEntry = keyof LoadJobs

/** Single events, as many as go over these connections, each of which waits for its answer. */
export interface PostJob {
  readonly url: string
  readonly connections: number
  readonly warmupSeconds: number
  readonly seconds: number
}

/** Requests that take long: one after the other, at least `atLeast` of them and until `seconds` are over. */
export interface Repetition {
  readonly warmups: number
  readonly atLeast: number
  readonly seconds: number
}

export interface UploadJob extends Repetition {
  readonly url: string
  /** Lines of one upload. */
  readonly lines: number
}

export interface ReadJob extends Repetition {
  readonly url: string
  readonly accept: string
  /** An answer with fewer events than this is a failure. */
  readonly eventsLeast: number
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
  /** What became of all other requests, warm-up included: a status or an error, and how many. */
  readonly failures: Readonly<Record<string, number>>
  /** `events` and those of the warm-up: what the server must have stored if they were sent. */
  readonly acknowledged: number
  /** Share of a core that the load itself took: near 1, the load may be what is measured. */
  readonly busy: number
}

export type FromLoad = { readonly kind: 'warm' } | { readonly kind: 'result'; readonly result: LoadResult }

export type ToLoad = 'go'
