/** Load: reads of a whole stream, by one client that does nothing with the events but count them. */
import { performance } from 'node:perf_hooks'
import type { ReadJob } from './jobs.ts'
import { readEvents } from './read-events.ts'
import { reasonOf, repeating } from './repeat.ts'
import { runJob } from './run-job.ts'

await runJob<ReadJob>((job) =>
  repeating(job, async (meter) => {
    const startMs = performance.now()
    try {
      const { status, events, bytes } = await readEvents(job.url, job.accept)
      if (status !== 200) meter.failed(String(status))
      else if (events < job.eventsLeast) meter.failed(`only ${events} events`)
      else meter.answered(performance.now() - startMs, events, bytes)
    } catch (error) {
      meter.failed(reasonOf(error))
    }
  }),
)
