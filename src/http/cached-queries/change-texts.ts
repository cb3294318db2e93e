/**
 * Items of the changes of a query as text: server-sent events, or one object a line. Only `rows` and `commit` have an id, so a client
 * that reconnects with it never begins inside of a refresh.
 */
import type { QueryItem, QueryView, RowTexts } from '../../cached-queries/query-service.ts'
import type { Moment } from '../../cdc/capture-service.ts'
import { momentOf } from './query-json.ts'
import { asArray, asObject } from './row-texts.ts'

/** Why the service ends the changes. */
export type EndReason = 'deleted' | 'shutdown' | 'lifetime' | 'revoked'

export interface ChangeTexts {
  readonly contentType: string
  /** Before the first item. */
  readonly opening: string
  /** In several parts where it is long. */
  item(item: Exclude<QueryItem, { event: 'end' }>): Iterable<string>
  end(reason: EndReason, cursor: string | undefined): string
  /** What keeps the connection: a comment or a blank line; with `asEvent` one with the time and the last cursor. */
  heartbeat(asEvent: boolean, nowMs: number, cursor: string | undefined): string
}

/** Of a page of JSON in an item: `members` are its members without braces. */
type Members = Iterable<string>

export function sseTexts(columns: QueryView['columns']): ChangeTexts {
  const membersOf = membersFor(columns)
  return {
    contentType: 'text/event-stream',
    opening: 'retry: 1000\n\n',
    *item(item) {
      const id = 'cursor' in item ? `id: ${item.cursor}\n` : ''
      yield `event: ${item.event}\n${id}data: {`
      yield* membersOf(item)
      yield '}\n\n'
    },
    end: (reason, cursor) => `event: end\ndata: ${JSON.stringify({ reason, cursor: cursor ?? null })}\n\n`,
    heartbeat: (asEvent, timestamp, cursor) =>
      asEvent
        ? `event: heartbeat\ndata: ${JSON.stringify({ timestamp, cursor: cursor ?? null })}\n\n`
        : ':\n\n',
  }
}

export function lineTexts(columns: QueryView['columns']): ChangeTexts {
  const membersOf = membersFor(columns)
  const line = (event: string, more: object) => `${JSON.stringify({ event, ...more })}\n`
  return {
    contentType: 'application/x-ndjson',
    opening: '',
    *item(item) {
      yield `{"event":"${item.event}",`
      yield* membersOf(item)
      if ('cursor' in item) yield `,"cursor":${JSON.stringify(item.cursor)}`
      yield '}\n'
    },
    end: (reason, cursor) => line('end', { reason, cursor: cursor ?? null }),
    heartbeat: (asEvent, timestamp, cursor) =>
      asEvent ? line('heartbeat', { timestamp, cursor: cursor ?? null }) : '\n',
  }
}

function membersFor(columns: QueryView['columns']) {
  const print = asObject(columns)
  const printed = (row: RowTexts | undefined) => (row === undefined ? 'null' : print(row))
  const asOf = (moment: Moment) => `"asOf":${JSON.stringify(momentOf(moment))}`
  return function* membersOf(item: Exclude<QueryItem, { event: 'end' }>): Members {
    switch (item.event) {
      case 'rows': {
        yield '"rows":['
        for (const [i, row] of item.rows.entries()) yield i === 0 ? asArray(row) : `,${asArray(row)}`
        yield `],${asOf(item.asOf)}`
        break
      }
      case 'change': {
        const { op, key, before, after } = item
        yield `"op":"${op}","key":${key},"before":${printed(before)},"after":${printed(after)}`
        break
      }
      case 'commit':
        yield `${asOf(item.asOf)},"changes":${item.changes}`
        break
      case 'status':
        yield `"status":"${item.status}","error":${JSON.stringify(item.error ?? null)}`
    }
  }
}
