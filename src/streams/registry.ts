/**
 * The namespaces and streams that exist, their properties, and the log that each stream points to.
 *
 * All reads are served from memory; the catalog is the durable copy. Changes run one after another, and each is durable
 * before it is visible. Changes of other nodes that share the store are followed (shared-changes.ts).
 *
 * Catalog:  namespaces/<namespace>, streams/<namespace>:<stream>, counters/logs (the last LogId assigned);
 *           if other nodes share the store also changes/registry, and reservations/<LogId> of logs that are being filled
 *
 * Documents that other modules store for a stream are removed with it, in the same commit: see RemovalHook.
 */
import type { Catalog, CatalogChange, ObservedChange } from '../../storage/catalog.ts'
import type { LogId } from '../../storage/log.ts'
import { Mutex } from '../../storage/mutex.ts'
import { StorageError } from '../../storage/storage-error.ts'
import type { StoreCluster } from '../../storage/store-cluster.ts'
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
import { SharedChanges } from './shared-changes.ts'
import { Sharing } from './sharing.ts'
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

/** Logs that are being filled before a stream points to them. The document names the node that does it. */
const RESERVATIONS = 'reservations'

const NONE_OBSERVED: ReadonlySet<string> = new Set()

export class Registry {
  readonly #catalog: Catalog
  /** Undefined: only this process writes the store. */
  readonly sharing: Sharing | undefined
  #shared: SharedChanges | undefined
  /** The present change removes something that other nodes may still serve. */
  #removes = false
  readonly #namespaces = new Map<NamespaceName, Namespace>()
  /** In order; undefined after one has been created or deleted. */
  #namespaceNames: readonly NamespaceName[] | undefined
  readonly #removalHooks: RemovalHook[] = []
  readonly #watchers: OnStreamChange[] = []
  /** By streamKey, also of streams that do not exist. */
  readonly #writers = new Map<string, StreamWriter>()
  readonly #onWriter: ((id: StreamId, writer: StreamWriter | undefined) => void)[] = []
  /** See `writersKnown`. */
  waitForWriters: (() => Promise<void>) | undefined
  /** For commits with documents of other modules, while this node has these. Undefined: the catalog of the registry. */
  catalogOfModules: Catalog | undefined
  #lastLog: LogId = 0
  /** Changes run one at a time. */
  readonly #changing = new Mutex()

  private constructor(catalog: Catalog, cluster: StoreCluster | undefined) {
    this.#catalog = catalog
    this.sharing = cluster && new Sharing(catalog, cluster)
  }

  /** `cluster`: of the storage, if other nodes share it. */
  static async load(catalog: Catalog, cluster?: StoreCluster): Promise<Registry> {
    const registry = new Registry(catalog, cluster)
    const { sharing } = registry
    if (sharing === undefined) {
      await registry.#load()
      return registry
    }
    const early: ObservedChange[] = []
    let take = (change: ObservedChange): void => void early.push(change)
    catalog.watch((change) => take(change))
    await sharing.fresh()
    registry.#shared = await SharedChanges.load(catalog, sharing)
    await registry.#load()
    take = (change) => registry.#observe(change)
    for (const change of early) take(change)
    return registry
  }

  async #load(): Promise<void> {
    const catalog = this.#catalog
    this.#setEmpty(DEFAULT_NAMESPACE, FIRST_PROPERTIES_OF_DEFAULT)
    await catalog.each('namespaces', (id, document) => {
      this.#setEmpty(trustedName<NamespaceName>(id), decodeNamespaceDocument(id, document))
    })
    await catalog.each('streams', (id, document) => {
      const { namespace, streamId } = this.#placeOf(id)
      const stored = decodeStreamDocument(id, document)
      const counts = new StreamCounts(streamId, stored.firstLog)
      namespace.streams.set({ id: streamId, ...stored, counts, isReplaced: false, writer: undefined })
    })
    await catalog.each('counters', (_, document) => {
      this.#lastLog = Number(document)
    })
  }

  /** `id` is that of the stream's document. */
  #placeOf(id: string): { readonly namespace: Namespace; readonly streamId: StreamId } {
    const colon = id.indexOf(':')
    const namespace = this.#namespaces.get(trustedName<NamespaceName>(id.slice(0, colon)))
    const stream = trustedName<StreamName>(id.slice(colon + 1))
    // Namespace and stream are created and deleted together, so this is damage. If the stream were omitted, the
    // janitor would remove its events.
    if (namespace === undefined) throw new StorageError('corrupt', `the namespace of stream ${id} is missing`)
    return { namespace, streamId: { namespace: namespace.name, stream } }
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
    for (const onWriter of this.#onWriter) onWriter(id, writer)
  }

  /** `onWriter` is called after each `setWriter`. */
  onWriter(onWriter: (id: StreamId, writer: StreamWriter | undefined) => void): void {
    this.#onWriter.push(onWriter)
  }

  /** Resolves when all nodes that share the store know the writers that have been set; undefined: there is only this one. */
  writersKnown(): Promise<void> | undefined {
    return this.waitForWriters?.()
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

  /**
   * Runs `change` after all earlier changes have ended, so that the data stay the same between its reads and its writes. If other
   * nodes share the store it may run several times, so before its first write it changes nothing that lasts.
   */
  change<T>(change: () => Promise<T>): Promise<T> {
    return this.#shared === undefined ? this.#changing.run(change) : this.#changeShared(this.#shared, change)
  }

  async #changeShared<T>(shared: SharedChanges, change: () => Promise<T>): Promise<T> {
    const { result, removes } = await this.#changing.run(async () => {
      this.#removes = false
      return { result: await shared.run(change), removes: this.#removes }
    })
    if (removes) await this.sharing!.removedEverywhere()
    return result
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
    const change = namespaceChange(name, encodeNamespaceDocument(properties))
    const observed = await this.#commit([change, ...beside], beside.length > 0)
    if (!observed.has(`namespaces/${name}`)) this.#setNamespace(name, properties)
  }

  /** Removes the namespace and all its streams. The default namespace stays, empty and with its first properties. */
  async removeNamespace(name: NamespaceName): Promise<void> {
    const streams = this.streamsOf(name)
    this.#removes = true
    const observed = await this.#commit(
      [...this.#removal(streams, name), namespaceChange(name, undefined)],
      true,
    )
    const removed = streams.filter(({ id }) => !observed.has(documentKey(id)))
    if (observed.has(`namespaces/${name}`))
      for (const { id } of removed) this.#streamsOf(id)?.delete(id.stream)
    else this.#dropNamespace(name)
    for (const stream of removed) this.#changed(stream, undefined)
    for (const hook of this.#removalHooks) hook.removed(removed, name)
  }

  /** Puts a stream with these properties on a new log. Truncating uses this too: an existing stream keeps its age. */
  async putOnFreshLog(id: StreamId, properties: StreamProperties, createdMs?: number): Promise<void> {
    const log = this.#lastLog + 1
    const stream = this.#streamOn(id, log, properties, createdMs)
    this.#removes ||= this.find(id.namespace, id.stream) !== undefined
    const observed = await this.#commit([streamDocumentChange(stream), logCounterChange(log)])
    this.#lastLog = Math.max(this.#lastLog, log)
    this.#setUnless(observed, stream)
  }

  /**
   * Assigns a LogId that no stream has had. The caller fills the log before any stream points to it, and then calls
   * `putOnLog`.
   */
  async reserveLog(): Promise<LogId> {
    const log = this.#lastLog + 1
    await this.#commit([logCounterChange(log), ...this.#reservation(log, true)])
    this.#lastLog = Math.max(this.#lastLog, log)
    return log
  }

  /** The logs that a live node fills. Forgets those of nodes that have ended. */
  async reservedLogs(): Promise<ReadonlySet<LogId>> {
    const alive = new Set(this.sharing?.cluster.nodes().map(({ id }) => id))
    const reserved = new Set<LogId>()
    const abandoned: CatalogChange[] = []
    await this.#catalog.each(RESERVATIONS, (id, document) => {
      const { node } = document as { readonly node: string }
      if (alive.has(node)) reserved.add(Number(id))
      else abandoned.push({ collection: RESERVATIONS, id, document: undefined })
    })
    // As a change, so that a node that was taken for dead does not use the log any more.
    if (abandoned.length > 0) await this.change(async () => void (await this.#commit(abandoned)))
    return reserved
  }

  /** Puts a stream with these properties on a log from `reserveLog`. */
  async putOnLog(id: StreamId, log: LogId, properties: StreamProperties): Promise<void> {
    await this.#assertReserved(log)
    this.#removes ||= this.find(id.namespace, id.stream) !== undefined
    await this.#put(this.#streamOn(id, log, properties, undefined), this.#reservation(log, false))
  }

  /** Throws if another node has taken this one for dead: the log is removed then. */
  async #assertReserved(log: LogId): Promise<void> {
    if (this.sharing === undefined) return
    if ((await this.#catalog.get(RESERVATIONS, `${log}`)) !== undefined) return
    throw new StorageError(
      'unavailable',
      'this node was cut off from the store for so long that other nodes have removed the events it had restored; start it again',
    )
  }

  /** On a store of this process alone no log is removed that it has just reserved. */
  #reservation(log: LogId, isWanted: boolean): readonly CatalogChange[] {
    if (this.sharing === undefined) return []
    const document = isWanted ? { node: this.sharing.cluster.nodeId } : undefined
    return [{ collection: RESERVATIONS, id: `${log}`, document }]
  }

  async putProperties(stream: Stream, properties: StreamProperties): Promise<void> {
    this.#removes ||= properties.ttlSeconds < stream.properties.ttlSeconds
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
    this.#removes = true
    this.#setUnless(await this.#commit([streamDocumentChange(left), ...beside], true), left)
    for (const hook of this.#removalHooks) hook.viewRemoved?.(stream, view)
  }

  async putTableDisabled(stream: Stream, tableDisabled: boolean): Promise<void> {
    await this.#put({ ...stream, tableDisabled })
  }

  async removeStream(id: StreamId): Promise<void> {
    const stream = this.find(id.namespace, id.stream)
    if (stream === undefined) return
    this.#removes = true
    const observed = await this.#commit(this.#removal([stream], undefined), true)
    if (!observed.has(documentKey(id))) this.#drop(stream)
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

  /**
   * Makes the changes durable. `hasOthers`: documents of other modules are among them. Resolves with the documents that other nodes have changed after that: memory shows their changes
   * already.
   */
  async #commit(changes: readonly CatalogChange[], hasOthers = false): Promise<ReadonlySet<string>> {
    if (this.#shared !== undefined)
      return this.#shared.commit(changes, hasOthers ? this.catalogOfModules : undefined)
    await this.#catalog.commit(changes)
    return NONE_OBSERVED
  }

  /** Follows a change of another node. */
  #observe(change: ObservedChange): void {
    const { collection, id, document } = change
    if (collection === 'streams') this.#observeStream(id, document)
    else if (collection === 'namespaces') this.#observeNamespace(trustedName<NamespaceName>(id), document)
    else if (collection === 'counters') this.#lastLog = Math.max(this.#lastLog, Number(document ?? 0))
    this.#shared?.observe(change)
  }

  #observeStream(id: string, document: unknown): void {
    const name = trustedName<NamespaceName>(id.slice(0, id.indexOf(':')))
    if (!this.#namespaces.has(name)) {
      if (document === undefined) return
      // A snapshot of the catalog has documents in no order. The document of the namespace follows, before a request is served.
      this.#setEmpty(name, DEFAULT_NAMESPACE_PROPERTIES)
    }
    const { namespace, streamId } = this.#placeOf(id)
    const before = namespace.streams.get(streamId.stream)
    if (document === undefined) {
      if (before !== undefined) this.#drop(before)
      return
    }
    const stored = decodeStreamDocument(id, document)
    const isSame = before?.firstLog === stored.firstLog
    if (before !== undefined && !isSame) this.#drop(before)
    const counts = isSame ? before.counts : new StreamCounts(streamId, stored.firstLog)
    this.#set({ id: streamId, ...stored, counts, isReplaced: false, writer: undefined })
  }

  #observeNamespace(name: NamespaceName, document: unknown): void {
    if (document !== undefined) {
      this.#setNamespace(name, decodeNamespaceDocument(name, document))
      return
    }
    const streams = this.streamsOf(name) // usually none: their documents were removed first
    this.#dropNamespace(name)
    for (const stream of streams) this.#changed(stream, undefined)
    for (const hook of this.#removalHooks) hook.removed(streams, name)
  }

  #setNamespace(name: NamespaceName, properties: NamespaceProperties): void {
    const existing = this.#namespaces.get(name)
    if (existing === undefined) this.#setEmpty(name, properties)
    else existing.properties = properties
  }

  #setEmpty(name: NamespaceName, properties: NamespaceProperties): void {
    this.#namespaces.set(name, { name, properties, streams: new OrderedStreams() })
    this.#namespaceNames = undefined
  }

  #dropNamespace(name: NamespaceName): void {
    if (name === DEFAULT_NAMESPACE) this.#setEmpty(name, FIRST_PROPERTIES_OF_DEFAULT)
    else this.#namespaces.delete(name)
    this.#namespaceNames = undefined
  }

  #drop(stream: Stream): void {
    this.#streamsOf(stream.id)?.delete(stream.id.stream)
    this.#changed(stream, undefined)
    for (const hook of this.#removalHooks) hook.removed([stream], undefined)
  }

  #streamsOf({ namespace }: StreamId): OrderedStreams<Stream> | undefined {
    return this.#namespaces.get(namespace)?.streams
  }

  async #put(stream: Stream, beside: readonly CatalogChange[] = []): Promise<void> {
    this.#setUnless(await this.#commit([streamDocumentChange(stream), ...beside]), stream)
  }

  #setUnless(observed: ReadonlySet<string>, stream: Stream): void {
    if (!observed.has(documentKey(stream.id))) this.#set(stream)
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

/** As SharedChanges has it. */
function documentKey(id: StreamId): string {
  return `streams/${streamKey(id)}`
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
