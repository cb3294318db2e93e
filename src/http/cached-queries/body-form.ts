/** By the header Content-Type: a form, which is what `curl -d` sends and what a body without the header is, or JSON. */
import { ServiceError } from '../../service-error.ts'
import type { HttpContext } from '../server/bindings.ts'
import type { BodyForm } from './call-bodies.ts'

const FORMS: ReadonlyMap<string, BodyForm> = new Map([
  ['application/x-www-form-urlencoded', 'form'],
  ['application/json', 'json'],
])

/** Throws ServiceError 'unsupported_media_type'. */
export function bodyForm(c: HttpContext): BodyForm {
  const header = c.req.header('content-type')
  if (header === undefined || header.trim() === '') return 'form'
  const [type = '', ...parameters] = header.split(';')
  const form = FORMS.get(type.trim().toLowerCase())
  if (form === undefined)
    throw unsupported(
      `Content-Type is '${shown(type.trim())}'; use application/x-www-form-urlencoded or application/json`,
    )
  for (const parameter of parameters) {
    const charset = /^\s*charset\s*=\s*"?([^"]*?)"?\s*$/i.exec(parameter)?.[1]
    if (charset !== undefined && !/^(?:utf-?8|us-ascii)$/i.test(charset))
      throw unsupported(`the charset of the body is '${shown(charset)}'; send it in UTF-8`)
  }
  return form
}

function unsupported(message: string): ServiceError {
  return new ServiceError('unsupported_media_type', message)
}

function shown(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}…` : text
}
