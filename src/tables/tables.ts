/**
 * Tables: names with columns, over data that an integration reaches. Creating and deleting one never touches the data.
 *
 *   catalog:  tables/<namespace>:<name>   {"id", "integrationId", "schemaSql", "connector", "columns", "createdMs", "number", "own"?, …}
 *
 * Tables and integrations are removed with their namespace, in the same commit.
 */
import type { Catalog, CatalogChange } from '../../storage/catalog.ts'
import { StorageError } from '../../storage/storage-error.ts'
import { ServiceError } from '../service-error.ts'
import { parseTableSchema } from '../sql/table-schema.ts'
import { type NamespaceName, trustedName } from '../streams/names.ts'
import type { Registry, RemovalHook, Stream } from '../streams/registry.ts'
import { connectorWithColumns } from './connector-columns.ts'
import type { ConnectorHosts } from './connector-hosts.ts'
import { checkedConnector } from './connector-options.ts'
import { idFrom } from './id.ts'
import { assertNamespace, Integrations, integrationNotFound } from './integrations.ts'
import { invalid } from './refusal.ts'
import { SecretKey } from './secret-key.ts'
import type { Sources } from './sources.ts'
import { SqlTables, type TableStore, tableInUse } from './sql-tables.ts'
import type { SqlView } from './sql-view.ts'
import { SqlViews } from './sql-views.ts'
import type { Access, ContactState, ExpressionTyper, Integration, Table } from './table.ts'
import { likedTable, parseDefinition, typedColumns } from './table-definition.ts'
import { assertTableName } from './table-name.ts'
import type { IntegrationRequest, TableRequest, TableService } from './table-service.ts'
import { connectionOf } from './with-options.ts'

/** Of one namespace. */
const TABLES_MAX = 1000
/** Of all tables of the service: parsed schemas are in memory. */
const SCHEMA_CHARACTERS_ALL_MAX = 16 * 1024 * 1024
const PARTITIONED_BY_CHARACTERS_MAX = 4096

export interface TablesParts {
  readonly catalog: Catalog
  readonly registry: Registry
  readonly nowMs: () => number
  /** The folder of the file with the key of secrets. */
  readonly dataFolder: string
  readonly sources: Sources
  readonly hosts: ConnectorHosts
  readonly typer: ExpressionTyper
  /** Problems for the operator that do not stop the service. */
  readonly report: (problem: string) => void
}

type UsersOf = (tableId: string) => readonly { readonly name: string; readonly jid: string }[]

export class Tables implements TableService, RemovalHook {
  readonly sql: SqlTables
  readonly #parts: TablesParts
  readonly #integrations: Integrations
  readonly #views: SqlViews
  /** In order of creation. */
  readonly #byId = new Map<string, Table>()
  readonly #byName = new Map<NamespaceName, Map<string, Table>>()
  #lastNumber = 0
  #schemaCharacters = 0
  #usersOf: UsersOf = () => []

  private constructor(parts: TablesParts, secretKey: SecretKey, integrations: Integrations, views: SqlViews) {
    this.#parts = parts
    this.#integrations = integrations
    this.#views = views
    this.sql = new SqlTables({ ...parts, secretKey, views, store: this.#store() })
  }

  static async load(parts: TablesParts): Promise<Tables> {
    const secretKey = await SecretKey.load(parts.dataFolder)
    const integrations = await Integrations.load({ ...parts, secretKey })
    const tables = new Tables(parts, secretKey, integrations, await SqlViews.load(parts.catalog))
    for (const problem of tables.#integrations.problems()) parts.report(problem)
    const stored: Table[] = []
    await parts.catalog.each('tables', (key, document) => {
      stored.push(decodeTable(key, document as TableDocument))
    })
    for (const table of stored.sort((one, other) => one.number - other.number)) tables.#put(table)
    parts.registry.onRemoval(tables)
    return tables
  }

  async create(namespace: NamespaceName, request: TableRequest): Promise<Table> {
    const checked = await this.#checked(namespace, request)
    return this.#parts.registry.change(async () => {
      assertNamespace(this.#parts.registry, namespace)
      this.#integrationIn(namespace, request.integrationId)
      this.#assertFree(namespace, request.name)
      return this.#add(namespace, request.name, async () => checked)
    })
  }

  async validate(namespace: NamespaceName, request: TableRequest): Promise<void> {
    await this.#checked(namespace, request)
  }

  list(namespace: NamespaceName): readonly Table[] {
    return [...(this.#byName.get(namespace)?.values() ?? [])]
  }

  get(namespace: NamespaceName, id: string): Table {
    const table = this.#byId.get(id)
    if (table?.namespace === namespace) return table
    const shown = id.length > 100 ? `${id.slice(0, 100)}…` : id
    throw new ServiceError('table_not_found', `Table ${shown} does not exist`)
  }

  find(namespace: NamespaceName, name: string): Table | undefined {
    return this.#byName.get(namespace)?.get(name)
  }

  delete(namespace: NamespaceName, id: string): Promise<void> {
    return this.#parts.registry.change(async () => {
      const table = this.get(namespace, id)
      const [user] = this.#usersOf(id)
      if (user !== undefined) throw tableInUse(table.name, user)
      await this.#parts.catalog.commit([tableChange(table, undefined)])
      this.#remove(table)
    })
  }

  views(namespace: NamespaceName): readonly SqlView[] {
    return this.#views.of(namespace)
  }

  integrations(namespace: NamespaceName): readonly Integration[] {
    return this.#integrations.of(namespace)
  }

  integration(id: string): Integration {
    return this.#integrations.get(id)
  }

  createIntegration(namespace: NamespaceName, request: IntegrationRequest): Promise<Integration> {
    return this.#integrations.create(namespace, request)
  }

  updateIntegration(id: string, userConfig: Readonly<Record<string, unknown>>): Promise<Integration> {
    return this.#integrations.update(id, userConfig)
  }

  deleteIntegration(id: string): Promise<void> {
    return this.#integrations.delete(id, (integrationId) => {
      for (const table of this.#byId.values()) if (table.integrationId === integrationId) return table.name
      return undefined
    })
  }

  access(integration: Integration): Access {
    return this.#integrations.access(integration)
  }

  accessOf(table: Table): Access {
    const { own } = table
    return own === undefined
      ? this.access(this.integration(table.integrationId))
      : this.sql.accessOf({ ...table, own })
  }

  isOverStreams({ own, integrationId }: Table): boolean {
    if (own === undefined) return this.integration(integrationId).kind === 'stream'
    const connection = connectionOf(own.shown)
    if (connection.kind === 'integration') return this.integration(connection.id).kind === 'stream'
    return connection.kind === 'built-in'
  }

  contact(integrationId: string): ContactState {
    return this.#integrations.contact(integrationId)
  }

  contacted(integrationId: string, outcome: ContactState): void {
    this.#integrations.contacted(integrationId, outcome)
  }

  onUseOf(usersOf: UsersOf): void {
    this.#usersOf = usersOf
  }

  changesOnRemoval(_: readonly Stream[], namespace: NamespaceName | undefined): readonly CatalogChange[] {
    if (namespace === undefined) return []
    const tables = this.list(namespace).map((table) => tableChange(table, undefined))
    return [...tables, ...this.#views.removalOf(namespace), ...this.#integrations.removalOf(namespace)]
  }

  removed(_: readonly Stream[], namespace: NamespaceName | undefined): void {
    if (namespace === undefined) return
    for (const table of this.list(namespace)) this.#remove(table)
    this.#views.removed(namespace)
    this.#integrations.removed(namespace)
  }

  /** What SqlTables does with the tables of the catalog. */
  #store(): TableStore {
    return {
      get: (namespace, id) => this.get(namespace, id),
      isTaken: (namespace, name) =>
        this.find(namespace, name) !== undefined || this.#views.find(namespace, name) !== undefined,
      add: (namespace, name, make) => this.#add(namespace, name, make),
      replace: (before, after) => this.#replace(before, after),
      usersOf: (id) => this.#usersOf(id),
      integrationIn: (namespace, id) => this.#integrationIn(namespace, id),
      builtIn: (namespace) => this.#integrations.of(namespace)[0]!,
      access: (integration) => this.access(integration),
    }
  }

  #assertFree(namespace: NamespaceName, name: string): void {
    if (this.find(namespace, name) !== undefined)
      throw new ServiceError('table_exists', `Table ${name} already exists`)
    if (this.#views.find(namespace, name) !== undefined)
      throw new ServiceError('table_exists', `View ${name} already exists`)
  }

  /** The name is free. Only inside `registry.change`. */
  async #add(namespace: NamespaceName, name: string, make: Parameters<TableStore['add']>[2]): Promise<Table> {
    const number = this.#lastNumber + 1
    const createdMs = this.#parts.nowMs()
    const id = idFrom('table', namespace, name, createdMs, number)
    const table: Table = { ...(await make(id)), id, namespace, name, createdMs, number }
    if (this.list(namespace).length >= TABLES_MAX) {
      throw invalid(`there are ${TABLES_MAX} tables; delete one first`)
    }
    this.#assertCharacters(sizeOf(table))
    await this.#parts.catalog.commit([tableChange(table, encodeTable(table))])
    this.#put(table)
    return table
  }

  /** Only inside `registry.change`. A new name is free. */
  async #replace(before: Table, after: Table): Promise<void> {
    this.#assertCharacters(sizeOf(after) - sizeOf(before))
    const removal = before.name === after.name ? [] : [tableChange(before, undefined)]
    await this.#parts.catalog.commit([...removal, tableChange(after, encodeTable(after))])
    const others = this.list(before.namespace)
    // The order of creation stays.
    for (const table of others) this.#remove(table)
    for (const table of others) this.#put(table === before ? after : table)
  }

  /** All checks but those that depend on other tables' names. */
  async #checked(
    namespace: NamespaceName,
    request: TableRequest,
  ): Promise<Omit<Table, 'id' | 'namespace' | 'name' | 'createdMs' | 'number'>> {
    const { name, integrationId, schemaSql, likeOptions, partitionedBy } = request
    assertTableName(name)
    const options = checkedConnector(request.connector, this.#integrationIn(namespace, integrationId))
    assertPartitionedBy(partitionedBy)
    const like =
      likeOptions === undefined ? undefined : likedTable(likeOptions, (liked) => this.find(namespace, liked))
    const definition = parseDefinition(schemaSql, like)
    const columns = await typedColumns(definition, like, this.#parts.typer, namespace)
    const connector = connectorWithColumns(options, definition.schema)
    return { integrationId, schemaSql, ...definition, likeOptions, partitionedBy, columns, connector }
  }

  /** An integration of another namespace does not exist for this one. */
  #integrationIn(namespace: NamespaceName, id: string): Integration {
    const integration = this.#integrations.get(id)
    if (integration.namespace === namespace) return integration
    throw integrationNotFound(id)
  }

  #assertCharacters(added: number): void {
    if (added > 0 && this.#schemaCharacters + added > SCHEMA_CHARACTERS_ALL_MAX) {
      throw invalid('the schemas of all tables take too much memory; delete some tables first')
    }
  }

  #put(table: Table): void {
    this.#byId.set(table.id, table)
    const others = this.#byName.get(table.namespace)
    if (others === undefined) this.#byName.set(table.namespace, new Map([[table.name, table]]))
    else others.set(table.name, table)
    this.#lastNumber = Math.max(this.#lastNumber, table.number)
    this.#schemaCharacters += sizeOf(table)
  }

  #remove(table: Table): void {
    this.#byId.delete(table.id)
    this.#schemaCharacters -= sizeOf(table)
    const others = this.#byName.get(table.namespace)
    others?.delete(table.name)
    if (others?.size === 0) this.#byName.delete(table.namespace)
  }
}

/** Characters in memory. */
function sizeOf({ definitionSql, comment = '', own }: Table): number {
  return definitionSql.length + comment.length + (own === undefined ? 0 : JSON.stringify(own).length)
}

interface TableDocument
  extends Omit<Table, 'namespace' | 'name' | 'schema' | 'definitionSql' | 'likeOptions' | 'partitionedBy'> {
  /** Missing if it is equal to `schemaSql`. */
  readonly definitionSql?: string
  readonly likeOptions?: string
  readonly partitionedBy?: unknown
}

function encodeTable(table: Table): TableDocument {
  const { namespace: _namespace, name: _name, schema: _schema, definitionSql, likeOptions, ...rest } = table
  return {
    ...rest,
    ...(definitionSql !== table.schemaSql && { definitionSql }),
    ...(likeOptions !== undefined && { likeOptions }),
  }
}

function decodeTable(key: string, document: TableDocument): Table {
  const colon = key.indexOf(':')
  const { schemaSql, definitionSql = schemaSql, likeOptions, partitionedBy, ...rest } = document
  try {
    return {
      ...rest,
      namespace: trustedName<NamespaceName>(key.slice(0, colon)),
      name: key.slice(colon + 1),
      schemaSql,
      definitionSql,
      likeOptions,
      partitionedBy,
      schema: parseTableSchema(definitionSql),
    }
  } catch (cause) {
    throw new StorageError('corrupt', `the schema of table ${key} cannot be read`, { cause })
  }
}

function tableChange({ namespace, name }: Table, document: unknown): CatalogChange {
  return { collection: 'tables', id: `${namespace}:${name}`, document }
}

function assertPartitionedBy(partitionedBy: unknown): void {
  const { length } = JSON.stringify(partitionedBy) ?? ''
  if (length > PARTITIONED_BY_CHARACTERS_MAX) {
    throw invalid(`partitioned_by has ${length} characters; use at most ${PARTITIONED_BY_CHARACTERS_MAX}`)
  }
}
