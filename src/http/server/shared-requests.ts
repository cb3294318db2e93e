/**
 * Requests on a store that several nodes serve. Each sees all changes that were acknowledged before it came in, by whatever node;
 * and its answer is sent only if the node still reaches the store.
 */
import type { NamespaceName, StreamName, ViewName } from '../../streams/names.ts'
import type { Registry } from '../../streams/registry.ts'
import type { Sharing } from '../../streams/sharing.ts'
import type { Handler, HttpContext } from './bindings.ts'
import { namedNamespace } from './path-names.ts'

/** What a node answers also while it is cut off from the store: facts about itself. */
const OF_THE_NODE =
  /^\/(?:$|(?:ping|status|metrics|token|v3\/version|v3\/preferences)$|v3\/(?:system|config)\/)/

const READS: ReadonlySet<string> = new Set(['GET', 'HEAD'])

export class SharedRequests {
  readonly #registry: Registry
  readonly #sharing: Sharing

  constructor(registry: Registry, sharing: Sharing) {
    this.#registry = registry
    this.#sharing = sharing
  }

  /** `path` is that of the route. */
  around(path: string, handle: Handler): Handler {
    if (OF_THE_NODE.test(path)) return handle
    const sharing = this.#sharing
    return async (c) => {
      await sharing.fresh()
      if (!this.#isKnown(c)) await sharing.fresh(true)
      const answer = await handle(c)
      try {
        sharing.assertLive()
      } catch (error) {
        await answer.body?.cancel()
        throw READS.has(c.req.method) ? error : sharing.outcomeUnknown(error)
      }
      return answer
    }
  }

  /** Whether what the path names exists. A change checks that itself, so it does not matter for a PUT. */
  #isKnown(c: HttpContext): boolean {
    if (c.req.method === 'PUT') return true
    const named = namedNamespace(c)
    if (named === undefined) return true
    const namespace = named as NamespaceName
    const stream = c.req.param('stream') as StreamName | undefined
    if (stream === undefined) return this.#registry.namespace(namespace) !== undefined
    const found = this.#registry.find(namespace, stream)
    const view = c.req.param('view') as ViewName | undefined
    return found !== undefined && (view === undefined || found.views.has(view))
  }
}
