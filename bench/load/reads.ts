/**
 * Load: reads of a whole stream. The first one, which warms up, counts the events; those that are measured come over a
 * bare socket and must have as many bytes, so that the client hardly works.
 */
import { performance } from 'node:perf_hooks'
import type { ReadJob } from './jobs.ts'
import type { Meter } from './meter.ts'
import { rawRead } from './raw-read.ts'
import { readEvents } from './read-events.ts'
import { reasonOf, repeating } from './repeat.ts'
import { runJob } from './run-job.ts'

await runJob<ReadJob>((job) => {
  const { warmUp, measure } = repeating(job, (meter) => readOnce(job, meter))
  let bodyBytes = 0
  return {
    async warmUp(meter) {
      bodyBytes = await readCounting(job, meter)
      await warmUp(meter)
    },
    measure,
  }

  async function readOnce({ url, accept, events }: ReadJob, meter: Meter): Promise<void> {
    const startMs = performance.now()
    try {
      const { status, whole, bytes } = await rawRead(url, accept)
      if (status !== 200) meter.failed(String(status))
      else if (!whole || bytes < bodyBytes) meter.failed(`cut off after ${bytes} bytes`)
      else meter.answered(performance.now() - startMs, events, bodyBytes)
    } catch (error) {
      meter.failed(reasonOf(error))
    }
  }
})

/** Bytes of the body. */
async function readCounting(job: ReadJob, meter: Meter): Promise<number> {
  const { status, events, bytes } = await readEvents(job.url, job.accept)
  if (status !== 200) meter.failed(String(status))
  else if (events !== job.events) meter.failed(`${events} events instead of ${job.events}`)
  return bytes
}
