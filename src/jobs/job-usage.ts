/**
 * Jobs in the usage registry: application `jobs`, type `Flow`, program = name of the job. Names of programs have fewer characters
 * than names of jobs: every other character is `_` there, and the name is cut at the longest name that a program may have.
 */

import type { StreamId } from '../streams/names.ts'
import {
  type ApplicationName,
  NAME_BYTES_MAX,
  type NamespaceName,
  parseApplicationName,
  parseProgramName,
} from '../streams/names.ts'
import type { ProgramId, UsageRegistry } from '../streams/usage.ts'
import type { JobId } from './worker/job-worker-protocol.ts'

const APPLICATION: ApplicationName = parseApplicationName('jobs')

export function programOf(namespace: NamespaceName, jobName: string): ProgramId {
  const program = parseProgramName(jobName.replaceAll(/[^a-zA-Z0-9_-]/g, '_').slice(0, NAME_BYTES_MAX) || '_')
  return { namespace, application: APPLICATION, type: 'Flow', program }
}

/** The uses of jobs that have not ended. Several jobs may have one name. */
export class JobUsage {
  readonly #usage: UsageRegistry
  readonly #uses = new Map<JobId, { readonly program: ProgramId; readonly streams: readonly StreamId[] }>()

  constructor(usage: UsageRegistry) {
    this.#usage = usage
  }

  add(jid: JobId, program: ProgramId, streams: readonly StreamId[]): void {
    this.#uses.set(jid, { program, streams })
    for (const stream of streams) this.#usage.register(program, stream)
  }

  remove(jid: JobId): void {
    const use = this.#uses.get(jid)
    if (use === undefined) return
    this.#uses.delete(jid)
    for (const stream of use.streams) this.#usage.unregister(use.program, stream)
    // Another job of the same name may use the same streams.
    for (const { program, streams } of this.#uses.values()) {
      if (program.namespace === use.program.namespace && program.program === use.program.program)
        for (const stream of streams) this.#usage.register(program, stream)
    }
  }

  clear(): void {
    for (const jid of [...this.#uses.keys()]) this.remove(jid)
  }
}
