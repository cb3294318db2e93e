/** The four POSTs. Each answers 201, also a check and a deletion. */
import type { ConnectionRequest, QueryService } from '../../cached-queries/query-service.ts'
import { parseNamespaceName } from '../../streams/names.ts'
import type { Namespaces } from '../../streams/namespaces.ts'
import type { AppOptions } from '../api.ts'
import { assertNoForeignForm } from '../messages/cross-site.ts'
import { documentReader } from '../messages/documents.ts'
import type { HttpContext } from '../server/bindings.ts'
import { assertMayChange } from './access.ts'
import { bodyForm } from './body-form.ts'
import type { Call } from './call-bodies.ts'
import { connectionStatus, createdConnection, type Worker } from './connection-json.ts'
import { CACHED_QUERIES_DOCUMENTS } from './documents.ts'
import { invalidRequest, shownValue } from './fields.ts'
import { createdQuery } from './query-json.ts'

export function callRoutes(
  service: QueryService,
  namespaces: Namespaces,
  workerOf: (c: HttpContext) => Worker,
  options: AppOptions,
) {
  const readDocument = documentReader(CACHED_QUERIES_DOCUMENTS, options, 'the body')

  /** Checks names, then the grants of the token, then that the namespace exists. */
  function requestOf(c: HttpContext, { connectionString, name, namespace: given }: Call): ConnectionRequest {
    const ofQuery = c.req.query('namespace')
    if (given !== undefined && ofQuery !== undefined && given !== ofQuery)
      throw invalidRequest('namespace is in the query and, with another value, in the body; send it once')
    const named = given ?? ofQuery ?? 'default'
    if (/[:@/%]/.test(named))
      throw invalidRequest(`namespace is ${shownValue(named)}; use letters, digits and _`)
    const namespace = parseNamespaceName(named)
    c.set('subject', { namespace, id: name })
    assertMayChange(c, namespace, name)
    return { namespace: namespaces.get(namespace).name, name, connectionString }
  }

  return {
    async createConnection(c: HttpContext) {
      assertNoForeignForm(c)
      const call = await readDocument(c, 'createConnection', bodyForm(c))
      const { tables } = call
      const view = await service.createConnection({
        ...requestOf(c, call),
        ...(tables !== undefined && { tables }),
      })
      return created(c, createdConnection(view), `/connections/${view.id}`)
    },

    async createQuery(c: HttpContext) {
      assertNoForeignForm(c)
      const call = await readDocument(c, 'createQuery', bodyForm(c))
      const { schema, sqlQuery } = call
      const request = { ...requestOf(c, call), schema, sqlQuery }
      const view = await service.createQuery(request, c.get('client') ?? undefined)
      c.set('subject', { namespace: view.namespace, id: view.name })
      return created(c, createdQuery(view), `/queries/${view.id}`)
    },

    async deleteConnection(c: HttpContext) {
      assertNoForeignForm(c)
      const call = await readDocument(c, 'deleteConnection', bodyForm(c))
      const { connection, queries } = await service.deleteConnection(requestOf(c, call), {
        purge: call.purge,
      })
      const { id, name, status, slotDropped } = connection
      return created(c, { id, name, status, queries, slotDropped }, `/connections/${id}`)
    },

    async check(c: HttpContext) {
      assertNoForeignForm(c)
      const call = await readDocument(c, 'check', bodyForm(c))
      const status = await service.check(requestOf(c, call))
      return created(c, connectionStatus(status, workerOf(c)), `/connections/${status.connection.id}`)
    },
  }
}

/** Whatever the client accepts. */
function created(c: HttpContext, value: object, location: string): Response {
  return c.body(JSON.stringify(value), 201, { 'Content-Type': 'application/json', Location: location })
}
