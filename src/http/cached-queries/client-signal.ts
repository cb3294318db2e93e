/** Aborts waiting work when the client has disconnected. */
import type { ServerResponse } from 'node:http'

/** Call `forget` when the work is over. A client that has closed its side alone still waits for its answer. */
export function untilClosed(outgoing: ServerResponse): { readonly signal: AbortSignal; forget(): void } {
  const controller = new AbortController()
  const abort = () => controller.abort()
  outgoing.once('close', abort)
  if (outgoing.destroyed) abort()
  return { signal: controller.signal, forget: () => outgoing.off('close', abort) }
}
