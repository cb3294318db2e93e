/** Requests that are answered whatever else is refused: a service that does not answer them would be restarted. */
import type { IncomingMessage } from 'node:http'

const HEALTH = /^\/(?:ping|status|metrics|v3\/system\/services\/(?:streams\/)?status)\/?(?:\?|$)/

export function asksForHealth({ url }: IncomingMessage): boolean {
  return HEALTH.test(url!)
}
