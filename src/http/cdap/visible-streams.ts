/** Which streams a client may see: all if tokens are not required, else those that its grants include. */
import type { Client } from '../../auth/tokens.ts'
import type { Stream, VisibleNames } from '../../streams/registry.ts'
import type { MayKnow } from '../../streams/table-names.ts'
import type { HttpContext } from '../server/bindings.ts'

export function visibleNames(client: Client | null | undefined): VisibleNames {
  const grants = client?.grants
  return grants === undefined ? () => ALL : (namespace) => grants.streamPatterns(namespace)
}

const ALL = ['*']

/** The same for one stream. */
export function visibleTo(client: Client | null | undefined): (stream: Stream) => boolean {
  const grants = client?.grants
  return grants === undefined ? () => true : ({ id }) => grants.includeStream(id.namespace, id.stream)
}

/** Undefined if tokens are not required: all streams. */
export function mayKnowOf(c: HttpContext): MayKnow | undefined {
  const grants = c.get('client')?.grants
  return grants && (({ namespace, stream }) => grants.includeStream(namespace, stream))
}
