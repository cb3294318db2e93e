/**
 * Who may use which connection and query. A call names its environment in the body, so the handler decides: changes need `admin` for
 * all streams of the environment, or `jobs` in the namespace; a query is read by those who may read the stream of its result.
 *
 * To a client without any grant in its namespace a connection or a query does not exist; with one, the refusal is 403.
 */
import type { Grants } from '../../auth/grants.ts'
import type { Client } from '../../auth/tokens.ts'
import type { ConnectionStatusView, QueryView } from '../../cached-queries/query-service.ts'
import { CaptureError } from '../../cdc/capture-service.ts'
import { ServiceError } from '../../service-error.ts'
import type { HttpContext } from '../server/bindings.ts'

/** Decided from names alone, before anything is looked up. Throws ServiceError 'no_grant'. */
export function assertMayChange(c: HttpContext, namespace: string, name: string): void {
  const client = c.get('client')
  if (!client || mayChange(client.grants, namespace, name)) return
  throw new ServiceError(
    'no_grant',
    `token '${client.name}' has neither admin for ${namespace}:${name}-* nor jobs for ${namespace}:*`,
  )
}

/** Throws ServiceError 'no_grant', and CaptureError 'not_found' with the sentence for a query that does not exist. */
export function assertMayRead(c: HttpContext, { id, namespace, stream }: QueryView): void {
  const client = c.get('client')
  if (!client || client.grants.allow('read', namespace, stream.stream)) return
  if (!client.grants.includePartOf(namespace)) throw noQuery(id)
  throw new ServiceError('no_grant', `token '${client.name}' has no read grant for the stream of this query`)
}

/** Throws as `assertMayRead`. */
export function assertMayDelete(c: HttpContext, { id, namespace }: QueryView, environment: string): void {
  if (c.get('client')?.grants.includePartOf(namespace) === false) throw noQuery(id)
  assertMayChange(c, namespace, environment)
}

export function mayRead(client: Client | null | undefined, { namespace, stream }: QueryView): boolean {
  return !client || client.grants.allow('read', namespace, stream.stream)
}

/** Whether a client sees a connection: it may change it, or may read a stream of it. */
export function seesConnection(client: Client | null | undefined, { connection }: ConnectionStatusView) {
  if (!client) return true
  const { namespace, name } = connection
  return (
    mayChange(client.grants, namespace, name) || client.grants.allowSome('read', namespace, streamsOf(name))
  )
}

/** Throws ServiceError 'no_grant', and CaptureError 'not_found' with the sentence for a connection that does not exist. */
export function assertSees(c: HttpContext, status: ConnectionStatusView): void {
  const client = c.get('client')
  if (!client || seesConnection(client, status)) return
  const { id, namespace } = status.connection
  if (!client.grants.includePartOf(namespace)) throw noConnection(id)
  throw new ServiceError(
    'no_grant',
    `token '${client.name}' has no read grant for a stream of this connection`,
  )
}

/** With the queries and jobs that the client may read, or all of them to one that may change the connection. */
export function visiblePart(
  client: Client | null | undefined,
  status: ConnectionStatusView,
): ConnectionStatusView {
  const { namespace, name } = status.connection
  if (!client || mayChange(client.grants, namespace, name)) return status
  const queries = status.queries.filter((query) => mayRead(client, query))
  const jids = new Set(queries.map(({ jid }) => jid))
  return { ...status, queries, jobs: status.jobs.filter(({ jid }) => jids.has(jid)) }
}

export function noQuery(id: number | string): CaptureError {
  return new CaptureError('not_found', `query ${id} does not exist`)
}

export function noConnection(id: number | string): CaptureError {
  return new CaptureError('not_found', `connection ${id} does not exist`)
}

/** What the names of all streams of an environment begin with. */
function streamsOf(name: string): string {
  return `${name}-`
}

function mayChange(grants: Grants, namespace: string, name: string): boolean {
  return grants.allowPrefix('admin', namespace, streamsOf(name)) || grants.allowAll('jobs', namespace)
}
