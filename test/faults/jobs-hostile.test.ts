/**
 * Jobs whose statements need more memory or time than there is, beside one that only filters. Each is refused, or fails with
 * a sentence; the filter goes on, and the service answers.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { startServiceProcess, temporaryFolder } from '../support/service-process.ts'
import { FlinkClient } from './jobs/flink-client.ts'

const MIB = 1024 * 1024
const TIMEOUT_MS = 120_000
/** A hostile job ends within this time. */
const END_MS = 40_000
/** From a POST to its row, also while the process of jobs starts again: 5 s are wanted, and a slow machine takes longer to start it. */
const LAG_MS_MAX = 15_000
const POST_MS_P99 = 500
const POST_PAUSE_MS = 25

const INPUT = 'hostile'
const SCHEMA = "a INT, b STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND"
const ROWS = 2_000

/** Queries of WITH, c0 to c<n>, each made from the one before; `c0` reads the stream. */
function chain(last: number, first: string, next: (before: string) => string): string {
  const queries = Array.from(
    { length: last + 1 },
    (_, i) => `c${i} AS (${i === 0 ? first : next(`c${i - 1}`)})`,
  )
  return `WITH ${queries.join(', ')}`
}

function windows(table: string): string {
  return `SELECT window_start, COUNT(*) FROM TABLE(${table}) GROUP BY window_start`
}

/** `refused`: the sentence of the answer; `failed`: that of the last exception. */
const HOSTILE: readonly {
  readonly name: string
  readonly statement: string
  readonly refused?: RegExp
  readonly failed?: RegExp
}[] = [
  {
    name: 'a long LPAD',
    statement: "INSERT INTO O SELECT LPAD(b, 100000000, 'x') FROM T",
    refused: /the result of LPAD would be longer than 1048576 characters/,
  },
  {
    name: 'a long REPEAT whose length is in the row',
    statement: 'INSERT INTO O SELECT REPEAT(b, 100000000 + a) FROM T',
    failed: /the result of REPEAT is longer than 1048576 characters/,
  },
  {
    name: 'many LPAD within the limit',
    statement: "INSERT INTO N SELECT CHAR_LENGTH(LPAD(b, 1000000, 'x')) FROM T",
    failed: /the tick of this job (?:ended the process of jobs|was interrupted) \d+ times.* memory/i,
  },
  {
    name: 'texts that double',
    statement: `INSERT INTO N ${chain(39, 'SELECT b FROM T', (before) => `SELECT b || b AS b FROM ${before}`)} SELECT CHAR_LENGTH(b) FROM c39`,
    failed: /the tick of this job (?:ended the process of jobs|was interrupted) \d+ times/,
  },
  {
    name: 'branches that double',
    statement: `INSERT INTO N ${chain(39, 'SELECT a FROM T', (before) => `SELECT a FROM ${before} UNION ALL SELECT a FROM ${before}`)} SELECT a FROM c39`,
    refused: /more than 200 branches of UNION ALL/,
  },
  {
    name: 'a long regular expression',
    statement: `INSERT INTO O SELECT REGEXP_EXTRACT(b, '${'(a|b)*'.repeat(15_000)}', 0) FROM T`,
    refused: /the regular expression has 90000 characters; at most 1000 are possible/,
  },
  {
    name: 'a long LISTAGG',
    statement:
      "INSERT INTO O SELECT LISTAGG(LPAD(b, 1000000, 'x')) FROM TABLE(TUMBLE(TABLE T, DESCRIPTOR(ts), INTERVAL '1' DAY)) GROUP BY window_start, window_end",
    failed: /the tick of this job (?:ended the process of jobs|was interrupted) \d+ times.* memory/i,
  },
  {
    name: 'many windows of a row',
    statement: `INSERT INTO W ${windows("HOP(TABLE T, DESCRIPTOR(ts), INTERVAL '1' SECOND, INTERVAL '1' DAY)")}`,
    refused: /a row would be in 86400 windows; at most 10000 are possible/,
  },
  {
    name: 'many windows',
    statement: `INSERT INTO W ${Array.from({ length: 50 }, (_, i) => windows(`TUMBLE(TABLE T, DESCRIPTOR(ts), INTERVAL '${i + 1}' SECOND)`)).join(' UNION ALL ')}`,
    refused: /more than 16 windows/,
  },
  {
    name: 'a division by zero',
    statement: 'INSERT INTO N SELECT 1 / (a - 5) FROM T',
    failed: /Division by zero/,
  },
]

/** Posts one row after the other to the stream of the filter, until it is stopped. */
class Poster {
  readonly sentMs: number[] = []
  readonly tookMs: number[] = []
  readonly statuses = new Set<number | undefined>()
  readonly #client: FlinkClient
  #stopped = false
  readonly #ended: Promise<void>

  constructor(client: FlinkClient) {
    this.#client = client
    this.#ended = this.#run()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#ended
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const a = this.sentMs.push(Date.now()) - 1
      const startMs = performance.now()
      this.statuses.add(await this.#client.post('calm', [JSON.stringify({ a })]))
      this.tookMs.push(performance.now() - startMs)
      await delay(POST_PAUSE_MS)
    }
  }
}

async function prepared(client: FlinkClient): Promise<void> {
  for (const stream of [INPUT, 'calm']) await client.createStream(stream)
  const integration = await client.builtIn()
  for (const [name, kafka_topic, schema_sql] of [
    ['T', INPUT, SCHEMA],
    ['O', 'texts', 'x STRING'],
    ['N', 'numbers', 'x INT'],
    ['W', 'windows', 'window_start TIMESTAMP(3), n BIGINT'],
    ['CALM', 'calm', 'a INT'],
    ['FILTERED', 'filtered', 'a INT'],
  ] as const) {
    await client.table(integration, { name, kafka_topic, schema_sql })
  }
  const lines = Array.from({ length: ROWS }, (_, i) =>
    JSON.stringify({
      a: i,
      b: 'x'.repeat(1 + (i % 5)),
      ts: new Date(i * 1000).toISOString().slice(0, 19).replace('T', ' '),
    }),
  )
  // After this row the windows of the others are closed.
  lines.push(JSON.stringify({ a: ROWS, b: 'x', ts: '1970-01-05 00:00:00' }))
  expect(await client.post(INPUT, lines)).toBe(200)
}

/** The sentence with which the job was refused or has failed. */
async function outcome(client: FlinkClient, name: string, statement: string): Promise<string> {
  let jid: string
  try {
    jid = await client.job(name, statement)
  } catch (error) {
    return `refused: ${String(error)}`
  }
  const endMs = Date.now() + END_MS
  for (;;) {
    const { state, error } = await client.seen(jid)
    if (state === 'FAILED') return `failed: ${error}`
    if (Date.now() > endMs) return `${state}: ${error}`
    await delay(50)
  }
}

test('ten hostile jobs, one after the other', { timeout: TIMEOUT_MS }, async () => {
  const args = ['--max-job-memory-bytes', String(256 * MIB)]
  const service = await startServiceProcess(await temporaryFolder(), { args })
  const client = new FlinkClient(service.port)
  await prepared(client)
  const calm = await client.job('calm', 'INSERT INTO FILTERED SELECT a FROM CALM WHERE a >= 0')
  await client.until(calm, 'RUNNING')
  const poster = new Poster(client)
  const outcomes: string[] = []
  for (const { name, statement } of HOSTILE) {
    const startMs = performance.now()
    outcomes.push(await outcome(client, name, statement))
    process.stderr.write(
      `${name}: ${((performance.now() - startMs) / 1000).toFixed(1)} s, ${outcomes.at(-1)!.slice(0, 300)}\n`,
    )
  }
  await poster.stop()
  await expect
    .poll(async () => (await client.events('filtered')).length, { timeout: LAG_MS_MAX, interval: 200 })
    .toBe(poster.sentMs.length)
  for (const [i, { refused, failed }] of HOSTILE.entries()) {
    expect.soft(outcomes[i]).toMatch(refused ?? failed!)
    expect.soft(outcomes[i]).toMatch(refused ? /^refused: Error: POST .* 4\d\d / : /^failed: /)
  }
  const lags = (await client.events('filtered')).map(({ body, position }) => {
    const { a } = JSON.parse(body) as { readonly a: number }
    return position.timestampMs - poster.sentMs[a]!
  })
  const took = poster.tookMs.sort((a, b) => a - b)
  const p99 = took[Math.floor(took.length * 0.99)]!
  process.stderr.write(
    `${lags.length} rows, largest lag ${Math.max(...lags)} ms, POST p99 ${p99.toFixed(0)} ms\n`,
  )
  expect([...poster.statuses]).toEqual([200])
  expect(Math.max(...lags)).toBeLessThan(LAG_MS_MAX)
  expect(p99).toBeLessThan(POST_MS_P99)
})
