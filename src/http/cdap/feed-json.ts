/** A feed as JSON: `{"description":…}`, or nothing. */
import { ServiceError } from '../../service-error.ts'
import { readJson } from '../messages/json-document.ts'
import { scalarText } from '../messages/json-values.ts'
import type { LenientJson } from '../messages/lenient-json.ts'

/** Feeds are many, and all in memory. */
const DESCRIPTION_CHARACTERS_MAX = 1000

export function parseFeedDescription(body: Uint8Array, depthMax: number): string | undefined {
  if (body.length === 0) return undefined
  const wrong = new ServiceError('invalid_properties', 'Invalid json object provided in request body.')
  const json = readJson(body, depthMax, () => wrong)
  if (!(json instanceof Map)) throw wrong
  const description = (json as ReadonlyMap<string, LenientJson>).get('description') ?? null
  if (description === null) return undefined
  const text = scalarText(description)
  if (text === undefined) throw wrong
  if (text.length > DESCRIPTION_CHARACTERS_MAX) {
    throw new ServiceError(
      'invalid_properties',
      `Could not create Notification Feed. The description has ${text.length} characters; use at most ${DESCRIPTION_CHARACTERS_MAX}.`,
    )
  }
  return text
}
