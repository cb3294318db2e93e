import { expect, test } from 'vitest'
import { BrokerClock } from '../../../storage/kafka/broker-clock.ts'

test('goes on from the last answer of a leader', () => {
  let elapsedMs = 100
  const clock = new BrokerClock(() => elapsedMs)
  expect(clock.nowMs()).toBeUndefined()
  clock.observe(-1) // the topic has the times of its producers
  expect(clock.nowMs()).toBeUndefined()
  clock.observe(5_000)
  elapsedMs += 20.5
  expect(clock.nowMs()).toBe(5_020)
  clock.observe(4_000) // of another leader
  expect(clock.nowMs()).toBe(4_000)
})
