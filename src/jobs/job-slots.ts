/**
 * The slots of jobs, and how tokens share them. A job runs until it is cancelled, so no slot can be taken back for a token that
 * comes later. So while another token may create jobs, too, the last quarter of the slots is kept:
 *
 *   A token without a job gets every free slot, and the last one is for such a token.
 *   A token with jobs gets one of the others while it has less than its share, with one token more counted than there are.
 *
 * A token that alone may create jobs takes all.
 */
import { ServiceError } from '../service-error.ts'

export interface SlotsNow {
  readonly jobsMax: number
  /** Owners of the jobs that have not ended. */
  readonly owners: readonly (string | undefined)[]
}

const KEPT_PART = 1 / 4

/** `hasOthers`: another valid token may create jobs. Throws ServiceError 'job_slots' if the owner may not have one more. */
export function assertSlot(
  { jobsMax, owners }: SlotsNow,
  owner: string | undefined,
  hasOthers: boolean,
): void {
  const free = jobsMax - owners.length
  if (free <= 0) throw new ServiceError('job_slots', `all ${jobsMax} job slots are in use`)
  const held = owners.filter((one) => one === owner).length
  if (owner === undefined || !hasOthers || held === 0 || free > Math.ceil(jobsMax * KEPT_PART)) return
  const share = jobsMax / (new Set(owners).size + 1)
  if (free > 1 && held < share) return
  const kept =
    free === 1
      ? 'the last free one is kept for a token without a job'
      : `the ${free} free ones are kept for tokens with fewer`
  throw new ServiceError(
    'job_slots',
    `token '${owner}' has ${held} of ${jobsMax} job slots, and ${kept}; cancel a job first`,
  )
}
