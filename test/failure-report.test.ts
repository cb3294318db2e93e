import { expect, test } from 'vitest'
import { failureReporter } from '../src/failure-report.ts'

test('a failure is printed in full once, then counted, and told again once a minute', () => {
  const lines: string[] = []
  let nowMs = 0
  const report = failureReporter(
    (line) => lines.push(line),
    () => nowMs,
  )
  const failure = new Error('the disk is full')
  for (let i = 0; i < 1_000; i++) report(failure)
  report('something else')
  nowMs = 60_000
  report(failure)
  report(failure)
  expect(lines).toEqual([
    `1970-01-01T00:00:00.000Z ${failure.stack}\n`,
    '1970-01-01T00:00:00.000Z something else\n',
    '1970-01-01T00:01:00.000Z the disk is full (1000 times since it was last printed)\n',
  ])
})

test('what is remembered is bounded', () => {
  let lines = 0
  const report = failureReporter(
    () => lines++,
    () => 0,
  )
  for (let i = 0; i < 100_000; i++) report(`failure ${i}`)
  expect(lines).toBe(100_000)
})
