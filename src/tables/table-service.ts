/** What APIs and jobs do with tables and integrations. `src/tables/tables.ts` implements it. */
import type { TypedColumn } from '../sql/data-types.ts'
import type { NamespaceName } from '../streams/names.ts'
import type { SqlView, ViewDefinition } from './sql-view.ts'
import type { Access, ContactState, Integration, Table } from './table.ts'

/** A table as a client asks for it: one model for the flat and the nested form of bodies. Values are not checked yet. */
export interface TableRequest {
  readonly name: string
  readonly integrationId: string
  readonly schemaSql: string
  readonly connector: ConnectorRequest
  /** `[LIKE] <table>`: the columns, the key and the watermark of that table come first. */
  readonly likeOptions?: string | undefined
  /** Kept and shown, without effect. */
  readonly partitionedBy?: unknown
}

/** `options` are the members of the connector with their names in the nested form; a missing one is undefined. */
export interface ConnectorRequest {
  readonly kind: 'kafka' | 'upsert_kafka' | 'jdbc' | 'opensearch' | 'datagen' | 'print' | 'blackhole'
  readonly options: Readonly<Record<string, unknown>>
}

/** A table as CREATE TABLE defines it. */
export interface TableDefinition {
  readonly name: string
  /** The inside of the parentheses. */
  readonly schemaSql: string
  /** Of WITH, with names as written. */
  readonly options: Readonly<Record<string, string>>
  readonly comment?: string | undefined
  /** Kept and shown, without effect. */
  readonly partitionedBy?: readonly string[] | undefined
}

export type TableChange =
  | { readonly kind: 'set'; readonly options: Readonly<Record<string, string>> }
  | { readonly kind: 'reset'; readonly names: readonly string[] }
  | { readonly kind: 'rename'; readonly name: string }

/** A view as CREATE VIEW defines it. */
export interface ViewRequest extends ViewDefinition {
  readonly comment?: string | undefined
}

/** Replaces the references `${…}` to secrets of a namespace in a text. Throws ServiceError 'secret_not_found', 'secret_unusable'. */
export type SecretResolver = (text: string, namespace: NamespaceName) => string

/** Types the columns of a view. The planner implements it. Rejects with SqlProblem, whose place is in the query. */
export type ViewTyper = (namespace: NamespaceName, view: ViewDefinition) => Promise<readonly TypedColumn[]>

export interface IntegrationRequest {
  readonly sourceService: string
  readonly sourceProject: string
  readonly destService: string
  readonly destProject: string
  readonly userConfig: Readonly<Record<string, unknown>>
}

export interface TableService {
  /**
   * Resolves when the table is durable. Rejects with SqlProblem for the schema (message without the prefix `schema_sql: `),
   * with ServiceError 'integration_not_found', 'invalid_table', 'unsupported', 'table_exists'.
   */
  create(namespace: NamespaceName, request: TableRequest): Promise<Table>
  /** The checks of `create`, but those of the name. */
  validate(namespace: NamespaceName, request: TableRequest): Promise<void>
  /** In order of creation. */
  list(namespace: NamespaceName): readonly Table[]
  /** Throws ServiceError 'table_not_found', also for ids of no UUID. */
  get(namespace: NamespaceName, id: string): Table
  find(namespace: NamespaceName, name: string): Table | undefined
  /** Rejects with ServiceError 'table_in_use' while a job that is not terminal uses the table. */
  delete(namespace: NamespaceName, id: string): Promise<void>
  /** Tables of a definition, and views. */
  readonly sql: SqlCatalog

  /** In order of creation. */
  views(namespace: NamespaceName): readonly SqlView[]

  integrations(namespace: NamespaceName): readonly Integration[]
  /** Of all namespaces. Throws ServiceError 'integration_not_found'. */
  integration(id: string): Integration
  createIntegration(namespace: NamespaceName, request: IntegrationRequest): Promise<Integration>
  updateIntegration(id: string, userConfig: Readonly<Record<string, unknown>>): Promise<Integration>
  /** Rejects with ServiceError 'integration_in_use' or 'integration_built_in'. */
  deleteIntegration(id: string): Promise<void>
  /** How to reach the data of an integration, secrets included. */
  access(integration: Integration): Access
  /** As `access`, of a table's data. Values of its options are checked here, and references to secrets replaced. */
  accessOf(table: Table): Access
  /** Whether the data of the table are events of a stream of the namespace. Needs no secret. */
  isOverStreams(table: Table): boolean
  contact(integrationId: string): ContactState
  /** Jobs report the outcome of a contact here. */
  contacted(integrationId: string, outcome: ContactState): void

  /** Names the jobs that are not terminal and use the table. Set once by the job model. */
  onUseOf(usersOf: (tableId: string) => readonly { readonly name: string; readonly jid: string }[]): void
}

/** What SQL does with tables and views. A name is that of a table or of a view. */
export interface SqlCatalog {
  /**
   * A table that is not stored: it belongs to one script. Its computed columns have no types yet, so they are not among `columns`. Throws
   * SqlProblem for the schema, and ServiceError 'invalid_table', 'integration_not_found' for the options.
   */
  temporary(namespace: NamespaceName, definition: TableDefinition): Table
  /** Resolves when the table is durable. Rejects with what `temporary` throws, and with ServiceError 'table_exists'. */
  createTable(namespace: NamespaceName, definition: TableDefinition): Promise<Table>
  /**
   * Changes options or the name. Options of a table over an integration cannot be changed. Rejects with ServiceError 'invalid_table',
   * 'table_not_found', 'table_exists', and 'table_in_use' for a change that running jobs do not survive.
   */
  alterTable(namespace: NamespaceName, id: string, change: TableChange): Promise<Table>
  findView(namespace: NamespaceName, name: string): SqlView | undefined
  /** The checks of `createTable`, without its effect. */
  checkTable(namespace: NamespaceName, definition: TableDefinition): Promise<void>
  /** The checks of `alterTable`, without its effect. */
  checkChange(namespace: NamespaceName, id: string, change: TableChange): Promise<void>
  checkView(namespace: NamespaceName, view: ViewRequest): Promise<void>
  /** The options of WITH that create the table again; secrets are `***`. */
  optionsOf(table: Table): Readonly<Record<string, string>>
  /** Rejects with SqlProblem for the query, and with ServiceError 'table_exists', 'invalid_table'. */
  createView(namespace: NamespaceName, view: ViewRequest): Promise<SqlView>
  /** Jobs that run keep the query of the view. Rejects with ServiceError 'table_not_found'. */
  dropView(namespace: NamespaceName, name: string): Promise<void>
  /** Set once, each by the module that has it. */
  onSecrets(resolve: SecretResolver): void
  onViewTypes(typer: ViewTyper): void
}
