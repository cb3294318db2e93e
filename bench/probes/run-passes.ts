/** Runs a probe of one process: the same pass again and again, in a child that is pinned like a server. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { endWithUs } from '../cleanup.ts'
import type { Round, Sample } from '../sample.ts'

/** The job of every probe process, besides its own options. */
export interface PassJob {
  readonly seconds: number
  readonly warmupSeconds: number
}

/** `entry` is the compiled file of the child, beside this one; it hands back its sample through `measurePasses`. */
export function runPasses<Job extends PassJob>(entry: string, job: Job, round: Round): Promise<Sample> {
  const file = fileURLToPath(new URL(`./${entry}.js`, import.meta.url))
  const words = [...round.pinServer, process.execPath, ...round.nodeFlags, file, JSON.stringify(job)]
  const child = spawn(words[0]!, words.slice(1), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  endWithUs(child)
  return new Promise((resolve, reject) => {
    let sample: Sample | undefined
    child.on('message', (message) => {
      sample = message as Sample
    })
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      if (sample !== undefined && code === 0) resolve(sample)
      else reject(new Error(`the probe '${entry}' ended with ${signal ?? `code ${code}`} and no result`))
    })
  })
}
