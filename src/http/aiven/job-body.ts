/** The body that defines a job: `{"statement","table_ids","job_name"}`. */
import type { JobRequest } from '../../jobs/job-service.ts'
import { ServiceError } from '../../service-error.ts'
import type { LenientObject } from '../messages/lenient-json.ts'
import { readMembers, refused, refuseUnknown, requiredSql, textOf, textsOf } from './body-members.ts'

const KNOWN: ReadonlySet<string> = new Set(['statement', 'table_ids', 'job_name'])
const WANTED = 'send {"statement":"INSERT INTO …","table_ids":[…],"job_name":"…"}'
const NAME_CHARACTERS_MAX = 1000
/** A statement cannot name more tables: each name takes a character and a separator. */
const TABLE_IDS_MAX = 10_000

export type JobToValidate = { readonly request: JobRequest } | { readonly problem: string }

/** Throws ServiceError 'invalid_parameter' for a body that is no JSON object, 'invalid_table' for its members. */
export function parseJob(body: Uint8Array, depthMax?: number): JobRequest {
  return readJob(readMembers(body, depthMax))
}

/** Throws ServiceError 'invalid_parameter' for a body that is no JSON object. */
export function parseJobToValidate(body: Uint8Array, depthMax?: number): JobToValidate {
  const members = readMembers(body, depthMax)
  try {
    return { request: readJob(members) }
  } catch (error) {
    if (error instanceof ServiceError) return { problem: error.message }
    throw error
  }
}

function readJob(members: LenientObject): JobRequest {
  refuseUnknown(members, KNOWN)
  const statement = requiredSql(members, 'statement', WANTED)
  const tableIds = textsOf(members, 'table_ids') ?? []
  if (tableIds.length > TABLE_IDS_MAX)
    throw refused(`table_ids has ${tableIds.length} members; use at most ${TABLE_IDS_MAX}`)
  const name = textOf(members, 'job_name')
  if (name !== undefined && (name === '' || name.length > NAME_CHARACTERS_MAX))
    throw refused(`job_name has ${name.length} characters; use 1 to ${NAME_CHARACTERS_MAX}`)
  return { statement, tableIds, name }
}
