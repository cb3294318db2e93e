/** The numbers of batches: sequences, epochs that are raised, ids that are used up. */
import { expect, test } from 'vitest'
import { ProducerState } from '../../../storage/kafka/producer-state.ts'

function newState(epoch = 0) {
  let ids = 0
  return new ProducerState(async () => ({ producerId: ++ids, epoch }))
}

const stamp = (producerId: number, epoch: number, baseSequence: number) => ({
  producerId,
  epoch,
  baseSequence,
})

test('sequences of a log count its records, and logs are apart', async () => {
  const state = newState()
  expect(await state.next(1)).toEqual(stamp(1, 0, 0))
  state.stored(1, 5)
  expect(await Promise.all([state.next(1), state.next(1), state.next(2)])).toEqual([
    stamp(1, 0, 5),
    stamp(1, 0, 5),
    stamp(1, 0, 0),
  ])
})

test('sequences continue with 0 after 2^31-1', async () => {
  const state = newState()
  await state.next(1)
  state.stored(1, 2 ** 31 - 2)
  expect(await state.next(1)).toEqual(stamp(1, 0, 2 ** 31 - 2))
  state.stored(1, 5)
  expect(await state.next(1)).toEqual(stamp(1, 0, 3))
})

test('a batch given up raises the epoch of its log only', async () => {
  const state = newState()
  await state.next(1)
  state.stored(1, 7)
  await state.next(2)
  state.stored(2, 7)
  state.abandoned(1)
  expect([await state.next(1), await state.next(2)]).toEqual([stamp(1, 1, 0), stamp(1, 0, 7)])
})

test('a log gets a new id once a batch is stored, before its epochs are used up', async () => {
  const state = newState(29_999)
  await state.next(1)
  state.abandoned(1)
  expect(await state.next(1)).toEqual(stamp(1, 30_000, 0))
  state.abandoned(1) // in doubt, so it keeps the id
  expect(await state.next(1)).toEqual(stamp(1, 30_001, 0))
  state.stored(1, 3)
  expect(await state.next(1)).toEqual(stamp(2, 29_999, 0))
})

test('an id without a further epoch is replaced', async () => {
  const state = newState(32_767)
  await Promise.all([state.next(1), state.next(2)])
  state.abandoned(1)
  expect(await state.next(1)).toEqual(stamp(2, 32_767, 0))
})

test('an id is requested again after a failure', async () => {
  let calls = 0
  const state = new ProducerState(async () => {
    if (++calls === 1) throw new Error('not now')
    return { producerId: 9, epoch: 0 }
  })
  await expect(state.next(1)).rejects.toThrow('not now')
  expect(await state.next(1)).toEqual(stamp(9, 0, 0))
})
