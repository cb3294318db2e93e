/** GETs of connections and queries, and DELETE of a query. */
import type { QueryService, QueryView } from '../../cached-queries/query-service.ts'
import type { AppOptions } from '../api.ts'
import { answerJson } from '../messages/answers.ts'
import { answerParts, arrayParts } from '../messages/sliced-answer.ts'
import type { HttpContext } from '../server/bindings.ts'
import { assertMayDelete, assertSees, mayRead, noConnection, seesConnection, visiblePart } from './access.ts'
import { truthOf } from './call-bodies.ts'
import { connectionStatus, type Worker } from './connection-json.ts'
import { presentQuery } from './query-json.ts'
import { idOf, readableQuery, someQuery } from './query-of.ts'

export function readRoutes(service: QueryService, workerOf: (c: HttpContext) => Worker, options: AppOptions) {
  return {
    async connections(c: HttpContext) {
      const client = c.get('client')
      await service.advance()
      const worker = workerOf(c)
      return answerList(c, 'connections', service.connections(), (status) =>
        seesConnection(client, status)
          ? JSON.stringify(connectionStatus(visiblePart(client, status), worker))
          : undefined,
      )
    },

    async connection(c: HttpContext) {
      const client = c.get('client')
      const text = c.req.param('connection') ?? ''
      const id = idOf(text)
      if (id === undefined) throw noConnection(text.slice(0, 20))
      await service.advance({ connection: id })
      const status = service.connection(id)
      assertSees(c, status)
      return answerJson(c, connectionStatus(visiblePart(client, status), workerOf(c)))
    },

    async queries(c: HttpContext) {
      const client = c.get('client')
      await service.advance()
      const print = (query: QueryView) =>
        mayRead(client, query) ? JSON.stringify(presentQuery(query)) : undefined
      return answerList(c, 'queries', service.queries(), print)
    },

    async query(c: HttpContext) {
      const { id } = readableQuery(c, service)
      await service.advance({ query: id })
      return answerJson(c, presentQuery(readableQuery(c, service)))
    },

    async deleteQuery(c: HttpContext) {
      const query = someQuery(c, service)
      c.set('subject', { namespace: query.namespace, id: query.name })
      assertMayDelete(c, query, service.connection(query.connection).connection.name)
      const purge = truthOf('purge', c.req.query('purge'))
      const { id, name } = await service.deleteQuery(query.id, { purge })
      return answerJson(c, { id, name, status: 'deleted' })
    },
  }

  function answerList<T>(
    c: HttpContext,
    name: string,
    items: Iterable<T>,
    print: (item: T) => string | undefined,
  ) {
    return answerParts(c, async () => listParts(name, items, print), options)
  }
}

function* listParts<T>(name: string, items: Iterable<T>, print: (item: T) => string | undefined) {
  yield `{${JSON.stringify(name)}:`
  yield* arrayParts(items, print)
  yield '}'
}
