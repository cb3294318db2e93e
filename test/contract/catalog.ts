/** What every Catalog must do, as one suite. An engine's test file calls `describeCatalog` with its opener. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Catalog, CatalogCondition, DocumentVersion } from '../../storage/catalog.ts'
import type { Storage } from '../../storage/storage.ts'
import type { StorageEngine } from './event-log.ts'

export function put(id: string, document: unknown, collection = 'c') {
  return { collection, id, document }
}

/** The condition that a document is as it is now. */
export async function asIs(catalog: Catalog, id: string, collection = 'c'): Promise<CatalogCondition> {
  return { collection, id, version: (await catalog.get(collection, id))?.version }
}

export async function documents(
  catalog: Catalog,
  prefix?: string,
  collection = 'c',
): Promise<[id: string, document: unknown][]> {
  const found: [string, unknown][] = []
  await catalog.each(collection, (id, document) => found.push([id, document]), prefix)
  return found
}

export function describeCatalog(name: string, newEngine: () => StorageEngine): void {
  describe(`catalog on ${name}`, () => {
    let engine: StorageEngine
    let storage: Storage
    let catalog: Catalog

    beforeEach(async () => {
      engine = newEngine()
      storage = await engine.open(() => 1_000)
      catalog = storage.catalog
    })
    afterEach(async () => {
      await storage.close()
      await engine.remove()
    })

    async function versionOf(id: string): Promise<DocumentVersion | undefined> {
      return (await catalog.get('c', id))?.version
    }

    test('each visits the documents of a collection in byte order of their ids', async () => {
      const ids = ['b', 'a:2', 'a', 'ä', 'a:10', 'Z']
      expect(
        await catalog.commit([...ids.map((id) => put(id, { id })), put('x', 1, 'other'), put('y', 2, 'd')]),
      ).toBe('done')
      const sorted = [...ids].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      expect(await documents(catalog)).toEqual(sorted.map((id) => [id, { id }]))
      expect((await documents(catalog, 'a:')).map(([id]) => id)).toEqual(['a:10', 'a:2'])
      expect(await documents(catalog, 'nothing')).toEqual([])
      expect(await documents(catalog, '', 'empty')).toEqual([])
    })

    test('each rejects with what the visitor throws', async () => {
      await catalog.commit([put('a', 1), put('b', 2)])
      const visit = () => {
        throw new Error('enough')
      }
      await expect(catalog.each('c', visit)).rejects.toThrow('enough')
    })

    const values: unknown[] = [
      { a: [1, 'ü', null] },
      [],
      'text',
      7,
      false,
      null,
      { long: 'x'.repeat(50_000) },
    ]
    test('documents come back as they were', async () => {
      await catalog.commit(values.map((value, i) => put(`${i}`, value)))
      for (const [i, value] of values.entries())
        expect((await catalog.get('c', `${i}`))?.document).toEqual(value)
      expect(await catalog.get('c', 'none')).toBeUndefined()
      expect(await catalog.get('none', '0')).toBeUndefined()
    })

    test('a commit replaces and deletes, also after reopening', async () => {
      await catalog.commit([put('a', 1), put('b', 2), put('c', 3)])
      expect(await catalog.commit([put('a', 10), put('b', undefined), put('none', undefined)])).toBe('done')
      const wanted = [
        ['a', 10],
        ['c', 3],
      ]
      expect(await documents(catalog)).toEqual(wanted)
      await storage.close()
      storage = await engine.reopen(() => 1_000)
      expect(await documents(storage.catalog)).toEqual(wanted)
    })

    test('commits are applied in the order in which they were called', async () => {
      const outcomes: Promise<unknown>[] = []
      for (let i = 0; i < 60; i++) {
        const conditions = i % 7 === 3 ? [{ collection: 'c', id: 'none', version: undefined }] : undefined
        outcomes.push(catalog.commit([put('a', i), put(`${i}`, i)], conditions))
      }
      expect(new Set(await Promise.all(outcomes))).toEqual(new Set(['done']))
      expect((await catalog.get('c', 'a'))?.document).toBe(59)
    })

    test('each and get give the same version, which changes with the content', async () => {
      await catalog.commit([put('a', { n: 1 }), put('b', { n: 1 })])
      const seen = new Map<string, DocumentVersion>()
      await catalog.each('c', (id, _, version) => seen.set(id, version))
      const before = await versionOf('a')
      expect([...seen]).toEqual([
        ['a', before],
        ['b', await versionOf('b')],
      ])
      await catalog.commit([put('a', { n: 2 })])
      expect(await versionOf('a')).not.toBe(before)
      await catalog.commit([put('a', undefined)])
      expect(await versionOf('a')).toBeUndefined()
    })

    test('a version outlives reopening while the document is unchanged', async () => {
      await catalog.commit([put('a', { n: 1 })])
      const condition = await asIs(catalog, 'a')
      await storage.close()
      storage = await engine.reopen(() => 1_000)
      expect(await storage.catalog.commit([put('a', 2)], [condition])).toBe('done')
    })

    describe('a commit with conditions', () => {
      test('is done while all of them hold', async () => {
        await catalog.commit([put('a', 1)])
        const conditions = [await asIs(catalog, 'a'), await asIs(catalog, 'none')]
        expect(await catalog.commit([put('a', 2), put('b', 2)], conditions)).toBe('done')
        expect(await documents(catalog)).toEqual([
          ['a', 2],
          ['b', 2],
        ])
      })

      const changed: { name: string; change: unknown }[] = [
        { name: 'was changed', change: 2 },
        { name: 'was deleted', change: undefined },
      ]
      test.each(changed)('is a conflict, and changes nothing, when a document $name', async ({ change }) => {
        await catalog.commit([put('a', 1), put('b', 1)])
        const conditions = [await asIs(catalog, 'b'), await asIs(catalog, 'a')]
        await catalog.commit([put('a', change)])
        const before = await documents(catalog)
        expect(await catalog.commit([put('b', 3), put('new', 3)], conditions)).toBe('conflict')
        expect(await documents(catalog)).toEqual(before)
      })

      test('is a conflict when a document exists that should not', async () => {
        const condition = await asIs(catalog, 'a')
        await catalog.commit([put('a', 1)])
        expect(await catalog.commit([put('a', 2)], [condition])).toBe('conflict')
        expect((await catalog.get('c', 'a'))?.document).toBe(1)
      })

      test('sees the commits that were called before it', async () => {
        await catalog.commit([put('a', 1)])
        const condition = await asIs(catalog, 'a')
        const outcomes = await Promise.all([
          catalog.commit([put('a', 2)]),
          catalog.commit([put('a', 3)], [condition]),
          catalog.commit([put('b', 3)], [await asIs(catalog, 'none')]),
        ])
        expect(outcomes).toEqual(['done', 'conflict', 'done'])
        expect((await catalog.get('c', 'a'))?.document).toBe(2)
      })

      test('succeeds for exactly one of many who saw the same', async () => {
        await catalog.commit([put('a', { n: 0 })])
        for (let round = 0; round < 10; round++) {
          const condition = await asIs(catalog, 'a')
          const outcomes = await Promise.all(
            Array.from({ length: 20 }, (_, i) =>
              catalog.commit([put('a', { n: round * 100 + i + 1 })], [condition]),
            ),
          )
          expect(outcomes.filter((outcome) => outcome === 'done')).toHaveLength(1)
          const winner = outcomes.indexOf('done')
          expect((await catalog.get('c', 'a'))?.document).toEqual({ n: round * 100 + winner + 1 })
        }
      })

      test('counts exactly when everybody tries again', async () => {
        async function increment(): Promise<void> {
          for (;;) {
            const found = await catalog.get('c', 'n')
            const condition = { collection: 'c', id: 'n', version: found?.version }
            const next = ((found?.document as number | undefined) ?? 0) + 1
            if ((await catalog.commit([put('n', next)], [condition])) === 'done') return
          }
        }
        await Promise.all(
          Array.from({ length: 12 }, async () => {
            for (let i = 0; i < 8; i++) await increment()
          }),
        )
        expect((await catalog.get('c', 'n'))?.document).toBe(96)
      })

      test('of nothing tells whether the documents are unchanged', async () => {
        await catalog.commit([put('a', 1)])
        const condition = await asIs(catalog, 'a')
        expect(await catalog.commit([], [condition])).toBe('done')
        await catalog.commit([put('a', 2)])
        expect(await catalog.commit([], [condition])).toBe('conflict')
      })
    })

    test('after fresh, reads see every commit that was done', async () => {
      await catalog.commit([put('a', 1)])
      await catalog.fresh()
      expect((await catalog.get('c', 'a'))?.document).toBe(1)
    })
  })
}
