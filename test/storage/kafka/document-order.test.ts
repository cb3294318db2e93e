/** Calls that share documents keep their order; those that only read the same ones do not wait for each other. */
import { expect, test } from 'vitest'
import { DocumentOrder } from '../../../storage/kafka/document-order.ts'

const CASES = [
  { name: 'two that change it', first: 'writes', second: 'writes', waits: true },
  { name: 'a reader behind one that changes it', first: 'writes', second: 'reads', waits: true },
  { name: 'one that changes it behind a reader', first: 'reads', second: 'writes', waits: true },
  { name: 'two readers', first: 'reads', second: 'reads', waits: false },
] as const

const documents = (kind: 'reads' | 'writes') => ({ reads: [], writes: [], [kind]: ['c/shared'] })

test.each(CASES)('$name: waits $waits', async ({ first, second, waits }) => {
  for (const kind of ['write', 'commit'] as const) {
    const order = new DocumentOrder()
    const begun: string[] = []
    let end = () => {}
    const ended = new Promise<void>((resolve) => {
      end = resolve
    })
    const one = order.write(documents(first), async () => {
      begun.push('first')
      await ended
    })
    const other = order[kind](documents(second), async () => void begun.push('second'))
    await new Promise((resolve) => setImmediate(resolve))
    expect([...begun].sort()).toEqual(waits ? ['first'] : ['first', 'second'])
    end()
    await Promise.all([one, other])
    expect([...begun].sort()).toEqual(['first', 'second'])
  }
})

test('one that changes a document waits for all readers before it, and a later reader for it', async () => {
  const order = new DocumentOrder()
  const begun: string[] = []
  const ends: (() => void)[] = []
  const call = (name: string, kind: 'reads' | 'writes') =>
    order.write(documents(kind), async () => {
      begun.push(name)
      await new Promise<void>((resolve) => ends.push(resolve))
    })
  const all = [call('r1', 'reads'), call('r2', 'reads'), call('w', 'writes'), call('r3', 'reads')]
  const turn = () => new Promise((resolve) => setImmediate(resolve))
  await turn()
  ends.shift()!()
  await turn()
  expect(begun).toEqual(['r1', 'r2'])
  ends.shift()!()
  await turn()
  expect(begun).toEqual(['r1', 'r2', 'w'])
  ends.shift()!()
  await turn()
  expect(begun).toEqual(['r1', 'r2', 'w', 'r3'])
  ends.shift()!()
  await Promise.all(all)
})
