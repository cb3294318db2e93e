/** Maintenance steps on LevelDB: bounds, the turns of logs, and logs that are damaged. */
import { expect, test } from 'vitest'
import { isReferenceKey } from '../../storage/level/keys.ts'
import type { MaintenancePlan } from '../../storage/log.ts'
import { bodies, event, lines } from '../contract/event-log.ts'
import { describeOnLevel } from '../support/level-engines.ts'

/** Blocks that one kind of work removes in one step. */
const STEP_BLOCKS = 4_096

describeOnLevel('a maintenance step', (level) => {
  const plan = (change: Partial<MaintenancePlan>): MaintenancePlan => ({
    logs: [],
    dropped: [],
    mayRewrite: false,
    onError: (_, error) => {
      throw error
    },
    ...change,
  })

  /** One block for each event. */
  async function fill(id: number, count: number, startMs = 1_000): Promise<void> {
    for (let i = 0; i < count; i++) {
      level.nowMs = startMs + i
      await level.log.append(id, [event('x')])
    }
  }

  const firstOf = async (id: number) => (await level.log.tail(id))?.firstSequence

  test('is bounded, and the next one begins with the log after', async () => {
    await fill(1, 5_000)
    await fill(2, 1_000)
    const logs = [1, 2].map((log) => ({ log, expiredBeforeMs: 1e9 }))
    expect(await level.log.maintain(plan({ logs }))).toEqual({ removed: STEP_BLOCKS, more: true })
    expect([await firstOf(1), await firstOf(2)]).toEqual([STEP_BLOCKS, 0])
    expect(await level.log.maintain(plan({ logs }))).toEqual({
      removed: 5_000 - STEP_BLOCKS + 1_000,
      more: false,
    })
    expect([await firstOf(1), await firstOf(2)]).toEqual([5_000, 1_000])
    expect(await level.log.maintain(plan({ logs }))).toEqual({ removed: 0, more: false })
  }, 60_000)

  test('does each kind of work, with a budget for each', async () => {
    await fill(1, 300)
    await fill(2, 10)
    await fill(3, 300, 2_000_000)
    const batch = level.log.stage(3)
    await batch.add(lines('x'.repeat(99).concat('\n').repeat(13_000)), [])
    await batch.discard()
    level.nowMs += 10_000_000
    const logs = [
      { log: 1, expiredBeforeMs: 1e6 },
      { log: 3, expiredBeforeMs: 0 },
    ]
    const { removed, more } = await level.log.maintain(plan({ logs, dropped: [2], mayRewrite: true }))
    expect(more).toBe(false)
    expect(removed).toBeGreaterThan(300 + 10 + 10 + 290)
    expect(await level.log.logs()).toEqual([1, 3])
    expect(await bodies(level.log, 3)).toHaveLength(300)
  })

  test('joins no blocks where that is not allowed, nor blocks that are new', async () => {
    await fill(1, 300)
    const logs = [{ log: 1, expiredBeforeMs: 0 }]
    expect(await level.log.maintain(plan({ logs, mayRewrite: true }))).toEqual({ removed: 0, more: false })
    level.nowMs += 10_000_000
    expect(await level.log.maintain(plan({ logs }))).toEqual({ removed: 0, more: false })
    expect(await level.log.maintain(plan({ logs, mayRewrite: true }))).toEqual({ removed: 299, more: false })
  })

  test('reports a damaged log and maintains the others', async () => {
    for (const id of [1, 2]) await fill(id, 300)
    const { db } = level.log
    const [found] = await db.iterator({ gte: Buffer.from('e'), lt: Buffer.from('f'), limit: 1 }).all()
    const [key, value] = found!
    expect(isReferenceKey(key)).toBe(false)
    const altered = Buffer.from(value)
    altered[altered.length - 1]! ^= 1
    await db.put(key, altered)
    level.nowMs += 10_000_000
    const logs = [1, 2].map((log) => ({ log, expiredBeforeMs: 0 }))
    const reported: [number, unknown][] = []
    const onError = (log: number, error: unknown) => reported.push([log, error])
    expect(await level.log.maintain(plan({ logs, mayRewrite: true, onError }))).toEqual({
      removed: 299,
      more: false,
    })
    expect(reported).toEqual([[1, expect.objectContaining({ code: 'corrupt' })]])
    expect(await bodies(level.log, 2)).toHaveLength(300)
  })
})
