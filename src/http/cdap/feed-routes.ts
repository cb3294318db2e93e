/** Notification feeds, with the texts and JSON of CDAP. */
import type { Feed, FeedId, Feeds } from '../../notifications/feeds.ts'
import { ServiceError } from '../../service-error.ts'
import { NAME_BYTES_MAX } from '../../streams/names.ts'
import { answerEmpty, answerJson, answerText } from '../messages/answers.ts'
import type { DocumentOptions } from '../messages/documents.ts'
import { answerArray, type SlicedAnswerOptions } from '../messages/sliced-answer.ts'
import type { HttpContext } from '../server/bindings.ts'
import { namespaceOf } from '../server/path-names.ts'
import { cdapDocumentReader } from './document-reader.ts'
import { visibleNames, visibleTo } from './visible-streams.ts'

const NAME = /^[a-zA-Z0-9_-]+$/

export function feedRoutes(feeds: Feeds, options: DocumentOptions & SlicedAnswerOptions) {
  const readDocument = cdapDocumentReader(options)
  return {
    async create(c: HttpContext) {
      const id = feedOf(c)
      const description = await readDocument(c, 'feedDescription')
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

/** JSON omits a description that is undefined. */
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
