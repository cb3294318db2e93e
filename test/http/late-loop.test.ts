/** The gate sees that the event loop is late, whatever keeps it. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Gate } from '../../src/http/server/gate.ts'
import { Load } from '../../src/http/server/load.ts'
import { DEFAULT_LIMITS } from '../../src/limits.ts'
import { LoopDelay } from '../../src/loop-delay.ts'

const limits = { ...DEFAULT_LIMITS, maxRequests: 64, maxWaitMs: 60_000 }

/** Whether the next request passes the gate with so many that are worked on. */
async function passes(working: number, isDelayed: boolean, url = '/v3/namespaces'): Promise<boolean> {
  const load = new Load(limits)
  const gate = new Gate(load, limits, () => 1, { isDelayed })
  for (let i = 0; i < working; i++) load.begin(0)
  const passesNow = () =>
    !gate.refuses(
      { url, headers: {}, resume() {} } as IncomingMessage,
      { writeHead() {}, end() {} } as unknown as ServerResponse,
    )
  passesNow()
  await sleep(600) // longer than one check of the gate, also on a busy machine
  return passesNow()
}

test('while it is late an eighth is worked on at a time, however short requests take', async () => {
  expect(await passes(10, false)).toBe(true)
  expect(await passes(10, true)).toBe(false)
  expect(await passes(7, true)).toBe(true)
  expect(await passes(10, true, '/status')).toBe(true)
})

test('a loop that is kept is measured', async () => {
  const delay = new LoopDelay()
  await sleep(200)
  for (let i = 0; i < 12; i++) {
    const endMs = performance.now() + 300
    while (performance.now() < endMs) {}
    await sleep(1)
  }
  expect(delay.isDelayed).toBe(true)
  await expect.poll(() => delay.isDelayed, { timeout: 20_000 }).toBe(false)
  delay.stop()
})
