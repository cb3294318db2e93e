/** What the process of jobs is doing, as text for people. */

import type { FromJobWorker, JobId } from '../worker/job-worker-protocol.ts'
import type { ThreadDump } from '../worker-view.ts'

type Dumped = FromJobWorker & { readonly kind: 'dumped' }

/** The job that uses the engine, and for how long it has. */
export interface EngineUser {
  readonly jid: JobId
  readonly ms: number
}

/** `dumped`: the answer of the process; undefined: it has not answered in time. */
export function threadDumpOf(
  name: string,
  dumped: Dumped | undefined,
  user: EngineUser | undefined,
): ThreadDump {
  const engine =
    user === undefined
      ? 'no job uses the engine'
      : `job ${user.jid} has used the engine for ${Math.round(user.ms)} ms`
  if (dumped === undefined) return { name, text: `"${name}" busy\n    ${engine}\n` }
  const jobs = dumped.jobs.map(
    ({ jid, part, ms }) => `    job ${jid}: ${doing(part)} for ${Math.round(ms)} ms`,
  )
  return { name, text: [`"${name}"`, `    ${engine}`, ...jobs, dumped.stack, ''].join('\n') }
}

/** The parts of worker/step-clock.ts in words. */
function doing(part: string): string {
  const [kind, index] = part.split(' ')
  switch (kind) {
    case 'read':
      return 'reads its sources'
    case 'source':
      return `decodes events of source ${index}`
    case 'query':
      return index === undefined ? 'looks up rows or commits' : `runs query ${index}`
    case 'sink':
      return `waits for sink ${index}`
    default:
      return 'waits for events or for the engine'
  }
}
