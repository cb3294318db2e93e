/** The frame of a load process: takes the job, waits between warm-up and measuring, hands back the result, ends. */
import { once } from 'node:events'
import type { FromLoad } from './jobs.ts'
import { joined } from './joined.ts'
import { Meter } from './meter.ts'

export interface LoadWork {
  warmUp(meter: Meter): Promise<void>
  measure(meter: Meter): Promise<void>
}

export async function runJob<Job>(prepare: (job: Job) => LoadWork | Promise<LoadWork>): Promise<void> {
  process.once('disconnect', () => process.exit(1)) // the bench is gone
  process.on('SIGINT', () => {}) // the bench gets it, too, and ends us
  const work = await prepare(JSON.parse(process.argv[2]!) as Job)
  const warmup = new Meter()
  await work.warmUp(warmup)
  const go = once(process, 'message')
  await tell({ kind: 'warm' })
  await go
  const measured = new Meter()
  await work.measure(measured)
  await tell({ kind: 'result', result: joined(warmup.result(), measured.result()) })
  process.exit(0)
}

function tell(message: FromLoad): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send!(message, (error: Error | null) => (error === null ? resolve() : reject(error)))
  })
}
