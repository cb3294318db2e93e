/**
 * Errors of this API: an ApiValidationException with all attributes that are wrong, else an ApiException. In JSON, or in YAML for clients
 * that prefer it.
 */
import { DeploymentError, ValidationError } from '../../deployments/deployment-error.ts'
import type { JsonObject } from '../../deployments/resources.ts'
import { SqlProblem } from '../../sql/sql-problem.ts'
import type { Problem, ProblemCode, ProblemShape } from '../server/problem.ts'
import { acceptedForm, CONTENT_TYPE } from './media-types.ts'
import { yamlText } from './yaml-text.ts'

const inJson: ProblemShape = (problem) => ({
  contentType: CONTENT_TYPE.json,
  text: JSON.stringify(exceptionOf(problem)),
})

const inYaml: ProblemShape = (problem) => ({
  contentType: CONTENT_TYPE.yaml,
  text: yamlText(exceptionOf(problem)),
})

export function ververicaProblemShape(accept: string | undefined): ProblemShape {
  return acceptedForm(accept) === 'yaml' ? inYaml : inJson
}

function exceptionOf(problem: Problem): JsonObject {
  const { status, text, error } = problem
  if (error instanceof ValidationError) {
    const errors = error.errors
      .slice(0, ERRORS_SHOWN_MAX)
      .map(({ attribute, message }) => ({ attribute, message }))
    return { kind: 'ApiValidationException', apiVersion: 'v1', message: text, statusCode: status, errors }
  }
  return {
    ...{ kind: 'ApiException', apiVersion: 'v1', message: text },
    ...{ reason: reasonOf(problem), statusCode: status, context: contextOf(error) },
  }
}

function reasonOf({ status, code, error }: Problem): string {
  if (error instanceof DeploymentError) return error.reason
  if (error instanceof SqlProblem) return 'SqlError'
  return BY_CODE[code] ?? BY_STATUS[status] ?? 'InternalError'
}

function contextOf(error: unknown): Readonly<Record<string, string>> {
  if (error instanceof DeploymentError) return error.context
  if (!(error instanceof SqlProblem) || error.place === undefined) return {}
  const { line, column, endLine, endColumn } = error.place
  return { line: `${line}`, column: `${column}`, endLine: `${endLine}`, endColumn: `${endColumn}` }
}

/** A body can have as many errors as members. The message has their number. */
const ERRORS_SHOWN_MAX = 1_000

/** Codes of which clients learn more than the status says. */
const BY_CODE: Readonly<Partial<Record<ProblemCode, string>>> = {
  malformed_body: 'MalformedBody',
  invalid_properties: 'MalformedBody', // one that takes too long to parse
  namespace_not_found: 'NamespaceNotFound',
  savepoint_unreadable: 'SavepointUnreadable',
  state_not_restorable: 'StateNotRestorable',
}

const BY_STATUS: Readonly<Partial<Record<number, string>>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  406: 'NotAcceptable',
  408: 'RequestTimeout',
  409: 'Conflict',
  413: 'PayloadTooLarge',
  415: 'UnsupportedMediaType',
  429: 'TooManyRequests',
  431: 'HeadersTooLarge',
  501: 'NotImplemented',
  503: 'Unavailable',
  507: 'Unavailable',
}
