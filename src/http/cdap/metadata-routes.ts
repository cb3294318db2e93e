/**
 * Metadata of streams and views, and the lineage of streams, in the form for clients of CDAP 3.2 to 5.0. Only the metadata of
 * users can be changed.
 */
import type { Slice } from '../../loop-share.ts'
import { type Metadata, type MetadataOf, SCOPES, type Scope } from '../../metadata/metadata.ts'
import { parseSearch, WORDS_MAX } from '../../metadata/search.ts'
import { ServiceError } from '../../service-error.ts'
import { type EntityId, printEntity } from '../../streams/existing.ts'
import type { Streams } from '../../streams/streams.ts'
import { answerJson, answerJsonText, answerText } from '../messages/answers.ts'
import type { DocumentOptions } from '../messages/documents.ts'
import { answerArray, answerParts, arrayParts, type SlicedAnswerOptions } from '../messages/sliced-answer.ts'
import type { HttpContext } from '../server/bindings.ts'
import { entityOf, namespaceOf, streamOf } from '../server/path-names.ts'
import { cdapDocumentReader } from './document-reader.ts'
import {
  type Found,
  foundOf,
  type Page,
  paged,
  pageEnding,
  pageOpening,
  parsePage,
  parseTargets,
} from './metadata-search.ts'
import { parseSecond } from './read-range.ts'
import { visibleNames } from './visible-streams.ts'

/** The weight of a stream or view in a search; 0 if it does not match. */
type WeighEntity = (id: EntityId, known: readonly MetadataOf[]) => number

export function metadataRoutes(
  streams: Streams,
  metadata: Metadata,
  options: DocumentOptions & SlicedAnswerOptions & { readonly nowMs: () => number },
) {
  const readDocument = cdapDocumentReader(options)

  async function done(c: HttpContext, change: Promise<void>, text: string) {
    await change
    return answerText(c, text)
  }

  /** Undefined if it does not match or was deleted meanwhile. */
  function printFound(id: EntityId, weigh: WeighEntity, print = nested): string | undefined {
    const known = metadata.ofAllScopes(id)
    if (known === undefined || weigh(id, known) === 0) return undefined
    return JSON.stringify({ entityId: print(id), metadata: scopesFound(known) })
  }

  /** Searches match metadata of users only, so the scope SYSTEM alone finds nothing. */
  async function pageParts(page: Page, entities: Iterable<EntityId>, weigh: WeighEntity, slice: Slice) {
    const found: Found[] = []
    for (const id of page.entityScopes.includes('USER') ? entities : []) {
      if (slice.isOver) await slice.next()
      const known = metadata.ofAllScopes(id)
      const weight = known === undefined ? 0 : weigh(id, known)
      const one = weight === 0 ? undefined : foundOf(id, weight, known!, page)
      if (one !== undefined) found.push(one)
    }
    const { total, results, cursors } = paged(found, page)
    return (function* () {
      yield pageOpening(page, total)
      yield* arrayParts(results, (id) => printFound(id, () => 1, forAllClients))
      yield pageEnding(page, cursors)
    })()
  }

  return {
    get(c: HttpContext) {
      const id = entityOf(c)
      const records = scopesOf(c).map((scope) => {
        const { properties, tags } = metadata.of(id, scope)
        return { entityId: forAllClients(id), scope, properties: Object.fromEntries(properties), tags }
      })
      return answerJson(c, records)
    },

    remove(c: HttpContext) {
      const id = entityOf(c)
      return done(c, metadata.remove(id), `Metadata for ${described(id)} deleted successfully.`)
    },

    /** Without a scope, a property of the user replaces one of the service with the same name. */
    properties(c: HttpContext) {
      const id = entityOf(c)
      const all = scopesOf(c)
        .toReversed()
        .flatMap((scope) => [...metadata.of(id, scope).properties])
      return answerJson(c, Object.fromEntries(all))
    },

    async addProperties(c: HttpContext) {
      const id = entityOf(c)
      metadata.assertExists(id)
      const properties = await readDocument(c, 'metadataProperties')
      return done(
        c,
        metadata.addProperties(id, properties),
        `Metadata added successfully to ${printEntity(id)}`,
      )
    },

    removeProperties(c: HttpContext) {
      const id = entityOf(c)
      const text = `Metadata properties for ${described(id)} deleted successfully.`
      return done(c, metadata.removeProperties(id), text)
    },

    removeProperty(c: HttpContext) {
      const id = entityOf(c)
      const name = c.req.param('property') ?? ''
      const text = `Metadata property ${name} for ${described(id)} deleted successfully.`
      return done(c, metadata.removeProperties(id, name), text)
    },

    tags(c: HttpContext) {
      const id = entityOf(c)
      return answerJson(c, [...new Set(scopesOf(c).flatMap((scope) => metadata.of(id, scope).tags))])
    },

    async addTags(c: HttpContext) {
      const id = entityOf(c)
      metadata.assertExists(id)
      const tags = await readDocument(c, 'metadataTags')
      const text = `Added tags to ${described(id)} successfully${id.view === undefined ? '.' : ''}` // as in CDAP
      return done(c, metadata.addTags(id, tags), text)
    },

    removeTags(c: HttpContext) {
      const id = entityOf(c)
      return done(c, metadata.removeTags(id), `Tags for ${described(id)} deleted successfully.`)
    },

    removeTag(c: HttpContext) {
      const id = entityOf(c)
      const name = c.req.param('tag') ?? ''
      const text = `Tag ${name} for ${described(id)} deleted successfully.`
      return done(c, metadata.removeTags(id, name), text)
    },

    search(c: HttpContext) {
      const namespace = namespaceOf(c)
      streams.assertNamespace(namespace)
      const { searchParams } = new URL(c.req.url)
      const words = searchParams.get('query')
      if (words === null) throw invalid('query is missing; use words to look for')
      if (words.split(/\s+/).length > WORDS_MAX) throw invalid(`query has more than ${WORDS_MAX} words`)
      const targets = parseTargets(searchParams)
      const page = parsePage(searchParams)
      const weighTerms = parseSearch(words)
      const weigh = (id: EntityId, known: readonly MetadataOf[]) =>
        targets.has('all') || targets.has(kindOf(id)) ? weighTerms(known) : 0
      const entities = () => metadata.entitiesOf(namespace, visibleNames(c.get('client')))
      if (page === undefined) {
        return answerArray(c, entities(), (id) => printFound(id, weigh), options)
      }
      return answerParts(c, (slice) => pageParts(page, entities(), weigh, slice), options)
    },

    /** The service does not record which programs read or write a stream: the graph is empty. */
    lineage(c: HttpContext) {
      streams.get(streamOf(c))
      const now = options.nowMs()
      const start = parseSecond(c.req.query('start') ?? '0', now)
      const end = parseSecond(c.req.query('end') ?? 'now', now)
      if (end < start) throw invalid(`end is ${end}, before start, which is ${start}`)
      return answerJsonText(c, `{"start":${start},"end":${end},"relations":[],"data":{},"programs":{}}`)
    },
  }
}

/**
 * Clients of CDAP 3 and 4 read `id` and `type`, those of CDAP 5 the other members. Their requests are the same, so the
 * answer has both; each ignores what it does not know.
 */
function forAllClients(id: EntityId) {
  const { namespace, stream, view } = id
  const flat = { namespace, stream, ...(view !== undefined && { view }) }
  return { ...nested(id), ...flat, entity: view === undefined ? 'STREAM' : 'STREAM_VIEW' }
}

/** The form of CDAP 3. */
function nested({ namespace, stream, view }: EntityId) {
  const ofStream = { namespace: { id: namespace }, streamName: stream }
  return view === undefined
    ? { id: ofStream, type: 'stream' }
    : { id: { stream: ofStream, id: view }, type: 'view' }
}

function kindOf({ view }: EntityId): 'stream' | 'view' {
  return view === undefined ? 'stream' : 'view'
}

/** `stream stream:default.s` */
function described(id: EntityId): string {
  return `${kindOf(id)} ${printEntity(id)}`
}

function scopesOf(c: HttpContext): Scope[] {
  const scope = c.req.query('scope')
  if (scope === undefined) return [...SCOPES]
  const found = SCOPES.find((one) => one === scope.toUpperCase())
  if (found === undefined) throw invalid(`Invalid metadata scope '${scope}'. Expected 'USER' or 'SYSTEM'`)
  return [found]
}

/** `known` in the order of SCOPES. */
function scopesFound(known: readonly MetadataOf[]): Record<string, unknown> {
  return Object.fromEntries(
    SCOPES.map((scope, i): [Scope, MetadataOf] => [scope, known[i]!])
      .filter(([, { properties, tags }]) => properties.size > 0 || tags.length > 0)
      .map(([scope, { properties, tags }]) => [scope, { properties: Object.fromEntries(properties), tags }]),
  )
}

function invalid(message: string): ServiceError {
  return new ServiceError('invalid_parameter', message)
}
