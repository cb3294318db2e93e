/** A view of the catalog: a query under a name. It has no data and no state; jobs take its query in place of its name. */
import type { TypedColumn } from '../sql/data-types.ts'
import type { NamespaceName } from '../streams/names.ts'

/** What planning needs of a view. */
export interface ViewDefinition {
  readonly name: string
  /** Undefined: those of the query. */
  readonly columns: readonly string[] | undefined
  /** As the client sent it. */
  readonly query: string
}

export interface SqlView extends ViewDefinition {
  /** UUID. */
  readonly id: string
  readonly namespace: NamespaceName
  /** Types of all columns when the view was created. */
  readonly types: readonly TypedColumn[]
  readonly comment: string | undefined
  readonly createdMs: number
  /** Order of creation within the store. */
  readonly number: number
}
