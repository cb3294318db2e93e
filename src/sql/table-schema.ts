/**
 * The inside of the parentheses of Flink's CREATE TABLE, parsed. Types of computed columns are not part of it: only the
 * engine knows them (ExpressionTyper of tables/table.ts).
 */
import { type DataType, printType } from './data-types.ts'
import { type FlinkToken, isKeyWord, isOperator } from './flink-tokens.ts'
import { METADATA_KEYS, type MetadataKey, metadataTypeProblem } from './metadata-keys.ts'
import { isReservedWord } from './reserved-words.ts'
import type { Place } from './sql-problem.ts'
import { TokenCursor } from './token-cursor.ts'
import { parseType } from './type-parser.ts'

export type SchemaColumn =
  | {
      readonly kind: 'physical'
      readonly name: string
      readonly type: DataType
      /** False after NOT NULL, and for columns of the primary key. */
      readonly nullable: boolean
      readonly comment?: string
    }
  | {
      readonly kind: 'metadata'
      readonly name: string
      readonly type: DataType
      readonly nullable: boolean
      readonly key: MetadataKey
      readonly isVirtual: boolean
      readonly comment?: string
    }
  | {
      readonly kind: 'computed'
      readonly name: string
      /** Flink SQL, as in the text. */
      readonly expression: string
      readonly place: Place
      readonly comment?: string
    }

export interface Watermark {
  readonly column: string
  readonly columnPlace: Place
  /** Flink SQL, as in the text. */
  readonly expression: string
  readonly place: Place
}

export type { MetadataKey }

export interface TableSchema {
  readonly columns: readonly SchemaColumn[]
  /** Empty without a primary key. */
  readonly primaryKey: readonly string[]
  readonly watermark: Watermark | undefined
}

export const COLUMNS_MAX = 1000

/** Throws SqlProblem, whose place is in `text`. */
export function parseTableSchema(text: string): TableSchema {
  const parser = new SchemaParser(text)
  return parser.parse()
}

interface NamedToken {
  readonly name: string
  readonly token: FlinkToken
}

class SchemaParser {
  readonly #cursor: TokenCursor
  readonly #columns = new Map<string, SchemaColumn>()
  #primaryKey: readonly NamedToken[] | undefined
  #watermark: (Watermark & { readonly token: FlinkToken }) | undefined

  constructor(text: string) {
    this.#cursor = new TokenCursor(text)
  }

  parse(): TableSchema {
    const cursor = this.#cursor
    do this.#element()
    while (cursor.takeOperator(','))
    if (cursor.peek() !== undefined) throw cursor.unexpected("',' or the end")
    if (this.#columns.size === 0) throw cursor.problem('there is no column')
    return this.#checked()
  }

  #element(): void {
    const cursor = this.#cursor
    const first = cursor.peek()
    if (this.#isNameBeforeType()) this.#takeColumn()
    else if (cursor.takeWords('WATERMARK')) this.#takeWatermark(first)
    else if (cursor.takeWords('CONSTRAINT')) {
      cursor.takeName('the name of the constraint')
      if (!isKeyWord(cursor.peek(), 'PRIMARY')) throw cursor.unexpected('PRIMARY KEY')
      this.#takePrimaryKey()
    } else if (isKeyWord(first, 'PRIMARY')) this.#takePrimaryKey()
    else if (isKeyWord(first, 'UNIQUE')) throw cursor.problem('UNIQUE is not supported; remove it', first)
    else this.#takeColumn()
  }

  /** A type or AS follows: the word is meant as the name of a column, even if it begins another kind of element. */
  #isNameBeforeType(): boolean {
    const second = this.#cursor.peek(1)
    return (
      second?.kind === 'word' &&
      isReservedWord(second.text) &&
      !BEHIND_KEY_WORD.has(second.text.toUpperCase())
    )
  }

  #takeColumn(): void {
    const cursor = this.#cursor
    const named = cursor.takeName('the name of a column')
    const { name, token } = named
    if (this.#columns.has(name)) throw cursor.problem(`column '${name}' is there twice`, token)
    if (this.#columns.size >= COLUMNS_MAX) {
      throw cursor.problem(`the table has more than ${COLUMNS_MAX} columns`, token)
    }
    if (cursor.takeWords('AS')) {
      const { expression, place } = this.#takeExpression()
      this.#columns.set(name, { kind: 'computed', name, expression, place, ...this.#takeComment() })
      return
    }
    const typeToken = cursor.peek()
    const type = parseType(cursor)
    const nullable = !cursor.takeWords('NOT', 'NULL')
    if (nullable) cursor.takeWords('NULL')
    if (cursor.takeWords('METADATA')) {
      const key = this.#takeMetadataKey(named)
      const problem = metadataTypeProblem(key, type)
      if (problem !== undefined) throw cursor.problem(problem, typeToken)
      const isVirtual = cursor.takeWords('VIRTUAL')
      this.#columns.set(name, {
        kind: 'metadata',
        name,
        type,
        nullable,
        key,
        isVirtual,
        ...this.#takeComment(),
      })
      return
    }
    if (isKeyWord(cursor.peek(), 'PRIMARY')) this.#takePrimaryKey(named)
    this.#columns.set(name, { kind: 'physical', name, type, nullable, ...this.#takeComment() })
  }

  #takeMetadataKey({ name, token }: NamedToken): MetadataKey {
    const keyToken = this.#cursor.takeWords('FROM') ? this.#cursor.takeText('the metadata key') : token
    const key = METADATA_KEYS.find((one) => one === (keyToken === token ? name : keyToken.value))
    if (key !== undefined) return key
    throw this.#cursor.problem(
      `unknown metadata key '${shown(keyToken.value)}'; use one of ${METADATA_KEYS.join(', ')}`,
      keyToken,
    )
  }

  #takeComment(): { comment?: string } {
    if (!this.#cursor.takeWords('COMMENT')) return {}
    return { comment: this.#cursor.takeText('the comment').value }
  }

  #takeWatermark(first: FlinkToken | undefined): void {
    const cursor = this.#cursor
    if (this.#watermark !== undefined) throw cursor.problem('a table has at most one WATERMARK', first)
    cursor.expectWord('FOR')
    const { name, token } = cursor.takeName('the name of a column')
    cursor.expectWord('AS')
    const columnPlace = cursor.place(token, token)
    this.#watermark = { column: name, columnPlace, ...this.#takeExpression(), token }
  }

  /** Takes `PRIMARY KEY (a, b)`; behind a column without the list. */
  #takePrimaryKey(column?: NamedToken): void {
    const cursor = this.#cursor
    const first = cursor.peek()
    cursor.expectWord('PRIMARY')
    cursor.expectWord('KEY')
    if (this.#primaryKey !== undefined) throw cursor.problem('a table has at most one PRIMARY KEY', first)
    this.#primaryKey = column === undefined ? this.#takeNames() : [column]
    if (isKeyWord(cursor.peek(), 'ENFORCED')) {
      throw cursor.problem('ENFORCED is not supported; use NOT ENFORCED', cursor.peek())
    }
    if (isKeyWord(cursor.peek(), 'NOT')) {
      cursor.next()
      cursor.expectWord('ENFORCED')
    }
  }

  #takeNames(): NamedToken[] {
    const cursor = this.#cursor
    const names = new Map<string, NamedToken>()
    cursor.expectOperator('(')
    do {
      const named = cursor.takeName('the name of a column')
      if (names.has(named.name)) {
        throw cursor.problem(`column '${named.name}' is in the PRIMARY KEY twice`, named.token)
      }
      names.set(named.name, named)
    } while (cursor.takeOperator(','))
    cursor.expectOperator(')')
    return [...names.values()]
  }

  /** Takes all tokens up to a comma, COMMENT or the end outside of parentheses. */
  #takeExpression(): { expression: string; place: Place } {
    const cursor = this.#cursor
    const first = cursor.peek()
    let last = first
    const open: FlinkToken[] = []
    for (let token = first; token !== undefined; token = cursor.peek()) {
      if (open.length === 0 && (isOperator(token, ',') || isKeyWord(token, 'COMMENT'))) break
      if (isOperator(token, ';')) throw cursor.problem("unexpected ';' in an expression", token)
      if (isOpening(token)) open.push(token)
      else if (isClosing(token) && CLOSING[open.pop()?.text ?? ''] !== token.text) {
        throw cursor.problem(`'${token.text}' closes nothing`, token)
      }
      last = cursor.next()
    }
    const unclosed = open.at(-1)
    if (unclosed !== undefined) throw cursor.problem(`'${unclosed.text}' is not closed`, unclosed)
    if (first === undefined || last === undefined || first === cursor.peek()) {
      throw cursor.unexpected('an expression')
    }
    return { expression: cursor.sql.slice(first.start, last.end), place: cursor.place(first, last) }
  }

  #checked(): TableSchema {
    const key = this.#primaryKey ?? []
    for (const named of key) {
      const column = this.#existing(named)
      if (column.kind === 'physical') this.#columns.set(named.name, { ...column, nullable: false })
      else {
        const reason = `column '${named.name}' of the PRIMARY KEY is not physical; use a column with a type alone`
        throw this.#cursor.problem(reason, named.token)
      }
    }
    let watermark: Watermark | undefined
    if (this.#watermark !== undefined) {
      const { token, ...rest } = this.#watermark
      this.#checkWatermarkColumn(this.#existing({ name: rest.column, token }), token)
      watermark = rest
    }
    return { columns: [...this.#columns.values()], primaryKey: key.map(({ name }) => name), watermark }
  }

  #existing({ name, token }: NamedToken): SchemaColumn {
    const column = this.#columns.get(name)
    if (column === undefined) throw this.#cursor.problem(`unknown column '${name}'`, token)
    return column
  }

  #checkWatermarkColumn(column: SchemaColumn, token: FlinkToken): void {
    if (isProcessingTime(column)) {
      throw this.#cursor.problem(
        `WATERMARK column '${column.name}' is the time of processing; use an event time`,
        token,
      )
    }
    if (column.kind === 'computed') return // its type is not known here
    const problem = watermarkProblem(column.name, column.type)
    if (problem !== undefined) throw this.#cursor.problem(problem, token)
  }
}

/** Reserved words behind WATERMARK and PRIMARY, and those behind a CONSTRAINT whose name is missing. */
const BEHIND_KEY_WORD: ReadonlySet<string> = new Set(['FOR', 'KEY', 'PRIMARY', 'UNIQUE'])
const CLOSING: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' }

function isOpening(token: FlinkToken): boolean {
  return token.kind === 'operator' && Object.hasOwn(CLOSING, token.text)
}

function isClosing(token: FlinkToken): boolean {
  return token.kind === 'operator' && [')', ']', '}'].includes(token.text)
}

/** Whether a column is `AS PROCTIME()`, which is never NULL. */
export function isProcessingTime(column: SchemaColumn): boolean {
  return column.kind === 'computed' && /^proctime\s*\(\s*\)$/i.test(column.expression)
}

/** Why a column with this type cannot have the watermark; undefined if it can. */
export function watermarkProblem(name: string, type: DataType): string | undefined {
  const isTime = type.kind === 'TIMESTAMP' || type.kind === 'TIMESTAMP_LTZ'
  if (isTime && type.precision <= 3) return undefined
  const wanted = 'use TIMESTAMP(p) or TIMESTAMP_LTZ(p) with p from 0 to 3'
  return `WATERMARK column '${name}' is of type ${printType(type)}; ${wanted}`
}

function shown(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}
