/** The gate sees that the event loop is late, whatever keeps it. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Gate } from '../../src/http/server/gate.ts'
import { Load } from '../../src/http/server/load.ts'
import { DEFAULT_LIMITS } from '../../src/limits.ts'
import { LoopDelay } from '../../src/loop-delay.ts'

const limits = { ...DEFAULT_LIMITS, maxRequests: 64, maxWaitMs: 60_000 }

/** Asks a gate behind which so many requests are worked on whether the next one passes. */
function gateWith(working: number, isDelayed: boolean): (url?: string) => boolean {
  const load = new Load(limits)
  const gate = new Gate(load, limits, () => 1, { isDelayed })
  for (let i = 0; i < working; i++) load.begin(0)
  return (url = '/v3/namespaces') =>
    !gate.refuses(
      { url, headers: {}, resume() {} } as IncomingMessage,
      { writeHead() {}, end() {} } as unknown as ServerResponse,
    )
}

test('while it is late an eighth is worked on at a time, however short requests take', async () => {
  const late = gateWith(10, true)
  await expect.poll(() => late()).toBe(false)
  expect(late('/status')).toBe(true)
  const [few, punctual] = [gateWith(7, true), gateWith(10, false)]
  few()
  punctual()
  await sleep(400) // longer than the gate's check interval
  expect([few(), punctual()]).toEqual([true, true])
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
