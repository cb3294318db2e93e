/** Notification feeds, in the words and the form that CDAP has for them. */
import type { Feed, FeedId, Feeds } from '../notifications/feeds.ts'
import { ServiceError } from '../service-error.ts'
import { NAME_BYTES_MAX } from '../streams/names.ts'
import { answerEmpty, answerJson, answerText } from './answers.ts'
import type { HttpContext } from './bindings.ts'
import { type DocumentOptions, documentReader } from './documents.ts'
import { scalarText } from './json-values.ts'
import { type LenientJson, LenientJsonError, parseLenientJsonBytes } from './lenient-json.ts'
import { namespaceOf } from './path-names.ts'
import { answerArray, type SlicedAnswerOptions } from './sliced-answer.ts'
import { visibleNames, visibleTo } from './visible-streams.ts'

const NAME = /^[a-zA-Z0-9_-]+$/
/** Feeds are many, and all in memory. */
const DESCRIPTION_CHARACTERS_MAX = 1000

export function feedRoutes(feeds: Feeds, options: DocumentOptions & SlicedAnswerOptions) {
  const readDocument = documentReader(options)
  return {
    async create(c: HttpContext) {
      const id = feedOf(c)
      const description = await readDocument(c.env.incoming, parseDescription)
      const done = await feeds.create({ ...id, description })
      return answerText(
        c,
        done === 'created' ? 'Notification Feed created successfully' : 'Notification Feed already exists.',
      )
    },

    get(c: HttpContext) {
      const feed = feeds.get(feedOf(c), visibleTo(c.get('client')))
      return feed === undefined ? answerEmpty(c, 404) : answerJson(c, printed(feed))
    },

    list(c: HttpContext) {
      const listed = feeds.list(namespaceOf(c), visibleNames(c.get('client')))
      return answerArray(c, listed, (feed) => JSON.stringify(printed(feed)), options)
    },

    async remove(c: HttpContext) {
      return answerEmpty(c, (await feeds.remove(feedOf(c))) ? 200 : 404)
    },
  }
}

/** A description that is undefined is left out. */
function printed({ namespace, category, name, description }: Feed) {
  return { description, category, feed: name, namespace, entity: 'NOTIFICATION_FEED' }
}

function feedOf(c: HttpContext): FeedId {
  const namespace = namespaceOf(c)
  return { namespace, category: parseName(c, 'category'), name: parseName(c, 'feed') }
}

function parseName(c: HttpContext, kind: 'category' | 'feed'): string {
  const name = c.req.param(kind) ?? ''
  if (NAME.test(name) && name.length <= NAME_BYTES_MAX) return name
  throw new ServiceError(
    'invalid_id',
    `Could not create Notification Feed. Invalid ${kind} ID: ${name.slice(0, NAME_BYTES_MAX)}. Should only contain alphanumeric characters and _ or -.`,
  )
}

function parseDescription(body: Uint8Array, depthMax: number): string | undefined {
  if (body.length === 0) return undefined
  const wrong = new ServiceError('invalid_properties', 'Invalid json object provided in request body.')
  let json: LenientJson | undefined
  try {
    json = parseLenientJsonBytes(body, depthMax)
  } catch (error) {
    if (error instanceof LenientJsonError) throw wrong
    throw error
  }
  if (!(json instanceof Map)) throw wrong
  const description = (json as ReadonlyMap<string, LenientJson>).get('description') ?? null
  if (description === null) return undefined
  const text = scalarText(description)
  if (text === undefined) throw wrong
  if (text.length > DESCRIPTION_CHARACTERS_MAX) {
    throw new ServiceError(
      'invalid_properties',
      `Could not create Notification Feed. The description has ${text.length} characters; use at most ${DESCRIPTION_CHARACTERS_MAX}.`,
    )
  }
  return text
}
