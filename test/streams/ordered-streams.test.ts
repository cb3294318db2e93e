/** The streams of a namespace in order: what is found is what a walk through all of them would find. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { StreamName } from '../../src/streams/names.ts'
import { matchesName, OrderedStreams } from '../../src/streams/ordered-streams.ts'

const name = fc.stringMatching(/^[ab_Z-]{1,4}$/)
const pattern = fc
  .tuple(fc.stringMatching(/^[ab_Z-]{0,3}$/), fc.boolean())
  .map(([text, star]) => (star ? `${text}*` : text))
const named = (stream: string) => ({ id: { stream: stream as StreamName } })

test('order and matches stay right through changes', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(name, fc.boolean())), fc.array(pattern), (changes, patterns) => {
      const streams = new OrderedStreams<ReturnType<typeof named>>()
      const known = new Set<string>()
      for (const [stream, comes] of changes) {
        if (comes) {
          streams.set(named(stream))
          known.add(stream)
        } else {
          streams.delete(stream as StreamName)
          known.delete(stream)
        }
        const inOrder = [...known].sort()
        expect(streams.ordered().map(({ id }) => id.stream)).toEqual(inOrder)
        expect(streams.matching(patterns).map(({ id }) => id.stream)).toEqual(
          inOrder.filter((one) => matchesName(one, patterns)),
        )
      }
    }),
  )
})

test('a walk that has begun sees the order as it was', () => {
  const streams = new OrderedStreams<ReturnType<typeof named>>()
  for (const stream of ['b', 'a']) streams.set(named(stream))
  const before = streams.ordered()
  streams.set(named('aa'))
  streams.delete('b' as StreamName)
  expect(before.map(({ id }) => id.stream)).toEqual(['a', 'b'])
  expect(streams.ordered().map(({ id }) => id.stream)).toEqual(['a', 'aa'])
})
