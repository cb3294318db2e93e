/** Requests that this node does not serve itself, because another node has what they need. */
import type { RequestListener } from 'node:http'
import { ServiceError } from '../service-error.ts'
import type { Api, AppParts } from './api.ts'
import { servedBy } from './served-by.ts'
import { continueForwarded, type Forwarding, isForwarded } from './server/forwarding.ts'
import type { WaitingRequests, WaitLimit } from './server/waiting-requests.ts'

/**
 * `own` serves what every node does. `coordinator` serves the rest while this node has it (undefined: it does not); then
 * requests are sent on. While no node has it, or the node that has it does not take them, they wait.
 */
export function byPlace(
  apis: readonly Api[],
  own: RequestListener,
  coordinator: () => RequestListener | undefined,
  forwarding: Forwarding,
  waiting: WaitingRequests,
): RequestListener {
  const take = (listener: RequestListener, ...[incoming, outgoing]: Parameters<RequestListener>) => {
    continueForwarded(incoming, outgoing)
    listener(incoming, outgoing)
  }
  const serve = (
    waitLimit: WaitLimit,
    isFirst: boolean,
    ...[incoming, outgoing]: Parameters<RequestListener>
  ) => {
    const here = coordinator()
    if (here !== undefined) return take(here, incoming, outgoing)
    forwarding.forward(incoming, outgoing, {
      isFirst,
      mayRetry: () => waiting.mayWait(waitLimit),
      retry: (nodeId) => {
        waitLimit.failedAt(nodeId)
        waiting.add(outgoing, waitLimit, () => serve(waitLimit, false, incoming, outgoing))
      },
    })
  }
  return (incoming, outgoing) => {
    if (servedBy(apis, incoming.method!, incoming.url!) === 'node') return take(own, incoming, outgoing)
    const here = coordinator()
    if (here !== undefined) return take(here, incoming, outgoing)
    const waitLimit = waiting.waitLimit(isForwarded(incoming))
    waiting.add(outgoing, waitLimit, () => serve(waitLimit, true, incoming, outgoing))
  }
}

/** Services of these names for the routes of `own`, none of which needs them. A call throws ServiceError 'coordinator_away'. */
export function servicesElsewhere<Name extends keyof AppParts>(names: readonly Name[]): Pick<AppParts, Name> {
  const away = (): never => {
    throw new ServiceError('coordinator_away', 'another node serves this path; try again later')
  }
  const service = new Proxy({}, { get: () => away })
  return Object.fromEntries(names.map((name) => [name, service])) as Pick<AppParts, Name>
}
