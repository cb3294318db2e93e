/** Many events per request. */
import { atLeast, ratio } from '../targets.ts'
import { ofEach } from '../workloads/build-under-test.ts'
import { uploads } from '../workloads/uploads.ts'
import { ceilings } from './ceilings.ts'
import type { Suite, SuiteParts } from './suite.ts'

const MILLION = 1_000_000

export function uploadSuite({ buildsUnderTest, quick }: SuiteParts): Suite {
  const repeated = quick ? ({ once: true } as const) : {}
  return {
    name: 'uploads',
    about: 'batches of 1 million events of 100 bytes, one after the other, where nothing else is said',
    cases: [
      ...ceilings('probe-block-writes', 'probe-block-writes-16mib', 'loop-text'),
      ...ofEach(buildsUnderTest, (buildUnderTest) => [
        uploads(buildUnderTest, {
          name: 'upload-text-10mb',
          about: 'lines of text, 100,000 of them',
          body: 'text',
          events: MILLION / 10,
          ...repeated,
        }),
        uploads(buildUnderTest, {
          name: 'upload-text-100mb',
          about: 'lines of text',
          body: 'text',
          events: MILLION,
          ...repeated,
        }),
        uploads(buildUnderTest, {
          name: 'upload-csv',
          about: 'CSV without a quote',
          body: 'csv',
          events: MILLION,
          ...repeated,
        }),
        uploads(buildUnderTest, {
          name: 'upload-csv-quotes',
          about: 'CSV, half of the records with quoted fields',
          body: 'csv-quotes',
          events: MILLION,
          ...repeated,
        }),
        uploads(buildUnderTest, {
          name: 'upload-avro',
          about: 'an Avro container file compressed with snappy',
          body: 'avro',
          events: MILLION,
          ...repeated,
        }),
      ]),
      ...ceilings('loop-csv', 'loop-csv-quotes', 'loop-avro', 'loop-avro-ours'),
    ],
    targets: [
      ratio('upload-text-100mb', 'probe-block-writes', 'mbPerSecond', atLeast(0.7)),
      ratio('upload-text-10mb', 'probe-block-writes', 'mbPerSecond', atLeast(0.7)),
      ratio('upload-csv', 'upload-text-100mb', 'mbPerSecond', atLeast(0.9)),
      ratio('upload-csv-quotes', 'upload-text-100mb', 'mbPerSecond', atLeast(0.6)),
      ratio('upload-avro', 'loop-avro', 'eventsPerSecond', atLeast(0.5)),
      ratio('loop-csv', 'loop-text', 'mbPerSecond'),
      ratio('loop-csv-quotes', 'loop-text', 'mbPerSecond'),
      ratio('loop-avro-ours', 'loop-avro', 'eventsPerSecond'),
      ratio('upload-text-100mb', 'loop-text', 'mbPerSecond'),
      ratio('upload-csv-quotes', 'loop-csv-quotes', 'mbPerSecond'),
    ],
  }
}
