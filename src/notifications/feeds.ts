/**
 * Notification feeds by category and name. Every stream has one, `<stream>Size` of the category `stream`, which exists
 * as long as the stream. Clients can create others, which are only names with a description: the service sends no
 * notifications to them.
 *
 *   catalog:  feeds/<namespace>:<category>:<name>   {"description"?: string}
 */
import type { Catalog, CatalogChange } from '../../storage/catalog.ts'
import { ServiceError } from '../service-error.ts'
import type { NamespaceName, StreamName } from '../streams/names.ts'
import { matchesName, type NamePattern } from '../streams/ordered-streams.ts'
import type { Registry, RemovalHook, Stream, VisibleNames } from '../streams/registry.ts'

/** Limit for one namespace. */
const FEEDS_MAX = 1000
const STREAM_CATEGORY = 'stream'
const SIZE = 'Size'

export interface FeedId {
  readonly namespace: NamespaceName
  readonly category: string
  readonly name: string
}

export interface Feed extends FeedId {
  readonly description: string | undefined
}

/** Whether the client may see the feed of a stream. */
export type MaySeeStream = (stream: Stream) => boolean

export class Feeds implements RemovalHook {
  readonly #catalog: Catalog
  readonly #registry: Registry
  /** The feeds that clients created, by namespace, then by category and name. */
  readonly #made = new Map<string, Map<string, Feed>>()

  private constructor(catalog: Catalog, registry: Registry) {
    this.#catalog = catalog
    this.#registry = registry
  }

  static async load(catalog: Catalog, registry: Registry): Promise<Feeds> {
    const feeds = new Feeds(catalog, registry)
    await catalog.each('feeds', (key, document) => {
      const [namespace, category, name] = key.split(':') as [NamespaceName, string, string]
      const { description } = document as { description?: string }
      feeds.#set({ namespace, category, name, description })
    })
    registry.onRemoval(feeds)
    return feeds
  }

  /** Does not change an existing feed. Rejects with 'namespace_not_found', 'invalid_parameter'. */
  create(feed: Feed): Promise<'created' | 'exists'> {
    return this.#registry.change(async () => {
      this.#assertNamespace(feed.namespace)
      if (this.#find(feed, () => true) !== undefined) return 'exists'
      if ((this.#made.get(feed.namespace)?.size ?? 0) >= FEEDS_MAX) {
        throw new ServiceError(
          'invalid_parameter',
          `Could not create Notification Feed. The namespace has ${FEEDS_MAX}; delete one first.`,
        )
      }
      const { description } = feed
      await this.#catalog.commit([feedChange(feed, description === undefined ? {} : { description })])
      this.#set(feed)
      return 'created'
    })
  }

  get(id: FeedId, maySee: MaySeeStream): Feed | undefined {
    return this.#find(id, maySee)
  }

  /** Yields the feeds of streams first, created during the iteration. Throws ServiceError 'namespace_not_found'. */
  list(namespace: NamespaceName, visible: VisibleNames): Iterable<Feed> {
    this.#assertNamespace(namespace)
    const streams = this.#registry.streamsMatching(namespace, visible(namespace))
    return this.#listed(streams, [...(this.#made.get(namespace)?.values() ?? [])], visible(namespace))
  }

  *#listed(
    streams: readonly Stream[],
    made: readonly Feed[],
    visible: readonly NamePattern[],
  ): Generator<Feed> {
    for (const stream of streams) yield sizeFeedOf(stream)
    for (const feed of made) {
      const stream = this.#streamOf(feed) // created before there was a stream of this name
      if (stream === undefined || !matchesName(stream.id.stream, visible)) yield feed
    }
  }

  /** Resolves with false if there was no such feed. Rejects with 'invalid_parameter' for the feed of a stream. */
  remove(id: FeedId): Promise<boolean> {
    return this.#registry.change(async () => {
      const stream = this.#streamOf(id)
      if (stream !== undefined) {
        throw new ServiceError(
          'invalid_parameter',
          `the feed belongs to stream '${stream.id.stream}', and goes with it`,
        )
      }
      if (this.#made.get(id.namespace)?.has(keyOf(id)) !== true) return false
      await this.#catalog.commit([feedChange(id, undefined)])
      this.#made.get(id.namespace)?.delete(keyOf(id))
      return true
    })
  }

  changesOnRemoval(
    _streams: readonly Stream[],
    namespace: NamespaceName | undefined,
  ): readonly CatalogChange[] {
    if (namespace === undefined) return []
    return [...(this.#made.get(namespace)?.values() ?? [])].map((feed) => feedChange(feed, undefined))
  }

  removed(_streams: readonly Stream[], namespace: NamespaceName | undefined): void {
    if (namespace !== undefined) this.#made.delete(namespace)
  }

  #find(id: FeedId, maySee: MaySeeStream): Feed | undefined {
    const stream = this.#streamOf(id)
    if (stream !== undefined) return maySee(stream) ? sizeFeedOf(stream) : undefined
    return this.#made.get(id.namespace)?.get(keyOf(id))
  }

  /** The stream to which the feed belongs. */
  #streamOf({ namespace, category, name }: FeedId): Stream | undefined {
    if (category !== STREAM_CATEGORY || !name.endsWith(SIZE)) return undefined
    return this.#registry.find(namespace, name.slice(0, -SIZE.length) as StreamName)
  }

  #set(feed: Feed): void {
    const made = this.#made.get(feed.namespace)
    if (made === undefined) this.#made.set(feed.namespace, new Map([[keyOf(feed), feed]]))
    else made.set(keyOf(feed), feed)
  }

  #assertNamespace(namespace: NamespaceName): void {
    if (this.#registry.namespace(namespace) === undefined) {
      throw new ServiceError('namespace_not_found', `'namespace:${namespace}' was not found.`)
    }
  }
}

function sizeFeedOf({ id: { namespace, stream }, properties }: Stream): Feed {
  const every = `every ${properties.notificationThresholdMb}MB`
  const description = `Size updates feed for Stream stream:${namespace}.${stream} ${every}`
  return { namespace, category: STREAM_CATEGORY, name: `${stream}${SIZE}`, description }
}

function keyOf({ category, name }: FeedId): string {
  return `${category}:${name}`
}

function feedChange(id: FeedId, document: unknown): CatalogChange {
  return { collection: 'feeds', id: `${id.namespace}:${keyOf(id)}`, document }
}
