/** SQL over streams: submit a query, poll its status, read its rows, close it; list tables. */
import type { Client } from '../../auth/tokens.ts'
import type { Explore, Reader, Submitter } from '../../explore/explore.ts'
import type { MetadataQuestion } from '../../explore/jdbc-catalog.ts'
import type { Query } from '../../explore/query.ts'
import { NO_OP } from '../../explore/query-handle.ts'
import { hasColumns } from '../../explore/tables.ts'
import { ServiceError } from '../../service-error.ts'
import { parseViewName, type StreamId } from '../../streams/names.ts'
import type { Streams } from '../../streams/streams.ts'
import { type TableClaim, tableOfStream } from '../../streams/table-names.ts'
import type { Views } from '../../streams/views.ts'
import { assertAcceptable } from '../messages/accept.ts'
import { answerEmpty, answerJson, answerJsonText, answerText } from '../messages/answers.ts'
import type { DocumentOptions } from '../messages/documents.ts'
import { answerPieces, beginPieces } from '../messages/long-answer.ts'
import { answerArray, type SlicedAnswerOptions } from '../messages/sliced-answer.ts'
import type { HttpContext } from '../server/bindings.ts'
import { clientKey } from '../server/client-key.ts'
import { namespaceOf, streamOf } from '../server/path-names.ts'
import { cdapDocumentReader } from './document-reader.ts'
import { printFormat } from './format-json.ts'
import { jdbcInfoOf } from './jdbc-json.ts'
import { parsePage, printRows, schemaOfQuery, statusOf, summaryOf, tableInfoOf } from './query-json.ts'
import { checkTableName } from './view-json.ts'
import { mayKnowOf, visibleNames } from './visible-streams.ts'

export interface ExploreRoutesOptions extends DocumentOptions, SlicedAnswerOptions {}

export function exploreRoutes(
  explore: Explore,
  streams: Streams,
  views: Views,
  options: ExploreRoutesOptions,
) {
  const readDocument = cdapDocumentReader(options)

  /** A handler for the query of a handle; `noOp` answers for the handle of a statement that did nothing. */
  function ofQuery(
    answer: (c: HttpContext, query: Query) => Response | Promise<Response>,
    noOp: (c: HttpContext) => Response,
  ) {
    return (c: HttpContext) => {
      const handle = c.req.param('handle') ?? ''
      if (handle === NO_OP) return noOp(c)
      const query = explore.find(handle, readerOf(c))
      return query === undefined ? answerEmpty(c, 404) : answer(c, query)
    }
  }

  return {
    async submit(c: HttpContext) {
      const namespace = namespaceOf(c)
      const { query, ...given } = await readDocument(c, 'query', namespace)
      const handle = await explore.submit({ namespace, statement: query, ...given, ...submitterOf(c) })
      return answerJson(c, { handle })
    },

    list(c: HttpContext) {
      const page = parsePage((name) => c.req.query(name))
      return answerJson(c, explore.list(namespaceOf(c), page, readerOf(c)).map(summaryOf))
    },

    count(c: HttpContext) {
      return answerJson(c, { count: explore.count(namespaceOf(c), readerOf(c)) })
    },

    status: ofQuery(
      (c, query) => answerJson(c, statusOf(query)),
      (c) => answerJson(c, { status: 'FINISHED', hasResults: false }),
    ),

    schema: ofQuery(
      (c, query) => {
        if (query.status !== 'FINISHED' && query.status !== 'CLOSED') throw notYet(query, 'a schema')
        return answerJson(c, schemaOfQuery(query))
      },
      (c) => answerJson(c, []),
    ),

    next: ofQuery(
      async (c, query) => {
        const size = await readDocument(c, 'size')
        if (!query.isActive) return answerEmpty(c, 404)
        if (query.isUnderWay) throw notYet(query, 'rows') // an empty answer would mean that there are no more rows
        return answerJsonText(c, printRows(await explore.next(query, size)))
      },
      (c) => answerJson(c, []),
    ),

    preview: ofQuery(
      async (c, query) => {
        if (!query.isActive) return answerText(c, 'Preview is unavailable for inactive queries.', 409)
        if (query.isUnderWay) throw notYet(query, 'rows')
        return answerJsonText(c, printRows(await explore.preview(query)))
      },
      (c) => answerJson(c, []),
    ),

    download: ofQuery(
      async (c, query) => {
        if (query.status === 'CLOSED') return answerText(c, 'Query is inactive', 409)
        if (query.status !== 'FINISHED') return answerEmpty(c, 409)
        assertAcceptable(c, 'text/csv')
        const mayGoOn = ({ grants }: Client) =>
          query.streams.every(({ namespace, stream }) => grants.allow('read', namespace, stream))
        return answerPieces(c, await beginPieces(csvPieces(explore, query)), CSV, options, mayGoOn)
      },
      (c) => answerEmpty(c, 409),
    ),

    close: ofQuery(
      (c, query) => {
        if (!query.isActive) return answerEmpty(c, 404)
        query.close()
        return answerEmpty(c)
      },
      (c) => answerEmpty(c),
    ),

    tables(c: HttpContext) {
      const namespace = namespaceOf(c)
      streams.assertNamespace(namespace)
      const print = (claim: TableClaim) =>
        hasColumns(claim) ? JSON.stringify({ database: namespace, table: claim.table }) : undefined
      return answerArray(c, explore.tables.claims(namespace, visibleNames(c.get('client'))), print, options)
    },

    tableInfo(c: HttpContext) {
      const found = explore.tables.find(namespaceOf(c), c.req.param('table') ?? '', mayKnowOf(c))
      return found === undefined
        ? answerEmpty(c, 404)
        : answerJson(c, tableInfoOf(found.claim, found.columns))
    },

    /** The stream's own table has the format of the stream; a table of another name is a view. */
    async enableTable(c: HttpContext) {
      const id = streamOf(c)
      const stream = streams.get(id)
      const format = await readDocument(c, 'format')
      const table = c.req.param('table') ?? ''
      if (isOwnTable(table, id)) {
        if (printFormat(format) !== printFormat(stream.properties.format)) {
          throw new ServiceError(
            'invalid_query',
            `table ${table} has the format of stream ${id.stream}; change that, or use another name`,
          )
        }
        await explore.tables.enable(id, mayKnowOf(c))
      } else {
        checkTableName(table)
        await views.put(id, parseViewName(table), { format, tableName: table }, mayKnowOf(c))
      }
      return answerJson(c, { handle: NO_OP })
    },

    async disableTable(c: HttpContext) {
      const id = streamOf(c)
      if (!streams.has(id)) throw new ServiceError('stream_not_found', `Could not find stream ${id.stream}`)
      const table = c.req.param('table') ?? ''
      if (isOwnTable(table, id)) await explore.tables.disable(id)
      else await views.delete(id, parseViewName(table))
      return answerJson(c, { handle: NO_OP })
    },

    jdbcInfo(c: HttpContext) {
      return answerJson(c, jdbcInfoOf(c.req.param('type') ?? ''))
    },

    jdbc(about: MetadataQuestion['about']) {
      return async (c: HttpContext) => {
        const schema = c.req.param('schema')
        const question = await readDocument(c, 'jdbcQuestion', about, schema)
        return answerJson(c, { handle: await explore.submitQuestion(question, submitterOf(c)) })
      }
    },

    serviceStatus(c: HttpContext) {
      return answerJson(c, { status: 'OK' })
    },
  }
}

function notYet({ status }: Query, what: string): ServiceError {
  return new ServiceError('invalid_query', `the query is ${status}; it has ${what} once it is FINISHED`)
}

function isOwnTable(table: string, { stream }: StreamId): boolean {
  return table.toLowerCase() === tableOfStream(stream)
}

const CSV = { 'Content-Type': 'text/csv; charset=utf-8' }

/** A line with the column names, then one line for each row; cells are JSON. */
async function* csvPieces(explore: Explore, query: Query): AsyncGenerator<Uint8Array, void, undefined> {
  yield Buffer.from(`${(query.columns ?? []).map(({ name }) => name).join(',')}\n`)
  for await (const rows of explore.rows(query)) {
    yield Buffer.from(rows.map((row) => `${row.map(csvCell).join(',')}\n`).join(''))
  }
}

function submitterOf(c: HttpContext): Submitter {
  return { client: clientKey(c.env.incoming, c.get('client')), reader: readerOf(c) }
}

/** An array, such as a BINARY value, is quoted, because it contains commas. */
function csvCell(json: string): string {
  return json.startsWith('[') ? `"${json}"` : json
}

/** Undefined if tokens are not required. */
function readerOf(c: HttpContext): Reader | undefined {
  const client = c.get('client')
  if (client === undefined || client === null) return undefined
  const { name, hash, grants } = client
  return {
    name,
    owner: hash,
    mayKnow: ({ namespace, stream }) => grants.includeStream(namespace, stream),
    mayKnowPartOf: (namespace) => grants.includePartOf(namespace),
    mayRead: ({ namespace, stream }) => grants.allow('read', namespace, stream),
    mayReadAll: (namespace) => grants.allowAll('read', namespace),
  }
}
