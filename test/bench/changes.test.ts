import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { changesBetweenBuilds, changesSince, verdictChanges } from '../../bench/changes.ts'
import type { Medians } from '../../bench/metrics.ts'
import { FORMAT, loadResult, type RunResult, saveResult } from '../../bench/results.ts'
import type { SuiteResult } from '../../bench/rounds.ts'

function suite(name: string, cases: Record<string, Medians>): SuiteResult {
  return {
    name,
    about: '',
    rounds: 3,
    verdicts: [],
    cases: Object.entries(cases).map(([each, medians]) => ({
      name: each,
      about: '',
      ofService: true,
      samples: [],
      medians,
    })),
  }
}

test('a change is the new figure over the old one, of cases that both runs have', () => {
  const before = [suite('posts', { 'post-64': { eventsPerSecond: 100, p99Ms: 4 }, gone: { p99Ms: 1 } })]
  const after = [
    suite('posts', { 'post-64': { eventsPerSecond: 150, p99Ms: 2, cpuUsPerEvent: 7 }, new: { p99Ms: 1 } }),
    suite('reads', { 'post-64': { eventsPerSecond: 1 } }),
  ]
  expect(changesSince(before, after)).toEqual([
    { name: 'posts/post-64', factors: { eventsPerSecond: 1.5, p99Ms: 0.5 } },
  ])
})

test('ours over another build in one run', () => {
  const both = suite('posts', {
    'post-64': { p50Ms: 1 },
    'post-64@against': { p50Ms: 2 },
    probe: { p50Ms: 9 },
  })
  expect(changesBetweenBuilds([both], '@against')).toEqual([
    { name: 'posts/post-64', factors: { p50Ms: 0.5 } },
  ])
})

test('ratios are compared by their rows', () => {
  const verdict = (row: string, value?: number) =>
    ({ row, ...(value !== undefined && { value }), outcome: 'no target' }) as const
  expect(
    verdictChanges([verdict('a', 1), verdict('b', 2)], [verdict('b', 3), verdict('a'), verdict('c', 4)]),
  ).toEqual([
    { row: 'b', before: 2, after: 3 },
    { row: 'a', before: 1, after: undefined },
    { row: 'c', before: undefined, after: 4 },
  ])
})

test('a saved result comes back, and nothing else does', () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-test-'))
  try {
    const result = { format: FORMAT, date: '2024-05-17T10:31:07.000Z', suites: [suite('posts', {})] }
    const file = join(folder, 'deep', 'result.json')
    saveResult(file, result as unknown as RunResult)
    expect(loadResult(file)).toEqual(result)
    writeFileSync(join(folder, 'other.json'), '{}')
    expect(() => loadResult(join(folder, 'other.json'))).toThrow('is not a saved result of this bench')
    expect(() => loadResult(join(folder, 'none.json'))).toThrow('cannot be read')
  } finally {
    rmSync(folder, { recursive: true })
  }
})
