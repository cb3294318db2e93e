/** What planning asks the engine for. Relations are declared without rows. */

import { quotedName } from '../../duckdb/sql-text.ts'
import type { TypedColumn } from '../../sql/data-types.ts'
import { duckdbType } from '../../sql/data-types.ts'
import type { FlinkQuery } from '../../sql/meaning-flink.ts'
import type { Node } from '../../sql/tree.ts'

/** An error of the parser, or of binding a query to its tables. */
export class EngineProblem extends Error {
  override readonly name = 'EngineProblem'
  /** Offset in the text, in bytes. */
  readonly location: number | undefined
  /** The text does not parse. */
  readonly isSyntax: boolean

  constructor(message: string, location?: number, options: ErrorOptions & { isSyntax?: boolean } = {}) {
    const { isSyntax = false, ...cause } = options
    super(message, cause)
    this.location = location
    this.isSyntax = isSyntax
  }
}

export interface PlanEngine {
  /** The query node of a statement that is a SELECT. Rejects with EngineProblem. */
  parse(sql: string): Promise<Node>
  print(query: Node): Promise<string>
  /** Rejects with EngineProblem or TreeProblem. */
  withMeaning(query: Node): Promise<FlinkQuery>
  /** Creates a table without rows. */
  declare(relation: string, columns: readonly TypedColumn[]): Promise<void>
  /** Binds the query to the declared relations. Rejects with EngineProblem. */
  bind(sql: string): Promise<void>
  /** Runs a query over constants. Rejects with EngineProblem if it fails. */
  evaluate(sql: string): Promise<void>
}

export function createTable(relation: string, columns: readonly TypedColumn[]): string {
  const definitions = columns.map(({ name, type }) => `${quotedName(name)} ${duckdbType(type)}`)
  return `CREATE TEMP TABLE ${relation} (${definitions.join(', ')})`
}
