/** Streams as things: create, list, look at, change, empty, delete. */
import type { Streams } from '../streams/streams.ts'
import { answerEmpty, answerJson, answerJsonText } from './answers.ts'
import type { HttpContext } from './bindings.ts'
import { type DocumentOptions, documentReader } from './documents.ts'
import { namespaceOf, streamOf } from './path-names.ts'
import { parseNewProperties, parsePropertiesChange, printProperties } from './properties-json.ts'

export function streamRoutes(streams: Streams, options: DocumentOptions) {
  const readDocument = documentReader(options)

  return {
    list(c: HttpContext) {
      return answerJson(
        c,
        visibleStreams(c).map(({ id }) => ({ name: id.stream })),
      )
    },

    async create(c: HttpContext) {
      streams.assertNamespace(namespaceOf(c)) // a namespace that is missing is told before a bad stream name
      const id = streamOf(c)
      await streams.create(id, await readDocument(c.env.incoming, parseNewProperties))
      return answerEmpty(c)
    },

    properties(c: HttpContext) {
      return answerJsonText(c, printProperties(streams.properties(streamOf(c))))
    },

    async setProperties(c: HttpContext) {
      const id = streamOf(c)
      streams.get(id)
      await streams.setProperties(id, await readDocument(c.env.incoming, parsePropertiesChange))
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
      return answerJson(
        c,
        visibleStreams(c).map(({ id }) => recordV2(id.stream)),
      )
    },

    /** As CDAP 2 described a stream. */
    getV2(c: HttpContext) {
      return answerJson(c, recordV2(streams.get(streamOf(c)).id.stream))
    },
  }

  function visibleStreams(c: HttpContext) {
    const all = streams.list(namespaceOf(c))
    const grants = c.get('client')?.grants
    return grants === undefined ? all : all.filter(({ id }) => grants.includeStream(id.namespace, id.stream))
  }
}

function recordV2(name: string) {
  return { type: 'Stream', id: name, name }
}
