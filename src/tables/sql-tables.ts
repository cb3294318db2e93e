/** Tables and views that SQL defines: what CREATE, ALTER and DROP do, and how the data of a table with options is reached. */
import { ServiceError } from '../service-error.ts'
import type { NamespaceName } from '../streams/names.ts'
import type { Registry } from '../streams/registry.ts'
import { optionsOf } from './connector-as-options.ts'
import type { ConnectorHosts } from './connector-hosts.ts'
import { idFrom } from './id.ts'
import { assertNamespace } from './integrations.ts'
import { withCurrentNames } from './option-names.ts'
import { secretsOf, shownOptions, withSecrets } from './option-secrets.ts'
import { ownAccess } from './own-connection.ts'
import { invalid } from './refusal.ts'
import { type SecretKey, SecretProblem } from './secret-key.ts'
import type { Sources } from './sources.ts'
import type { SqlView, ViewDefinition } from './sql-view.ts'
import type { SqlViews } from './sql-views.ts'
import type {
  Access,
  ExpressionTyper,
  Integration,
  IntegrationKind,
  OwnOptions,
  Table,
  TypedColumn,
} from './table.ts'
import { parseDefinition, storedColumns, typedColumns } from './table-definition.ts'
import { assertTableName } from './table-name.ts'
import type {
  SecretResolver,
  SqlCatalog,
  TableChange,
  TableDefinition,
  ViewRequest,
  ViewTyper,
} from './table-service.ts'
import { checkedNames, connectionOf, connectorOf, type OptionTexts } from './with-options.ts'

/** Of one table. */
const OPTIONS_MAX = 200
const OPTION_CHARACTERS_MAX = 131_072

/** The tables of the catalog, below what SQL means. */
export interface TableStore {
  get(namespace: NamespaceName, id: string): Table
  /** A table or a view has the name. */
  isTaken(namespace: NamespaceName, name: string): boolean
  /** Only inside `registry.change`, as `replace`. Resolves when the table is durable. */
  add(
    namespace: NamespaceName,
    name: string,
    make: (id: string) => Promise<Omit<Table, 'id' | 'namespace' | 'name' | 'createdMs' | 'number'>>,
  ): Promise<Table>
  /** Another name, or other options, for a table. */
  replace(before: Table, after: Table): Promise<void>
  usersOf(id: string): readonly JobName[]
  integrationIn(namespace: NamespaceName, id: string): Integration
  builtIn(namespace: NamespaceName): Integration
  access(integration: Integration): Access
}

interface JobName {
  readonly name: string
  readonly jid: string
}

export interface SqlTablesParts {
  readonly store: TableStore
  readonly views: SqlViews
  readonly registry: Registry
  readonly nowMs: () => number
  readonly secretKey: SecretKey
  readonly sources: Sources
  readonly hosts: ConnectorHosts
  readonly typer: ExpressionTyper
}

type BuiltTable = Omit<Table, 'id' | 'namespace' | 'name' | 'own' | 'createdMs' | 'number'>

export class SqlTables implements SqlCatalog {
  readonly #parts: SqlTablesParts
  #resolve: SecretResolver = (text) => text
  #viewTyper: ViewTyper | undefined

  constructor(parts: SqlTablesParts) {
    this.#parts = parts
  }

  temporary(namespace: NamespaceName, definition: TableDefinition): Table {
    const options = withSecrets(checkedNames(definition.options))
    const built = this.#untyped(namespace, definition, options)
    const { name } = definition
    const [shown, open] = [shownOptions(options), secretsOf(options)]
    const own = { shown, ...(Object.keys(open).length > 0 && { secrets: { open } }) }
    return {
      ...built,
      columns: storedColumns(built.schema),
      id: idFrom('temporary', namespace, name),
      isTemporary: true,
      namespace,
      name,
      own,
      createdMs: 0,
      number: 0,
    }
  }

  async createTable(namespace: NamespaceName, definition: TableDefinition): Promise<Table> {
    const { store, registry } = this.#parts
    const options = withSecrets(checkedNames(definition.options))
    const built = await this.#built(namespace, definition, options)
    return registry.change(async () => {
      assertNamespace(registry, namespace)
      this.#assertFree(namespace, definition.name)
      return store.add(namespace, definition.name, async (id) => ({
        ...built,
        own: await this.#sealed(options, id),
      }))
    })
  }

  alterTable(namespace: NamespaceName, id: string, change: TableChange): Promise<Table> {
    const { registry, store } = this.#parts
    return registry.change(async () => {
      const before = store.get(namespace, id)
      const after = await this.#changed(before, change)
      await store.replace(before, after)
      return after
    })
  }

  async checkTable(namespace: NamespaceName, definition: TableDefinition): Promise<void> {
    this.#assertFree(namespace, definition.name)
    await this.#built(namespace, definition, withSecrets(checkedNames(definition.options)))
  }

  async checkChange(namespace: NamespaceName, id: string, change: TableChange): Promise<void> {
    await this.#changed(this.#parts.store.get(namespace, id), change)
  }

  async checkView(namespace: NamespaceName, { name, columns, query }: ViewRequest): Promise<void> {
    assertTableName(name)
    this.#assertFree(namespace, name)
    await this.#typesOf(namespace, { name, columns, query })
  }

  optionsOf(table: Table): OptionTexts {
    const { namespace, own, integrationId } = table
    const integration =
      own === undefined ? this.#parts.store.integrationIn(namespace, integrationId) : undefined
    return optionsOf(table, integration)
  }

  findView(namespace: NamespaceName, name: string): SqlView | undefined {
    return this.#parts.views.find(namespace, name)
  }

  async createView(namespace: NamespaceName, request: ViewRequest): Promise<SqlView> {
    const { registry, views, nowMs } = this.#parts
    const { name, columns, query, comment } = request
    assertTableName(name)
    this.#assertFree(namespace, name)
    const types = await this.#typesOf(namespace, { name, columns, query })
    return registry.change(async () => {
      assertNamespace(registry, namespace)
      this.#assertFree(namespace, name)
      return views.add({ namespace, name, columns, query, comment, types }, nowMs())
    })
  }

  dropView(namespace: NamespaceName, name: string): Promise<void> {
    const { registry, views } = this.#parts
    return registry.change(async () => {
      const view = views.find(namespace, name)
      if (view === undefined) throw new ServiceError('table_not_found', `View ${name} does not exist`)
      await views.drop(view)
    })
  }

  onSecrets(resolve: SecretResolver): void {
    this.#resolve = resolve
  }

  onViewTypes(typer: ViewTyper): void {
    this.#viewTyper = typer
  }

  /** As `access` of an integration, with the table's own options. Throws what the resolver of secrets throws, too. */
  accessOf({ id, namespace, own }: Table & { readonly own: OwnOptions }): Access {
    const { hosts, sources, store } = this.#parts
    const connection = connectionOf(own.shown)
    if (connection.kind === 'built-in') return { kind: 'stream' }
    if (connection.kind === 'integration') return store.access(store.integrationIn(namespace, connection.id))
    const given = this.#opened(id, own)
    const access = (options: OptionTexts): Access => {
      const found = ownAccess(connection.system, options)
      hosts.assertNamed(
        found,
        [...sources.values()].map((source) => source.access),
      )
      return found
    }
    const filled = filledWith(given, (value) => this.#resolve(value, namespace))
    return withoutSecrets(
      () => access(filled),
      () => access(filledWith(given, (value) => value.replaceAll(REFERENCE, 'x'))),
    )
  }

  async #typesOf(namespace: NamespaceName, view: ViewDefinition): Promise<readonly TypedColumn[]> {
    if (this.#viewTyper === undefined) throw new Error('nothing types the columns of views')
    return this.#viewTyper(namespace, view)
  }

  /** Rejects with ServiceError 'table_in_use' for a change that running jobs do not survive. */
  async #changed(before: Table, change: TableChange): Promise<Table> {
    const after =
      change.kind === 'rename'
        ? this.#renamed(before, change.name)
        : await this.#withOptions(before, this.#changedOptions(before, change))
    const isHarmless = change.kind !== 'rename' && stateOf(before) === stateOf(after)
    const [user] = isHarmless ? [] : this.#parts.store.usersOf(before.id)
    if (user !== undefined) throw tableInUse(before.name, user)
    return after
  }

  /** All that the options and the columns say. */
  async #built(
    namespace: NamespaceName,
    definition: TableDefinition,
    options: OptionTexts,
  ): Promise<BuiltTable> {
    const table = this.#untyped(namespace, definition, options)
    return { ...table, columns: await typedColumns(table, undefined, this.#parts.typer, namespace) }
  }

  #untyped(
    namespace: NamespaceName,
    { name, schemaSql, comment, partitionedBy = [] }: TableDefinition,
    options: OptionTexts,
  ): Omit<BuiltTable, 'columns'> {
    assertTableName(name)
    assertOptions(options)
    const definition = parseDefinition(schemaSql, undefined)
    const [system, integrationId] = this.#systemOf(namespace, options)
    const connector = connectorOf(options, definition.schema, system)
    return {
      ...{ integrationId, schemaSql, ...definition, connector, likeOptions: undefined },
      partitionedBy: partitionedBy.length === 0 ? undefined : partitionedBy,
      ...(comment !== undefined && { comment }),
    }
  }

  /** The kind of the system, and the id that tables over one system share. */
  #systemOf(namespace: NamespaceName, options: OptionTexts): readonly [IntegrationKind, string] {
    const { store } = this.#parts
    const connection = connectionOf(options)
    if (connection.kind === 'built-in') return ['stream', store.builtIn(namespace).id]
    if (connection.kind === 'own') {
      const { system, address } = connection
      return [system, idFrom('own', namespace, system, address)]
    }
    const { kind, id } = store.integrationIn(namespace, connection.id)
    return [kind, id]
  }

  #renamed(before: Table, name: string): Table {
    assertTableName(name)
    this.#assertFree(before.namespace, name)
    return { ...before, name }
  }

  #changedOptions(before: Table, change: Exclude<TableChange, { kind: 'rename' }>): OptionTexts {
    const { id, name, integrationId, own } = before
    if (own === undefined)
      throw invalid(
        `table ${name} is over integration ${integrationId}, so its options cannot be changed; drop it and create it again`,
      )
    const open = this.#opened(id, own)
    if (change.kind === 'set')
      return checkedNames({ ...open, ...withSecrets(withCurrentNames(change.options), open) })
    const names = Object.keys(withCurrentNames(Object.fromEntries(change.names.map((one) => [one, '']))))
    return checkedNames(Object.fromEntries(Object.entries(open).filter(([one]) => !names.includes(one))))
  }

  async #withOptions(before: Table, options: OptionTexts): Promise<Table> {
    assertOptions(options)
    const [system, integrationId] = this.#systemOf(before.namespace, options)
    const connector = connectorOf(options, before.schema, system)
    return { ...before, integrationId, connector, own: await this.#sealed(options, before.id) }
  }

  #opened(id: string, { shown, secrets }: OwnOptions): OptionTexts {
    if (secrets === undefined) return shown
    if ('open' in secrets) return { ...shown, ...secrets.open }
    try {
      return { ...shown, ...(JSON.parse(this.#parts.secretKey.unseal(secrets.sealed, id)) as OptionTexts) }
    } catch (error) {
      if (!(error instanceof SecretProblem)) throw error
      const reason = `the secret options of the table cannot be read: ${error.message}`
      throw new ServiceError('secret_unusable', reason, { cause: error })
    }
  }

  async #sealed(options: OptionTexts, id: string): Promise<OwnOptions> {
    const shown = shownOptions(options)
    const secrets = secretsOf(options)
    if (Object.keys(secrets).length === 0) return { shown }
    try {
      return { shown, secrets: { sealed: await this.#parts.secretKey.seal(JSON.stringify(secrets), id) } }
    } catch (error) {
      if (!(error instanceof SecretProblem)) throw error
      const reason = `the secret options cannot be stored: ${error.message}`
      throw new ServiceError('secret_unusable', reason, { cause: error })
    }
  }

  #assertFree(namespace: NamespaceName, name: string): void {
    if (this.#parts.store.isTaken(namespace, name)) throw sqlNameTaken(name)
  }
}

export function sqlNameTaken(name: string): ServiceError {
  return new ServiceError('table_exists', `Table default.default.${name} already exists.`)
}

export function tableInUse(name: string, user: JobName): ServiceError {
  return new ServiceError('table_in_use', `Table ${name} is used by job ${user.name} (${user.jid})`)
}

const REFERENCE = /\$\{[^{}]*\}/g

/** Options with something in place of the references to secrets. */
function filledWith(options: OptionTexts, fill: (value: string) => string): OptionTexts {
  return Object.fromEntries(
    Object.entries(options).map(([name, value]) => [name, value.includes('${') ? fill(value) : value]),
  )
}

/**
 * As `work`, which has secrets. `open` is the same without them: a refusal that differs from its refusal may repeat a part of a secret, and
 * is replaced.
 */
function withoutSecrets<T>(work: () => T, open: () => T): T {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof ServiceError) || error.message === messageOf(open)) throw error
    throw invalid(
      'the options of the table cannot be used with the secret values that they name; check these values, and whether --connector-hosts names the host',
    )
  }
}

function messageOf(work: () => unknown): string | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    if (error instanceof ServiceError) return error.message
    throw error
  }
}

/** What the state of a job depends on, and what it was planned with. */
function stateOf({ integrationId, connector }: Table): string {
  const { startup: _startup, rowsPerSecond: _rate, ...rest } = connector as unknown as Record<string, unknown>
  const { lookupCacheTtlMs: _ttl, lookupCacheRowsMax: _rows, ...kept } = rest
  return JSON.stringify({ integrationId, kept })
}

function assertOptions(options: OptionTexts): void {
  const all = Object.entries(options)
  const characters = all.reduce((sum, [name, value]) => sum + name.length + value.length, 0)
  if (all.length > OPTIONS_MAX)
    throw invalid(`the table has ${all.length} options; use at most ${OPTIONS_MAX}`)
  if (characters > OPTION_CHARACTERS_MAX)
    throw invalid(`the options have ${characters} characters; use at most ${OPTION_CHARACTERS_MAX}`)
}
