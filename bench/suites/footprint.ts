/** What the service takes: time to start, memory, disk. */
import { EVENT_BYTES } from '../events/random-text.ts'
import { atMost, figure, type Target } from '../targets.ts'
import { ofEach } from '../workloads/build-under-test.ts'
import { disk, idle, startUp } from '../workloads/footprint.ts'
import { fullReads, JSON_ARRAY } from '../workloads/full-reads.ts'
import { uploads } from '../workloads/uploads.ts'
import type { Suite, SuiteParts } from './suite.ts'

const MILLION = 1_000_000
const MANY_STREAMS = 10_000
/** Enough that the memory of the streams stands out, in a quick look as well. */
const FEWER_STREAMS = 1_000
/** Events of 100 bytes and their line ends in one GiB, rounded up to whole pools. */
const GIB_EVENTS = 10_640_000
/** What an event is granted on disk beside its body. */
const BESIDE_BYTES = 8

export function footprintSuite({ buildsUnderTest, quick }: SuiteParts): Suite {
  const streams = quick ? FEWER_STREAMS : MANY_STREAMS
  const posted = quick ? MILLION / 20 : MILLION
  return {
    name: 'footprint',
    about: 'time to start, memory, disk: one round',
    roundsMost: 1,
    cases: ofEach(buildsUnderTest, (buildUnderTest) => [
      startUp(buildUnderTest, { name: 'start-1m', about: 'start to /ping, 1 million events stored' }, () =>
        buildUnderTest.storeCache.oneStream(MILLION),
      ),
      startUp(
        buildUnderTest,
        {
          name: 'start-10m-10k',
          about: 'start to /ping, 10 million events and 10,000 streams stored',
          long: true,
        },
        () => buildUnderTest.storeCache.oneStreamAmongMany(10 * MILLION, MANY_STREAMS),
      ),
      idle(buildUnderTest, { name: 'idle-1-stream', about: 'a service at rest with 1 stream' }, () =>
        buildUnderTest.storeCache.manyStreams(1),
      ),
      idle(
        buildUnderTest,
        {
          name: 'idle-many-streams',
          about: `a service at rest with ${streams.toLocaleString('en-US')} streams`,
        },
        () => buildUnderTest.storeCache.manyStreams(streams),
      ),
      uploads(buildUnderTest, {
        name: 'disk-random',
        about: 'one batch of 1 million random lines of 100 bytes',
        body: 'text',
        events: MILLION,
        once: true,
      }),
      disk(
        {
          name: 'disk-posts',
          about: `${posted.toLocaleString('en-US')} random events that came one by one, merged`,
        },
        () => buildUnderTest.storeCache.mergedPosts(posted),
        EVENT_BYTES,
      ),
      uploads(buildUnderTest, {
        name: 'disk-log-lines',
        about: 'one batch of 1 million lines as a web server logs them',
        body: 'log-lines',
        events: MILLION,
        once: true,
      }),
      uploads(buildUnderTest, {
        name: 'upload-1gib',
        about: '1 GiB of text lines in one request to a service just started',
        body: 'text',
        events: GIB_EVENTS,
        once: true,
        long: true,
      }),
      fullReads(buildUnderTest, {
        name: 'read-10m',
        about: '10 million events as one JSON array from a service just started',
        accept: JSON_ARRAY,
        store: () => buildUnderTest.storeCache.oneStream(10 * MILLION),
        once: true,
        long: true,
      }),
    ]),
    targets: [
      {
        ...figure('start-10m-10k', 'p50Ms', atMost(1000)),
        row: 'start with 10 M events and 10 k streams, ms',
      },
      {
        row: `memory per idle stream, bytes, of ${streams.toLocaleString('en-US')}`,
        atMost: 2048,
        value: (read) =>
          ((read('idle-many-streams', 'rssMb') - read('idle-1-stream', 'rssMb')) * 1e6) / (streams - 1),
      },
      diskOfRandom('disk-random', MILLION),
      diskOfRandom('disk-posts', posted),
      {
        row: 'disk-log-lines, bytes on disk / bytes of events',
        atMost: 1,
        value: (read) => read('disk-log-lines', 'diskMb') / read('disk-log-lines', 'dataMb'),
      },
    ],
  }
}

function diskOfRandom(name: string, events: number): Target {
  return {
    row: `${name}, bytes on disk / (bytes of events + ${BESIDE_BYTES} each)`,
    atMost: 1.15,
    value: (read) => read(name, 'diskMb') / ((events * (EVENT_BYTES + BESIDE_BYTES)) / 1e6),
  }
}
