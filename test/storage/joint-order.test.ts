/**
 * Appends, batches, commits and writes over several logs, at once and in random order: each log and each document is as if
 * they had been made one after the other, in the order of the calls.
 */
import { expect, test } from 'vitest'
import { documentText } from '../../storage/level/document-codec.ts'
import { documentKey } from '../../storage/level/keys.ts'
import type { Level } from '../../storage/level/level.ts'
import { openStorageOn } from '../../storage/level/open.ts'
import { documents } from '../contract/catalog.ts'
import { bodies, event, lines } from '../contract/event-log.ts'
import { effort, SEED } from '../support/effort.ts'
import { FaultyLevel } from '../support/faulty-level.ts'
import { seededRandom } from '../support/seeded-random.ts'

const LOGS = [1, 2, 3]
const IDS = ['a', 'b', 'c']
const CALLS = 120
/** Two of these are more than one write takes. */
const LARGE = 'x'.repeat(600_000)

const seeds = Array.from({ length: effort({ short: 12, long: 500 }) }, (_, i) => SEED + i)

test.each(seeds)('writes of all kinds take effect in the order of their calls: seed %i', async (seed) => {
  const random = seededRandom(seed)
  const chance = (of: number) => random.whole(1, of) === 1
  const db = new FaultyLevel()
  let nowMs = 1_000
  const open = () => openStorageOn(db as unknown as Level, { nowMs: () => nowMs++, sync: true })
  const storage = await open()
  const { log, catalog } = storage
  const wantedBodies = new Map(LOGS.map((id) => [id, [] as string[]]))
  const wantedDocuments = new Map<string, string>()

  function adds(id: number, ...texts: string[]): void {
    wantedBodies.get(id)!.push(...texts)
  }

  function conditionOn(id: string, holds: boolean) {
    const document = wantedDocuments.get(id)
    const version = document === undefined ? undefined : documentText(documentKey('c', id), document)
    return { collection: 'c', id, version: holds ? version : 'another' }
  }

  async function makes(text: string): Promise<void> {
    const [id, other] = [random.pick(LOGS), random.pick(LOGS)]
    const kind = random.pick(['append', 'batch', 'commit', 'conditional', 'write', 'write'])
    if (kind === 'append') {
      adds(id, text)
      await log.append(id, [event(text)], { linger: chance(3) })
      return
    }
    const batch = log.stage(id)
    if (kind === 'batch') {
      void batch.add(lines(`${text}\nlast`), [])
      adds(id, text, 'last')
      await batch.commit()
      return
    }
    const holds = kind === 'commit' || !chance(3)
    const changes = [{ collection: 'c', id: random.pick(IDS), document: chance(4) ? undefined : text }]
    const conditions = kind === 'commit' ? [] : [conditionOn(random.pick(IDS), holds)]
    if (holds) {
      for (const change of changes) {
        if (change.document === undefined) wantedDocuments.delete(change.id)
        else wantedDocuments.set(change.id, change.document)
      }
    }
    if (kind !== 'write') {
      expect(await catalog.commit(changes, conditions)).toBe(holds ? 'done' : 'conflict')
      return
    }
    const appends = [id, other].map((one) => ({ log: one, events: [event(text), event('second')] }))
    void batch.add(lines('in the batch'), [])
    if (holds) {
      for (const append of appends) adds(append.log, text, 'second')
      adds(id, 'in the batch')
    }
    const { outcome } = await storage.write({ appends, batches: [batch], changes, conditions })
    expect(outcome).toBe(holds ? 'done' : 'conflict')
  }

  const calls: Promise<void>[] = []
  for (let i = 0; i < CALLS; i++) {
    calls.push(makes(chance(20) ? `${i}${LARGE}` : `${i}`))
    for (let pause = chance(4) ? random.whole(1, 6) : 0; pause > 0; pause--)
      await new Promise((resolve) => setImmediate(resolve))
  }
  await Promise.all(calls)
  for (const found of [storage, await open()]) {
    for (const [id, wanted] of wantedBodies) expect(await bodies(found.log, id)).toEqual(wanted)
    expect(await documents(found.catalog)).toEqual([...wantedDocuments].sort(([a], [b]) => (a < b ? -1 : 1)))
  }
  expect(db.mostUnderWay).toBe(1)
})
