/**
 * JSON or YAML: of the body by `Content-Type`, of the answer by `Accept`. The answer does not depend on the form of the request: without
 * a preference of the client it is JSON.
 */
import { ServiceError } from '../../service-error.ts'
import { preference } from '../messages/accept.ts'
import { assertNoForeignForm } from '../messages/cross-site.ts'
import type { HttpContext } from '../server/bindings.ts'

export type Form = 'json' | 'yaml'

export const CONTENT_TYPE = { json: 'application/json', yaml: 'application/yaml' } as const

const FORM_OF_TYPE: Readonly<Record<string, Form>> = {
  'application/json': 'json',
  'application/yaml': 'yaml',
  'application/x-yaml': 'yaml',
  'text/yaml': 'yaml',
}
const MERGE_PATCH = 'application/merge-patch+json'

/**
 * Throws ServiceError 'unsupported_media_type', and 'cross_site' for a body without a type from a page of another site, which a browser
 * sends without asking.
 */
export function bodyForm(c: HttpContext): Form {
  const header = c.req.header('content-type')
  if (header === undefined || header.trim() === '') {
    assertNoForeignForm(c)
    return 'json'
  }
  const type = header.split(';', 1)[0]!.trim().toLowerCase()
  if (type === MERGE_PATCH && c.req.method === 'PATCH') return 'json'
  const form = Object.hasOwn(FORM_OF_TYPE, type) ? FORM_OF_TYPE[type] : undefined
  if (form !== undefined) return form
  throw new ServiceError(
    'unsupported_media_type',
    `Content-Type is '${header}'; send ${CONTENT_TYPE.json} or ${CONTENT_TYPE.yaml}`,
  )
}

/** Undefined if the client accepts neither. */
export function acceptedForm(accept: string | undefined): Form | undefined {
  const json = preference(accept, CONTENT_TYPE.json).quality
  const yaml = Math.max(preference(accept, CONTENT_TYPE.yaml).quality, ...OTHER_NAMES.map(ifNamed))
  if (yaml > json) return 'yaml'
  return json > 0 ? 'json' : undefined

  /** A range does not include a name that no answer has. */
  function ifNamed(type: string): number {
    const { quality, named } = preference(accept, type)
    return named ? quality : 0
  }
}

const OTHER_NAMES = ['application/x-yaml', 'text/yaml']

/** Called before anything is changed. Throws ServiceError 'not_acceptable'. */
export function answerForm(c: HttpContext): Form {
  const accept = c.req.header('accept')
  const form = acceptedForm(accept)
  if (form !== undefined) return form
  throw new ServiceError(
    'not_acceptable',
    `Accept is '${accept}'; there is ${CONTENT_TYPE.json} and ${CONTENT_TYPE.yaml}`,
  )
}
