/**
 * The node that serves a request, where several nodes share a store. Streams, their events and what is read of them are served by
 * every node. What is kept in the memory of one node, and the removal of what it may refer to, is served by the coordinator.
 */
import { type Api, apiOf, pathOf } from './api.ts'

export type Place = 'node' | 'coordinator'

/** APIs of which every path has one place. */
const PLACE_OF_API: Readonly<Record<string, Place>> = {
  flink: 'coordinator',
  aiven: 'coordinator',
  'cached-queries': 'coordinator',
  ververica: 'coordinator',
}

const STREAM = '/v3/namespaces/[^/]+/streams/[^/]+'

/** Of the API of streams: the first row that matches counts. A row without methods is for all of them. */
const PLACES: readonly (readonly [path: string, place: Place, ...methods: string[]])[] = [
  [STREAM, 'coordinator', 'DELETE'], // its metadata, webhooks and jobs are removed with it
  [`${STREAM}/views/[^/]+`, 'coordinator', 'DELETE'],
  ['/v3/unrecoverable/namespaces/[^/]+', 'coordinator', 'DELETE'],
  [`${STREAM}(?:/views/[^/]+)?/metadata(?:/.*)?`, 'coordinator'],
  [`${STREAM}/(?:lineage|webhooks|notifications|programs)(?:/.*)?`, 'coordinator'],
  ['/v3/namespaces/[^/]+/metadata/.*', 'coordinator'],
  ['/v3/namespaces/[^/]+/feeds(?:/.*)?', 'coordinator'],
  ['/v3/namespaces/[^/]+/data/datasets/[^/]+/programs', 'coordinator'],
  ['/v3/namespaces/[^/]+/apps/.*', 'coordinator'],
  // A query is read by its handle, from the node that runs it.
  ['/v3/namespaces/[^/]+/data/explore/.*', 'coordinator'],
  ['/v3/(?:data/)?explore/.*', 'coordinator'],
  ['.*', 'node'],
]

const ROWS = PLACES.map(([path, place, ...methods]) => ({
  path: new RegExp(`^${path}/?$`, 's'),
  place,
  methods: new Set(methods),
}))

/** `target` is that of the request line. */
export function servedBy(apis: readonly Api[], method: string, target: string): Place {
  const path = pathOf(target).replace(/^\/\/+/, '/')
  const ofApi = PLACE_OF_API[apiOf(apis, path).name]
  if (ofApi !== undefined) return ofApi
  const row = ROWS.find(
    ({ path: pattern, methods }) => (methods.size === 0 || methods.has(method)) && pattern.test(path),
  )
  return row!.place
}
