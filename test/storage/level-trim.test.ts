/** Trimming, dropping and sweeping on LevelDB: counts of removed blocks, bounded calls, and segments. */
import { expect, test } from 'vitest'
import { bodies, event, LARGE_BATCH, lines, readAll } from '../contract/event-log.ts'
import { describeOnLevel } from '../support/level-engines.ts'

const A = 1
const B = 2

describeOnLevel('removing', (level) => {
  async function appendAt(timeMs: number, ...texts: string[]) {
    level.nowMs = timeMs
    return level.log.append(
      A,
      texts.map((text) => event(text)),
    )
  }

  async function stageLarge() {
    const batch = level.log.stage(A)
    for (const part of LARGE_BATCH) await batch.add(lines(part), [])
    return batch
  }

  test('a large batch that is discarded is swept, also after a restart', async () => {
    const batch = await stageLarge()
    await batch.discard()
    expect(await level.log.sweep(10)).toEqual({ removed: 10, more: true })
    await level.reopen()
    const rest = await level.log.sweep(1_000_000)
    expect(rest.removed).toBeGreaterThan(0)
    expect([rest.more, await level.log.sweep(10)]).toEqual([false, { removed: 0, more: false }])
  })

  test('an upload that a crash cut off is swept after the restart', async () => {
    await stageLarge()
    await level.reopen()
    expect((await level.log.sweep(1_000_000)).removed).toBeGreaterThan(10)
    expect(await readAll(level.log, A)).toEqual([])
  })

  test('trim removes what is older than the cut, and only that', async () => {
    for (let i = 0; i < 10; i++) await appendAt(1_000 + i * 100, `e${i}`)
    expect(await level.log.trim(A, 1_500, 100)).toEqual({ removed: 5, more: false })
    expect(await bodies(level.log, A)).toEqual(['e5', 'e6', 'e7', 'e8', 'e9'])
    expect(await level.log.tail(A)).toMatchObject({
      firstSequence: 5,
      firstTimestampMs: 1_500,
      nextSequence: 10,
    })
    await level.reopen()
    expect(await bodies(level.log, A, { after: { timestampMs: 1_000, sequence: 0 } })).toEqual([
      'e5',
      'e6',
      'e7',
      'e8',
      'e9',
    ])
    expect(await level.log.trim(A, 1_500, 100)).toEqual({ removed: 0, more: false })
  })

  test('trim does bounded work per call', async () => {
    for (let i = 0; i < 10; i++) await appendAt(1_000 + i, `e${i}`)
    expect(await level.log.trim(A, 9_000, 4)).toEqual({ removed: 4, more: true })
    expect(await bodies(level.log, A)).toEqual(['e4', 'e5', 'e6', 'e7', 'e8', 'e9'])
    expect(await level.log.trim(A, 9_000, 100)).toEqual({ removed: 6, more: false })
    expect(await bodies(level.log, A)).toEqual([])
    expect(await appendAt(9_500, 'next')).toEqual({ timestampMs: 9_500, sequence: 10 })
    expect(await bodies(level.log, A)).toEqual(['next'])
  })

  test('an append beside a trim of everything stays', async () => {
    for (let id = 1; id <= 60; id++) {
      level.nowMs = 1_000
      await level.log.append(id, [event('old')])
      level.nowMs = 100_000
      const appended = level.log.append(id, [event('new')])
      for (let turns = 0; turns < id % 6; turns++) await new Promise((resolve) => setImmediate(resolve))
      await level.log.trim(id, 50_000, 512)
      await appended
      expect(await bodies(level.log, id)).toEqual(['new'])
    }
  })

  test('a trimmed segment is swept', async () => {
    await (await stageLarge()).commit()
    await appendAt(2_000, 'after')
    expect(await level.log.trim(A, 1_500, 100)).toEqual({ removed: 1, more: false })
    expect(await bodies(level.log, A)).toEqual(['after'])
    expect((await level.log.sweep(1_000_000)).removed).toBeGreaterThan(10)
    expect(await bodies(level.log, A)).toEqual(['after'])
  })

  test('a dropped log is gone, in bounded calls, with its segments, and refuses writes', async () => {
    await level.log.append(B, [event('stays')])
    for (let i = 0; i < 6; i++) await appendAt(1_000 + i, `e${i}`)
    await (await stageLarge()).commit()
    expect(await level.log.drop(A, 3)).toEqual({ removed: 3, more: true })
    await expect(level.log.append(A, [event('late')])).rejects.toMatchObject({ code: 'dropped' })
    await level.reopen()
    expect(await level.log.drop(A, 100)).toEqual({ removed: 4, more: false })
    expect([await readAll(level.log, A), await level.log.tail(A), await level.log.logs()]).toEqual([
      [],
      undefined,
      [B],
    ])
    expect((await level.log.sweep(1_000_000)).removed).toBeGreaterThan(10)
    await level.reopen()
    expect([await level.log.logs(), await bodies(level.log, B)]).toEqual([[B], ['stays']])
  })

  test('events that were accepted before a drop are dropped, too', async () => {
    const accepted = level.log.append(A, [event('a')])
    const [, progress] = await Promise.all([accepted, level.log.drop(A, 100)])
    expect(progress).toEqual({ removed: 1, more: false })
    expect(await level.log.logs()).toEqual([])
  })

  test.each(['small', 'large'])('a %s batch refused by a dropped log goes to another', async (size) => {
    for (let i = 0; i < 3; i++) await appendAt(1_000, 'x')
    const batch = size === 'large' ? await stageLarge() : level.log.stage(A)
    await batch.add(lines('a\nb'), [])
    await level.log.drop(A, 1)
    await expect(batch.commit()).rejects.toMatchObject({ code: 'dropped' })
    const write = { batches: [batch], appends: [{ log: B, events: [event('no')] }] }
    await expect(level.storage.write(write)).rejects.toMatchObject({ code: 'dropped' })
    expect(await level.log.tail(B)).toBeUndefined()
    batch.moveTo(B)
    await batch.commit()
    const stored = await bodies(level.log, B)
    expect([stored.length, stored.at(-1)]).toEqual([size === 'large' ? 40_002 : 2, 'b'])
    await level.reopen()
    expect(await bodies(level.log, B)).toEqual(stored)
  })

  test('a batch refused by a dropped log and discarded is swept', async () => {
    for (let i = 0; i < 3; i++) await appendAt(1_000, 'x')
    const batch = await stageLarge()
    await level.log.drop(A, 1)
    await expect(batch.commit()).rejects.toMatchObject({ code: 'dropped' })
    await batch.discard()
    expect((await level.log.sweep(1_000_000)).removed).toBeGreaterThan(10)
  })

  test('waiting for growth ends when the log is dropped', async () => {
    await appendAt(1_000, 'x')
    const waiting = level.log.growth(A, 1, new AbortController().signal)
    await level.log.drop(A, 100)
    await waiting
  })

  test('what was restored half-way is dropped in bounded calls', async () => {
    const restore = level.log.restore(A)
    for (let i = 0; i < 40; i++) await restore.add(lines('x'.repeat(60_000)), [], i)
    await level.reopen()
    expect(await level.log.logs()).toEqual([A])
    let calls = 0
    while ((await level.log.drop(A, 10)).more) calls++
    expect(calls).toBeGreaterThan(0)
    expect([await level.log.logs(), await readAll(level.log, A)]).toEqual([[], []])
  })

  test('nothing is restored into a log that has been written to', async () => {
    await appendAt(1_000, 'a')
    expect(() => level.log.restore(A)).toThrow('log 1 has been written to')
  })

  test('locate finds an event from any event before it', async () => {
    for (let i = 0; i < 40; i++)
      await appendAt(1_000 + (i % 3) + i * i, ...Array.from({ length: 1 + (i % 4) }, () => 'x'))
    for (const { sequence, timestampMs } of await readAll(level.log, A)) {
      for (const near of [
        { timestampMs: 1_000, sequence: 0 },
        { timestampMs, sequence },
      ]) {
        expect(await level.log.locate(A, sequence, near)).toEqual({ timestampMs, sequence })
      }
    }
  })
})
