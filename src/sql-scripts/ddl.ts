/** Applies CREATE, DROP and ALTER to the catalog, or checks what they would do. Temporary tables and views belong to scripts with INSERT INTO. */
import { ServiceError } from '../service-error.ts'
import { inWhole } from '../sql/inner-place.ts'
import { SqlProblem } from '../sql/sql-problem.ts'
import type { NamespaceName } from '../streams/names.ts'
import type { Table } from '../tables/table.ts'
import type { TableChange, TableService } from '../tables/table-service.ts'
import { type DefinitionInStatement, likedDefinition } from './like-clause.ts'
import { fullName, plainName } from './object-names.ts'
import type { AlterTable, CreateTable, CreateView, Drop, OptionSetting, TextPart } from './statements.ts'

export type DdlStatement = CreateTable | CreateView | Drop | AlterTable

type DdlTables = Pick<TableService, 'find' | 'delete' | 'sql'>

export class Ddl {
  readonly #tables: DdlTables

  constructor(tables: DdlTables) {
    this.#tables = tables
  }

  /** The checks of `run`. Rejects as `run` does. */
  async check(namespace: NamespaceName, statement: DdlStatement): Promise<void> {
    await this.#apply(namespace, statement, true)
  }

  /** Resolves when the effect is durable. Rejects with SqlProblem and ServiceError. */
  async run(namespace: NamespaceName, statement: DdlStatement): Promise<void> {
    await this.#apply(namespace, statement, false)
  }

  #apply(namespace: NamespaceName, statement: DdlStatement, isCheck: boolean): Promise<void> {
    switch (statement.kind) {
      case 'create-table':
        return this.#createTable(namespace, statement, isCheck)
      case 'create-view':
        return this.#createView(namespace, statement, isCheck)
      case 'drop':
        return this.#drop(namespace, statement, isCheck)
      case 'alter-table':
        return this.#alterTable(namespace, statement, isCheck)
    }
  }

  async #createTable(namespace: NamespaceName, statement: CreateTable, isCheck: boolean): Promise<void> {
    assertStored(statement)
    const name = plainName(statement.name)
    if (statement.ifNotExists && this.#isTaken(namespace, name)) return
    const { sql } = this.#tables
    const { definition, inStatement } = this.#definition(namespace, name, statement)
    try {
      if (isCheck) await sql.checkTable(namespace, definition)
      else await sql.createTable(namespace, definition)
    } catch (error) {
      if (error instanceof SqlProblem) throw inStatement(error)
      if (isRace(error, statement)) return
      throw error
    }
  }

  async #createView(namespace: NamespaceName, statement: CreateView, isCheck: boolean): Promise<void> {
    assertStored(statement)
    const name = plainName(statement.name)
    const { columns, comment, query, ifNotExists } = statement
    if (ifNotExists && this.#isTaken(namespace, name)) return
    const { sql } = this.#tables
    const view = { name, columns, comment, query: query.text }
    try {
      if (isCheck) await sql.checkView(namespace, view)
      else await sql.createView(namespace, view)
    } catch (error) {
      if (error instanceof SqlProblem) throw inPart(query)(error)
      if (isRace(error, statement)) return
      throw error
    }
  }

  async #drop(namespace: NamespaceName, statement: Drop, isCheck: boolean): Promise<void> {
    const { what, isTemporary, ifExists } = statement
    const name = plainName(statement.name)
    const { sql } = this.#tables
    const table = isTemporary ? undefined : this.#tables.find(namespace, name)
    const view = isTemporary ? undefined : sql.findView(namespace, name)
    if (what === 'table' && view !== undefined) throw wrongKind(name, 'a view', 'DROP VIEW')
    if (what === 'view' && table !== undefined) throw wrongKind(name, 'a table', 'DROP TABLE')
    if (table === undefined && view === undefined) {
      if (ifExists) return
      throw notFound(`${isTemporary ? 'Temporary ' : ''}${what}`, name)
    }
    if (isCheck) return
    if (table !== undefined) await this.#tables.delete(namespace, table.id)
    else await sql.dropView(namespace, name)
  }

  async #alterTable(namespace: NamespaceName, statement: AlterTable, isCheck: boolean): Promise<void> {
    const name = plainName(statement.name)
    const { sql } = this.#tables
    const table = this.#tables.find(namespace, name)
    if (table === undefined) {
      if (sql.findView(namespace, name) !== undefined)
        throw new ServiceError('invalid_table', `${fullName(name)} is a view; ALTER TABLE is for tables`)
      if (statement.ifExists) return
      throw notFound('table', name)
    }
    const change = changeOf(statement)
    if (isCheck) await sql.checkChange(namespace, table.id, change)
    else await sql.alterTable(namespace, table.id, change)
  }

  #isTaken(namespace: NamespaceName, name: string): boolean {
    const { sql } = this.#tables
    return this.#tables.find(namespace, name) !== undefined || sql.findView(namespace, name) !== undefined
  }

  #definition(namespace: NamespaceName, name: string, statement: CreateTable): DefinitionInStatement {
    const { schema, comment, partitionedBy, options = [], like } = statement
    const own = { name, comment, partitionedBy, options: textsOf(options) }
    if (like === undefined) {
      const { text } = schema!
      return { definition: { ...own, schemaSql: text }, inStatement: inPart(schema!) }
    }
    const liked = this.#liked(namespace, plainName(like.name))
    return likedDefinition({ ...own, schema }, like, {
      table: liked,
      options: this.#tables.sql.optionsOf(liked),
    })
  }

  #liked(namespace: NamespaceName, name: string): Table {
    const table = this.#tables.find(namespace, name)
    if (table !== undefined) return table
    throw new ServiceError('table_not_found', `table ${fullName(name)} of LIKE does not exist`)
  }
}

function inPart({ place }: TextPart): (problem: SqlProblem) => SqlProblem {
  return (problem) => inWhole(problem, place)
}

function textsOf(options: readonly OptionSetting[]): Readonly<Record<string, string>> {
  return Object.fromEntries(options.map(({ key, value }) => [key, value]))
}

function changeOf({ change }: AlterTable): TableChange {
  switch (change.kind) {
    case 'set':
      return { kind: 'set', options: textsOf(change.options) }
    case 'reset':
      return { kind: 'reset', names: change.keys.map(({ key }) => key) }
    case 'rename':
      return { kind: 'rename', name: plainName(change.to) }
  }
}

function assertStored({ isTemporary, name: { place } }: CreateTable | CreateView): void {
  if (isTemporary)
    throw new SqlProblem(
      'temporary tables and views are of their script alone; add the statement that uses them',
      place,
    )
}

/** Another client took the name meanwhile, and that is all the same to this statement. */
function isRace(error: unknown, { ifNotExists }: CreateTable | CreateView): boolean {
  return ifNotExists && error instanceof ServiceError && error.code === 'table_exists'
}

/** In the words of Flink. */
function notFound(what: string, name: string): ServiceError {
  const first = what.slice(0, 1).toUpperCase()
  return new ServiceError(
    'table_not_found',
    `${first}${what.slice(1)} with identifier '${fullName(name)}' does not exist.`,
  )
}

function wrongKind(name: string, found: string, statement: string): ServiceError {
  return new ServiceError('invalid_table', `${fullName(name)} is ${found}; use ${statement}`)
}
