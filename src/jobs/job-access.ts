/** What the token of a job must allow: `read` on streams it reads, `write` on those it writes, `admin` where it creates one. */
import type { Client } from '../auth/tokens.ts'
import type { StreamId } from '../streams/names.ts'

export type JobRole = 'read' | 'write' | 'admin'

export interface NeededGrant {
  readonly role: JobRole
  readonly stream: StreamId
}

/** The valid token of this name, as it is now. The function itself is undefined where tokens are not required. */
export type TokenNamed = ((name: string) => Client | undefined) | undefined

/** Whether a valid token besides this one may create jobs in some namespace. Undefined where tokens are not required. */
export type OthersMayCreateJobs = ((name: string) => boolean) | undefined

/** Why the job may not use these streams, as a sentence; undefined if it may. */
export function missingGrant(
  owner: string | undefined,
  needed: readonly NeededGrant[],
  named: TokenNamed,
): string | undefined {
  if (owner === undefined || named === undefined) return undefined
  const client = named(owner)
  if (client === undefined) return `token '${owner}' is not valid any more`
  const missing = needed.find(
    ({ role, stream: { namespace, stream } }) => !client.grants.allow(role, namespace, stream),
  )
  if (missing === undefined) return undefined
  return `token '${owner}' has no ${missing.role} grant for stream ${missing.stream.stream}`
}
