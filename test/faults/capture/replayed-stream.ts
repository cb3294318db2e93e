/** The stream of a captured table, replayed: its rows, its changes, and what is wrong with its events. */
import type { ReadEvent } from '../writers/read-back.ts'
import type { ChangeText } from './decoded-changes.ts'

type Row = Readonly<Record<string, unknown>>

interface Envelope {
  readonly before: Row | null
  readonly after: Row | null
  readonly op: string
}

export interface Replayed {
  readonly rows: ReadonlyMap<string, Row>
  /** In order, rows of snapshots too: `r <key> <v>`. */
  readonly changes: readonly ChangeText[]
  readonly problems: readonly string[]
}

export function replayed(events: readonly ReadEvent[], key: readonly string[]): Replayed {
  const rows = new Map<string, Row>()
  const changes: ChangeText[] = []
  const problems: string[] = []
  let deleted: string | undefined
  for (const [index, { headers, body }] of events.entries()) {
    const place = `event ${index}`
    const keyHeader = headers.key
    if (body === '') {
      if (deleted === undefined || keyHeader !== deleted)
        problems.push(`${place}: a tombstone of ${keyHeader} after ${deleted}`)
      deleted = undefined
      continue
    }
    if (deleted !== undefined) problems.push(`${place}: no tombstone of ${deleted}`)
    const { before, after, op } = JSON.parse(body) as Envelope
    deleted = op === 'd' ? keyHeader : undefined
    if (op === 't') {
      rows.clear()
      changes.push('t')
      continue
    }
    const row = (after ?? before)!
    const id = key.map((name) => String(row[name])).join('|')
    const known = rows.get(id)
    if ((op === 'c' || op === 'r') && known !== undefined)
      problems.push(`${place}: ${op} of ${id}, which is there`)
    if ((op === 'u' || op === 'd') && !isSame(known, before))
      problems.push(`${place}: ${op} of ${id} with another row before`)
    if (op === 'd') rows.delete(id)
    else rows.set(id, after!)
    changes.push(op === 'd' ? `d ${id}` : `${op} ${id} ${String(after!.v)}`)
  }
  return { rows, changes, problems }
}

/** Columns that were added in between are NULL in the known row. */
function isSame(known: Row | undefined, before: Row | null): boolean {
  if (known === undefined || before === null) return false
  return Object.entries(before).every(([name, value]) => (known[name] ?? null) === value)
}
