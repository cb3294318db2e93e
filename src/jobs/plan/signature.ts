/** What the state of a job depends on. Filters and aggregates behind a window are not part of it. */
import { createHash } from 'node:crypto'
import type { FixedPlan, InsertPlan, SourcePlan } from './job-plan.ts'
import type { PlannerTable } from './planner-table.ts'

export interface SignatureInput {
  readonly sources: readonly SourcePlan[]
  readonly fixed: readonly FixedPlan[]
  readonly inserts: readonly InsertPlan[]
  readonly tables: ReadonlyMap<string, PlannerTable>
}

/** A change of what is hashed makes state of older versions unusable; then this number is raised. */
const VERSION = 1

/** SHA-256, hexadecimal. */
export function signatureOf({ sources, fixed, inserts, tables }: SignatureInput): string {
  const identity = (id: string) => [...tables.values()].find((table) => table.id === id)?.identity
  const parts = {
    version: VERSION,
    sources: sources.map(({ tableId, watermark }) => [identity(tableId), watermark]),
    inserts: inserts.map((insert) => [
      insert.way,
      insert.sink.columns.map(({ type }) => type),
      stateOf(insert, sources, identity),
    ]),
    fixed: inserts.some(({ way }) => way === 'refresh') ? fixed.map(({ tableId }) => identity(tableId)) : [],
  }
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex')
}

function stateOf(
  insert: InsertPlan,
  sources: readonly SourcePlan[],
  identity: (id: string) => string | undefined,
): unknown {
  switch (insert.way) {
    case 'window':
      return insert.windows.map(({ kind, sizeMs, slideMs, offsetMs, columns, timeColumn, sources: from }) => [
        kind,
        sizeMs,
        slideMs,
        offsetMs,
        columns,
        timeColumn,
        from,
      ])
    case 'running':
      return [insert.running.input, insert.running.groups, insert.running.values, insert.running.aggregates]
    case 'refresh':
      return insert.refresh.bases.map(({ source }) => {
        const plan = sources.find(({ relation }) => relation === source)
        return [identity(plan?.tableId ?? ''), plan?.columns]
      })
    default:
      return null
  }
}
