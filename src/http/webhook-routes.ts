/**
 * Webhooks of a stream.
 *
 *   {"url": …, "secret": …, "app"?: …, "program"?: …, "type"?: "Flow" | "Mapreduce" | …}
 *
 * Secrets go in and never come out.
 */
import type { NewWebhook, Webhooks } from '../notifications/webhooks.ts'
import { ServiceError } from '../service-error.ts'
import type { NamespaceName } from '../streams/names.ts'
import type { Streams } from '../streams/streams.ts'
import { answerEmpty, answerJson } from './answers.ts'
import type { HttpContext } from './bindings.ts'
import { type DocumentOptions, documentReader } from './documents.ts'
import { scalarTexts } from './json-values.ts'
import { LenientJsonError, parseLenientJsonBytes } from './lenient-json.ts'
import { streamOf } from './path-names.ts'
import { parseProgram } from './program-json.ts'

export function webhookRoutes(streams: Streams, webhooks: Webhooks, options: DocumentOptions) {
  const readDocument = documentReader(options)
  return {
    list(c: HttpContext) {
      const all = webhooks.list(streamOf(c)).map(({ program, last, ...state }) => ({
        ...state,
        ...(program && { app: program.application, program: program.program, type: program.type }),
        ...(last !== undefined && { last }),
      }))
      return answerJson(c, all)
    },

    async register(c: HttpContext) {
      const id = streamOf(c)
      streams.get(id)
      const webhook = await readDocument(c.env.incoming, (body, depthMax) =>
        parseWebhook(body, depthMax, id.namespace),
      )
      return answerJson(c, { id: await webhooks.register(id, webhook) })
    },

    async remove(c: HttpContext) {
      return answerEmpty(c, (await webhooks.remove(streamOf(c), c.req.param('webhook') ?? '')) ? 200 : 404)
    },
  }
}

function parseWebhook(body: Uint8Array, depthMax: number, namespace: NamespaceName): NewWebhook {
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
