/**
 * CREATE TABLE … LIKE: takes columns, key, watermark, partitions and options of another table, as Flink merges them.
 *
 *   INCLUDING     both; what both have is a problem
 *   EXCLUDING     none of the other table
 *   OVERWRITING   both; what both have is that of the statement
 *
 * Physical columns are always taken. Without a choice: OVERWRITING OPTIONS, and INCLUDING for the rest.
 */
import { printSchema } from '../sql/flink-ddl.ts'
import { type FlinkToken, isKeyWord, isOperator } from '../sql/flink-tokens.ts'
import { inWhole } from '../sql/inner-place.ts'
import { SqlProblem } from '../sql/sql-problem.ts'
import type { SchemaColumn } from '../sql/table-schema.ts'
import { TokenCursor } from '../sql/token-cursor.ts'
import type { Table } from '../tables/table.ts'
import type { TableDefinition } from '../tables/table-service.ts'
import type { LikeClause, LikeFeature, LikeStrategy, TextPart } from './statements.ts'

export interface DefinitionInStatement {
  readonly definition: TableDefinition
  /** A problem with its place in the statement, for a problem with a place in the definition. */
  readonly inStatement: (problem: SqlProblem) => SqlProblem
}

interface OwnDefinition extends Omit<TableDefinition, 'schemaSql'> {
  readonly schema: TextPart | undefined
}

interface Liked {
  readonly table: Table
  readonly options: Readonly<Record<string, string>>
}

/** Throws SqlProblem. */
export function likedDefinition(own: OwnDefinition, like: LikeClause, liked: Liked): DefinitionInStatement {
  const { schema, ...rest } = own
  const names = namesIn(schema?.text ?? '')
  const merge = new Merge(like)
  const prefix = merge.schema(liked.table, names)
  const schemaSql = [prefix, schema?.text].filter((part) => part !== undefined && part !== '').join(',\n')
  const lines = prefix === '' ? 0 : prefix.split('\n').length
  return {
    definition: {
      ...rest,
      schemaSql,
      partitionedBy: merge.partitions(liked.table.partitionedBy, own.partitionedBy ?? []),
      options: merge.options(liked.options, own.options),
    },
    inStatement: (problem) => inOwnPart(problem, lines, schema),
  }
}

/** A problem in what LIKE added has no place. */
function inOwnPart(problem: SqlProblem, lines: number, schema: TextPart | undefined): SqlProblem {
  const { place, reason } = problem
  if (place === undefined) return problem
  if (schema === undefined || place.line <= lines)
    return new SqlProblem(reason, undefined, { cause: problem })
  const { line, endLine, column, endColumn } = place
  const own = { line: line - lines, endLine: endLine - lines, column, endColumn }
  return inWhole(new SqlProblem(reason, own), schema.place)
}

class Merge {
  readonly #like: LikeClause

  constructor(like: LikeClause) {
    this.#like = like
  }

  /** The elements of the other table, as a text before those of the statement. */
  schema({ schema }: Table, names: Names): string {
    const columns = schema.columns.filter((column) => this.#isTaken(column, names))
    const hasKey = this.#both('CONSTRAINTS', schema.primaryKey.length > 0, names.hasKey, 'a PRIMARY KEY')
    const hasMark = this.#both(
      'WATERMARKS',
      schema.watermark !== undefined,
      names.hasWatermark,
      'a WATERMARK',
    )
    const watermark = hasMark ? schema.watermark : undefined
    if (columns.length === 0) return ''
    return printSchema({ columns, primaryKey: hasKey ? schema.primaryKey : [], watermark })
  }

  partitions(liked: unknown, own: readonly string[]): readonly string[] {
    const columns = Array.isArray(liked) ? liked.filter((one) => typeof one === 'string') : []
    return this.#both('PARTITIONS', columns.length > 0, own.length > 0, 'PARTITIONED BY') ? columns : own
  }

  options(
    liked: Readonly<Record<string, string>>,
    own: Readonly<Record<string, string>>,
  ): Readonly<Record<string, string>> {
    const strategy = this.#strategy('OPTIONS')
    if (strategy === 'EXCLUDING') return own
    const twice = Object.keys(own).find((name) => Object.hasOwn(liked, name))
    if (strategy === 'INCLUDING' && twice !== undefined)
      throw this.#problem(`option '${twice}' is in both tables; use OVERWRITING OPTIONS or EXCLUDING OPTIONS`)
    return { ...liked, ...own }
  }

  #isTaken(column: SchemaColumn, { columns }: Names): boolean {
    const { name, kind } = column
    if (kind === 'physical') {
      if (columns.has(name)) throw this.#problem(`column '${name}' is in both tables`)
      return true
    }
    const feature = kind === 'computed' ? 'GENERATED' : 'METADATA'
    return this.#both(feature, true, columns.has(name), `column '${name}'`)
  }

  /** Whether that of the other table is taken. */
  #both(feature: LikeFeature, isThere: boolean, isOwn: boolean, what: string): boolean {
    const strategy = this.#strategy(feature)
    if (!isThere || strategy === 'EXCLUDING') return false
    if (!isOwn) return true
    if (strategy === 'OVERWRITING') return false
    throw this.#problem(`${what} is in both tables; use EXCLUDING ${feature}`)
  }

  #strategy(feature: LikeFeature): LikeStrategy {
    const { choices } = this.#like
    const byDefault = feature === 'OPTIONS' ? 'OVERWRITING' : 'INCLUDING'
    return choices.get(feature) ?? choices.get('ALL') ?? byDefault
  }

  #problem(reason: string): SqlProblem {
    return new SqlProblem(reason, this.#like.name.place)
  }
}

interface Names {
  readonly columns: ReadonlySet<string>
  readonly hasKey: boolean
  readonly hasWatermark: boolean
}

/** What the elements of a schema define. The schema itself may need columns of the other table. */
function namesIn(schemaSql: string): Names {
  const columns = new Set<string>()
  let hasKey = false
  let hasWatermark = false
  for (const [first, ...others] of schemaSql === '' ? [] : elementsOf(schemaSql)) {
    if (first === undefined) continue
    const isMark = isKeyWord(first, 'WATERMARK') && isKeyWord(others[0], 'FOR')
    const isKey = isKeyWord(first, 'PRIMARY') || isKeyWord(first, 'CONSTRAINT')
    hasWatermark ||= isMark
    hasKey ||=
      isKey || others.some((token, i) => isKeyWord(token, 'PRIMARY') && isKeyWord(others[i + 1], 'KEY'))
    if (!isMark && !isKey) columns.add(first.value)
  }
  return { columns, hasKey, hasWatermark }
}

const OPENING = ['(', '[', '{']
const CLOSING = [')', ']', '}']

/** The tokens between commas outside of parentheses, and of the angle brackets of a type. */
function elementsOf(schemaSql: string): readonly (readonly FlinkToken[])[] {
  const cursor = new TokenCursor(schemaSql)
  const elements: FlinkToken[][] = [[]]
  let depth = 0
  for (let token = cursor.peek(); token !== undefined; token = cursor.peek()) {
    cursor.next()
    const element = elements.at(-1)!
    const isType = !isKeyWord(element[1], 'AS') && !isKeyWord(element[0], 'WATERMARK')
    if (depth === 0 && isOperator(token, ',')) {
      elements.push([])
      continue
    }
    if (token.kind === 'operator') {
      if (OPENING.includes(token.text) || (isType && token.text === '<')) depth++
      if (CLOSING.includes(token.text) || (isType && token.text === '>')) depth--
    }
    element.push(token)
  }
  return elements
}
