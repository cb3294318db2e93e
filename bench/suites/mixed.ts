/** Writers and readers together, and each of them alone for comparison. */
import { ratio } from '../targets.ts'
import { type Contestant, ofEach } from '../workloads/contestant.ts'
import { mixed, readersAlone } from '../workloads/mixed.ts'
import { posts } from '../workloads/posts.ts'
import type { Suite, SuiteParts } from './suite.ts'

const MILLION = 1_000_000

export function mixedSuite({ contestants }: SuiteParts): Suite {
  const store =
    ({ shelf }: Contestant) =>
    () =>
      shelf.oneStream(MILLION)
  return {
    name: 'mixed',
    about: 'writers and readers together, on a stream of 1 million events',
    cases: ofEach(contestants, (contestant) => [
      posts(contestant, {
        name: 'writers-alone',
        about: '64 connections write single events',
        connections: 64,
        store: store(contestant),
      }),
      mixed(contestant, 'mixed-writers', 'writers', store(contestant)),
      mixed(contestant, 'mixed-readers', 'readers', store(contestant)),
      readersAlone(contestant, 'readers-alone', store(contestant)),
    ]),
    targets: [
      ratio('mixed-writers', 'writers-alone', 'eventsPerSecond'),
      ratio('mixed-readers', 'readers-alone', 'eventsPerSecond'),
      ratio('mixed-writers', 'writers-alone', 'p99Ms'),
    ],
  }
}
