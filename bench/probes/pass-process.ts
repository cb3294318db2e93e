/** The frame of a probe process: takes the job, repeats the pass, sends the result, ends. */
import { readFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { setImmediate } from 'node:timers/promises'
import type { Sample } from '../sample.ts'
import type { PassJob } from './run-passes.ts'

/** What one pass went through. */
export interface PassCounts {
  readonly events: number
  readonly bytes: number
}

export interface Passes {
  pass(): Promise<PassCounts> | PassCounts
  close?(): Promise<void>
}

/** At least one pass to warm up, and one that counts. The last pass is finished, so a round may take a little longer. */
export async function measurePasses<Job extends PassJob>(
  prepare: (job: Job) => Promise<Passes> | Passes,
): Promise<void> {
  process.once('disconnect', () => process.exit(1)) // the bench is gone
  const job = JSON.parse(process.argv[2]!) as Job
  const passes = await prepare(job)
  await repeat(passes, job.warmupSeconds)
  const sample = await repeat(passes, job.seconds)
  await passes.close?.()
  await new Promise<void>((resolve, reject) => {
    process.send!(sample, (error: Error | null) => (error === null ? resolve() : reject(error)))
  })
  process.exit(0)
}

async function repeat(passes: Passes, seconds: number): Promise<Sample> {
  const startMs = performance.now()
  const startCpu = process.cpuUsage()
  let [answers, events, bytes, elapsedSeconds] = [0, 0, 0, 0]
  do {
    const counts = await passes.pass()
    answers++
    events += counts.events
    bytes += counts.bytes
    await setImmediate() // native memory is freed in the event loop, which a loop in memory never reaches
    elapsedSeconds = (performance.now() - startMs) / 1000
  } while (elapsedSeconds < seconds)
  const { user, system } = process.cpuUsage(startCpu)
  const cpuSeconds = (user + system) / 1e6
  return {
    seconds: elapsedSeconds,
    answers,
    events,
    bytes,
    cpuSeconds,
    rssPeakBytes: rssPeak(),
    failures: {},
  }
}

/** `maxRSS` may be that of the process that started this one, so it is only the second choice. */
function rssPeak(): number {
  try {
    const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))!
    return Number(kib) * 1024
  } catch {
    return process.resourceUsage().maxRSS * 1024
  }
}
