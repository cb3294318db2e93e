/** Views of a stream: create, change, list, describe, delete. */
import type { Streams } from '../../streams/streams.ts'
import type { Views } from '../../streams/views.ts'
import { answerEmpty, answerJson, answerJsonText } from '../messages/answers.ts'
import type { DocumentOptions } from '../messages/documents.ts'
import type { HttpContext } from '../server/bindings.ts'
import { streamOf, viewOf } from '../server/path-names.ts'
import { cdapDocumentReader } from './document-reader.ts'
import { printView } from './view-json.ts'
import { mayKnowOf } from './visible-streams.ts'

export function viewRoutes(streams: Streams, views: Views, options: DocumentOptions) {
  const readDocument = cdapDocumentReader(options)

  return {
    list(c: HttpContext) {
      return answerJson(
        c,
        views.list(streamOf(c)).map(({ name }) => name),
      )
    },

    async put(c: HttpContext) {
      const id = streamOf(c)
      const name = viewOf(c)
      streams.get(id)
      const outcome = await views.put(id, name, await readDocument(c, 'view'), mayKnowOf(c))
      return answerEmpty(c, outcome === 'created' ? 201 : 200)
    },

    get(c: HttpContext) {
      return answerJsonText(c, printView(views.get(streamOf(c), viewOf(c))))
    },

    async delete(c: HttpContext) {
      await views.delete(streamOf(c), viewOf(c))
      return answerEmpty(c)
    },
  }
}
