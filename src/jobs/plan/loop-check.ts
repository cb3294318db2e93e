/** Refuses jobs whose rows come back to them: such a job never has read all of its input, and the topic grows without end. */
import { ON_FLINK, SqlProblem } from '../../sql/sql-problem.ts'
import type { PlannerTable } from './planner-table.ts'
import type { ResolvedInsert } from './resolved-insert.ts'

/** Identities of topics -> those that get their rows. */
type Writes = ReadonlyMap<string, ReadonlySet<string>>

/** Throws SqlProblem at the sink of an insert whose rows reach one of its sources, also through other inserts of the job. */
export function checkLoops(inserts: readonly ResolvedInsert[]): void {
  const writes = writesOf(inserts)
  const known = new Map<string, ReadonlySet<string>>()
  for (const one of inserts) {
    const { table, insert } = one
    if (!isTopic(table)) continue
    const reached = known.get(table.identity) ?? reachedFrom(table.identity, writes)
    known.set(table.identity, reached)
    const source = sourcesOf(one).find(({ identity }) => reached.has(identity))
    if (source === undefined) continue
    const what = source.id === table.id ? 'which it writes' : `which has what it writes to ${table.name}`
    throw new SqlProblem(
      `the job reads table ${source.name}, ${what}: such a loop is not supported${ON_FLINK}`,
      insert.sink.place,
    )
  }
}

function writesOf(inserts: readonly ResolvedInsert[]): Writes {
  const writes = new Map<string, Set<string>>()
  for (const one of inserts) {
    if (!isTopic(one.table)) continue
    for (const { identity } of sourcesOf(one)) {
      const sinks = writes.get(identity)
      if (sinks === undefined) writes.set(identity, new Set([one.table.identity]))
      else sinks.add(one.table.identity)
    }
  }
  return writes
}

function reachedFrom(topic: string, writes: Writes): ReadonlySet<string> {
  const reached = new Set([topic])
  // The walk over a set includes what is added meanwhile.
  for (const identity of reached) for (const sink of writes.get(identity) ?? []) reached.add(sink)
  return reached
}

function sourcesOf({ resolution, resolved }: ResolvedInsert): readonly PlannerTable[] {
  return resolution.relations.sources
    .filter(({ relation, table }) => resolved.sources.has(relation) && isTopic(table))
    .map(({ table }) => table)
}

function isTopic({ connectorKind, mayLoop }: PlannerTable): boolean {
  return mayLoop !== true && (connectorKind === 'topic' || connectorKind === 'upsert-topic')
}
