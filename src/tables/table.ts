/**
 * Tables and integrations: the model that APIs show and jobs use. A table is a name, columns, and the place of its data,
 * which an integration reaches. Definitions live in the catalog: `tables/<namespace>:<name>`, `integrations/<id>`.
 */
import type { DataType, TypedColumn } from '../sql/data-types.ts'
import type { TableSchema } from '../sql/table-schema.ts'
import type { NamespaceName } from '../streams/names.ts'

export type ValueFormat = 'json' | 'avro' | 'csv' | 'raw' | 'debezium-json'
export type KeyFormat = 'json' | 'avro' | 'csv' | 'raw'

/** A topic: a stream of the namespace, or a topic of a Kafka cluster, as the integration says. */
export interface TopicConnector {
  readonly kind: 'topic'
  readonly topic: string
  readonly startup: 'earliest' | 'latest'
  readonly valueFormat: ValueFormat
  readonly keyFormat: KeyFormat | undefined
  readonly keyFields: readonly string[]
  readonly valueFieldsInclude: 'ALL' | 'EXCEPT_KEY'
}

/** A topic whose events are the last values of their keys. The key is the primary key of the table. */
export interface UpsertTopicConnector extends Omit<TopicConnector, 'kind' | 'startup' | 'keyFormat'> {
  readonly kind: 'upsert-topic'
  readonly keyFormat: KeyFormat
}

export interface JdbcConnector {
  readonly kind: 'jdbc'
  /** As the client wrote it. */
  readonly tableName: string
  readonly schema: string | undefined
  readonly table: string
  /** How long a lookup may use a row that it has read; 0: not at all. */
  readonly lookupCacheTtlMs: number
  readonly lookupCacheRowsMax: number
}

export interface DatagenConnector {
  readonly kind: 'datagen'
  readonly rowsPerSecond: number
  /** Undefined: without end. */
  readonly rowsMax: number | undefined
  /** Options of fields, by name: kind sequence or random, start, end, min, max, length. */
  readonly fields: Readonly<Record<string, Readonly<Record<string, string>>>>
}

export interface PrintConnector {
  readonly kind: 'print' | 'blackhole'
}

/** Options of WITH that do not fit. A statement that names the table is refused with the reason. */
export interface UnusableConnector {
  readonly kind: 'unusable'
  /** The value of the option 'connector'. */
  readonly connector: string
  readonly reason: string
}

export type Connector =
  | TopicConnector
  | UpsertTopicConnector
  | JdbcConnector
  | DatagenConnector
  | PrintConnector
  | UnusableConnector

/** The options of a table that SQL created. */
export interface OwnOptions {
  /** In the order of the client, under the names of today; secrets in them are `***`. */
  readonly shown: Readonly<Record<string, string>>
  /** The values that have secrets, by name: as in the catalog, or in clear for a table that is not stored. Undefined: none. */
  readonly secrets?: { readonly sealed: string } | { readonly open: Readonly<Record<string, string>> }
}

export interface Table {
  /** UUID. */
  readonly id: string
  readonly namespace: NamespaceName
  readonly name: string
  /** Of a table whose options say how its system is reached: an id that equal addresses share, of no integration. */
  readonly integrationId: string
  /** As the client sent it. */
  readonly schemaSql: string
  /** `schemaSql` with what LIKE adds before it: the text that `schema` is parsed from, and that the planner parses. */
  readonly definitionSql: string
  readonly likeOptions: string | undefined
  readonly partitionedBy: unknown
  readonly schema: TableSchema
  /** Types of all columns in the order of the schema, computed ones included. */
  readonly columns: readonly TypedColumn[]
  readonly connector: Connector
  /** Undefined for a table that was created over an integration. */
  readonly own?: OwnOptions
  /** Defined by a script, and not stored. */
  readonly isTemporary?: true
  readonly comment?: string
  readonly createdMs: number
  /** Order of creation within the store. */
  readonly number: number
}

export type IntegrationKind = 'stream' | 'kafka' | 'postgres'

/** Connection to PostgreSQL. The URI has the password, so it never leaves the service. */
export interface PostgresAccess {
  readonly kind: 'postgres'
  readonly connectionUri: string
}

export interface KafkaAccess {
  readonly kind: 'kafka'
  /** `host:port` */
  readonly bootstrapServers: readonly string[]
  readonly securityProtocol: 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL'
  readonly sasl?: {
    readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
    readonly username: string
    readonly password: string
  }
  /** PEM. */
  readonly ca?: string
  readonly certificate?: string
  readonly key?: string
}

export interface StreamAccess {
  readonly kind: 'stream'
}

export type Access = StreamAccess | KafkaAccess | PostgresAccess

/** What the last contact with the system showed. */
export interface ContactState {
  readonly active: boolean
  readonly state?: string
  readonly reason?: string
}

export interface Integration {
  /** UUID. The built-in integration of a namespace has a fixed one. */
  readonly id: string
  readonly namespace: NamespaceName
  readonly kind: IntegrationKind
  readonly sourceService: string
  readonly sourceProject: string
  readonly destService: string
  readonly destProject: string
  /** What the client sent, with secrets. APIs show them as `"***"`. */
  readonly userConfig: Readonly<Record<string, unknown>>
  readonly createdMs: number
  readonly isBuiltIn: boolean
}

/**
 * Types the computed columns and checks the watermark of a schema. The planner implements it (jobs/plan). Rejects with
 * SqlProblem, whose place is in the schema's text.
 */
export interface ExpressionTyper {
  /** `client` shares the time of the planner with others: it is the namespace. */
  typesOf(schemaSql: string, schema: TableSchema, client?: string): Promise<readonly TypedColumn[]>
}

export type { DataType, TypedColumn }
