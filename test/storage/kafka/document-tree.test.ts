import fc from 'fast-check'
import { expect, test } from 'vitest'
import { byBytes, DocumentTree, documentKey, splitKey } from '../../../storage/kafka/document-tree.ts'

const id = fc.string({ unit: 'grapheme', maxLength: 4 })

test('ids are in the order of their bytes', () => {
  fc.assert(
    fc.property(id, id, (a, b) => {
      expect(Math.sign(byBytes(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)))
    }),
  )
  expect(byBytes('\u{10000}', '\uffff')).toBeGreaterThan(0)
})

test('a list is what was put and not deleted, whatever was listed between', () => {
  const step = fc.record({
    id: fc.constantFrom('a', 'ab', 'abc', 'b', 'ä', 'Z', ''),
    isPut: fc.boolean(),
    lists: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.constantFrom('', 'a', 'ab', 'x'), (steps, prefix) => {
      const tree = new DocumentTree()
      const model = new Map<string, number>()
      for (const [version, { id, isPut, lists }] of steps.entries()) {
        const key = documentKey('c', id)
        if (isPut) {
          tree.put(key, { text: '1', version })
          model.set(id, version)
        } else {
          expect(tree.delete(key)).toBe(model.delete(id))
        }
        if (lists) tree.list('c')
      }
      const wanted = [...model].filter(([id]) => id.startsWith(prefix)).sort(([a], [b]) => byBytes(a, b))
      expect(tree.list('c', prefix).map(({ id, document }) => [id, document.version])).toEqual(wanted)
      expect([tree.size, tree.all().length]).toEqual([model.size, model.size])
    }),
  )
})

test('a key is split at its first slash', () => {
  expect(splitKey(documentKey('c', 'a/b'))).toEqual({ collection: 'c', id: 'a/b' })
})
