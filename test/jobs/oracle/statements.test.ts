/**
 * Random statements of every way of running, from their text to the events of the sink, through the built service and its HTTP
 * API: they equal a reference that takes one record after the other. Events come while the jobs run and the service stops and
 * starts again; then the same statements run over all events with steps of other sizes, and write the same bytes.
 */
import { expect, test } from 'vitest'
import { effort, tellProof } from '../../support/effort.ts'
import { type SeededRandom, seededRandom } from '../../support/seeded-random.ts'
import { checkSink } from './check.ts'
import { changeBodies, streamBodies } from './input.ts'
import { appendInPieces, OracleService, type Running } from './oracle-service.ts'
import { KINDS, type Statement } from './statements.ts'

const SEED = Number(process.env.ORACLE_SEED ?? Date.now() % 2 ** 32)
const THIS_TEST_MS = 1_800_000

interface Round {
  readonly name: string
  readonly events: number
  /** Statements of each kind. */
  readonly each: number
  /** Events of a step while events come. */
  readonly live: number
  /** Events of a step when all events are there. */
  readonly sizes: readonly number[]
}

const ROUNDS: readonly Round[] = [
  { name: 'steps of 1 event', events: effort({ short: 60, long: 150 }), each: 1, live: 100_000, sizes: [1] },
  {
    ...{ name: 'steps of 777 and 100,000 events', events: effort({ short: 800, long: 2_000 }) },
    ...{ each: effort({ short: 1, long: 2 }), live: 61, sizes: [777, 100_000] },
  },
]

test.each(ROUNDS)('$name', { timeout: THIS_TEST_MS }, async ({ name, events, each, live, sizes }) => {
  console.log(`seed ${SEED}`)
  const random = seededRandom(SEED)
  const kinds = Object.entries(KINDS).filter(([kind]) => kind.includes(process.env.ORACLE_KIND ?? ''))
  const statements = kinds.flatMap(([, make]) => Array.from({ length: each }, () => make(random)))
  const service = await OracleService.open(live)
  const first = await createAll(service, statements)
  await appendInPieces(service, random, bodies(random, events), () => service.reopen())
  const wanted = await checkAll(service, first)
  for (const size of sizes) {
    await service.reopen(size)
    const again = await createAll(service, statements)
    if (random.next() < 0.7) await service.reopen()
    const got = await checkAll(service, again)
    for (const [i, { expected, query }] of statements.entries())
      if (expected.form === 'rows') expect(got[i] === wanted[i], `same bytes: ${query}`).toBe(true)
  }
  await service.close()
  const rows = wanted.reduce((sum, text) => sum + text.split('\n').length, 0)
  tellProof(`statements of jobs, ${name}`, { statements: statements.length, runs: sizes.length + 1, rows })
})

function bodies(random: SeededRandom, events: number) {
  return new Map([
    ['A', streamBodies(random, 'A', events)],
    ['B', streamBodies(random, 'B', events)],
    ['U', changeBodies(random, Math.min(events, 300))],
    ['V', changeBodies(random, Math.min(events, 300))],
  ] as const)
}

async function createAll(service: OracleService, statements: readonly Statement[]): Promise<Running[]> {
  const running: Running[] = []
  for (const statement of statements) running.push(await service.create(statement))
  return running
}

/** Ends the jobs. Returns the bodies of each sink. */
async function checkAll(service: OracleService, running: readonly Running[]): Promise<string[]> {
  const texts: string[] = []
  for (const one of running) {
    const input = await service.input(one.statement)
    await service.read(one, input.length)
    await service.cancel(one)
    const events = await service.sink(one)
    checkSink(one.statement, input, events)
    texts.push(events.map(({ body }) => body).join('\n'))
  }
  return texts
}
