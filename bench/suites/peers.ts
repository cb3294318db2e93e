/** Other programs that keep events, under the load that suits each best, next to the service. */
import { PEERS } from '../peers/index.ts'
import { ratio } from '../targets.ts'
import { ofEach } from '../workloads/build-under-test.ts'
import { posts } from '../workloads/posts.ts'
import type { Suite, SuiteParts } from './suite.ts'

export function peerSuite({ buildsUnderTest }: SuiteParts): Suite {
  return {
    name: 'peers',
    about: 'the service next to other programs that keep events, where they are installed',
    cases: [
      ...ofEach(buildsUnderTest, (buildUnderTest) => [
        posts(buildUnderTest, {
          name: 'post-64',
          about: '64 connections, fsync before 200',
          connections: 64,
        }),
      ]),
      ...PEERS.map((peer) => ({ ...peer, about: `${peer.about}; fsync: ${peer.fsync}` })),
    ],
    targets: PEERS.map(({ name }) => ratio('post-64', name, 'eventsPerSecond')),
  }
}
