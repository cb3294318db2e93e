/** What the log does when the engine fails or the bytes on disk are not what was written. */
import { describe, expect, test } from 'vitest'
import { sealed } from '../../storage/level/document-codec.ts'
import { documentKey, isReferenceKey, tailKey } from '../../storage/level/keys.ts'
import type { Level } from '../../storage/level/level.ts'
import type { LevelLog } from '../../storage/level/level-log.ts'
import { openStorageOn } from '../../storage/level/open.ts'
import { event, lines, readAll, readBlocks } from '../contract/event-log.ts'
import { FaultyLevel } from '../support/faulty-level.ts'
import { listed } from '../support/listed.ts'

const LOG = 1

async function openFaulty(): Promise<{ db: FaultyLevel; log: LevelLog; reopen(): Promise<LevelLog> }> {
  const db = new FaultyLevel()
  const open = async () =>
    (await openStorageOn(db as unknown as Level, { nowMs: () => 1_000, sync: true })).log
  return { db, log: await open(), reopen: open }
}

/** 1.2 MB in lines: staged on disk. */
const BIG = Array.from({ length: 12_000 }, (_, i) => `line ${i} `.padEnd(99, '.')).join('\n')

describe('a write that fails', () => {
  const failures = [
    { name: 'an I/O error', message: 'IO error: 000003.log: Input/output error', code: 'unavailable' },
    { name: 'a full disk', message: 'IO error: 000003.log: No space left on device', code: 'full' },
  ]

  test.each(failures)(
    '$name leaves the group unknown, and refuses every write after it',
    async ({ message, code }) => {
      const { db, log } = await openFaulty()
      await log.append(LOG, [event('kept')])
      db.failWith = new Error(message)
      const group = await Promise.allSettled([log.append(LOG, [event('a')]), log.append(2, [event('b')])])
      expect(group.map((one) => one.status === 'rejected' && one.reason.code)).toEqual(['unknown', 'unknown'])
      expect(log.failure()).toMatchObject({ code })
      expect(group[0]).toMatchObject({ reason: { message: log.failure()?.message } })
      db.failWith = undefined
      await expect(log.append(LOG, [event('c')])).rejects.toMatchObject({ code })
      expect(log.failure()).toMatchObject({ code })
      expect((await readAll(log, LOG)).map(({ body }) => body)).toEqual(['kept'])
    },
  )

  test('everything that waits when it fails is refused, nothing hangs', async () => {
    const { db, log } = await openFaulty()
    db.failWith = new Error('IO error: disk on fire')
    const first = log.append(LOG, [event('a')])
    const rest = Array.from({ length: 50 }, async (_, i) => {
      await new Promise((resolve) => setImmediate(resolve))
      return log.append(LOG, [event(`late ${i}`)])
    })
    const outcomes = await Promise.allSettled([first, ...rest])
    expect(new Set(outcomes.map((one) => one.status))).toEqual(new Set(['rejected']))
  })

  test('while a large batch is staged refuses the batch and stores none of it', async () => {
    const { db, log, reopen } = await openFaulty()
    await log.append(LOG, [event('kept')])
    const batch = log.stage(LOG)
    await batch.add(lines(BIG), [])
    db.failWith = new Error('IO error: No space left on device')
    await batch.add(lines(BIG), []).catch(() => {})
    await expect(batch.commit()).rejects.toMatchObject({ code: 'full' })
    await batch.discard()
    db.failWith = undefined
    expect((await readAll(await reopen(), LOG)).map(({ body }) => body)).toEqual(['kept'])
  })

  test('while a sweep is written refuses everyone after', async () => {
    const { db, log } = await openFaulty()
    const batch = log.stage(LOG)
    await batch.add(lines(BIG), [])
    await batch.add(lines(BIG), [])
    await batch.discard()
    db.failWith = new Error('IO error: No space left on device')
    await expect(log.sweep(100)).rejects.toMatchObject({ code: 'full' })
    db.failWith = undefined
    expect(log.failure()).toMatchObject({ code: 'full' })
    await expect(log.append(LOG, [event('a')])).rejects.toMatchObject({ code: 'full' })
  })

  test('is the only one under way: what came behind it is refused, too', async () => {
    const { db, log } = await openFaulty()
    await log.append(LOG, [event('kept')])
    await new Promise((resolve) => setImmediate(resolve)) // the group of that append has ended
    const batch = log.stage(LOG)
    db.failWith = new Error('IO error: No space left on device')
    const piece = batch.add(lines(BIG), [])
    const behind = log.append(LOG, [event('behind')])
    await piece
    await expect(batch.commit()).rejects.toMatchObject({ code: 'full' })
    await expect(behind).rejects.toMatchObject({ code: 'full' })
    expect(db.mostUnderWay).toBe(1)
  })

  test('the log goes on where it was once the store is opened anew', async () => {
    const { db, log, reopen } = await openFaulty()
    await log.append(LOG, [event('a')])
    db.failWith = new Error('IO error')
    await log.append(LOG, [event('b')]).catch(() => {})
    db.failWith = undefined
    expect(await (await reopen()).append(LOG, [event('c')])).toEqual({ timestampMs: 1_000, sequence: 1 })
  })
})

describe('durability', () => {
  test('one write is under way at a time, of all kinds of writes', async () => {
    const { db, log } = await openFaulty()
    const upload = async () => {
      const batch = log.stage(LOG)
      for (let i = 0; i < 3; i++) await batch.add(lines(BIG), [])
      await batch.commit()
    }
    const single = async (i: number) => {
      for (let k = 0; k < 10; k++) await log.append(2, [event(`${i}`)])
    }
    await Promise.all([upload(), upload(), ...[1, 2, 3].map(single)])
    expect(db.mostUnderWay).toBe(1)
    expect(await log.tail(LOG)).toMatchObject({ nextSequence: 72_000 })
  })

  test('every write that is acknowledged, and every piece of a staged batch, asks for fsync', async () => {
    const { db, log } = await openFaulty()
    await log.append(LOG, [event('a')])
    const batch = log.stage(LOG)
    await batch.add(lines(BIG), [])
    await batch.add(lines(BIG), [])
    await batch.commit()
    expect(db.syncs.length).toBeGreaterThanOrEqual(4)
    expect(new Set(db.syncs)).toEqual(new Set([true]))
  })
})

describe('bytes on disk that are not what was written', () => {
  async function filled() {
    const opened = await openFaulty()
    for (const text of ['a', 'b', 'c']) await opened.log.append(LOG, [event(text)])
    const batch = opened.log.stage(LOG)
    await batch.add(lines(BIG), [])
    await batch.commit()
    await opened.log.append(LOG, [event('z')])
    return opened
  }

  async function damage(
    db: FaultyLevel,
    which: (key: Buffer) => boolean,
    change: (value: Buffer) => Buffer | undefined,
  ) {
    const found = (await db.everything()).filter(([key]) => which(key))
    const [key, value] = found[Math.floor(found.length / 2)]!
    const changed = change(Buffer.from(value))
    if (changed === undefined) await db.del(key)
    else await db.put(key, changed)
  }

  const letter = (wanted: string) => (key: Buffer) => key[0] === wanted.charCodeAt(0)
  const flip = (value: Buffer) => {
    value[value.length - 1]! ^= 1
    return value
  }
  const remove = () => undefined
  const damages: {
    name: string
    which: (key: Buffer) => boolean
    change: (value: Buffer) => Buffer | undefined
  }[] = [
    { name: 'an altered block', which: (key) => letter('e')(key) && !isReferenceKey(key), change: flip },
    { name: 'a missing block', which: (key) => letter('e')(key) && !isReferenceKey(key), change: remove },
    { name: 'an altered reference', which: isReferenceKey, change: flip },
    { name: 'a missing reference', which: isReferenceKey, change: remove },
    { name: 'an altered piece', which: letter('s'), change: flip },
    { name: 'a missing piece', which: letter('s'), change: remove },
  ]

  test.each(damages)(
    '$name ends the read with an error that names log and place',
    async ({ which, change }) => {
      const { db, log } = await filled()
      const before = await readAll(log, LOG)
      await damage(db, which, change)
      const seen: string[] = []
      const reading = (async () => {
        for await (const block of readBlocks(log, LOG)) {
          for (const run of block.runs) {
            for (let i = run.begin; i < run.end; i++) {
              seen.push(Buffer.from(block.bytes.subarray(block.starts[i], block.ends[i])).toString('latin1'))
            }
          }
        }
      })()
      await expect(reading).rejects.toMatchObject({
        code: 'corrupt',
        message: expect.stringMatching(/^log 1[,:]/),
      })
      expect(seen).toEqual(before.slice(0, seen.length).map(({ body }) => body))
    },
  )

  const firstPiece = (key: Buffer) => letter('s')(key) && key.readBigUInt64BE(9) === 0n

  test('the first piece of a segment missing is noticed, from its beginning and from its middle', async () => {
    const { db, log } = await filled()
    await damage(db, firstPiece, remove)
    await expect(readAll(log, LOG)).rejects.toMatchObject({ code: 'corrupt' })
    const after = { timestampMs: 1_000, sequence: 50 }
    await expect(readAll(log, LOG, { after })).rejects.toMatchObject({ code: 'corrupt' })
  })

  test('the last block before the end of a range missing is noticed', async () => {
    const db = new FaultyLevel()
    let nowMs = 1_000
    const { log } = await openStorageOn(db as unknown as Level, { nowMs: () => nowMs, sync: true })
    for (nowMs of [1_000, 2_000, 3_000]) await log.append(LOG, [event('a')])
    await damage(db, (key) => letter('e')(key) && key.readBigUInt64BE(5) === 2_000n, remove)
    await expect(readAll(log, LOG, { endMs: 3_000 })).rejects.toMatchObject({ code: 'corrupt' })
  })

  test('an altered reference does not keep its log from being trimmed and dropped', async () => {
    const { db, log } = await filled()
    await damage(db, isReferenceKey, flip)
    expect(await log.trim(LOG, 2_000, 100)).toMatchObject({ more: false })
    await log.drop(LOG, 100)
    expect(await log.logs()).toEqual([])
  })

  test('an altered tail is refused at open', async () => {
    const { db, reopen } = await filled()
    await damage(db, (key) => key.equals(tailKey(LOG)), flip)
    await expect(reopen()).rejects.toMatchObject({ code: 'corrupt' })
  })

  test('a document that is not JSON is refused with its name', async () => {
    const db = new FaultyLevel()
    const storage = await openStorageOn(db as unknown as Level, { nowMs: () => 0, sync: true })
    await storage.catalog.commit([{ collection: 'streams', id: 'default:a', document: { log: 1 } }])
    await damage(db, letter('c'), () => sealed(documentKey('streams', 'default:a'), '{"log":'))
    await expect(listed(storage.catalog, 'streams')).rejects.toMatchObject({
      code: 'corrupt',
      message: 'document default:a of collection streams is not JSON',
    })
  })

  /** LevelDB gives what it compacts a checksum that is right for what has become of it. */
  test('a document with any byte altered is refused with its name', async () => {
    const db = new FaultyLevel()
    const storage = await openStorageOn(db as unknown as Level, { nowMs: () => 0, sync: true })
    const change = { collection: 'streams', id: 'default:a', document: { log: 10, ttlSeconds: '60' } }
    await storage.catalog.commit([change])
    const [[key, written]] = (await db.everything()).filter(([key]) => letter('c')(key)) as [[Buffer, Buffer]]
    expect(await listed(storage.catalog, 'streams')).toEqual([{ id: change.id, document: change.document }])
    for (let at = 0; at < written.length; at++) {
      for (const bit of [0x01, 0x10, 0x80]) {
        const altered = Buffer.from(written)
        altered[at]! ^= bit
        await db.put(key, altered)
        await expect(listed(storage.catalog, 'streams'), altered.toString()).rejects.toMatchObject({
          code: 'corrupt',
          message: expect.stringMatching(/^document default:a of collection streams does not match/),
        })
      }
    }
  })

  test('a number with any byte altered is refused, too', async () => {
    const db = new FaultyLevel()
    const storage = await openStorageOn(db as unknown as Level, { nowMs: () => 0, sync: true })
    await storage.catalog.commit([{ collection: 'counters', id: 'logs', document: 12 }])
    const [[key, written]] = (await db.everything()).filter(([key]) => letter('c')(key)) as [[Buffer, Buffer]]
    for (let at = 0; at < written.length; at++) {
      for (let byte = 0; byte < 256; byte++) {
        if (byte === written[at]) continue
        const altered = Buffer.from(written)
        altered[at] = byte
        await db.put(key, altered)
        await expect(listed(storage.catalog, 'counters'), altered.toString()).rejects.toThrow('document logs')
      }
    }
  })
})
