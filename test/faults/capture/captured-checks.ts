/** At rest: what the streams and the cached queries hold is compared with the database and with a second reader of its log. */

import { type CachedClient, lsnOf } from './cached-client.ts'
import { type Captured, CHECK_SLOT, sqlOn } from './capture-killing.ts'
import { TABLES } from './database-load.ts'
import { DecodedChanges } from './decoded-changes.ts'
import { replayed } from './replayed-stream.ts'

const PROBLEMS_MAX = 5

export interface Checked {
  readonly problems: readonly string[]
  readonly changes: number
  readonly rows: number
}

/** Call it when nothing is written any more. */
export async function checkStreams(
  client: CachedClient,
  captured: Captured,
  timeoutMs: number,
): Promise<Checked> {
  const { uri, environment, connection } = captured
  await client.captured(connection, await walPosition(uri), timeoutMs)
  const decoded = new DecodedChanges()
  for (const { data } of (await sqlOn(uri, READ_SLOT)).rows as { data: string }[]) decoded.add(data)
  const problems: string[] = []
  let changes = 0
  let rows = 0
  for (const [table, key] of Object.entries(TABLES)) {
    const stream = `${environment}-public-${table}`
    const { events, problems: unread } = await client.changes(stream)
    problems.push(...unread)
    const held = replayed(events, key)
    problems.push(...held.problems.slice(0, PROBLEMS_MAX).map((problem) => `${stream}: ${problem}`))
    const present = await presentRows(uri, table, key)
    problems.push(...differences(`${stream}: row`, [...held.rows].map(rowText), [...present].map(rowText)))
    const expected = afterMark(decoded.changes.get(table)!)
    const written = afterMark(held.changes)
    const at = expected.findIndex((change, index) => written[index] !== change)
    if (at >= 0 || written.length !== expected.length)
      problems.push(
        `${stream}: change ${at} of ${expected.length} and ${written.length} is ${at < 0 ? 'beyond the end' : `${written[at]}, wanted ${expected[at]}`}`,
      )
    changes += written.length
    rows += present.size
  }
  return { problems, changes, rows }
}

/** Rows of a cached query against the database's own answer. */
export async function checkQuery(
  client: CachedClient,
  uri: string,
  query: number,
  sql: string,
  timeoutMs: number,
): Promise<readonly string[]> {
  const { rows } = await client.rows(query, await walPosition(uri), timeoutMs)
  const answer = await sqlOn(uri, sql)
  const names = answer.fields.map(({ name }) => name)
  const wanted = (answer.rows as Record<string, string | null>[]).map((row) =>
    JSON.stringify(names.map((name) => row[name])),
  )
  const held = rows.map((row) => JSON.stringify(row.map((value) => (value === null ? null : String(value)))))
  return differences(`query ${query} (${sql}): row`, held, wanted)
}

const READ_SLOT = `select data from pg_logical_slot_get_changes('${CHECK_SLOT}_' || current_database(), null, null)`

async function walPosition(uri: string): Promise<bigint> {
  const { rows } = await sqlOn(uri, 'select pg_current_wal_lsn() as lsn')
  return lsnOf((rows[0] as { lsn: string }).lsn)
}

/** The rows of the table in the JSON of events. */
async function presentRows(
  uri: string,
  table: string,
  key: readonly string[],
): Promise<Map<string, Record<string, unknown>>> {
  const rows = new Map<string, Record<string, unknown>>()
  const { rows: found, fields } = await sqlOn(uri, `select * from ${table}`)
  for (const texts of found as Record<string, string | null>[]) {
    const row = Object.fromEntries(
      fields.map(({ name, dataTypeID }) => [
        name,
        texts[name] !== null && NUMBERS.has(dataTypeID) ? Number(texts[name]) : texts[name],
      ]),
    )
    rows.set(key.map((name) => texts[name]).join('|'), row)
  }
  return rows
}

/** integer, bigint */
const NUMBERS: ReadonlySet<number> = new Set([23, 20])

/** NULL columns are left out: rows from before a column was added do not have it. */
function rowText([id, row]: readonly [string, Readonly<Record<string, unknown>>]): string {
  return `${id} ${JSON.stringify(Object.entries(row).filter(([, value]) => value !== null))}`
}

function afterMark(changes: readonly string[]): readonly string[] {
  const at = changes.findIndex((change) => change === 'c -1 0' || change === 'c mark|-1 0')
  return at < 0 ? [] : changes.slice(at)
}

function differences(what: string, held: readonly string[], wanted: readonly string[]): string[] {
  const ours = new Set(held)
  const theirs = new Set(wanted)
  const shown = (text: string) => (text.length > 300 ? `${text.slice(0, 300)}…` : text)
  const lines = [
    ...wanted.filter((text) => !ours.has(text)).map((text) => `${what} is missing: ${shown(text)}`),
    ...held
      .filter((text) => !theirs.has(text))
      .map((text) => `${what} is not in the database: ${shown(text)}`),
  ]
  if (held.length !== wanted.length) lines.unshift(`${what}s: ${held.length}, wanted ${wanted.length}`)
  return lines.slice(0, PROBLEMS_MAX)
}
