/**
 * The namespaces and streams that exist, their properties, and the log that each stream points to.
 *
 * All reads are served from memory; the catalog is the durable copy. Changes run one after another, and each is durable
 * before it is visible.
 *
 * Catalog:  namespaces/<namespace>, streams/<namespace>:<stream>, counters/logs (the last LogId assigned)
 *
 * Documents that other modules store for a stream are removed with it, in the same commit: see RemovalHook.
 */
import type { Catalog, CatalogChange } from '../../storage/catalog.ts'
import type { LogId } from '../../storage/log.ts'
import { Mutex } from '../../storage/mutex.ts'
import { StorageError } from '../../storage/storage-error.ts'
import {
  decodeNamespaceDocument,
  decodeStreamDocument,
  encodeNamespaceDocument,
  encodeStreamDocument,
} from './catalog-documents.ts'
import {
  DEFAULT_NAMESPACE,
  type NamespaceName,
  type StreamId,
  type StreamName,
  streamKey,
  trustedName,
  type ViewName,
} from './names.ts'
import { DEFAULT_NAMESPACE_PROPERTIES, type NamespaceProperties } from './namespace.ts'
import { type NamePattern, OrderedStreams } from './ordered-streams.ts'
import type { StreamProperties } from './properties.ts'
import { StreamCounts } from './traffic.ts'
import { NO_VIEWS, type StreamViews } from './view.ts'

/** The present state of a stream. A change replaces the whole object. */
export interface Stream {
  readonly id: StreamId
  /** The log that contains its events. Truncating points the stream to a new log. */
  readonly log: LogId
  /** The first log of the stream. An older stream has a lower first log, even if streams have been truncated since. */
  readonly firstLog: LogId
  readonly properties: StreamProperties
  readonly views: StreamViews
  /** The table of the stream itself is disabled. The tables of its views still exist. */
  readonly tableDisabled: boolean
  /** Milliseconds since 1970; undefined if it was not recorded. */
  readonly createdMs: number | undefined
  /** The same object for the whole life of the stream. */
  readonly counts: StreamCounts
  /** Another object has replaced this one, or the stream has been deleted. */
  isReplaced: boolean
  /** The part of the service that alone writes it; undefined: clients do. */
  writer: StreamWriter | undefined
}

/** Clients can neither write the stream of such a part nor change or delete it. */
export interface StreamWriter {
  /** For messages: `connection env1`. */
  readonly name: string
  /** What a writer passes to be let through: see StreamWrites. */
  readonly key: string
}

/** A module that stores documents of its own for streams. */
export interface RemovalHook {
  /**
   * Called before a namespace is removed, while streams can still be used and changed: ends what uses them. If it rejects, the
   * namespace stays.
   */
  beforeRemoval?(namespace: NamespaceName): Promise<void>
  /** Further changes to commit when these streams, and with `namespace` their whole namespace, are removed. */
  changesOnRemoval(streams: readonly Stream[], namespace: NamespaceName | undefined): readonly CatalogChange[]
  /** Called after they have been removed. */
  removed(streams: readonly Stream[], namespace: NamespaceName | undefined): void
  /** The same for the removal of only a view. */
  changesOnViewRemoval?(stream: Stream, view: ViewName): readonly CatalogChange[]
  viewRemoved?(stream: Stream, view: ViewName): void
}

interface Namespace {
  /** The ids of all its streams share this string object. */
  readonly name: NamespaceName
  properties: NamespaceProperties
  readonly streams: OrderedStreams<Stream>
}

/** Called with every stream that is new (`before` undefined), removed (`now` undefined) or changed. */
export type OnStreamChange = (before: Stream | undefined, now: Stream | undefined) => void

/** The streams of a namespace that a client may see, as patterns of their names. */
export type VisibleNames = (namespace: NamespaceName) => readonly NamePattern[]

const FIRST_PROPERTIES_OF_DEFAULT: NamespaceProperties = {
  ...DEFAULT_NAMESPACE_PROPERTIES,
  description: 'Default Namespace',
}

export class Registry {
  readonly #catalog: Catalog
  readonly #namespaces = new Map<NamespaceName, Namespace>()
  /** In order; undefined after one has been created or deleted. */
  #namespaceNames: readonly NamespaceName[] | undefined
  readonly #removalHooks: RemovalHook[] = []
  readonly #watchers: OnStreamChange[] = []
  /** By streamKey, also of streams that do not exist. */
  readonly #writers = new Map<string, StreamWriter>()
  #lastLog: LogId = 0
  /** Changes run one at a time. */
  readonly #changing = new Mutex()

  private constructor(catalog: Catalog) {
    this.#catalog = catalog
  }

  static async load(catalog: Catalog): Promise<Registry> {
    const registry = new Registry(catalog)
    registry.#setEmpty(DEFAULT_NAMESPACE, FIRST_PROPERTIES_OF_DEFAULT)
    await catalog.each('namespaces', (id, document) => {
      registry.#setEmpty(trustedName<NamespaceName>(id), decodeNamespaceDocument(id, document))
    })
    await catalog.each('streams', (id, document) => {
      const colon = id.indexOf(':')
      const namespace = registry.#namespaces.get(trustedName<NamespaceName>(id.slice(0, colon)))
      const stream = trustedName<StreamName>(id.slice(colon + 1))
      const stored = decodeStreamDocument(id, document)
      // Namespace and stream are created and deleted together, so this is damage. If the stream were omitted, the
      // janitor would remove its events.
      if (namespace === undefined)
        throw new StorageError('corrupt', `the namespace of stream ${id} is missing`)
      const streamId = { namespace: namespace.name, stream }
      const counts = new StreamCounts(streamId, stored.log)
      namespace.streams.set({ id: streamId, ...stored, counts, isReplaced: false, writer: undefined })
    })
    await catalog.each('counters', (_, document) => {
      registry.#lastLog = Number(document)
    })
    return registry
  }

  /** `default` first, then in the order of their names. */
  namespaceNames(): readonly NamespaceName[] {
    if (this.#namespaceNames === undefined) {
      const others = [...this.#namespaces.keys()].filter((name) => name !== DEFAULT_NAMESPACE)
      this.#namespaceNames = [DEFAULT_NAMESPACE, ...others.sort()]
    }
    return this.#namespaceNames
  }

  namespace(name: NamespaceName): NamespaceProperties | undefined {
    return this.#namespaces.get(name)?.properties
  }

  find(namespace: NamespaceName, stream: StreamName): Stream | undefined {
    return this.#namespaces.get(namespace)?.streams.get(stream)
  }

  /** In the order of their names. */
  streamsOf(namespace: NamespaceName): readonly Stream[] {
    return this.#namespaces.get(namespace)?.streams.ordered() ?? []
  }

  /** The streams of the namespace whose name matches any of the patterns. */
  streamsMatching(namespace: NamespaceName, patterns: readonly NamePattern[]): readonly Stream[] {
    return this.#namespaces.get(namespace)?.streams.matching(patterns) ?? []
  }

  /** The visible streams of all namespaces, or of the given one. */
  *visibleStreams(visible: VisibleNames, namespace?: NamespaceName): Generator<Stream> {
    const namespaces = namespace === undefined ? this.#namespaces.keys() : [namespace]
    for (const name of namespaces) yield* this.streamsMatching(name, visible(name))
  }

  /** In no particular order. */
  eachStreamOf(namespace: NamespaceName): Iterable<Stream> {
    return this.#namespaces.get(namespace)?.streams.values() ?? []
  }

  *allStreams(): Generator<Stream> {
    for (const { streams } of this.#namespaces.values()) yield* streams.values()
  }

  get streamCount(): number {
    let count = 0
    for (const { streams } of this.#namespaces.values()) count += streams.size
    return count
  }

  /** Whose writes the stream takes, if it exists or is created later. Undefined: those of clients. */
  writerOf(id: StreamId): StreamWriter | undefined {
    return this.#writers.get(streamKey(id))
  }

  /** Takes effect at once and is kept in memory: the part that writes the stream sets it again after each start. */
  setWriter(id: StreamId, writer: StreamWriter | undefined): void {
    if (writer === undefined) this.#writers.delete(streamKey(id))
    else this.#writers.set(streamKey(id), writer)
    const stream = this.find(id.namespace, id.stream)
    if (stream !== undefined) stream.writer = writer
  }

  onRemoval(hook: RemovalHook): void {
    this.#removalHooks.push(hook)
  }

  /** For indexes of streams. `onChange` is called synchronously after each change. */
  watch(onChange: OnStreamChange): void {
    this.#watchers.push(onChange)
  }

  /**
   * For modules that are closed before the registry is. The returned function removes the hooks, watchers and writers that
   * were set after this call.
   */
  attachments(): () => void {
    const [hooks, watchers] = [[...this.#removalHooks], [...this.#watchers]]
    const writers = new Map(this.#writers)
    return () => {
      this.#removalHooks.splice(0, this.#removalHooks.length, ...hooks)
      this.#watchers.splice(0, this.#watchers.length, ...watchers)
      for (const [key, writer] of [...this.#writers])
        if (writers.get(key) !== writer) this.#writers.delete(key)
      for (const stream of this.allStreams()) stream.writer = this.writerOf(stream.id)
    }
  }

  /** Runs `change` after all earlier changes have ended, so that the data stay the same between its reads and its writes. */
  change<T>(change: () => Promise<T>): Promise<T> {
    return this.#changing.run(change)
  }

  /** The last LogId assigned. Every stream created later has a higher first log. */
  get lastLog(): LogId {
    return this.#lastLog
  }

  /** Ends what uses the namespace. Call it outside `change`, because what ends may need a change. */
  async beforeRemoval(name: NamespaceName): Promise<void> {
    await Promise.all(this.#removalHooks.map((hook) => hook.beforeRemoval?.(name)))
  }

  // The methods below must only be called inside `change`.

  /** `beside`: documents of other modules, in the same commit. */
  async putNamespace(
    name: NamespaceName,
    properties: NamespaceProperties,
    beside: readonly CatalogChange[] = [],
  ): Promise<void> {
    await this.#catalog.commit([namespaceChange(name, encodeNamespaceDocument(properties)), ...beside])
    const existing = this.#namespaces.get(name)
    if (existing === undefined) this.#setEmpty(name, properties)
    else existing.properties = properties
  }

  /** Removes the namespace and all its streams. The default namespace stays, empty and with its first properties. */
  async removeNamespace(name: NamespaceName): Promise<void> {
    const streams = this.streamsOf(name)
    await this.#catalog.commit([...this.#removal(streams, name), namespaceChange(name, undefined)])
    if (name === DEFAULT_NAMESPACE) this.#setEmpty(name, FIRST_PROPERTIES_OF_DEFAULT)
    else this.#namespaces.delete(name)
    this.#namespaceNames = undefined
    for (const stream of streams) this.#changed(stream, undefined)
    for (const hook of this.#removalHooks) hook.removed(streams, name)
  }

  /** Puts a stream with these properties on a new log. Truncating uses this too: an existing stream keeps its age. */
  async putOnFreshLog(id: StreamId, properties: StreamProperties, createdMs?: number): Promise<void> {
    const log = this.#lastLog + 1
    const stream = this.#streamOn(id, log, properties, createdMs)
    await this.#catalog.commit([streamDocumentChange(stream), logCounterChange(log)])
    this.#lastLog = log
    this.#set(stream)
  }

  /**
   * Assigns a LogId that no stream has had. The caller fills the log before any stream points to it, and then calls
   * `putOnLog`.
   */
  async reserveLog(): Promise<LogId> {
    const log = this.#lastLog + 1
    await this.#catalog.commit([logCounterChange(log)])
    this.#lastLog = log
    return log
  }

  /** Puts a stream with these properties on a log from `reserveLog`. */
  async putOnLog(id: StreamId, log: LogId, properties: StreamProperties): Promise<void> {
    await this.#put(this.#streamOn(id, log, properties, undefined))
  }

  async putProperties(stream: Stream, properties: StreamProperties): Promise<void> {
    await this.#put({ ...stream, properties })
  }

  async putViews(stream: Stream, views: StreamViews): Promise<void> {
    await this.#put({ ...stream, views })
  }

  async removeView(stream: Stream, view: ViewName): Promise<void> {
    const views = new Map(stream.views)
    views.delete(view)
    const left = { ...stream, views: views.size === 0 ? NO_VIEWS : views }
    const beside = this.#removalHooks.flatMap((hook) => hook.changesOnViewRemoval?.(stream, view) ?? [])
    await this.#catalog.commit([streamDocumentChange(left), ...beside])
    this.#set(left)
    for (const hook of this.#removalHooks) hook.viewRemoved?.(stream, view)
  }

  async putTableDisabled(stream: Stream, tableDisabled: boolean): Promise<void> {
    await this.#put({ ...stream, tableDisabled })
  }

  async removeStream(id: StreamId): Promise<void> {
    const stream = this.find(id.namespace, id.stream)
    if (stream === undefined) return
    await this.#catalog.commit(this.#removal([stream], undefined))
    this.#namespaces.get(id.namespace)?.streams.delete(id.stream)
    this.#changed(stream, undefined)
    for (const hook of this.#removalHooks) hook.removed([stream], undefined)
  }

  #removal(streams: readonly Stream[], namespace: NamespaceName | undefined): CatalogChange[] {
    return [
      ...streams.map(({ id }) => streamChange(id, undefined)),
      ...this.#removalHooks.flatMap((hook) => hook.changesOnRemoval(streams, namespace)),
    ]
  }

  /** The stream keeps the other attributes of an existing stream of this name. */
  #streamOn(id: StreamId, log: LogId, properties: StreamProperties, createdMs: number | undefined): Stream {
    const existing = this.find(id.namespace, id.stream)
    return {
      id,
      log,
      firstLog: existing?.firstLog ?? log,
      properties,
      views: existing?.views ?? NO_VIEWS,
      tableDisabled: existing?.tableDisabled ?? false,
      createdMs: existing?.createdMs ?? createdMs,
      counts: existing?.counts ?? new StreamCounts(id, log),
      isReplaced: false,
      writer: this.writerOf(id),
    }
  }

  #setEmpty(name: NamespaceName, properties: NamespaceProperties): void {
    this.#namespaces.set(name, { name, properties, streams: new OrderedStreams() })
    this.#namespaceNames = undefined
  }

  async #put(stream: Stream): Promise<void> {
    await this.#catalog.commit([streamDocumentChange(stream)])
    this.#set(stream)
  }

  #set(stream: Stream): void {
    const streams = this.#namespaces.get(stream.id.namespace)?.streams
    stream.isReplaced = false // also if it is a copy of one that was replaced
    stream.writer = this.writerOf(stream.id)
    const before = streams?.get(stream.id.stream)
    streams?.set(stream)
    this.#changed(before, stream)
  }

  #changed(before: Stream | undefined, now: Stream | undefined): void {
    if (before !== undefined) before.isReplaced = true
    for (const onChange of this.#watchers) onChange(before, now)
  }
}

function streamChange(id: StreamId, document: unknown): CatalogChange {
  return { collection: 'streams', id: streamKey(id), document }
}

function streamDocumentChange(stream: Stream): CatalogChange {
  return streamChange(stream.id, encodeStreamDocument(stream))
}

function logCounterChange(log: LogId): CatalogChange {
  return { collection: 'counters', id: 'logs', document: log }
}

function namespaceChange(name: NamespaceName, document: unknown): CatalogChange {
  return { collection: 'namespaces', id: name, document }
}
