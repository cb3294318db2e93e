/** Views as JSON: `{"format":{…},"tableName":"…"}` in, with `"id"` out. */
import { ServiceError } from '../../service-error.ts'
import type { View, ViewSpecification } from '../../streams/view.ts'
import { readJson } from '../messages/json-document.ts'
import type { LenientJson } from '../messages/lenient-json.ts'
import { checkGivenFormat, printFormat, readFormat } from './format-json.ts'

/** What any SQL takes as a name without quotes, and Hive too. */
const TABLE_NAME = /^[a-zA-Z][a-zA-Z0-9_]{0,255}$/

/** Rejects with 'invalid_properties'. */
export function parseView(body: Uint8Array, depthMax?: number): ViewSpecification {
  const json = readJson(body, depthMax, (problem) => malformed(problem.message, problem))
  if (json === undefined)
    throw new ServiceError('invalid_properties', 'Missing ViewSpecification in request body')
  if (!(json instanceof Map)) throw malformed('the body is not a JSON object')
  const members = json as ReadonlyMap<string, LenientJson>
  const format = readFormat(members.get('format') ?? null, malformed)
  if (format === undefined) throw malformed('there is no format')
  const tableName = members.get('tableName') ?? undefined
  if (tableName !== undefined && typeof tableName !== 'string') throw malformed('tableName is not a text')
  if (tableName !== undefined) checkTableName(tableName)
  return { format: checkGivenFormat(format), tableName }
}

/** Throws ServiceError 'invalid_properties'. */
export function checkTableName(tableName: string): void {
  if (TABLE_NAME.test(tableName)) return
  throw new ServiceError(
    'invalid_properties',
    `tableName is '${tableName}'; use up to 256 letters, digits and _, a letter first`,
  )
}

export function printView({ name, format, tableName }: View): string {
  return `{"id":${JSON.stringify(name)},"format":${printFormat(format)},"tableName":${JSON.stringify(tableName)}}`
}

/** CDAP's text, to the letter; the reason goes along as the cause. */
function malformed(reason: string, cause: Error = new Error(reason)): ServiceError {
  return new ServiceError('invalid_properties', "Couldn't decode body as view config JSON", { cause })
}
