/** Aborts waiting work when the client has disconnected. */
import type { ServerResponse } from 'node:http'

/**
 * Call `forget` when the work is over. A client that closes its side of the connection has nearly always disconnected, so its answer
 * is given up then.
 */
export function untilClosed(outgoing: ServerResponse): { readonly signal: AbortSignal; forget(): void } {
  const controller = new AbortController()
  const abort = () => controller.abort()
  const gone = () => outgoing.destroy()
  const { socket } = outgoing
  outgoing.once('close', abort)
  socket?.once('end', gone)
  if (outgoing.destroyed) abort()
  return {
    signal: controller.signal,
    forget() {
      outgoing.off('close', abort)
      socket?.off('end', gone)
    },
  }
}
