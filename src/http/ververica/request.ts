/** What requests of this API contain: the namespace of the path, which has to exist, and an object as the body. */
import type { Json, JsonObject } from '../../deployments/resources.ts'
import { ServiceError } from '../../service-error.ts'
import {
  NAME_BYTES_MAX,
  NAMESPACE_NAME,
  type NamespaceName,
  parseNamespaceName,
} from '../../streams/names.ts'
import type { Namespaces } from '../../streams/namespaces.ts'
import { type DocumentOptions, documentReader } from '../messages/documents.ts'
import type { HttpContext } from '../server/bindings.ts'
import { namespaceOfService } from '../server/service-names.ts'
import { VERVERICA_DOCUMENTS } from './documents.ts'
import { malformedBody } from './json-body.ts'
import { bodyForm } from './media-types.ts'

const NAME = new RegExp(`^${NAMESPACE_NAME}$`)
const SHOWN_CHARACTERS_MAX = 100

/** The namespace of a path; a hyphen stands for `_`. Throws ServiceError 'namespace_not_found'. */
export function existingNamespace(c: HttpContext, namespaces: Namespaces): NamespaceName {
  const given = c.req.param('namespace') ?? ''
  const text = namespaceOfService(given)
  const isName = text.length <= NAME_BYTES_MAX && NAME.test(text)
  const name = isName ? parseNamespaceName(text) : undefined
  if (name !== undefined && namespaces.has(name)) return name
  const shown = given.length > SHOWN_CHARACTERS_MAX ? `${given.slice(0, SHOWN_CHARACTERS_MAX)}…` : given
  throw new ServiceError(
    'namespace_not_found',
    `Namespace ${shown} does not exist; create it with POST /namespaces/v1/namespaces`,
  )
}

/**
 * Returns the function that reads the body of a request, as the JSON object that it is in JSON or YAML. It rejects with ServiceError
 * 'unsupported_media_type', 'malformed_body', 'document_too_large', and as documentReader does.
 */
export function bodyReader(options: DocumentOptions): (c: HttpContext) => Promise<JsonObject> {
  const readDocument = documentReader(VERVERICA_DOCUMENTS, options, 'the body')
  return async (c) => {
    const form = bodyForm(c)
    const value: Json = await readDocument(c, form)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject
    throw malformedBody(`the body is ${kindOf(value)}; send an object`)
  }
}

function kindOf(value: Json): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'a list' : `a ${typeof value}`
}
