/** Reads of everything. The files are in the page cache: this measures the service, not the disk. */
import { atLeast, ratio } from '../targets.ts'
import { type BuildUnderTest, ofEach } from '../workloads/build-under-test.ts'
import { fullReads, JSON_ARRAY, NDJSON } from '../workloads/full-reads.ts'
import { ceilings } from './ceilings.ts'
import type { Suite, SuiteParts } from './suite.ts'

const MILLION = 1_000_000

export function readSuite({ buildsUnderTest, quick }: SuiteParts): Suite {
  const posted = quick ? MILLION / 20 : MILLION
  const repeated = quick ? ({ once: true } as const) : {}
  const stored = ({ storeCache }: BuildUnderTest) => ({
    ...repeated,
    store: () => storeCache.oneStream(MILLION),
  })
  const merged = ({ storeCache }: BuildUnderTest) => ({
    ...repeated,
    store: () => storeCache.mergedPosts(posted),
  })
  const singly = `${posted.toLocaleString('en-US')} events that came one by one and have been merged`
  return {
    name: 'reads',
    about: 'GET of a whole stream, over and over; latencies are those of a whole read',
    cases: [
      ...ceilings('loop-json', 'loop-ndjson', 'probe-block-scan'),
      ...ofEach(buildsUnderTest, (buildUnderTest) => [
        fullReads(buildUnderTest, {
          name: 'read-json',
          about: '1 million events as one JSON array',
          accept: JSON_ARRAY,
          ...stored(buildUnderTest),
        }),
        fullReads(buildUnderTest, {
          name: 'read-json-merged',
          about: `${singly}, as one JSON array`,
          accept: JSON_ARRAY,
          ...merged(buildUnderTest),
        }),
        fullReads(buildUnderTest, {
          name: 'read-ndjson',
          about: '1 million events as NDJSON',
          accept: NDJSON,
          ...stored(buildUnderTest),
        }),
        fullReads(buildUnderTest, {
          name: 'read-ndjson-merged',
          about: `${singly}, as NDJSON`,
          accept: NDJSON,
          ...merged(buildUnderTest),
        }),
      ]),
    ],
    targets: [
      ratio('read-json', 'loop-json', 'eventsPerSecond', atLeast(0.5)),
      ratio('read-ndjson', 'loop-ndjson', 'eventsPerSecond', atLeast(0.5)),
      ratio('read-json-merged', 'read-json', 'eventsPerSecond', atLeast(0.8)),
      ratio('read-ndjson-merged', 'read-ndjson', 'eventsPerSecond', atLeast(0.8)),
      ratio('read-json', 'probe-block-scan', 'eventsPerSecond'),
    ],
  }
}
