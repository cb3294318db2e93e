/** Namespaces: create, list, describe, change, delete. */
import { parseNewNamespaceName } from '../../streams/names.ts'
import type { NamedNamespace, Namespaces } from '../../streams/namespaces.ts'
import { answerEmpty, answerJsonText, answerText } from '../messages/answers.ts'
import type { DocumentOptions } from '../messages/documents.ts'
import { answerArray, type SlicedAnswerOptions } from '../messages/sliced-answer.ts'
import type { HttpContext } from '../server/bindings.ts'
import { namespaceOf } from '../server/path-names.ts'
import { cdapDocumentReader } from './document-reader.ts'
import { printNamespace } from './namespace-json.ts'

export function namespaceRoutes(namespaces: Namespaces, options: DocumentOptions & SlicedAnswerOptions) {
  const readDocument = cdapDocumentReader(options)

  return {
    list(c: HttpContext) {
      const grants = c.get('client')?.grants
      const print = ({ name, properties }: NamedNamespace) =>
        grants === undefined || grants.includePartOf(name) ? printNamespace(name, properties) : undefined
      return answerArray(c, namespaces.list(), print, options)
    },

    get(c: HttpContext) {
      const { name, properties } = namespaces.get(namespaceOf(c))
      return answerJsonText(c, printNamespace(name, properties))
    },

    async create(c: HttpContext) {
      const name = parseNewNamespaceName(c.req.param('namespace') ?? '')
      const change = await readDocument(c, 'namespaceChange')
      const outcome = await namespaces.create(name, change)
      return answerText(
        c,
        outcome === 'created'
          ? `Namespace '${name}' created successfully.`
          : `Namespace '${name}' already exists.`,
      )
    },

    async setProperties(c: HttpContext) {
      const { name } = namespaces.get(namespaceOf(c))
      const change = await readDocument(c, 'namespaceChange')
      await namespaces.setProperties(name, change)
      return answerText(c, `Updated properties for namespace '${name}'.`)
    },

    async delete(c: HttpContext) {
      await namespaces.delete(namespaceOf(c))
      return answerEmpty(c)
    },
  }
}
