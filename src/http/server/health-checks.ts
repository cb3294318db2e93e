/** Health checks are answered even where all other requests are refused: without an answer the service would be restarted. */
import type { IncomingMessage } from 'node:http'

const HEALTH =
  /^\/(?:ping|status|metrics|api\/v1\/status|v3\/system\/services\/(?:streams\/)?status)\/?(?:\?|$)/

export function asksForHealth({ url }: IncomingMessage): boolean {
  return HEALTH.test(url!)
}
