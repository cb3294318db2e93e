/** The same work with more and more stored: nothing may get slower or larger with it. */

import type { Store } from '../stores/store-cache.ts'
import { atMost, figure, ratio } from '../targets.ts'
import { type BuildUnderTest, ofEach } from '../workloads/build-under-test.ts'
import { pointReads } from '../workloads/point-reads.ts'
import { posts } from '../workloads/posts.ts'
import { readProbe } from '../workloads/probes.ts'
import type { Suite, SuiteParts } from './suite.ts'

interface Size {
  readonly name: string
  readonly about: string
  readonly long?: true
  readonly store: (buildUnderTest: BuildUnderTest) => Promise<Store>
  /** Streams that are written to. */
  readonly streams: number
}

/** Posts to one stream are those to 10,000 events; point reads need streams of the same size to compare. */
const ONE_STREAM = '1-stream'

const SIZES: readonly Size[] = [
  events('10k', 10_000),
  events('1m', 1_000_000),
  { ...events('10m', 10_000_000), long: true },
  streams(ONE_STREAM, 1),
  streams('1k-streams', 1_000),
  { ...streams('10k-streams', 10_000), long: true },
]

export function growthSuite({ buildsUnderTest }: SuiteParts): Suite {
  return {
    name: 'growth',
    about:
      'single POSTs on 64 connections, and reads of one event from a random time on, with more and more stored',
    cases: [
      readProbe('probe-http-1'),
      ...ofEach(buildsUnderTest, (buildUnderTest) => [
        ...SIZES.filter(({ name }) => name !== ONE_STREAM).map(({ name, about, store, ...size }) =>
          posts(buildUnderTest, {
            ...size,
            name: `post-64-at-${name}`,
            about: `POST to a store of ${about}`,
            connections: 64,
            store: () => store(buildUnderTest),
          }),
        ),
        ...SIZES.map(({ name, about, store, ...size }) =>
          pointReads(buildUnderTest, {
            ...size,
            name: `point-${name}`,
            about: `GET of one event of ${about}`,
            store: () => store(buildUnderTest),
          }),
        ),
      ]),
    ],
    targets: [
      figure('point-10m', 'p99Ms', atMost(2)),
      figure('probe-http-1', 'p99Ms'),
      ratio('point-10m', 'point-10k', 'p99Ms', atMost(1.5)),
      ratio('point-10m', 'point-10k', 'p50Ms', atMost(1.5)),
      ratio('point-1m', 'point-10k', 'p50Ms'),
      ratio('point-10k-streams', 'point-1-stream', 'p50Ms'),
      ratio('post-64-at-1m', 'post-64-at-10k', 'eventsPerSecond'),
      ratio('post-64-at-10m', 'post-64-at-10k', 'eventsPerSecond'),
      ratio('post-64-at-1k-streams', 'post-64-at-10k', 'eventsPerSecond'),
      ratio('post-64-at-10k-streams', 'post-64-at-10k', 'eventsPerSecond'),
      ratio('post-64-at-10m', 'post-64-at-10k', 'rssPeakMb'),
    ],
  }
}

function events(name: string, count: number): Size {
  const about = `${count.toLocaleString('en-US')} events`
  return { name, about, store: ({ storeCache }) => storeCache.oneStream(count), streams: 1 }
}

function streams(name: string, count: number): Size {
  const about =
    count === 1 ? '1 stream with 100 events' : `${count.toLocaleString('en-US')} such streams, in turn`
  return { name, about, store: ({ storeCache }) => storeCache.manyStreams(count), streams: count }
}
