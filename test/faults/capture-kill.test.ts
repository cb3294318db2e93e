/**
 * Capture is exactly once: the built service, its capture process, its process of jobs and PostgreSQL are killed while random
 * transactions change two databases. At rest the streams, replayed, are the tables; every change since a mark is in its stream once and
 * in the order of commits, as a second slot of the database shows them; and cached queries have the rows of PostgreSQL's own answers.
 *
 *   MILLRACE_CRASH_ROUNDS, MILLRACE_CRASH_SEED   as in kill.test.ts
 */

import { describe, expect, onTestFinished, test } from 'vitest'
import { type Alteration, alteredBuild } from '../support/altered-build.ts'
import { effort, tellProof } from '../support/effort.ts'
import { MarkedPause } from '../support/marked-pause.ts'
import { NO_POSTGRES, TestPostgres } from '../support/postgres.ts'
import { proven } from '../support/proven.ts'
import { CaptureKilling, ROUND_KINDS, type RoundKind } from './capture/capture-killing.ts'
import { checkQuery, checkStreams } from './capture/captured-checks.ts'
import { PRISMA, QUERIES } from './capture/query-set.ts'

const ROUNDS = Number(process.env.MILLRACE_CRASH_ROUNDS ?? effort({ short: 7, long: 120 }))
const SEED = Number(process.env.MILLRACE_CRASH_SEED ?? Date.now() % 2 ** 32)
const QUERY_COUNT = effort({ short: 2, long: QUERIES.length })
const SETTLE_MS = 240_000
const ROUND_MS = 60_000

/** Kills come between the two writes. A write may be one without events: the rounds are repeated until one has been noticed. */
const CONTROL_ROUNDS = 2
const CONTROL_TIMES = 4
const PAUSE_MS = 300

function withLatePosition(pause: string): Alteration {
  return {
    file: 'cdc/connection-writes.js',
    from: 'await group.commit(changes, [condition])',
    to: `await group.commit([], []).then(async (ends) => {
      ${pause}
      const { outcome } = await storage.write({ changes, conditions: [condition] });
      return outcome === 'conflict' ? outcome : ends })`,
  }
}

interface LoadOptions {
  readonly rounds: readonly RoundKind[]
  readonly seed: number
  readonly queryCount: number
  /** Of an altered build. */
  readonly cli?: string
  readonly pause?: MarkedPause
}

interface Seen {
  readonly problems: readonly string[]
  readonly counts: Readonly<Record<string, number>>
}

/** What is wrong after the rounds. */
async function underLoad({ rounds, seed, queryCount, ...build }: LoadOptions): Promise<Seen> {
  console.log(`seed ${seed}`)
  const postgres = await TestPostgres.start()
  onTestFinished(() => postgres.remove())
  const databases = ['shop', 'store']
  const killing = await CaptureKilling.begin({ seed, postgres, databases, ...build })
  const { client, captured } = killing
  const queries: { uri: string; id: number; sql: string }[] = []
  for (const { uri, environment, connection } of captured) {
    await client.captured(connection, 0n, SETTLE_MS)
    for (const sqlQuery of QUERIES.slice(0, queryCount)) {
      const body = { connectionString: uri, environmentId: environment, schema: PRISMA, sqlQuery }
      queries.push({ uri, id: (await client.create('/createCachedQuery', body)).id, sql: sqlQuery })
    }
  }
  await killing.mark()
  for (const kind of rounds) await killing.round(kind)
  await killing.endLoad()
  const problems: string[] = []
  const counts: Record<string, number> = {
    ...Object.fromEntries(killing.counts),
    changes: 0,
    rows: 0,
    queries: queries.length,
    transactions: 0,
  }
  for (const one of captured) {
    const checked = await checkStreams(client, one, SETTLE_MS)
    problems.push(...checked.problems)
    counts.changes! += checked.changes
    counts.rows! += checked.rows
    counts.transactions! += one.load.transactions
  }
  for (const { uri, id, sql } of queries)
    problems.push(...(await checkQuery(client, uri, id, sql, SETTLE_MS)))
  if (problems.length > 0) console.log(killing.output.slice(-4_000))
  return { problems, counts }
}

function roundsOf(count: number): readonly RoundKind[] {
  return Array.from({ length: count }, (_, index) => ROUND_KINDS[index % ROUND_KINDS.length]!)
}

describe.skipIf(NO_POSTGRES !== undefined)(
  `capture under load${NO_POSTGRES ? `: ${NO_POSTGRES}` : ''}`,
  () => {
    test('every change is in its stream once, whatever is killed', {
      timeout: 3 * SETTLE_MS + ROUNDS * ROUND_MS,
    }, async () => {
      const { problems, counts } = await underLoad({
        rounds: roundsOf(ROUNDS),
        seed: SEED,
        queryCount: QUERY_COUNT,
      })
      await proven(() => expect(problems).toEqual([]))
      expect(counts.changes).toBeGreaterThan(20 * ROUNDS)
      tellProof('capture, kill -9', { ...counts, 'lost or doubled': 0 })
    })

    test('the proof sees a position that is stored in a write of its own', {
      timeout: 3 * SETTLE_MS + CONTROL_TIMES * CONTROL_ROUNDS * ROUND_MS,
    }, async () => {
      const rounds = Array.from({ length: CONTROL_ROUNDS }, () => 'service in a pause' as const)
      const pause = await MarkedPause.of(PAUSE_MS)
      const cli = await alteredBuild([withLatePosition(pause.code)])
      let found: readonly string[] = []
      for (let time = 0; time < CONTROL_TIMES && found.length === 0; time++)
        found = (await underLoad({ rounds, seed: SEED + time, queryCount: 0, cli, pause })).problems
      expect(found.join('\n')).toMatch(/which is there|with another row before|is doubled|wanted/)
    })
  },
)
