/** The whole surface on one screen: every path, its verb, and who answers it. */
import { Hono } from 'hono'
import { RegExpRouter } from 'hono/router/reg-exp-router'
import type { Namespaces } from '../streams/namespaces.ts'
import type { Streams } from '../streams/streams.ts'
import type { UsageRegistry } from '../streams/usage.ts'
import { answerText } from './answers.ts'
import type { HttpContext, HttpEnv } from './bindings.ts'
import { type EventRoutesOptions, eventRoutes } from './event-routes.ts'
import { namespaceRoutes } from './namespace-routes.ts'
import { answerProblem } from './problems.ts'
import { streamRoutes } from './stream-routes.ts'
import { systemRoutes } from './system-routes.ts'
import { usageRoutes } from './usage-routes.ts'

export interface AppParts {
  readonly streams: Streams
  readonly namespaces: Namespaces
  readonly usage: UsageRegistry
  readonly storeFailure: () => Error | undefined
}

export function createApp(parts: AppParts, options: EventRoutesOptions): Hono<HttpEnv> {
  const stream = streamRoutes(parts.streams)
  const event = eventRoutes(parts.streams, options)
  const namespace = namespaceRoutes(parts.namespaces)
  const usage = usageRoutes(parts.usage)
  const system = systemRoutes(parts.storeFailure)

  // Its router matches any path with one regular expression; it refuses paths that could be read in two ways.
  const app = new Hono<HttpEnv>({ router: new RegExpRouter() })

  const S = '/v3/namespaces/:namespace/streams'
  app.get(S, stream.list).get(`${S}/`, stream.list)
  app.put(`${S}/:stream`, stream.create)
  app.get(`${S}/:stream`, stream.properties)
  app.delete(`${S}/:stream`, stream.delete)
  app.put(`${S}/:stream/properties`, stream.setProperties)
  app.post(`${S}/:stream/truncate`, stream.truncate)
  app.post(`${S}/:stream`, event.send)
  app.post(`${S}/:stream/async`, event.sendAsync)
  app.post(`${S}/:stream/batch`, event.sendBatch)
  app.get(`${S}/:stream/events`, event.read)
  app.get(`${S}/:stream/export`, event.export)

  // CDAP 2: the JavaScript client and the file tailer still speak it.
  const V2 = '/v2/streams'
  app.get(V2, stream.listV2).get(`${V2}/`, stream.listV2)
  app.put(`${V2}/:stream`, stream.create)
  app.get(`${V2}/:stream`, stream.getV2)
  app.get(`${V2}/:stream/info`, stream.properties)
  app.put(`${V2}/:stream/config`, stream.setProperties)
  app.post(`${V2}/:stream/truncate`, stream.truncate)
  app.post(`${V2}/:stream`, event.send)
  app.post(`${V2}/:stream/async`, event.sendAsync)
  app.post(`${V2}/:stream/batch`, event.sendBatch)
  app.get(`${V2}/:stream/events`, event.read)

  app.get('/v3/namespaces', namespace.list)
  app.get('/v3/namespaces/:namespace', namespace.get)
  app.put('/v3/namespaces/:namespace', namespace.create)
  app.put('/v3/namespaces/:namespace/properties', namespace.setProperties)
  app.delete('/v3/unrecoverable/namespaces/:namespace', namespace.delete)

  app.get(`${S}/:stream/programs`, usage.programsOfStream)
  app.get('/v3/namespaces/:namespace/data/datasets/:dataset/programs', usage.programsOfDataset)
  app.get('/v3/namespaces/:namespace/apps/:application/streams', usage.streamsOfApplication)
  for (const [word, streamsOfProgram] of usage.streamsOfProgram) {
    app.get(`/v3/namespaces/:namespace/apps/:application/${word}/:program/streams`, streamsOfProgram)
  }

  app.get('/ping', system.ping)
  app.get('/status', system.status)
  app.get('/v3/version', system.version)
  app.get('/v3/system/services/status', system.services)
  app.get('/v3/system/services/streams/status', system.streamsService)

  app.notFound((c) => answerUnknown(app, c))
  app.onError((error, c) => answerProblem(error, c, options.report))
  return app
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE']

/** 404 for a path nobody answers; 405 naming the verbs if the path is known and the verb is not. */
function answerUnknown(app: Hono<HttpEnv>, c: HttpContext): Response {
  const { path } = c.req
  const allowed = METHODS.filter(
    (method) => app.router.match(method === 'HEAD' ? 'GET' : method, path)[0].length > 0,
  )
  const { pathname, search } = new URL(c.req.url)
  const problem = `Problem accessing: ${pathname}${search}. Reason: `
  if (allowed.length === 0) return answerText(c, `${problem}Not Found`, 404)
  return answerText(c, `${problem}Method Not Allowed`, 405, { Allow: allowed.join(', ') })
}
