/** Load where there is no wrk: one event per request over many keep-alive connections. */
import autocannon from 'autocannon'
import { randomText } from '../events/random-text.ts'
import { streamName, streamPath } from '../events/streams.ts'
import type { PostJob } from './jobs.ts'
import type { Meter } from './meter.ts'
import { reasonOf } from './repeat.ts'
import { runJob } from './run-job.ts'

/** How exactly a run ends on time. */
const SAMPLE_MS = 50
const HEADERS = [
  ['sensor', 't-17'],
  ['unit', 'celsius'],
  ['site', 'north-2'],
] as const

await runJob<PostJob>((job) => ({
  warmUp: (meter) => post(job, job.warmupSeconds, meter),
  measure: (meter) => post(job, job.seconds, meter),
}))

function post(job: PostJob, seconds: number, meter: Meter): Promise<void> {
  const { base, connections, bodyBytes } = job
  let sent = 0
  // Every connection has a body of its own, so that the events of one write differ.
  const bodies = Array.from({ length: connections }, () => randomText(bodyBytes))
  return new Promise((resolve, reject) => {
    const cannon = autocannon(
      {
        url: base,
        connections,
        duration: seconds,
        sampleInt: SAMPLE_MS,
        requests: [
          {
            setupRequest: (request) => {
              const at = sent++
              return { ...request, ...requestOf(job, at), body: bodies[at % connections]! }
            },
          },
        ],
      },
      (error: unknown) => (error == null ? resolve() : reject(error)),
    )
    cannon.on('response', (_client, status, _bytes, ms) => {
      if (status >= 200 && status < 300) meter.answered(ms, 1, bodyBytes)
      else meter.failed(String(status))
    })
    cannon.on('reqError', (error) => meter.failed(reasonOf(error)))
  })
}

function requestOf({ streams, async, headers }: PostJob, at: number) {
  const name = streamName(at, streams)
  return {
    method: 'POST' as const,
    path: `${streamPath(name)}${async ? '/async' : ''}`,
    headers: Object.fromEntries(HEADERS.slice(0, headers).map(([key, value]) => [`${name}.${key}`, value])),
  }
}
