/** Checkpoints and rates of all live jobs, and the checkpoints of those that have ended last. */
import { type Checkpoint, Checkpoints } from './checkpoint-history.ts'
import { JobRates } from './job-rates.ts'
import type { JobWatch } from './live-job.ts'
import type { JobId } from './worker/job-worker-protocol.ts'

/** Of ended jobs; each takes about 2 KiB. */
const ENDED_MAX = 200

export class JobWatches {
  readonly #live = new Map<JobId, JobWatch>()
  /** In the order in which the jobs ended. */
  readonly #ended = new Map<JobId, JobWatch>()

  add(jid: JobId): JobWatch {
    const watch = { checkpoints: new Checkpoints(), rates: new JobRates() }
    this.#live.set(jid, watch)
    return watch
  }

  find(jid: JobId): JobWatch | undefined {
    return this.#live.get(jid) ?? this.#ended.get(jid)
  }

  /** No effect for a job that ended long ago. */
  savepointed(jid: JobId, savepoint: Checkpoint): void {
    this.find(jid)?.checkpoints.savepointed(savepoint)
  }

  ended(jid: JobId): void {
    const watch = this.#live.get(jid)
    if (watch === undefined) return
    this.#live.delete(jid)
    watch.checkpoints.ended()
    this.#ended.set(jid, watch)
    for (const oldest of this.#ended.keys()) {
      if (this.#ended.size <= ENDED_MAX) return
      this.#ended.delete(oldest)
    }
  }

  remove(jid: JobId): void {
    this.#live.delete(jid)
    this.#ended.delete(jid)
  }
}
