/** Load: uploads of text lines, made on the fly, each in one chunked request. */
import { request } from 'node:http'
import { performance } from 'node:perf_hooks'
import { Readable } from 'node:stream'
import { LINE_BYTES, linePieces, linePool } from './event-text.ts'
import type { UploadJob } from './jobs.ts'
import { reasonOf, repeating } from './repeat.ts'
import { runJob } from './run-job.ts'

await runJob<UploadJob>((job) => {
  const pool = linePool()
  return repeating(job, async (meter) => {
    const startMs = performance.now()
    try {
      const status = await upload(job.url, linePieces(pool, job.lines))
      if (status >= 200 && status < 300)
        meter.answered(performance.now() - startMs, job.lines, job.lines * LINE_BYTES)
      else meter.failed(String(status))
    } catch (error) {
      meter.failed(reasonOf(error))
    }
  })
})

/** The status of the answer; rejects if there is none. */
function upload(url: string, pieces: Iterable<Buffer>): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', headers: { 'content-type': 'text/plain' }, agent: false })
    sent.once('response', (answer) => {
      answer.resume()
      resolve(answer.statusCode!)
      if (!sent.writableFinished) sent.destroy() // refused before all of it was sent
    })
    sent.on('error', reject) // no matter once there is an answer
    Readable.from(pieces).pipe(sent)
  })
}
