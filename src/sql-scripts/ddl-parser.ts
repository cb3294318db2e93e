/**
 * Parses one statement about tables and views: CREATE, DROP, ALTER, SHOW, DESCRIBE, USE, EXPLAIN, as Flink writes them. The catalog
 * is not checked, and the inside of a table's parentheses, a view's query and an explained statement stay texts.
 *
 *   CREATE [TEMPORARY] TABLE [IF NOT EXISTS] name [(schema)] [COMMENT 'text'] [PARTITIONED BY (columns)]
 *     [WITH ('key' = 'value', …)] [LIKE name [(INCLUDING | EXCLUDING | OVERWRITING feature …)]]
 *   CREATE [TEMPORARY] VIEW [IF NOT EXISTS] name [(columns)] [COMMENT 'text'] AS query
 *   DROP [TEMPORARY] TABLE | VIEW [IF EXISTS] name
 *   ALTER TABLE [IF EXISTS] name SET ('key' = 'value', …) | RESET ('key', …) | RENAME TO name
 *   SHOW TABLES | VIEWS | DATABASES | CATALOGS | FUNCTIONS [FROM | IN name] [[NOT] LIKE 'pattern']
 *   SHOW CREATE TABLE | VIEW name       SHOW CURRENT CATALOG | DATABASE
 *   DESCRIBE | DESC [EXTENDED] name     USE [CATALOG] name
 *   EXPLAIN [PLAN FOR | details] statement
 */
import { type FlinkToken, isKeyWord, isOperator, tokensOf } from '../sql/flink-tokens.ts'
import { inWhole } from '../sql/inner-place.ts'
import { SyntaxProblem } from '../sql/sql-problem.ts'
import { parseTableSchema } from '../sql/table-schema.ts'
import { TokenCursor } from '../sql/token-cursor.ts'
import {
  type AlterTable,
  type CatalogStatement,
  type CreateTable,
  type CreateView,
  type Drop,
  type ExplainDetail,
  LIKE_FEATURES,
  type LikeClause,
  type LikeFeature,
  type LikeStrategy,
  type ObjectName,
  type OptionSetting,
  type Show,
  type ShowList,
  type TextPart,
} from './statements.ts'

const FIRST_WORDS = ['CREATE', 'DROP', 'ALTER', 'SHOW', 'DESCRIBE', 'DESC', 'USE', 'EXPLAIN'] as const
const OPTIONS_MAX = 200
const VALUE_CHARACTERS_MAX = 32_768
const COLUMNS_MAX = 1000

/**
 * Undefined for a statement that begins with another word, and for an empty text. One semicolon may end the text. Throws SqlProblem,
 * whose place is in `sql`.
 */
export function parseCatalogStatement(sql: string): CatalogStatement | undefined {
  const word = FIRST_WORDS.find((one) => isKeyWord(tokensOf(sql)[0], one))
  if (word === undefined) return undefined
  const parser = new StatementParser(sql)
  return parser.parse(word)
}

class StatementParser {
  readonly #cursor: TokenCursor

  constructor(sql: string) {
    this.#cursor = new TokenCursor(sql)
  }

  parse(word: (typeof FIRST_WORDS)[number]): CatalogStatement {
    this.#cursor.next()
    const statement = this.#statement(word)
    this.#cursor.takeOperator(';')
    if (this.#cursor.peek() !== undefined) throw this.#cursor.unexpected('the end of the statement')
    return statement
  }

  #statement(word: (typeof FIRST_WORDS)[number]): CatalogStatement {
    switch (word) {
      case 'CREATE':
        return this.#create()
      case 'DROP':
        return this.#drop()
      case 'ALTER':
        return this.#alter()
      case 'SHOW':
        return this.#show()
      case 'DESCRIBE':
      case 'DESC':
        this.#cursor.takeWords('EXTENDED')
        return { kind: 'describe', name: this.#name('the name of a table or view') }
      case 'USE':
        return this.#use()
      case 'EXPLAIN':
        return { kind: 'explain', details: this.#explainDetails(), statement: this.#rest('a statement') }
    }
  }

  #create(): CreateTable | CreateView {
    const cursor = this.#cursor
    const isTemporary = cursor.takeWords('TEMPORARY')
    if (cursor.takeWords('TABLE')) return this.#createTable(isTemporary)
    if (cursor.takeWords('VIEW')) return this.#createView(isTemporary)
    throw cursor.unexpected(isTemporary ? 'TABLE or VIEW' : 'TABLE, VIEW or TEMPORARY')
  }

  #createTable(isTemporary: boolean): CreateTable {
    const cursor = this.#cursor
    const ifNotExists = cursor.takeWords('IF', 'NOT', 'EXISTS')
    const name = this.#name('the name of a table')
    const schema = isOperator(cursor.peek(), '(') ? this.#schema() : undefined
    const comment = this.#comment()
    const partitionedBy = cursor.takeWords('PARTITIONED', 'BY') ? this.#names() : []
    const options = cursor.takeWords('WITH') ? this.#options() : undefined
    const like = cursor.takeWords('LIKE') ? this.#like() : undefined
    if (isKeyWord(cursor.peek(), 'AS')) {
      throw cursor.problem(
        'CREATE TABLE … AS is not supported; create the table with its columns, then INSERT INTO it',
        cursor.peek(),
      )
    }
    if (schema === undefined && like === undefined) throw cursor.unexpected("'(' with the columns")
    return {
      kind: 'create-table',
      isTemporary,
      ifNotExists,
      name,
      schema,
      comment,
      partitionedBy,
      options,
      like,
    }
  }

  #createView(isTemporary: boolean): CreateView {
    const cursor = this.#cursor
    const ifNotExists = cursor.takeWords('IF', 'NOT', 'EXISTS')
    const name = this.#name('the name of a view')
    const columns = isOperator(cursor.peek(), '(') ? this.#names() : undefined
    const comment = this.#comment()
    cursor.expectWord('AS')
    return {
      kind: 'create-view',
      isTemporary,
      ifNotExists,
      name,
      columns,
      comment,
      query: this.#rest('a query'),
    }
  }

  #drop(): Drop {
    const cursor = this.#cursor
    const isTemporary = cursor.takeWords('TEMPORARY')
    const what = this.#tableOrView()
    const ifExists = cursor.takeWords('IF', 'EXISTS')
    return { kind: 'drop', what, isTemporary, ifExists, name: this.#name(`the name of a ${what}`) }
  }

  #alter(): AlterTable {
    const cursor = this.#cursor
    cursor.expectWord('TABLE')
    const ifExists = cursor.takeWords('IF', 'EXISTS')
    const name = this.#name('the name of a table')
    return { kind: 'alter-table', ifExists, name, change: this.#tableChange() }
  }

  #tableChange(): AlterTable['change'] {
    const cursor = this.#cursor
    if (cursor.takeWords('SET')) return { kind: 'set', options: this.#options() }
    if (cursor.takeWords('RESET')) return { kind: 'reset', keys: this.#keys() }
    if (cursor.takeWords('RENAME', 'TO')) return { kind: 'rename', to: this.#name('the new name') }
    throw cursor.unexpected('SET, RESET or RENAME TO')
  }

  #show(): Show {
    const cursor = this.#cursor
    if (cursor.takeWords('CREATE')) {
      const what = this.#tableOrView()
      return { kind: 'show-create', what, name: this.#name(`the name of a ${what}`) }
    }
    if (cursor.takeWords('CURRENT')) {
      if (cursor.takeWords('CATALOG')) return { kind: 'show-current', what: 'catalog' }
      if (cursor.takeWords('DATABASE')) return { kind: 'show-current', what: 'database' }
      throw cursor.unexpected('CATALOG or DATABASE')
    }
    const what = this.#shown()
    const from = cursor.takeWords('FROM') || cursor.takeWords('IN') ? this.#name('a database') : undefined
    const isNegated = isKeyWord(cursor.peek(1), 'LIKE') && cursor.takeWords('NOT')
    if (!cursor.takeWords('LIKE')) return { kind: 'show', what, from, like: undefined }
    return { kind: 'show', what, from, like: { pattern: cursor.takeText('the pattern').value, isNegated } }
  }

  #shown(): ShowList {
    const cursor = this.#cursor
    if (cursor.takeWords('USER', 'FUNCTIONS')) {
      throw cursor.problem(
        'there are no functions of users; use SHOW FUNCTIONS',
        cursor.peek(-2),
        cursor.peek(-1),
      )
    }
    for (const what of ['TABLES', 'VIEWS', 'DATABASES', 'CATALOGS', 'FUNCTIONS'] as const) {
      if (cursor.takeWords(what)) return what.toLowerCase() as ShowList
    }
    throw cursor.unexpected('TABLES, VIEWS, DATABASES, CATALOGS, FUNCTIONS, CREATE TABLE or CREATE VIEW')
  }

  #use(): CatalogStatement {
    if (this.#cursor.takeWords('CATALOG')) {
      const name = this.#name('the name of a catalog')
      return { kind: 'use', what: 'catalog', name }
    }
    return { kind: 'use', what: 'database', name: this.#name('the name of a database') }
  }

  #explainDetails(): readonly ExplainDetail[] {
    const cursor = this.#cursor
    if (cursor.takeWords('PLAN', 'FOR')) return []
    const details: ExplainDetail[] = []
    do {
      const word = (['ESTIMATED_COST', 'CHANGELOG_MODE', 'JSON_EXECUTION_PLAN', 'PLAN_ADVICE'] as const).find(
        (one) => cursor.takeWords(one),
      )
      if (word !== undefined) details.push(word)
      else if (details.length > 0) throw cursor.unexpected('a detail of EXPLAIN')
    } while (details.length > 0 && cursor.takeOperator(','))
    return details
  }

  #tableOrView(): 'table' | 'view' {
    if (this.#cursor.takeWords('TABLE')) return 'table'
    if (this.#cursor.takeWords('VIEW')) return 'view'
    throw this.#cursor.unexpected('TABLE or VIEW')
  }

  #name(what: string): ObjectName {
    const cursor = this.#cursor
    const parts: string[] = []
    const first = cursor.peek()
    do parts.push(this.#namePart(what))
    while (parts.length < 3 && cursor.takeOperator('.'))
    const [name = '', database, catalog] = parts.reverse()
    return { catalog, database, name, place: cursor.place(first!, cursor.peek(-1)!) }
  }

  /** The words DEFAULT of catalog and database need no back-ticks. */
  #namePart(what: string): string {
    const cursor = this.#cursor
    if (isKeyWord(cursor.peek(), 'DEFAULT')) return cursor.next().text.toLowerCase()
    return cursor.takeName(what).name
  }

  #names(): readonly string[] {
    const cursor = this.#cursor
    const names = new Set<string>()
    cursor.expectOperator('(')
    do {
      const { name, token } = cursor.takeName('the name of a column')
      if (names.has(name)) throw cursor.problem(`column '${name}' is there twice`, token)
      if (names.size >= COLUMNS_MAX) throw cursor.problem(`there are more than ${COLUMNS_MAX} columns`, token)
      names.add(name)
      this.#comment()
    } while (cursor.takeOperator(','))
    cursor.expectOperator(')')
    return [...names]
  }

  #comment(): string | undefined {
    return this.#cursor.takeWords('COMMENT') ? this.#cursor.takeText('the comment').value : undefined
  }

  #options(): readonly OptionSetting[] {
    const cursor = this.#cursor
    const options = new Map<string, OptionSetting>()
    cursor.expectOperator('(')
    do {
      const { key, token } = this.#key(options)
      if (!cursor.takeOperator('=')) throw this.#notShown("'=' behind the name of an option")
      if (cursor.peek()?.kind !== 'text') throw cursor.unexpected('the value of the option in single quotes')
      const valueToken = cursor.next()
      const { length } = valueToken.value
      if (length > VALUE_CHARACTERS_MAX) {
        const reason = `option '${key}' has ${length} characters; use at most ${VALUE_CHARACTERS_MAX}`
        throw cursor.problem(reason, token)
      }
      const [keyPlace, valuePlace] = [cursor.place(token, token), cursor.place(valueToken, valueToken)]
      options.set(key, { key, keyPlace, value: valueToken.value, valuePlace })
    } while (cursor.takeOperator(','))
    if (!cursor.takeOperator(')')) throw this.#notShown("',' or ')' behind the value of an option")
    return [...options.values()]
  }

  /** As `unexpected`, without the token, which may be a secret. */
  #notShown(wanted: string): SyntaxProblem {
    return this.#cursor.syntaxProblem(`${wanted} is wanted`, this.#cursor.peek())
  }

  #keys(): readonly { key: string; keyPlace: OptionSetting['keyPlace'] }[] {
    const cursor = this.#cursor
    const keys = new Map<string, OptionSetting['keyPlace']>()
    cursor.expectOperator('(')
    do {
      const { key, token } = this.#key(keys)
      keys.set(key, cursor.place(token, token))
    } while (cursor.takeOperator(','))
    cursor.expectOperator(')')
    return [...keys].map(([key, keyPlace]) => ({ key, keyPlace }))
  }

  #key(others: ReadonlyMap<string, unknown>): { readonly key: string; readonly token: FlinkToken } {
    const cursor = this.#cursor
    const token = cursor.takeText('the name of the option')
    const key = token.value
    if (key === '') throw cursor.problem('the name of an option is empty', token)
    if (others.has(key)) throw cursor.problem(`option ${token.text.slice(0, 100)} is there twice`, token)
    if (others.size >= OPTIONS_MAX) throw cursor.problem(`there are more than ${OPTIONS_MAX} options`, token)
    return { key, token }
  }

  #like(): LikeClause {
    const cursor = this.#cursor
    const name = this.#name('the name of a table')
    const choices = new Map<LikeFeature, LikeStrategy>()
    if (!cursor.takeOperator('(')) return { name, choices }
    do {
      const strategy = (['INCLUDING', 'EXCLUDING', 'OVERWRITING'] as const).find((one) =>
        cursor.takeWords(one),
      )
      if (strategy === undefined) throw cursor.unexpected('INCLUDING, EXCLUDING or OVERWRITING')
      const token = cursor.peek()
      const feature = LIKE_FEATURES.find((one) => cursor.takeWords(one))
      if (feature === undefined) throw cursor.unexpected(LIKE_FEATURES.join(', '))
      if (choices.has(feature)) throw cursor.problem(`${feature} is there twice`, token)
      if (strategy === 'OVERWRITING' && ['ALL', 'CONSTRAINTS', 'PARTITIONS'].includes(feature)) {
        throw cursor.problem(`${feature} cannot be OVERWRITING; use INCLUDING or EXCLUDING`, token)
      }
      choices.set(feature, strategy)
    } while (!cursor.takeOperator(')'))
    return { name, choices }
  }

  /** The inside of the parentheses, which is a schema but for what only the catalog can tell. */
  #schema(): TextPart {
    const part = this.#inParentheses()
    try {
      parseTableSchema(part.text)
    } catch (error) {
      if (error instanceof SyntaxProblem) throw inWhole(error, part.place)
    }
    return part
  }

  /** The inside of parentheses, which may contain others. */
  #inParentheses(): TextPart {
    const cursor = this.#cursor
    const open = cursor.peek()!
    cursor.expectOperator('(')
    const first = cursor.peek()
    for (let depth = 1; ; ) {
      const token = cursor.peek()
      if (token === undefined) throw cursor.syntaxProblem("'(' is not closed", open)
      if (isOperator(token, '(')) depth++
      if (isOperator(token, ')') && --depth === 0) break
      cursor.next()
    }
    const close = cursor.next()
    if (first === close) throw cursor.syntaxProblem('there is no column', open, close)
    return this.#part(first!, cursor.peek(-2)!)
  }

  /** All up to the end or to a semicolon at the end. */
  #rest(what: string): TextPart {
    const cursor = this.#cursor
    const first = cursor.peek()
    if (first === undefined || isOperator(first, ';')) throw cursor.unexpected(what)
    let last = first
    for (let token: FlinkToken | undefined = first; token !== undefined; token = cursor.peek()) {
      if (isOperator(token, ';') && cursor.peek(1) === undefined) break
      last = cursor.next()
    }
    return this.#part(first, last)
  }

  #part(first: FlinkToken, last: FlinkToken): TextPart {
    return { text: this.#cursor.sql.slice(first.start, last.end), place: this.#cursor.place(first, last) }
  }
}
