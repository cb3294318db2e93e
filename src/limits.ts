/**
 * Every limit that an operator may set: the size of one request, the amount of work that the service handles at a time,
 * and how long it waits. Flags, environment variables, `--help` and the values passed to the modules all come from this
 * table. docs/operations.md describes the response to requests beyond each limit.
 */
export interface Limit {
  readonly flag: string
  /** Its environment variable, derived from the flag. */
  readonly variable: string
  readonly value: 'N'
  readonly fallback: string
  readonly least: number
  readonly most: number
  readonly about: string
}

const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB
const DAY_SECONDS = 86_400

export const LIMITS = {
  maxBatchBytes: limit('max-batch-bytes', 16 * GIB, 1, 1024 * GIB, 'largest batch, after decompression'),
  maxEventHeaders: limit('max-event-headers', 256, 0, 100_000, 'headers of one event'),
  maxEventHeaderBytes: limit(
    'max-event-header-bytes',
    16 * KIB,
    0,
    MIB,
    'names and values of the headers of one event, together',
  ),
  maxHeaderBytes: limit('max-header-bytes', 16 * KIB, KIB, MIB, 'request line and HTTP headers, together'),
  maxDocumentBytes: limit('max-document-bytes', MIB, KIB, 64 * MIB, 'largest JSON document'),
  maxDocumentDepth: limit('max-document-depth', 64, 8, 1_000, 'levels of nesting in a JSON document'),
  maxConnections: limit('max-connections', 4_096, 1, 1_000_000, 'connections open at a time'),
  maxPipelined: limit(
    'max-pipelined',
    4_096,
    1,
    1_000_000,
    'requests that wait for the one before them on their connection, over all connections',
  ),
  maxRequests: limit(
    'max-requests',
    1_024,
    8,
    1_000_000,
    'requests the service works on at a time; those that wait for their client are not counted',
  ),
  maxWaitMs: limit(
    'max-wait-ms',
    15,
    1,
    60_000,
    'how long requests may take on average, if more than a quarter of max-requests are worked on all the time',
  ),
  maxRequestBytes: limit(
    'max-request-bytes',
    48 * MIB,
    MIB,
    1024 * GIB,
    'bodies held in memory at a time, arriving or waiting for the disk',
  ),
  minUploadBytesPerSecond: limit(
    'min-upload-bytes-per-second',
    4 * KIB,
    0,
    GIB,
    'how fast a body has to arrive while more than half of the memory for bodies is in use',
  ),
  maxReads: limit('max-reads', 48, 1, 100_000, 'long answers sent at a time'),
  minReadBytesPerSecond: limit(
    'min-read-bytes-per-second',
    32 * KIB,
    0,
    GIB,
    'how fast a client has to take a long answer while others wait to get theirs',
  ),
  maxFollowers: limit('max-followers', 512, 1, 100_000, 'connections that follow notifications at a time'),
  maxReadSeconds: limit(
    'max-read-seconds',
    3_600,
    1,
    DAY_SECONDS,
    'how long a client may take for one answer',
  ),
  headerSeconds: limit(
    'header-seconds',
    30,
    1,
    DAY_SECONDS,
    'how long a request may take to send its headers',
  ),
  uploadIdleSeconds: limit(
    'upload-idle-seconds',
    60,
    1,
    DAY_SECONDS,
    'how long a body may arrive at less than 1 KiB per so many seconds',
  ),
  idleSeconds: limit(
    'idle-seconds',
    300,
    1,
    DAY_SECONDS,
    'how long nothing may move on a connection with a request',
  ),
  keepAliveSeconds: limit(
    'keep-alive-seconds',
    75,
    1,
    DAY_SECONDS,
    'how long a connection is kept between two requests',
  ),
  coordinatorWaitSeconds: limit(
    'coordinator-wait-seconds',
    20,
    0,
    DAY_SECONDS,
    'how long a request waits while no other node can run tables, jobs and queries for it',
  ),
  maxQueries: limit('max-queries', 64, 1, 10_000, 'SQL queries that wait, run or have rows, at a time'),
  maxQueryMemoryBytes: limit(
    'max-query-memory-bytes',
    512 * MIB,
    64 * MIB,
    1024 * GIB,
    'memory of the SQL engine; beyond it goes to the disk',
  ),
  maxQueryDiskBytes: limit(
    'max-query-disk-bytes',
    2 * GIB,
    0,
    1024 * GIB,
    'disk of the SQL engine, for what does not fit into its memory',
  ),
  maxQuerySeconds: limit('max-query-seconds', 600, 1, DAY_SECONDS, 'how long a SQL query may run'),
  queryIdleSeconds: limit(
    'query-idle-seconds',
    600,
    1,
    DAY_SECONDS,
    'how long a query is kept without a request for it',
  ),
  maxJobs: limit('max-jobs', 64, 1, 10_000, 'SQL jobs that have not ended, at a time'),
  maxJobMemoryBytes: limit(
    'max-job-memory-bytes',
    GIB,
    64 * MIB,
    1024 * GIB,
    'memory of the SQL engine for all jobs; beyond it goes to the disk',
  ),
  maxJobDiskBytes: limit(
    'max-job-disk-bytes',
    4 * GIB,
    0,
    1024 * GIB,
    'state of one job on disk, and disk of the SQL engine for what does not fit into its memory',
  ),
  // A tick is one transaction, and other jobs wait for it: about a second of work at most.
  maxJobTickEvents: limit(
    'max-job-tick-events',
    100_000,
    1,
    100_000,
    'events of one step of a SQL job: fewer give results sooner while it catches up, and cost more each',
  ),
  maxConnectionsCdc: limit('max-connections-cdc', 32, 0, 1_000, 'connections that capture a database'),
  maxCachedQueries: limit('max-cached-queries', 256, 0, 10_000, 'cached queries'),
  maxCachedResultBytes: limit(
    'max-cached-result-bytes',
    64 * MIB,
    MIB,
    64 * GIB,
    'result of one cached query in memory',
  ),
  maxCachedResultsBytes: limit(
    'max-cached-results-bytes',
    GIB,
    MIB,
    1024 * GIB,
    'results of all cached queries in memory',
  ),
  maxDeployments: limit('max-deployments', 1_000, 0, 100_000, 'deployments of one namespace'),
  maxJars: limit('max-jars', 128, 0, 10_000, 'uploaded jars'),
  maxJarBytes: limit('max-jar-bytes', 100 * MIB, 1, GIB, 'largest jar'),
  maxJarDiskBytes: limit('max-jar-disk-bytes', 2 * GIB, 0, 1024 * GIB, 'all uploaded jars together'),
} as const

export type Limits = { readonly [Name in keyof typeof LIMITS]: number }

export const DEFAULT_LIMITS: Limits = Object.freeze(valuesOf(({ fallback }) => Number(fallback)))

/** The value of every limit, as returned by `read`. */
export function valuesOf(read: (limit: Limit) => number): Limits {
  return Object.fromEntries(Object.entries(LIMITS).map(([name, one]) => [name, read(one)])) as Limits
}

function limit(flag: string, fallback: number, least: number, most: number, about: string): Limit {
  const variable = `MILLRACE_${flag.replaceAll('-', '_').toUpperCase()}`
  return { flag, variable, value: 'N', fallback: String(fallback), least, most, about }
}
