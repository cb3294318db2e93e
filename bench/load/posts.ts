/** Load: one event per request over many keep-alive connections. */
import autocannon from 'autocannon'
import { EVENT_BYTES, randomEvent } from './event-text.ts'
import type { PostJob } from './jobs.ts'
import type { Meter } from './meter.ts'
import { reasonOf } from './repeat.ts'
import { runJob } from './run-job.ts'

/** How exactly a run ends on time. */
const SAMPLE_MS = 50

await runJob<PostJob>((job) => ({
  warmUp: (meter) => post(job, job.warmupSeconds, meter),
  measure: (meter) => post(job, job.seconds, meter),
}))

function post({ url, connections }: PostJob, seconds: number, meter: Meter): Promise<void> {
  return new Promise((resolve, reject) => {
    const cannon = autocannon(
      {
        url,
        connections,
        method: 'POST',
        duration: seconds,
        sampleInt: SAMPLE_MS,
        // Every connection has a body of its own, so that what is written together differs.
        setupClient: (client) => client.setBody(randomEvent()),
      },
      (error: unknown) => (error == null ? resolve() : reject(error)),
    )
    cannon.on('response', (_client, status, _bytes, ms) => {
      if (status >= 200 && status < 300) meter.answered(ms, 1, EVENT_BYTES)
      else meter.failed(String(status))
    })
    cannon.on('reqError', (error) => meter.failed(reasonOf(error)))
  })
}
