/** What cached queries need of jobs. `Jobs` has it. */
import type { JobView } from '../jobs/job.ts'
import type { JobOwner } from '../jobs/job-service.ts'
import type { NewQueryJob } from '../jobs/query-job.ts'
import type { JobId } from '../jobs/worker/job-worker-protocol.ts'

export interface JobsOfQueries {
  createQuery(query: NewQueryJob, owner: JobOwner): Promise<JobView>
  endQuery(jid: JobId, options?: { readonly removes?: boolean }): Promise<void>
  find(jid: string): JobView | undefined
}
