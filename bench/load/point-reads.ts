/** Load where there is no wrk: reads of a few events from a random time on. */
import autocannon from 'autocannon'
import { streamName, streamPath } from '../events/streams.ts'
import type { PointReadJob } from './jobs.ts'
import type { Meter } from './meter.ts'
import { reasonOf } from './repeat.ts'
import { runJob } from './run-job.ts'

/** How exactly a run ends on time. */
const SAMPLE_MS = 50

await runJob<PointReadJob>((job) => ({
  warmUp: (meter) => read(job, job.warmupSeconds, meter),
  measure: (meter) => read(job, job.seconds, meter),
}))

function read(job: PointReadJob, seconds: number, meter: Meter): Promise<void> {
  return new Promise((resolve, reject) => {
    const cannon = autocannon(
      {
        url: job.base,
        connections: job.connections,
        duration: seconds,
        sampleInt: SAMPLE_MS,
        requests: [{ setupRequest: (request) => ({ ...request, method: 'GET', path: pathOf(job) }) }],
      },
      (error: unknown) => (error == null ? resolve() : reject(error)),
    )
    cannon.on('response', (_client, status, bytes, ms) => {
      if (status === 200) meter.answered(ms, job.limit, bytes)
      else meter.failed(String(status))
    })
    cannon.on('reqError', (error) => meter.failed(reasonOf(error)))
  })
}

function pathOf({ streams, startMs, endMs, limit }: PointReadJob): string {
  const name = streamName(Math.floor(Math.random() * streams), streams)
  const start = startMs + Math.floor(Math.random() * (endMs - startMs + 1))
  return `${streamPath(name)}/events?start=${start}&limit=${limit}`
}
