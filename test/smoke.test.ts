/** The built command in one pass. The proofs of the command, of kills and of power loss are in cli/ and faults/. */
import { expect, test } from 'vitest'
import { startServiceProcess, temporaryFolder } from './support/service-process.ts'
import { STREAMS } from './support/test-app.ts'

test('the command starts, keeps what it acknowledged through SIGKILL, and stops on SIGTERM', async () => {
  const folder = await temporaryFolder()
  const first = await startServiceProcess(folder)
  expect((await fetch(`${first.base}${STREAMS}/s`, { method: 'PUT' })).status).toBe(200)
  const bodies = Array.from({ length: 20 }, (_, i) => `event ${i}`)
  for (const body of bodies) {
    expect((await fetch(`${first.base}${STREAMS}/s`, { method: 'POST', body })).status).toBe(200)
  }
  await first.kill()

  const second = await startServiceProcess(folder)
  const events = (await (await fetch(`${second.base}${STREAMS}/s/events`)).json()) as { body: string }[]
  expect(events.map(({ body }) => body)).toEqual(bodies)
  expect(await second.stop()).toEqual({ code: 0, signal: null })
  expect([first.stderr, second.stderr]).toEqual(['', ''])
})
