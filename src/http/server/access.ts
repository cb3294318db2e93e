/** What a route requires of its client, where tokens are required. */
import type { Role } from '../../auth/grants.ts'

export type Access =
  | 'anybody' // also a client without a token
  | 'client' // any good token
  | 'in-namespace' // a grant for something in the namespace; what is listed is what the grants include
  | 'namespace' // admin of all of the namespace
  | 'operator' // admin of all namespaces
  | 'stream' // any role on the stream
  | 'jobs' // this role, or admin, on all of the namespace
  | Exclude<Role, 'jobs'> // this role on the stream
