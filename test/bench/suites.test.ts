/** The suites fit together: names are unique, and every target speaks of cases that may exist. */
import { expect, test } from 'vitest'
import { OURS, otherBuild } from '../../bench/processes/build.ts'
import { StoreCache } from '../../bench/stores/store-cache.ts'
import { allSuites } from '../../bench/suites/index.ts'

/** Written elsewhere: may be missing. */
const CEILINGS = /^(loop-|probe-block-)/

const buildUnderTest = (build: typeof OURS) => ({
  build,
  storeCache: new StoreCache(build, '', () => {}),
  tool: 'wrk' as const,
})

test.each([true, false])('names are unique within a suite, quick: %s', (quick) => {
  for (const { name, cases } of allSuites({
    buildsUnderTest: [buildUnderTest(OURS), buildUnderTest(otherBuild('x'))],
    quick,
  })) {
    const names = cases.map((one) => one.name)
    expect([name, [...new Set(names)]]).toEqual([name, names])
  }
})

test('targets name cases of their suite', () => {
  const unknown: string[] = []
  for (const { name: suite, cases, targets } of allSuites({
    buildsUnderTest: [buildUnderTest(OURS)],
    quick: false,
  })) {
    const names = new Set(cases.map((one) => one.name))
    for (const { value } of targets)
      value((name) => {
        if (!names.has(name) && !CEILINGS.test(name)) unknown.push(`${suite}/${name}`)
        return 1
      })
  }
  expect(unknown).toEqual([])
})

test('a case of another build stands beside ours and counts as the service', () => {
  const [posts] = allSuites({
    buildsUnderTest: [buildUnderTest(OURS), buildUnderTest(otherBuild('x'))],
    quick: false,
  })
  const at = posts!.cases.findIndex(({ name }) => name === 'post-64')
  expect(posts!.cases.slice(at, at + 2)).toMatchObject([
    { name: 'post-64', ofService: true },
    { name: 'post-64@against', ofService: true },
  ])
})
