/** Queries as JSON: what a client submits, and what it is told. */

import type { Column } from '../../explore/columns.ts'
import type { Query } from '../../explore/query.ts'
import type { QueryPage } from '../../explore/query-list.ts'
import type { Row } from '../../explore/result.ts'
import { ServiceError } from '../../service-error.ts'
import type { NamespaceName } from '../../streams/names.ts'
import type { TableClaim } from '../../streams/table-names.ts'
import type { ProgramId } from '../../streams/usage.ts'
import { readJson } from '../messages/json-document.ts'
import { scalarTexts } from '../messages/json-values.ts'
import { parseProgram } from './program-json.ts'

export interface GivenQuery {
  readonly query: string
  readonly strict: boolean
  readonly program: ProgramId | undefined
}

/**
 * `{"query":"SELECT …","strict":"true","app":…,"program":…,"type":…}`; other members are settings of Hive's sessions, and
 * ignored. The program is one of `namespace`.
 */
export function parseQuery(body: Uint8Array, depthMax: number, namespace: NamespaceName): GivenQuery {
  const members = texts(body, depthMax)
  const query = members?.get('query')
  if (members === undefined || query === undefined)
    throw refused('there is no query; send {"query":"SELECT …"}')
  const strict = members.get('strict') ?? 'false'
  if (strict !== 'true' && strict !== 'false') throw refused(`strict is '${strict}'; use true or false`)
  return { query, strict: strict === 'true', program: parseProgram(members, namespace) }
}

const ROWS_DEFAULT = 100
/** A page is made in memory. */
export const PAGE_ROWS_MAX = 10_000

/** `{"size":n}`, or nothing. */
export function parseSize(body: Uint8Array, depthMax?: number): number {
  if (body.length === 0) return ROWS_DEFAULT
  const size = texts(body, depthMax)?.get('size')
  if (size === undefined) return ROWS_DEFAULT
  if (!/^[0-9]{1,15}$/.test(size) || Number(size) === 0)
    throw refused(`size is '${size}'; use a whole number above 0`)
  return Math.min(PAGE_ROWS_MAX, Number(size))
}

export function parsePage(query: (name: string) => string | undefined): QueryPage {
  const cursor = query('cursor') ?? 'next'
  if (cursor !== 'next' && cursor !== 'prev') throw refused(`cursor is '${cursor}'; use next or prev`)
  return {
    cursor,
    limit: whole('limit', query('limit'), 50),
    offsetMs: whole('offset', query('offset'), cursor === 'next' ? Number.MAX_SAFE_INTEGER : 0),
  }
}

function whole(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback
  if (!/^[0-9]{1,19}$/.test(text)) throw refused(`${name} is '${text}'; use a whole number`)
  return Math.min(Number.MAX_SAFE_INTEGER, Number(text))
}

function texts(body: Uint8Array, depthMax?: number): ReadonlyMap<string, string> | undefined {
  const json = readJson(body, depthMax, ({ message }) => refused(`the body is not JSON: ${message}`))
  if (json === undefined) return undefined
  const members = scalarTexts(json)
  if (members === undefined) throw refused('the body is not an object of texts')
  return members
}

export function statusOf({ status, failure, badEvents }: Query): unknown {
  return {
    status,
    hasResults: status === 'FINISHED',
    ...(failure && { errorMessage: failure.message, sqlState: failure.sqlState }),
    ...(badEvents.count > 0 && {
      badEvents: badEvents.count,
      firstBadEvents: badEvents.first.map(({ table, sequence, timestampMs, reason }) => ({
        table,
        sequence,
        timestamp: timestampMs,
        reason,
      })),
    }),
  }
}

export function schemaOfQuery({ columns = [] }: Query): unknown {
  return columns.map(({ name, type }, index) => ({ name, type, position: index + 1 }))
}

export function summaryOf({ createdMs, statement, status, handle, isActive }: Query): unknown {
  return {
    timestamp: createdMs,
    statement,
    status,
    query_handle: handle,
    has_results: status === 'FINISHED',
    is_active: isActive,
  }
}

export function printRows(rows: readonly Row[]): string {
  return `[${rows.map((row) => `{"columns":[${row.join(',')}]}`).join(',')}]`
}

export function tableInfoOf({ table, stream, view }: TableClaim, columns: readonly Column[]): unknown {
  return {
    table_name: table,
    db_name: stream.id.namespace,
    parameters: { 'explore.stream.name': stream.id.stream, ...(view && { 'explore.view.name': view.name }) },
    from_dataset: false,
    schema: columns.map(({ name, hiveType }) => ({ name, type: hiveType.toLowerCase() })),
  }
}

function refused(message: string): ServiceError {
  return new ServiceError('invalid_query', message)
}
