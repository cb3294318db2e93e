/** One event per request: the service against the least that a service could do. */
import { atLeast, atMost, ratio } from '../targets.ts'
import { ofEach } from '../workloads/build-under-test.ts'
import { posts } from '../workloads/posts.ts'
import { durableProbe, httpProbe } from '../workloads/probes.ts'
import type { Suite, SuiteParts } from './suite.ts'

const KIB = 1024
const HEADERS = 3
const STREAMS = 64

export function postSuite({ buildsUnderTest }: SuiteParts): Suite {
  const { tool } = buildsUnderTest[0]!
  return {
    name: 'posts',
    about: 'one event of 100 bytes per POST, to one stream, where nothing else is said',
    cases: [
      httpProbe(tool, { name: 'probe-http', connections: 64 }),
      durableProbe(tool, { name: 'probe-durable', connections: 64 }),
      ...ofEach(buildsUnderTest, (buildUnderTest) => [
        posts(buildUnderTest, { name: 'post-64', about: '64 connections', connections: 64 }),
        posts(buildUnderTest, {
          name: 'post-64-headers',
          about: '64 connections, three event headers',
          connections: 64,
          headers: HEADERS,
        }),
        posts(buildUnderTest, {
          name: 'post-64-streams',
          about: '64 connections, 64 streams in turn',
          connections: 64,
          streams: STREAMS,
        }),
        posts(buildUnderTest, {
          name: 'async-64',
          about: '64 connections, answered before the event is on disk',
          connections: 64,
          async: true,
        }),
      ]),
      durableProbe(tool, { name: 'probe-durable-1', connections: 1 }),
      ...ofEach(buildsUnderTest, (buildUnderTest) => [
        posts(buildUnderTest, { name: 'post-1', about: '1 connection', connections: 1 }),
      ]),
      durableProbe(tool, { name: 'probe-durable-256', long: true, connections: 256 }),
      ...ofEach(buildsUnderTest, (buildUnderTest) => [
        posts(buildUnderTest, { name: 'post-256', long: true, about: '256 connections', connections: 256 }),
      ]),
      durableProbe(tool, { name: 'probe-durable-1kb', long: true, connections: 64, bodyBytes: KIB }),
      ...ofEach(buildsUnderTest, (buildUnderTest) => [
        posts(buildUnderTest, {
          name: 'post-64-1kb',
          long: true,
          about: '64 connections, 1,024 bytes',
          connections: 64,
          bodyBytes: KIB,
        }),
        posts(buildUnderTest, {
          name: 'post-256-all',
          long: true,
          about: '256 connections, 1,024 bytes, three event headers, 64 streams',
          connections: 256,
          bodyBytes: KIB,
          headers: HEADERS,
          streams: STREAMS,
        }),
      ]),
    ],
    targets: [
      ratio('post-64', 'probe-durable', 'eventsPerSecond', atLeast(0.85)),
      ratio('post-64', 'probe-durable', 'p99Ms', atMost(2)),
      ratio('post-1', 'probe-durable-1', 'p50Ms', atMost(1.3)),
      ratio('post-64-headers', 'post-64', 'eventsPerSecond', atLeast(0.9)),
      ratio('post-64-streams', 'post-64', 'eventsPerSecond', atLeast(0.9)),
      ratio('async-64', 'probe-http', 'eventsPerSecond', atLeast(0.7)),
      ratio('async-64', 'post-64', 'eventsPerSecond', atLeast(1)),
      ratio('post-256', 'probe-durable-256', 'eventsPerSecond'),
      ratio('post-64-1kb', 'probe-durable-1kb', 'eventsPerSecond'),
      ratio('post-64', 'probe-http', 'eventsPerSecond'),
    ],
  }
}
