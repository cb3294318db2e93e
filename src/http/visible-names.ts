/** Which streams whoever asks has to do with, in any role: then their names may show in an answer. */
import type { MayKnow } from '../streams/table-names.ts'
import type { HttpContext } from './bindings.ts'

/** Undefined: all, as nobody is asked for a token. */
export function mayKnowOf(c: HttpContext): MayKnow | undefined {
  const grants = c.get('client')?.grants
  return grants && (({ namespace, stream }) => grants.includeStream(namespace, stream))
}
