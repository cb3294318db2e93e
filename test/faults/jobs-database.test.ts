/** The database of jobs stops, crashes and stands still: they restart until it is back, and no row is lost or doubled. */
import { setTimeout as delay } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { effort, tellProof } from '../support/effort.ts'
import { NO_POSTGRES, TestPostgres } from '../support/postgres.ts'
import { proven } from '../support/proven.ts'
import { Scene } from './jobs/scene.ts'

const TIMEOUT_MS = 300_000
/** Jobs restart within this time after their database has gone, on a slow machine. */
const NOTICED_MS = 60_000
/** Shorter than the time limits of statements. */
const PAUSED_MS = 2_000

test('PostgreSQL under jobs stops, crashes and stands still', {
  timeout: effort({ short: TIMEOUT_MS, long: 900_000 }), // delays of restarts double each time
}, async ({ skip }) => {
  if (NO_POSTGRES !== undefined) skip(NO_POSTGRES)
  const postgres = await TestPostgres.start()
  onTestFinished(() => postgres.remove())
  const scene = await Scene.begin(
    ['arrival', 'statement set with a database', 'lookup join', 'running into a database'],
    postgres,
  )
  const times = effort({ short: 1, long: 4 })
  let restarting = 0
  for (let time = 0; time < times; time++) {
    for (const how of ['stop', 'crash', 'pause'] as const) {
      await scene.post(50)
      await delay(40)
      if (how === 'stop') await postgres.stop()
      else if (how === 'crash') await postgres.crash()
      else postgres.pause()
      await scene.post(50)
      const endMs = Date.now() + (how === 'pause' ? PAUSED_MS : NOTICED_MS)
      const noticed = new Set<string>()
      do {
        await delay(100)
        for (const [job, id] of scene.ids) {
          const { state, error } = await scene.client.seen(id)
          if (state === 'RESTARTING' || state === 'CREATED') noticed.add(job)
          await proven(() => expect(`${job} ${state} ${error}`).not.toMatch(/FAIL/))
          if (job === 'arrival') expect(state).toBe('RUNNING')
        }
      } while (Date.now() < endMs && (how === 'pause' || noticed.size < scene.ids.size - 1))
      // A paused database answers late, which need not be seen.
      if (how !== 'pause') expect(noticed.size, `jobs that restart after ${how}`).toBe(scene.ids.size - 1)
      restarting += noticed.size
      if (how === 'pause') postgres.continue()
      else await postgres.resume()
      await scene.post(50)
      await scene.settled()
    }
  }
  const rows = await scene.settled()
  tellProof('jobs, database gone', {
    times: times * 3,
    'jobs seen restarting': restarting,
    ...Object.fromEntries(rows),
    'lost or doubled': 0,
  })
})
