/**
 * A webhook as JSON:
 *
 *   {"url": …, "secret": …, "app"?: …, "program"?: …, "type"?: "Flow" | "Mapreduce" | …}
 */
import type { NewWebhook } from '../../notifications/webhooks.ts'
import { ServiceError } from '../../service-error.ts'
import type { NamespaceName } from '../../streams/names.ts'
import { scalarTexts } from '../messages/json-values.ts'
import { LenientJsonError, parseLenientJsonBytes } from '../messages/lenient-json.ts'
import { parseProgram } from './program-json.ts'

export function parseWebhook(body: Uint8Array, depthMax: number, namespace: NamespaceName): NewWebhook {
  const members = parseMembers(body, depthMax)
  const url = members?.get('url')
  const secret = members?.get('secret')
  if (members === undefined || url === undefined || secret === undefined) {
    throw invalid(
      'the webhook is not understood; use {"url":…,"secret":…,"app":…,"program":…}, the last two only together',
    )
  }
  return { url, secret, program: parseProgram(members, namespace) }
}

function parseMembers(body: Uint8Array, depthMax: number): ReadonlyMap<string, string> | undefined {
  try {
    return scalarTexts(parseLenientJsonBytes(body, depthMax) ?? null)
  } catch (error) {
    if (error instanceof LenientJsonError) return undefined
    throw error
  }
}

function invalid(message: string): ServiceError {
  return new ServiceError('invalid_parameter', message)
}
