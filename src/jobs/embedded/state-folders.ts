/** The folders with the states of jobs: `<data>/jobs/<jid>/`. */
import { readdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { makeFolder } from '../../../storage/make-folder.ts'
import { syncFolder } from '../../../storage/sync-folder.ts'
import type { JobId } from '../worker/job-worker-protocol.ts'

/** In the data folder. */
export const JOBS_FOLDER = 'jobs'
/** Only folders with such a name are removed. */
const JOB_ID = /^[0-9a-f]{32}$/

export class StateFolders {
  readonly folder: string

  constructor(folder: string) {
    this.folder = folder
  }

  of(jid: JobId): string {
    return join(this.folder, jid)
  }

  /** Creates the folder of the job, if it is missing, and makes its name durable. */
  async make(jid: JobId): Promise<string> {
    const folder = this.of(jid)
    for (const created of makeFolder(folder)) await syncFolder(dirname(created))
    return folder
  }

  remove(jid: JobId): Promise<void> {
    return rm(this.of(jid), { recursive: true, force: true })
  }

  /** Removes the folders of all other jobs, one by one. */
  async removeOthers(live: ReadonlySet<JobId>): Promise<void> {
    const names = await readdir(this.folder).catch(() => []) // no job has run yet
    for (const name of names) if (JOB_ID.test(name) && !live.has(name)) await this.remove(name)
  }
}
