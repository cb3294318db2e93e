/** Streams: create, list, describe, change, truncate, delete. */
import type { Streams } from '../../streams/streams.ts'
import { answerEmpty, answerJson, answerJsonText } from '../messages/answers.ts'
import type { DocumentOptions } from '../messages/documents.ts'
import { answerArray, type SlicedAnswerOptions } from '../messages/sliced-answer.ts'
import type { HttpContext } from '../server/bindings.ts'
import { namespaceOf, streamOf } from '../server/path-names.ts'
import { cdapDocumentReader } from './document-reader.ts'
import { printProperties } from './properties-json.ts'
import { visibleNames } from './visible-streams.ts'

export function streamRoutes(streams: Streams, options: DocumentOptions & SlicedAnswerOptions) {
  const readDocument = cdapDocumentReader(options)

  return {
    list(c: HttpContext) {
      return answerArray(c, visibleStreams(c), ({ id }) => JSON.stringify({ name: id.stream }), options)
    },

    async create(c: HttpContext) {
      streams.assertNamespace(namespaceOf(c)) // a missing namespace is reported before a bad stream name
      const id = streamOf(c)
      await streams.create(id, await readDocument(c, 'newProperties'))
      return answerEmpty(c)
    },

    properties(c: HttpContext) {
      return answerJsonText(c, printProperties(streams.properties(streamOf(c))))
    },

    async setProperties(c: HttpContext) {
      const id = streamOf(c)
      streams.get(id)
      await streams.setProperties(id, await readDocument(c, 'propertiesChange'))
      return answerEmpty(c)
    },

    async truncate(c: HttpContext) {
      await streams.truncate(streamOf(c))
      return answerEmpty(c)
    },

    async delete(c: HttpContext) {
      await streams.delete(streamOf(c))
      return answerEmpty(c)
    },

    /** As CDAP 2 listed streams. */
    listV2(c: HttpContext) {
      return answerArray(c, visibleStreams(c), ({ id }) => JSON.stringify(recordV2(id.stream)), options)
    },

    /** As CDAP 2 described a stream. */
    getV2(c: HttpContext) {
      return answerJson(c, recordV2(streams.get(streamOf(c)).id.stream))
    },
  }

  function visibleStreams(c: HttpContext) {
    return streams.list(namespaceOf(c), visibleNames(c.get('client')))
  }
}

function recordV2(name: string) {
  return { type: 'Stream', id: name, name }
}
