/**
 * Negative controls of the comparison with the reference, from the text of a statement to the events of the sink: builds with a
 * fault in the engine, each of which it must notice.
 */
import { expect, test } from 'vitest'
import { type Alteration, alteredBuild } from '../../support/altered-build.ts'
import { tellProof } from '../../support/effort.ts'
import { seededRandom } from '../../support/seeded-random.ts'
import { checkSink } from './check.ts'
import { changeBodies, streamBodies } from './input.ts'
import { appendInPieces, OracleService } from './oracle-service.ts'
import { KINDS } from './statements.ts'

const EVENTS = 600
const STATEMENTS = 6
const SEED = 7

interface Fault {
  readonly name: string
  readonly kind: string
  readonly alteration: Alteration
}

const faults: readonly Fault[] = [
  {
    name: 'a row is late by the watermark of its whole step',
    kind: 'window aggregate',
    alteration: { file: 'jobs/worker/window-sql.js', from: 'OVER before_row', to: 'OVER ()' },
  },
  {
    name: 'rows of windows are written in the order in which they are found',
    kind: 'window aggregate',
    alteration: { file: 'jobs/worker/windowed.js', from: 'ORDER BY __end, ', to: 'ORDER BY random(), ' },
  },
  {
    name: 'a value that was counted in an earlier step is counted again',
    kind: 'running',
    alteration: { file: 'jobs/worker/running.js', from: ' d ON ', to: ' d ON FALSE AND ' },
  },
  {
    name: 'the rows that a change replaces stay in the result',
    kind: 'refresh, groups',
    alteration: {
      file: 'jobs/worker/refresh.js',
      from: ' AND c.__had',
      to: ' AND FALSE',
    },
  },
]

test.each(faults)('noticed: $name', { timeout: 600_000 }, async ({ name, kind, alteration }) => {
  const random = seededRandom(SEED)
  const service = await OracleService.open(61, await alteredBuild([alteration]))
  const statements = Array.from({ length: STATEMENTS }, () => KINDS[kind]!(random))
  const running = []
  for (const statement of statements) running.push(await service.create(statement))
  const bodies = new Map([
    ['A', streamBodies(random, 'A', EVENTS)],
    ['B', streamBodies(random, 'B', EVENTS)],
    ['U', changeBodies(random, EVENTS / 2)],
    ['V', changeBodies(random, EVENTS / 2)],
  ] as const)
  await appendInPieces(service, random, bodies)
  let noticed = 0
  for (const one of running) {
    const input = await service.input(one.statement)
    await service.read(one, input.length)
    await service.cancel(one)
    const events = await service.sink(one)
    try {
      checkSink(one.statement, input, events)
    } catch (error) {
      if (!isDifference(error as Error)) throw error
      noticed++
    }
  }
  await service.close()
  tellProof(`altered engine: ${name}`, { statements: STATEMENTS, noticed })
  expect(noticed).toBeGreaterThan(0)
})

/** Not a service that ended, or a job that failed. */
function isDifference({ name, message }: Error): boolean {
  return (
    name === 'AssertionError' || /changed a row that is not there|rows that are of no event/.test(message)
  )
}
