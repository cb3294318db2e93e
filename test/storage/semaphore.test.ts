/** A semaphore never has more callers inside than permits, and lets the others in in their order. */
import { expect, test } from 'vitest'
import { Mutex } from '../../storage/mutex.ts'
import { Semaphore } from '../../storage/semaphore.ts'

test('at most as many run as there are permits, and the others follow in their order', async () => {
  const semaphore = new Semaphore(2)
  const begun: number[] = []
  const finish: (() => void)[] = []
  const runs = [0, 1, 2, 3].map((number) =>
    semaphore.run(async () => {
      begun.push(number)
      await new Promise<void>((resolve) => finish.push(resolve))
      return number
    }),
  )
  expect(begun).toEqual([0, 1])
  finish[1]!()
  await expect(runs[1]).resolves.toBe(1)
  expect(begun).toEqual([0, 1, 2])
  for (const end of finish) end()
  await expect.poll(() => begun).toEqual([0, 1, 2, 3])
  finish[3]!()
  expect(await Promise.all(runs)).toEqual([0, 1, 2, 3])
})

test('work that fails gives its permit back', async () => {
  const mutex = new Mutex()
  await expect(mutex.run(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken')
  await expect(
    mutex.run(() => {
      throw new Error('at once')
    }),
  ).rejects.toThrow('at once')
  expect(await mutex.run(async () => 'next')).toBe('next')
})

test('a free mutex is locked without a promise', async () => {
  const mutex = new Mutex()
  expect(mutex.lock()).toBeUndefined()
  const second = mutex.lock()
  expect(second).toBeInstanceOf(Promise)
  mutex.unlock()
  await second
  mutex.unlock()
  expect(mutex.lock()).toBeUndefined()
})
