import { expect, test } from 'vitest'
import { OptionsError } from '../../bench/options.ts'
import type { Case } from '../../bench/sample.ts'
import { chosenSuites } from '../../bench/selection.ts'

const one = (name: string, long?: true): Case => ({
  name,
  about: '',
  ...(long && { long }),
  run: () => Promise.reject(new Error('not here')),
})
const SUITES = [
  { name: 'posts', about: '', targets: [], cases: [one('probe'), one('post-64'), one('post-64@against')] },
  { name: 'growth', about: '', targets: [], cases: [one('post-64'), one('large', true)] },
]

const choices = [
  { only: [], quick: false, chosen: 'posts: probe post-64 post-64@against; growth: post-64 large' },
  { only: [], quick: true, chosen: 'posts: probe post-64 post-64@against; growth: post-64' },
  { only: ['growth'], quick: true, chosen: 'growth: post-64' },
  { only: ['large'], quick: true, chosen: 'growth: large' },
  { only: ['post-64'], quick: false, chosen: 'posts: post-64 post-64@against; growth: post-64' },
  { only: ['posts/post-64'], quick: false, chosen: 'posts: post-64 post-64@against' },
  { only: ['probe', 'growth'], quick: false, chosen: 'posts: probe; growth: post-64 large' },
]

test.each(choices)('--only $only, quick: $quick', ({ only, quick, chosen }) => {
  const suites = chosenSuites(SUITES, only, quick)
  expect(
    suites.map(({ name, cases }) => `${name}: ${cases.map((each) => each.name).join(' ')}`).join('; '),
  ).toBe(chosen)
})

test('a name of nothing is refused', () => {
  expect(() => chosenSuites(SUITES, ['post-64', 'post-65'], false)).toThrow(
    new OptionsError("--only names 'post-65', and there is no such suite or case (--help lists them)"),
  )
})
