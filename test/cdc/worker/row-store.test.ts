/** The last rows of captured tables: what is read, and what a later opening finds. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { RowTexts } from '../../../src/cdc/events/row-bytes.ts'
import { effort, SEED } from '../../support/effort.ts'
import { seededRandom } from '../../support/seeded-random.ts'
import { TextRowStore as RowStore } from '../../support/text-row-store.ts'

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-rows-'))
  folders.push(folder)
  return folder
}

const TABLE = 16_400
/** Limits that are reached after a few rows. */
const SMALL = { writeBytes: 2_000, stageBytes: 3_000 }

test.each<[string, RowTexts]>([
  ['of a number and a text', ['1', 'a']],
  [
    'with NULL, an empty text and texts of control characters',
    [null, '', '\x01', '\x01\x01', '\x02', '\x01\x02', null],
  ],
  ['of one empty text', ['']],
  ['of one NULL', [null]],
  ['with other letters', ['é', '😀', '\ufffd', '\uffff']],
  ['with a large text', ['x'.repeat(5_000_000)]],
])('a row %s is read as it was put, in memory and after the next opening', async (_, row) => {
  const folder = newFolder()
  const store = await RowStore.open(folder)
  expect([store.get(TABLE, ['1', 'ö']), store.lsn]).toEqual([undefined, undefined])
  store.put(TABLE, ['1', 'ö'], row)
  expect(store.get(TABLE, ['1', 'ö'])).toEqual(row)
  store.seal(7n)
  await store.apply(7n)
  await store.sync()
  expect([store.get(TABLE, ['1', 'ö']), store.lsn]).toEqual([row, 7n])
  await store.close()
  const next = await RowStore.open(folder)
  expect([next.get(TABLE, ['1', 'ö']), next.get(TABLE, ['1']), next.lsn]).toEqual([row, undefined, 7n])
  expect(await next.diskBytes()).toBeGreaterThan(0)
  await next.close()
})

test('keys of several columns and of several tables are different rows', async () => {
  const store = await RowStore.open(newFolder())
  const keys: [number, string[]][] = [
    [1, ['a', 'b']],
    [1, ['ab', '']],
    [1, ['', 'ab']],
    [1, ['ab']],
    [11, ['a', 'b']],
    [2, ['a', 'b']],
  ]
  for (const [index, [table, key]] of keys.entries()) store.put(table, key, [String(index)])
  store.seal(1n)
  await store.apply(1n)
  await store.sync()
  expect(keys.map(([table, key]) => store.get(table, key))).toEqual(keys.map((_, index) => [String(index)]))
  store.remove(1, ['ab'])
  store.clear(11)
  expect(keys.map(([table, key]) => store.get(table, key)?.[0])).toEqual([
    '0',
    '1',
    '2',
    undefined,
    undefined,
    '5',
  ])
  await store.close()
})

describe('groups', () => {
  test('a group that is not applied is gone at the next opening', async () => {
    const folder = newFolder()
    const store = await RowStore.open(folder, SMALL)
    store.put(TABLE, ['1'], ['applied'])
    store.seal(1n)
    store.put(TABLE, ['1'], ['sealed'])
    store.put(TABLE, ['2'], ['sealed'])
    store.clear(TABLE + 1)
    store.seal(2n)
    for (let n = 0; n < 100; n++) store.put(TABLE, [`open ${n}`], ['open'])
    await store.relieve()
    await store.apply(1n)
    expect([store.get(TABLE, ['1']), store.get(TABLE, ['open 7'])]).toEqual([['sealed'], ['open']])
    await store.close()
    const next = await RowStore.open(folder, SMALL)
    expect(['1', '2', 'open 7'].map((key) => next.get(TABLE, [key]))).toEqual([
      ['applied'],
      undefined,
      undefined,
    ])
    expect(next.lsn).toBe(1n)
    await next.close()
  })

  test('what is discarded is as if it had not been', async () => {
    const store = await RowStore.open(newFolder(), SMALL)
    store.put(TABLE, ['1'], ['kept'])
    store.put(TABLE, ['2'], ['kept'])
    store.seal(1n)
    await store.apply(1n)
    store.put(TABLE, ['1'], ['lost'])
    store.clear(TABLE)
    store.seal(2n)
    for (let n = 0; n < 100; n++) store.put(TABLE, [`${n}`], ['lost'])
    await store.relieve()
    store.remove(TABLE, ['2'])
    await store.discard()
    expect(['1', '2', '3'].map((key) => store.get(TABLE, [key]))).toEqual([['kept'], ['kept'], undefined])
    store.put(TABLE, ['3'], ['new'])
    store.seal(3n)
    await store.apply(3n)
    await store.sync()
    expect(['1', '2', '3'].map((key) => store.get(TABLE, [key])?.[0])).toEqual(['kept', 'kept', 'new'])
    expect(store.lsn).toBe(3n)
    await store.close()
  })

  test('a change during the staging of its row is kept', async () => {
    const store = await RowStore.open(newFolder(), SMALL)
    for (let n = 0; n < 100; n++) store.put(TABLE, [`${n}`], ['first'])
    const staged = store.relieve()
    store.put(TABLE, ['5'], ['second'])
    store.remove(TABLE, ['6'])
    await staged
    const seen = () => ['4', '5', '6'].map((key) => store.get(TABLE, [key])?.[0])
    expect(seen()).toEqual(['first', 'second', undefined])
    store.seal(1n)
    await store.apply(1n)
    expect(seen()).toEqual(['first', 'second', undefined])
    await store.close()
  })

  test('loaded rows are there when their group is on the disk, after those of earlier groups and before changes of their own', async () => {
    const folder = newFolder()
    const store = await RowStore.open(folder, SMALL)
    for (const key of ['1', '2', '3']) store.put(TABLE, [key], ['earlier'])
    store.seal(1n)
    store.load(TABLE, ['1'], ['loaded'])
    store.load(TABLE, ['2'], ['loaded'])
    store.load(TABLE, ['4'], ['loaded'])
    store.put(TABLE, ['2'], ['changed'])
    store.seal(2n)
    store.put(TABLE, ['4'], ['later'])
    store.seal(3n)
    await store.apply(3n)
    await store.sync()
    const seen = (open: RowStore) => ['1', '2', '3', '4', '5'].map((key) => open.get(TABLE, [key])?.[0])
    const expected = ['loaded', 'changed', 'earlier', 'later', undefined]
    expect(seen(store)).toEqual(expected)
    for (let n = 0; n < 100; n++) store.put(TABLE, [`large ${n}`], ['staged'])
    await store.relieve()
    store.load(TABLE, ['5'], ['with a staged group'])
    store.seal(4n)
    await store.apply(4n)
    expect(seen(store)).toEqual([...expected.slice(0, 4), 'with a staged group'])
    store.load(TABLE, ['6'], ['discarded'])
    await store.discard()
    store.load(TABLE, ['7'], ['not applied'])
    await store.close()
    const next = await RowStore.open(folder, SMALL)
    expect([...seen(next), next.get(TABLE, ['6']), next.get(TABLE, ['7']), next.lsn]).toEqual([
      ...expected.slice(0, 4),
      'with a staged group',
      undefined,
      undefined,
      4n,
    ])
    await next.close()
  })

  test('a store that is open is refused to a second one', async () => {
    const folder = newFolder()
    const store = await RowStore.open(folder)
    await expect(RowStore.open(folder)).rejects.toThrow()
    await store.close()
  })
})

/** What a store should hold, by table and key. */
type Model = Map<string, RowTexts>

test('random changes, staging, openings and discarded groups hold what a map holds', async () => {
  const random = seededRandom(SEED)
  const folder = newFolder()
  let store = await RowStore.open(folder, SMALL)
  let applied: Model = new Map()
  let present: Model = new Map()
  let sealed: [bigint, Model][] = []
  let lsn = 0n
  const change = () => {
    const table = random.whole(1, 3)
    const key = [String(random.whole(1, 60))]
    const id = `${table} ${key[0]}`
    const what = random.next()
    if (what < 0.01) {
      store.clear(table)
      for (const known of [...present.keys()]) if (known.startsWith(`${table} `)) present.delete(known)
    } else if (what < 0.3) {
      store.remove(table, key)
      present.delete(id)
    } else {
      const row = [key[0]!, String(random.whole(1, 1_000_000)), random.next() < 0.2 ? null : 'text']
      store.put(table, key, row)
      present.set(id, row)
    }
  }
  const check = (expected: Model) => {
    const held: Model = new Map()
    for (let table = 1; table <= 3; table++) {
      for (let key = 1; key <= 60; key++) {
        const row = store.get(table, [String(key)])
        if (row !== undefined) held.set(`${table} ${key}`, row)
      }
    }
    const sorted = (model: Model) => [...model].sort(([one], [other]) => (one < other ? -1 : 1))
    expect(sorted(held)).toEqual(sorted(expected))
  }
  for (let step = 0; step < effort({ short: 400, long: 10_000 }); step++) {
    const what = random.next()
    if (what < 0.4) {
      for (let n = random.whole(1, 30); n > 0; n--) change()
    } else if (what < 0.6) {
      store.seal(++lsn)
      sealed.push([lsn, new Map(present)])
    } else if (what < 0.75) {
      await store.relieve()
    } else if (what < 0.9) {
      const [last, model] = sealed[random.whole(0, sealed.length - 1)] ?? []
      if (last === undefined) continue
      void store.apply(last)
      applied = model!
      sealed = sealed.filter(([other]) => other > last)
    } else if (what < 0.93) {
      await store.sync()
    } else if (what < 0.96) {
      await store.discard()
      present = new Map(applied)
      sealed = []
    } else {
      check(present)
      await store.close()
      store = await RowStore.open(folder, SMALL)
      present = new Map(applied)
      sealed = []
    }
    if (step % 10 === 0) check(present)
  }
  await store.close()
})
