/** Runs one load in a process of its own and waits for its result. */
import { spawn } from 'node:child_process'
import { endWithUs } from '../cleanup.ts'
import type { FromLoad, LoadEntry, LoadJobs, LoadResult, ToLoad } from '../load/jobs.ts'
import { benchProgram } from '../paths.ts'

export interface LoadOptions<Entry extends LoadEntry> {
  readonly entry: Entry
  readonly job: LoadJobs[Entry]
  /** Command words before `node`. */
  readonly pin: readonly string[]
  /** Called between warm-up and measuring, while the load stands still. */
  readonly onWarm?: (() => void) | undefined
}

export function runLoad<Entry extends LoadEntry>(options: LoadOptions<Entry>): Promise<LoadResult> {
  const { entry, job, pin, onWarm } = options
  const words = [...pin, process.execPath, benchProgram(`load/${entry}`), JSON.stringify(job)]
  const child = spawn(words[0]!, words.slice(1), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  endWithUs(child)
  return new Promise((resolve, reject) => {
    child.on('message', (message: FromLoad) => {
      if (message.kind === 'result') return resolve(message.result)
      onWarm?.()
      child.send('go' satisfies ToLoad)
    })
    child.once('error', reject)
    child.once('exit', (code, signal) =>
      reject(new Error(`the load process '${entry}' ended with ${signal ?? `code ${code}`} and no result`)),
    )
  })
}
