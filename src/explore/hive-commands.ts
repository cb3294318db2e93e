/**
 * Statements about tables in the forms of Hive that DuckDB's parser does not know:
 *
 *   SHOW TABLES [(IN | FROM) namespace] [LIKE] pattern
 *   SHOW (DATABASES | SCHEMAS) [LIKE pattern]
 *   SHOW COLUMNS (IN | FROM) table [(IN | FROM) namespace]
 *   (DESCRIBE | DESC) [EXTENDED | FORMATTED] table [column]
 *
 * A pattern is a word or a text: `*` matches any characters, `|` means or; upper and lower case are equal.
 */

import { SqlError } from '../duckdb/sql-error.ts'
import { wordsOf } from './hive-syntax.ts'

export type HiveCommand =
  | {
      readonly kind: 'show-tables'
      readonly namespace: string | undefined
      readonly pattern: string | undefined
    }
  | { readonly kind: 'show-databases'; readonly pattern: string | undefined }
  | { readonly kind: 'show-columns'; readonly table: string; readonly namespace: string | undefined }
  | { readonly kind: 'describe-table'; readonly table: string; readonly column: string | undefined }

/**
 * Undefined for a statement that DuckDB parses. Throws SqlError '42000' for a statement that begins like these but is
 * not valid.
 */
export function readCommand(statement: string): HiveCommand | undefined {
  const words = new Words(wordsOf(statement))
  if (words.take('SHOW')) return show(words)
  if (words.take('DESCRIBE', 'DESC')) return describe(words)
  return undefined
}

function show(words: Words): HiveCommand | undefined {
  if (words.take('TABLES')) {
    const namespace = words.take('IN', 'FROM') ? words.name() : undefined
    return words.ended({ kind: 'show-tables', namespace, pattern: patternOf(words) })
  }
  if (words.take('DATABASES', 'SCHEMAS'))
    return words.ended({ kind: 'show-databases', pattern: patternOf(words) })
  if (!words.take('COLUMNS')) return undefined
  if (!words.take('IN', 'FROM')) throw words.unexpected('FROM and a table')
  const table = words.name()
  const namespace = words.take('IN', 'FROM') ? words.name() : undefined
  return words.ended({ kind: 'show-columns', table, namespace })
}

function patternOf(words: Words): string | undefined {
  if (words.take('LIKE')) return words.name()
  return words.isOver ? undefined : words.name()
}

/** The first words of a query: DuckDB describes queries. */
const QUERY = /^(?:select|with|from|values|table|pivot|unpivot|show|describe|summarize|\()$/i

/** DuckDB handles `DESCRIBE table` and DESCRIBE of a query. */
function describe(words: Words): HiveCommand | undefined {
  if (words.left < 2) return undefined
  const isFormatted = words.take('EXTENDED', 'FORMATTED')
  if (!words.isName || (!isFormatted && QUERY.test(words.next))) return undefined
  const table = words.name()
  const column = words.isName ? words.name() : undefined
  return words.isOver ? { kind: 'describe-table', table, column } : undefined
}

/** Reads the words of a statement one by one. */
class Words {
  readonly #words: readonly string[]
  #at = 0

  constructor(words: readonly string[]) {
    const end = words.findLastIndex((word) => word !== ';') + 1
    this.#words = words.slice(0, end)
  }

  get left(): number {
    return this.#words.length - this.#at
  }

  get isOver(): boolean {
    return this.left === 0
  }

  get next(): string {
    return this.#words[this.#at] ?? ''
  }

  get isName(): boolean {
    return /^(?:[A-Za-z_\u0080-\uffff]|["`'])/.test(this.next)
  }

  /** Whether the next word is one of these. If it is, skips it. */
  take(...keywords: string[]): boolean {
    if (!keywords.includes(this.next.toUpperCase())) return false
    this.#at++
    return true
  }

  /** A word, or the text between quotes of any kind. */
  name(): string {
    if (!this.isName) throw this.unexpected('a name')
    const word = this.next
    this.#at++
    const quote = word.charAt(0)
    return /["`']/.test(quote) ? word.slice(1, -1).replaceAll(quote + quote, quote) : word
  }

  ended<T>(command: T): T {
    if (!this.isOver) throw this.unexpected('the end of the statement')
    return command
  }

  unexpected(wanted: string): SqlError {
    const got = this.isOver ? 'the end' : `'${this.next.slice(0, 60)}'`
    return new SqlError('42000', `Parser Error: there is ${got} where ${wanted} is wanted`)
  }
}
