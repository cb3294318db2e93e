/** Settings of a job from flinkConfiguration, and when a job with them starts again. */
import { expect, test } from 'vitest'
import { settingsOf } from '../../../src/deployments/reconciler/configured-settings.ts'
import { RestartPolicy } from '../../../src/jobs/job-states.ts'

const FIXED = { 'restart-strategy': 'fixed-delay', 'restart-strategy.fixed-delay.attempts': '2' }
const EXPONENTIAL = {
  'restart-strategy.type': 'exponential-delay',
  'restart-strategy.exponential-delay.initial-backoff': '100 ms',
  'restart-strategy.exponential-delay.max-backoff': '250 ms',
  'restart-strategy.exponential-delay.backoff-multiplier': '2',
}

test.each([
  { name: 'nothing', given: { foo: 'bar' }, wanted: {} },
  {
    name: 'an interval',
    given: { 'execution.checkpointing.interval': '10 s' },
    wanted: { checkpointIntervalMs: 10_000 },
  },
  { name: 'no restarts', given: { 'restart-strategy': 'none' }, wanted: { restart: { kind: 'none' } } },
  {
    name: 'a fixed delay',
    given: FIXED,
    wanted: { restart: { kind: 'fixed-delay', attempts: 2, delayMs: 1_000 } },
  },
])('$name', ({ given, wanted }) => {
  expect(settingsOf(given as unknown as Record<string, string>)).toEqual(wanted)
})

test.each([
  {
    given: { 'restart-strategy': 'never' },
    text: "restart-strategy is 'never'; use none, fixed-delay or exponential-delay",
  },
  {
    given: { 'execution.checkpointing.interval': 'soon' },
    text: "execution.checkpointing.interval is 'soon'; use a duration of at most 600 s, such as 10 s",
  },
  {
    given: { ...FIXED, 'restart-strategy.fixed-delay.attempts': 'many' },
    text: "restart-strategy.fixed-delay.attempts is 'many'; use a number from 0 to 1000000",
  },
])('$text', ({ given, text }) => {
  expect(() => settingsOf(given as unknown as Record<string, string>)).toThrow(text)
})

test.each([
  { name: 'none', given: { 'restart-strategy': 'none' }, delays: ['never'] },
  { name: 'fixed-delay', given: FIXED, delays: [1_000, 1_000, 'never'] },
  { name: 'exponential-delay', given: EXPONENTIAL, delays: [100, 200, 250, 250] },
  {
    name: 'fixed-delay without a delay',
    given: { ...FIXED, 'restart-strategy.fixed-delay.delay': '0 s' },
    delays: [100, 100, 'never'],
  },
  { name: 'that of the service', given: {}, delays: [1_000, 2_000, 4_000] },
])('restart strategy $name', ({ given, delays }) => {
  const policy = new RestartPolicy(settingsOf(given as unknown as Record<string, string>).restart)
  expect(delays.map(() => policy.failed('passing', 0))).toEqual(delays)
})

test('a short threshold of delays does not forget errors that stop other jobs', () => {
  const { restart } = settingsOf({
    ...EXPONENTIAL,
    'restart-strategy.exponential-delay.reset-backoff-threshold': '1 s',
  } as unknown as Record<string, string>)
  const policy = new RestartPolicy(restart)
  const outcomes = [1, 2, 3].map((turn) => {
    policy.running(turn * 10_000)
    return policy.failed('memory', turn * 10_000 + 5_000)
  })
  expect(outcomes).toEqual([100, 100, 'never'])
})
