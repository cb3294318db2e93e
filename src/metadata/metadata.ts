/**
 * Metadata of a stream or a view: properties and tags of clients, beside those that the service derives.
 *
 *   catalog:  metadata/<namespace>:<stream>[:<view>]   {"properties": [[key, value], …], "tags": […]}
 *
 * Without properties and tags there is no document. All metadata is in memory, and is removed with its stream or view in the same commit.
 */
import type { Catalog, CatalogChange } from '../../storage/catalog.ts'
import { ServiceError } from '../service-error.ts'
import { type EntityId, existingStream, existingView } from '../streams/existing.ts'
import { type NamespaceName, streamKey, type ViewName } from '../streams/names.ts'
import { TTL_SECONDS_MAX } from '../streams/properties.ts'
import type { Registry, RemovalHook, Stream, VisibleNames } from '../streams/registry.ts'
import type { View } from '../streams/view.ts'

export const SCOPES = ['USER', 'SYSTEM'] as const
export type Scope = (typeof SCOPES)[number]

export interface MetadataOf {
  readonly properties: ReadonlyMap<string, string>
  readonly tags: readonly string[]
}

/** CDAP's limit, in characters. */
const NAME_CHARACTERS_MAX = 50
/** CDAP takes 50; a description is longer. */
const VALUE_CHARACTERS_MAX = 1000
/** Of one stream or view, in bytes of JSON: CDAP's 10 KB. */
const DOCUMENT_BYTES_MAX = 10_240
/** A search for `tags:…` finds tags, so no property may have this name. */
export const TAGS_KEY = 'tags'

const NOTHING: MetadataOf = { properties: new Map(), tags: [] }

export class Metadata implements RemovalHook {
  readonly #catalog: Catalog
  readonly #registry: Registry
  readonly #metadata = new Map<string, MetadataOf>()

  private constructor(catalog: Catalog, registry: Registry) {
    this.#catalog = catalog
    this.#registry = registry
  }

  static async load(catalog: Catalog, registry: Registry): Promise<Metadata> {
    const metadata = new Metadata(catalog, registry)
    await catalog.each('metadata', (id, document) => {
      const { properties, tags } = document as { properties: [string, string][]; tags: string[] }
      metadata.#metadata.set(id, { properties: new Map(properties), tags })
    })
    registry.onRemoval(metadata)
    return metadata
  }

  /** Throws ServiceError 'stream_not_found', 'view_not_found'. */
  of(id: EntityId, scope: Scope): MetadataOf {
    const { stream, view } = this.#existing(id)
    if (scope === 'USER') return this.#metadata.get(keyOf(id)) ?? NOTHING
    return view === undefined ? systemMetadata(stream) : systemMetadataOfView(stream, view)
  }

  /** In the order of SCOPES; undefined if there is no such stream or view any more. */
  ofAllScopes(id: EntityId): readonly MetadataOf[] | undefined {
    const stream = this.#registry.find(id.namespace, id.stream)
    if (stream === undefined || (id.view !== undefined && !stream.views.has(id.view))) return undefined
    return SCOPES.map((scope) => this.of(id, scope))
  }

  /** Throws ServiceError 'stream_not_found', 'view_not_found'. */
  assertExists(id: EntityId): void {
    this.#existing(id)
  }

  /** Replaces existing properties of these names. */
  addProperties(id: EntityId, added: ReadonlyMap<string, string>): Promise<void> {
    return this.#change(id, ({ properties, tags }) => ({
      properties: new Map([...properties, ...added]),
      tags,
    }))
  }

  /** Without a name: all of them. A missing one is no error. */
  removeProperties(id: EntityId, name?: string): Promise<void> {
    return this.#change(id, ({ properties, tags }) => {
      const left = [...properties].filter(([key]) => name !== undefined && key !== name)
      return { properties: new Map(left), tags }
    })
  }

  addTags(id: EntityId, added: readonly string[]): Promise<void> {
    return this.#change(id, ({ properties, tags }) => ({
      properties,
      tags: [...new Set([...tags, ...added])],
    }))
  }

  removeTags(id: EntityId, name?: string): Promise<void> {
    return this.#change(id, ({ properties, tags }) => {
      return { properties, tags: tags.filter((tag) => name !== undefined && tag !== name) }
    })
  }

  remove(id: EntityId): Promise<void> {
    return this.#change(id, () => NOTHING)
  }

  /** All visible entities of a namespace that can have metadata: each stream, followed by its views. */
  *entitiesOf(namespace: NamespaceName, visible: VisibleNames): Generator<EntityId> {
    for (const { id } of this.#registry.streamsMatching(namespace, visible(namespace))) {
      const stream = this.#registry.find(id.namespace, id.stream)
      if (stream !== undefined) yield* entitiesIn(stream) // else it was deleted during the iteration
    }
  }

  changesOnRemoval(streams: readonly Stream[]): readonly CatalogChange[] {
    return this.#removals(streams.flatMap(entitiesIn))
  }

  removed(streams: readonly Stream[]): void {
    for (const entity of streams.flatMap(entitiesIn)) this.#metadata.delete(keyOf(entity))
  }

  changesOnViewRemoval({ id }: Stream, view: ViewName): readonly CatalogChange[] {
    return this.#removals([{ ...id, view }])
  }

  viewRemoved({ id }: Stream, view: ViewName): void {
    this.#metadata.delete(keyOf({ ...id, view }))
  }

  #removals(entities: readonly EntityId[]): CatalogChange[] {
    return entities
      .map(keyOf)
      .filter((key) => this.#metadata.has(key))
      .map((key) => metadataChange(key, NOTHING))
  }

  #change(id: EntityId, change: (current: MetadataOf) => MetadataOf): Promise<void> {
    return this.#registry.change(async () => {
      this.#existing(id)
      const key = keyOf(id)
      const changed = change(this.#metadata.get(key) ?? NOTHING)
      assertFits(changed)
      await this.#catalog.commit([metadataChange(key, changed)])
      if (isEmpty(changed)) this.#metadata.delete(key)
      else this.#metadata.set(key, changed)
    })
  }

  #existing(id: EntityId): { stream: Stream; view: View | undefined } {
    const stream = existingStream(this.#registry, id)
    return { stream, view: id.view === undefined ? undefined : existingView(stream, id.view) }
  }
}

function entitiesIn({ id, views }: Stream): EntityId[] {
  return [id, ...[...views.keys()].map((view) => ({ ...id, view }))]
}

/** As CDAP has it, the ttl in milliseconds. */
function systemMetadata({ id, properties, createdMs, tableDisabled }: Stream): MetadataOf {
  const { ttlSeconds, description, format } = properties
  const ttlMs = ttlSeconds === TTL_SECONDS_MAX ? 2n ** 63n - 1n : ttlSeconds * 1000n
  const known: [string, string | undefined][] = [
    ['entity-name', id.stream],
    ['ttl', `${ttlMs}`],
    ['creation-time', createdMs === undefined ? undefined : `${createdMs}`],
    ['description', description],
    ['schema', format.schema],
  ]
  return {
    properties: new Map(known.filter((one): one is [string, string] => one[1] !== undefined)),
    tags: tableDisabled ? [] : ['explore'],
  }
}

/** As CDAP has it: the name of its stream is a tag. */
function systemMetadataOfView({ id }: Stream, { name, format }: View): MetadataOf {
  return {
    properties: new Map([
      ['entity-name', name],
      ['schema', format.schema],
    ]),
    tags: [id.stream],
  }
}

function keyOf(id: EntityId): string {
  return id.view === undefined ? streamKey(id) : `${streamKey(id)}:${id.view}`
}

function isEmpty({ properties, tags }: MetadataOf): boolean {
  return properties.size === 0 && tags.length === 0
}

function documentOf({ properties, tags }: MetadataOf): unknown {
  return { properties: [...properties], tags }
}

function metadataChange(id: string, metadata: MetadataOf): CatalogChange {
  return { collection: 'metadata', id, document: isEmpty(metadata) ? undefined : documentOf(metadata) }
}

function assertFits(metadata: MetadataOf): void {
  const bytes = Buffer.byteLength(JSON.stringify(documentOf(metadata)))
  if (bytes <= DOCUMENT_BYTES_MAX) return
  throw new ServiceError(
    'invalid_parameter',
    `the metadata would have ${bytes} bytes; keep it within ${DOCUMENT_BYTES_MAX}`,
  )
}

/** Throws ServiceError 'invalid_parameter'. */
export function checkPropertyNames(properties: ReadonlyMap<string, string>): void {
  for (const [name, value] of properties) {
    checkName('property', name)
    if (name.toLowerCase() === TAGS_KEY)
      throw invalid(`a property cannot be called '${name}'; use another name`)
    if (value.length > VALUE_CHARACTERS_MAX) {
      throw invalid(`property '${name}' has ${value.length} characters; use at most ${VALUE_CHARACTERS_MAX}`)
    }
  }
}

/** Throws ServiceError 'invalid_parameter'. */
export function checkTags(tags: readonly string[]): void {
  for (const tag of tags) checkName('tag', tag)
}

function checkName(what: string, name: string): void {
  if (name.length >= 1 && name.length <= NAME_CHARACTERS_MAX) return
  throw invalid(`the name of a ${what} has ${name.length} characters; use 1 to ${NAME_CHARACTERS_MAX}`)
}

function invalid(message: string): ServiceError {
  return new ServiceError('invalid_parameter', message)
}
