/** All jobs in memory, by namespace and id. */
import type { NamespaceName } from '../streams/names.ts'
import type { JobRecord } from './job-record.ts'
import type { JobId } from './worker/job-worker-protocol.ts'

export class JobList {
  readonly #byId = new Map<JobId, JobRecord>()
  /** Each in the order of creation. */
  readonly #byNamespace = new Map<NamespaceName, Map<JobId, JobRecord>>()
  lastNumber = 0

  add(record: JobRecord): void {
    this.#byId.set(record.jid, record)
    let jobs = this.#byNamespace.get(record.namespace)
    if (jobs === undefined) {
      jobs = new Map()
      this.#byNamespace.set(record.namespace, jobs)
    }
    jobs.set(record.jid, record)
    this.lastNumber = Math.max(this.lastNumber, record.number)
  }

  remove({ jid, namespace }: JobRecord): void {
    this.#byId.delete(jid)
    const jobs = this.#byNamespace.get(namespace)
    jobs?.delete(jid)
    if (jobs?.size === 0) this.#byNamespace.delete(namespace)
  }

  has(jid: JobId): boolean {
    return this.#byId.has(jid)
  }

  /** In any namespace. */
  withId(jid: JobId): JobRecord | undefined {
    return this.#byId.get(jid)
  }

  find(namespace: NamespaceName, jid: JobId): JobRecord | undefined {
    return this.#byNamespace.get(namespace)?.get(jid)
  }

  /** Newest first. */
  of(namespace: NamespaceName): readonly JobRecord[] {
    return [...(this.#byNamespace.get(namespace)?.values() ?? [])].reverse()
  }

  /** In the order of creation. */
  all(): Iterable<JobRecord> {
    return this.#byId.values()
  }
}
