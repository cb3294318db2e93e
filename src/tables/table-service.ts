/** What APIs and jobs do with tables and integrations. `src/tables/tables.ts` implements it. */
import type { NamespaceName } from '../streams/names.ts'
import type { SqlView } from './sql-view.ts'
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
  contact(integrationId: string): ContactState
  /** Jobs report the outcome of a contact here. */
  contacted(integrationId: string, outcome: ContactState): void

  /** Names the jobs that are not terminal and use the table. Set once by the job model. */
  onUseOf(usersOf: (tableId: string) => readonly { readonly name: string; readonly jid: string }[]): void
}
