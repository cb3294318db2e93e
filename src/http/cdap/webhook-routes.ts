/** Webhooks of a stream. Secrets go in and never come out. */
import type { Webhooks } from '../../notifications/webhooks.ts'
import type { Streams } from '../../streams/streams.ts'
import { answerEmpty, answerJson } from '../messages/answers.ts'
import type { DocumentOptions } from '../messages/documents.ts'
import type { HttpContext } from '../server/bindings.ts'
import { streamOf } from '../server/path-names.ts'
import { cdapDocumentReader } from './document-reader.ts'

export function webhookRoutes(streams: Streams, webhooks: Webhooks, options: DocumentOptions) {
  const readDocument = cdapDocumentReader(options)
  return {
    list(c: HttpContext) {
      const all = webhooks.list(streamOf(c)).map(({ program, last, paused, ...state }) => ({
        ...state,
        ...(paused && { paused }),
        ...(program && { app: program.application, program: program.program, type: program.type }),
        ...(last !== undefined && { last }),
      }))
      return answerJson(c, all)
    },

    async register(c: HttpContext) {
      const id = streamOf(c)
      streams.get(id)
      const webhook = await readDocument(c, 'webhook', id.namespace)
      return answerJson(c, { id: await webhooks.register(id, { ...webhook, token: c.get('client')?.name }) })
    },

    async remove(c: HttpContext) {
      return answerEmpty(c, (await webhooks.remove(streamOf(c), c.req.param('webhook') ?? '')) ? 200 : 404)
    },
  }
}
