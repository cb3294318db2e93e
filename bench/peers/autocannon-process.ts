/** The process of a load by autocannon. */
import autocannon from 'autocannon'
import { EVENT_BYTES } from '../events/random-text.ts'
import { Meter } from '../load/meter.ts'
import type { HttpRequests } from './http-load.ts'
import { runJob } from './load-job.ts'
import { CONNECTIONS } from './peer.ts'

export interface AutocannonJob {
  readonly port: number
  readonly seconds: number
  readonly requests: HttpRequests
}

/** How exactly a run ends on time. */
const SAMPLE_MS = 50

await runJob<AutocannonJob>(({ port, seconds, requests }) => {
  const { method, path, headers, bodies } = requests
  const meter = new Meter()
  return new Promise((resolve, reject) => {
    const cannon = autocannon(
      {
        url: `http://127.0.0.1:${port}${path}`,
        connections: CONNECTIONS,
        duration: seconds,
        sampleInt: SAMPLE_MS,
        requests: bodies.map((body) => ({ method, path, headers, body })),
      },
      (error: unknown) => (error == null ? resolve(meter.result()) : reject(error)),
    )
    cannon.on('response', (_client, status, _bytes, ms) => {
      if (status >= 200 && status < 300) meter.answered(ms, 1, EVENT_BYTES)
      else meter.failed(String(status))
    })
    cannon.on('reqError', (error) => meter.failed(String(error.message)))
  })
})
