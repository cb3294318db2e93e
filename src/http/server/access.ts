/** What routes ask of their callers, where tokens are required. */
import type { Role } from '../../auth/grants.ts'

/** What a route asks of whoever calls it. */
export type Access =
  | 'anybody' // strangers, too
  | 'client' // any good token
  | 'in-namespace' // a grant for something in the namespace; what is listed is what the grants include
  | 'namespace' // admin of all of the namespace
  | 'stream' // any role on the stream
  | Role // this role on the stream
