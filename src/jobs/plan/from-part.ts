/** A part of FROM that is resolved: a relation, or a join. */
import type { Node } from '../../sql/tree.ts'
import type { TableRelation } from './plan-relations.ts'
import type { PlannerTable } from './planner-table.ts'
import type { Entry, Kind } from './scope.ts'

export interface FromPart {
  readonly node: Node
  readonly entries: readonly Entry[]
  readonly kind: Kind
  readonly sources: ReadonlySet<string>
  readonly isCumulate: boolean
  /** __ord or __end of its rows. */
  readonly hidden: Node | undefined
  readonly lookups: readonly PendingLookup[]
}

/** A lookup whose keys are known when WHERE is resolved. */
export interface PendingLookup {
  readonly relation: TableRelation
  readonly table: PlannerTable
  readonly entry: Entry
  readonly left: FromPart
  readonly condition: Node | null
  readonly node: Node
}
