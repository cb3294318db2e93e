/** Tables and views that a script of a job defines for itself. They are of that job alone and hide tables of the same name. */
export type TemporaryDefinition = TemporaryTable | TemporaryView

export interface TemporaryTable {
  readonly kind: 'table'
  readonly name: string
  /** The columns and constraints, as `schema_sql` of a table. */
  readonly schemaSql: string
  /** Of WITH. Secrets are not filled in. */
  readonly options: Readonly<Record<string, string>>
}

export interface TemporaryView {
  readonly kind: 'view'
  readonly name: string
  readonly columns?: readonly string[] | undefined
  readonly query: string
  /** A view of the namespace, as it was when the job was created. */
  readonly isOfCatalog?: boolean
}
