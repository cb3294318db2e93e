/** Writers and readers together, and each of them alone for comparison. */
import { ratio } from '../targets.ts'
import { type BuildUnderTest, ofEach } from '../workloads/build-under-test.ts'
import { mixed, readersAlone } from '../workloads/mixed.ts'
import { posts } from '../workloads/posts.ts'
import type { Suite, SuiteParts } from './suite.ts'

const MILLION = 1_000_000

export function mixedSuite({ buildsUnderTest }: SuiteParts): Suite {
  const store =
    ({ storeCache }: BuildUnderTest) =>
    () =>
      storeCache.oneStream(MILLION)
  return {
    name: 'mixed',
    about: 'writers and readers together, on a stream of 1 million events',
    cases: ofEach(buildsUnderTest, (buildUnderTest) => [
      posts(buildUnderTest, {
        name: 'writers-alone',
        about: '64 connections write single events',
        connections: 64,
        store: store(buildUnderTest),
      }),
      mixed(buildUnderTest, 'mixed-writers', 'writers', store(buildUnderTest)),
      mixed(buildUnderTest, 'mixed-readers', 'readers', store(buildUnderTest)),
      readersAlone(buildUnderTest, 'readers-alone', store(buildUnderTest)),
    ]),
    targets: [
      ratio('mixed-writers', 'writers-alone', 'eventsPerSecond'),
      ratio('mixed-readers', 'readers-alone', 'eventsPerSecond'),
      ratio('mixed-writers', 'writers-alone', 'p99Ms'),
    ],
  }
}
