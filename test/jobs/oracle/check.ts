/** Compares the events of a sink with what the statement must have written. */
import { expect } from 'vitest'
import type { Arrived } from './input.ts'
import type { SinkEvent } from './oracle-service.ts'
import type { OutRow, Statement } from './statements.ts'

/** Throws at the first difference. */
export function checkSink(
  statement: Statement,
  input: readonly Arrived[],
  events: readonly SinkEvent[],
): void {
  const { expected, query } = statement
  if (expected.form === 'changes') {
    checkChanges(query, expected.states(input), events)
    return
  }
  const wanted = expected.rows(input).map((row) => JSON.stringify(row))
  const got = events.map(({ body }) => JSON.stringify(Object.values(JSON.parse(body) as object)))
  const at = wanted.findIndex((row, i) => row !== got[i])
  const from = at === -1 ? wanted.length : at
  expect({ rows: got.length, from, next: got.slice(from, from + 3) }, query).toEqual({
    ...{ rows: wanted.length, from, next: wanted.slice(from, from + 3) },
  })
}

/**
 * Each change deletes or replaces a row that is there. The rows after a step of the job, whose changes have one timestamp, are
 * those before the first event or after some event, later than those of the step before. The last rows are those after all events.
 */
function checkChanges(
  query: string,
  states: readonly (readonly OutRow[])[],
  events: readonly SinkEvent[],
): void {
  const rows = new Map<string, number>()
  const add = (row: unknown, count: 1 | -1) => {
    if (row === null) return
    const text = JSON.stringify(Object.values(row as object))
    const left = (rows.get(text) ?? 0) + count
    if (left < 0) throw new Error(`${query}\nchanged a row that is not there: ${text}`)
    if (left === 0) rows.delete(text)
    else rows.set(text, left)
  }
  let at = 0
  for (const [i, { body, timestampMs }] of events.entries()) {
    const { before, after } = JSON.parse(body) as { readonly before: unknown; readonly after: unknown }
    add(before, -1)
    add(after, 1)
    if (events[i + 1]?.timestampMs === timestampMs) continue
    const now = [...rows]
      .flatMap(([row, count]) => Array.from({ length: count }, () => row))
      .sort()
      .join('\n')
    while (at < states.length && textOf(states[at]!) !== now) at++
    if (at === states.length)
      throw new Error(`${query}\nhas rows that are of no event, after change ${i}:\n${now}`)
  }
  const now = [...rows].flatMap(([row, count]) => Array.from({ length: count }, () => row)).sort()
  expect(now, query).toEqual((states.at(-1) ?? []).map((row) => JSON.stringify(row)).sort())
}

function textOf(rows: readonly OutRow[]): string {
  return rows
    .map((row) => JSON.stringify(row))
    .sort()
    .join('\n')
}
