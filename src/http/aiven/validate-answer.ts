/** Answers to `validate`: `{}`, or the first problem with its place. Create would refuse the same with an error. */
import { ServiceError, type ServiceErrorCode } from '../../service-error.ts'
import { type Place, SqlProblem } from '../../sql/sql-problem.ts'

export interface Invalid {
  readonly message: string
  readonly place: Place | undefined
}

/** What is wrong with a table or a statement; other errors, such as overload, are errors of the request. */
const OF_THE_BODY: ReadonlySet<ServiceErrorCode> = new Set([
  'invalid_id',
  'invalid_table',
  'invalid_query',
  'unsupported',
  'integration_not_found',
  'table_not_found',
  'table_exists',
  'stream_not_found',
  'no_grant',
])

/** Resolves with undefined if `check` does, and with what it finds wrong. Rejects with all other errors. */
export async function problemFound(check: () => Promise<void>): Promise<Invalid | undefined> {
  try {
    await check()
    return undefined
  } catch (error) {
    if (error instanceof SqlProblem) return { message: error.message, place: error.place }
    if (error instanceof ServiceError && OF_THE_BODY.has(error.code))
      return { message: error.message, place: undefined }
    throw error
  }
}

/** Lines and characters count from 1, the end is part of it; all 0 without a place. */
export function positionOf(place: Place | undefined): object {
  return {
    line_number: place?.line ?? 0,
    character_number: place?.column ?? 0,
    end_line_number: place?.endLine ?? 0,
    end_character_number: place?.endColumn ?? 0,
  }
}
