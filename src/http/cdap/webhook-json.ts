/**
 * A webhook as JSON:
 *
 *   {"url": …, "secret"?: …, "app"?: …, "program"?: …, "type"?: "Flow" | "Mapreduce" | …}
 */
import type { NewWebhook } from '../../notifications/webhooks.ts'
import { ServiceError } from '../../service-error.ts'
import type { NamespaceName } from '../../streams/names.ts'
import { readJson } from '../messages/json-document.ts'
import { scalarTexts } from '../messages/json-values.ts'
import { parseProgram } from './program-json.ts'

export function parseWebhook(body: Uint8Array, depthMax: number, namespace: NamespaceName): NewWebhook {
  const members = parseMembers(body, depthMax)
  const url = members?.get('url')
  const secret = members?.get('secret')
  if (members === undefined || url === undefined) {
    throw notUnderstood()
  }
  return { url, secret, program: parseProgram(members, namespace) }
}

function parseMembers(body: Uint8Array, depthMax: number): ReadonlyMap<string, string> | undefined {
  return scalarTexts(readJson(body, depthMax, notUnderstood) ?? null)
}

function notUnderstood(): ServiceError {
  return new ServiceError(
    'invalid_parameter',
    'the webhook is not understood; use {"url":…,"secret":…,"app":…,"program":…}, the last two only together',
  )
}
