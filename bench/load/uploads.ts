/** Load: uploads of bodies made before, one after the other. */
import { request } from 'node:http'
import { performance } from 'node:perf_hooks'
import { Readable } from 'node:stream'
import { eventBytesOf, lengthOf, piecesOf, type UploadBody, uploadBody } from '../events/upload-body.ts'
import type { UploadJob } from './jobs.ts'
import { reasonOf, repeating } from './repeat.ts'
import { runJob } from './run-job.ts'

await runJob<UploadJob>(async (job) => {
  const body = await uploadBody(job.body)
  return repeating(job, async (meter) => {
    const startMs = performance.now()
    try {
      const status = await upload(job.url, body, job.events)
      if (status >= 200 && status < 300)
        meter.answered(performance.now() - startMs, job.events, eventBytesOf(body, job.events))
      else meter.failed(String(status))
    } catch (error) {
      meter.failed(reasonOf(error))
    }
  })
})

/** The status of the answer; rejects if there is none. */
function upload(url: string, body: UploadBody, events: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': body.contentType, 'content-length': lengthOf(body, events) }
    const sent = request(url, { method: 'POST', headers, agent: false })
    sent.once('response', (answer) => {
      answer.resume()
      resolve(answer.statusCode!)
      if (!sent.writableFinished) sent.destroy() // refused before all of it was sent
    })
    sent.on('error', reject) // no matter once there is an answer
    Readable.from(piecesOf(body, events), { objectMode: true, highWaterMark: 4 }).pipe(sent)
  })
}
