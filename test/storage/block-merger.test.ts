import { MemoryLevel } from 'memory-level'
import { expect, test } from 'vitest'
import { sequenceOfKey } from '../../storage/level/keys.ts'
import type { Level } from '../../storage/level/level.ts'
import { openStorageOn } from '../../storage/level/open.ts'
import { event, readAll } from '../contract/event-log.ts'

/** Records the ranges of its compactions. */
class CompactableMemory extends MemoryLevel<Buffer, Buffer> {
  readonly compacted: (readonly [start: Buffer, end: Buffer])[] = []

  async compactRange(start: Buffer, end: Buffer): Promise<void> {
    this.compacted.push([start, end])
  }
}

test('where very many small blocks have been joined the disk is freed of them, each stretch once', async () => {
  const db = new CompactableMemory({
    storeEncoding: 'buffer',
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
  })
  await db.open()
  let nowMs = 1_000
  const { log } = await openStorageOn(db as unknown as Level, { nowMs: () => nowMs, sync: true })
  for (let i = 0; i < 140_000; i++) {
    if (i % 10 === 0) nowMs++
    await log.append(1, [event(`${i}`)])
  }
  while ((await log.merge(1, nowMs, 4096)).more);
  const stretches = db.compacted.map((range) => range.map(sequenceOfKey))
  expect(stretches).toHaveLength(2)
  expect(stretches[0]![0]).toBe(0)
  expect(stretches[1]![0]).toBe(stretches[0]![1])
  expect(stretches[1]![1]).toBeLessThanOrEqual(140_000)
  expect((await readAll(log, 1)).map(({ body }) => Number(body))).toEqual(
    Array.from({ length: 140_000 }, (_, i) => i),
  )
})
