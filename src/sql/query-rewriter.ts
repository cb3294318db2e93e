/**
 * Rewrites a query of Flink SQL, token by token, into one that DuckDB's parser takes, and refuses by token what has no
 * equivalent.
 *
 *   `x`, USAGE                           "x", "usage$1f": encoded names (encoded-name.ts)
 *   TABLE(TUMBLE(TABLE t, …))            "__window0"
 *   t FOR SYSTEM_TIME AS OF p [AS a]     "__lookup0" AS a
 *   INTERVAL '1:30' MINUTES TO SECONDS   INTERVAL '90' SECOND
 *   CAST(x AS TIMESTAMP_LTZ(3))          types of cast-type.ts
 *   FLOOR(x TO HOUR), MAP['a', 1]        floor(x, 'HOUR'), MAP {'a': 1}
 */
import { readCastType } from './cast-type.ts'
import { encodedName } from './encoded-name.ts'
import { DOUBLE_QUOTES, type FlinkToken } from './flink-tokens.ts'
import { isNameOfForm } from './functions.ts'
import { printInterval, readInterval } from './interval-literal.ts'
import { BARE_FUNCTIONS, isKeyWordHere, TIME_UNITS } from './query-words.ts'
import { isReservedWord } from './reserved-words.ts'
import type { SourceMap } from './source-map.ts'
import { MappedText } from './source-map.ts'
import { ON_FLINK, SqlProblem } from './sql-problem.ts'
import { type StatementCursor, shown } from './statement-cursor.ts'
import { readWindowFunction, type WindowFunction } from './window-function.ts'

/** `t FOR SYSTEM_TIME AS OF p` */
export interface LookupReference {
  readonly table: FlinkToken
  /** The names of `p`: one, or two if it is qualified. */
  readonly time: readonly FlinkToken[]
}

export interface RewrittenQuery {
  readonly sql: string
  readonly map: SourceMap
  /** `__window<k>` */
  readonly windows: readonly WindowFunction[]
  /** `__lookup<k>` */
  readonly lookups: readonly LookupReference[]
}

/** Of parentheses and brackets. DuckDB's own limit is 1000. */
const DEPTH_MAX = 600
const NAME_CHARACTERS_MAX = 256
/** Of DECIMAL. */
const DIGITS_MAX = 38
/** Operators that DuckDB has and Flink has not. */
const FOREIGN_OPERATORS: ReadonlySet<string> = new Set(['->', '{', '}', ':', '?', '|', '^', '&', '!', '=>'])
const REFUSED_WORDS: Readonly<Record<string, string>> = {
  MATCH_RECOGNIZE: 'MATCH_RECOGNIZE is not supported',
  TABLESAMPLE: 'TABLESAMPLE is not supported',
  SIMILAR: 'SIMILAR TO is not supported',
}
const LEGACY_WINDOWS: ReadonlySet<string> = new Set(['TUMBLE', 'HOP', 'SESSION', 'CUMULATE'])

type Group = 'json-value' | 'plain' | 'cast' | 'rounding' | 'map' | 'list' | 'units'

export class QueryRewriter {
  readonly #cursor: StatementCursor
  readonly #out: MappedText
  readonly #windows: WindowFunction[] = []
  readonly #lookups: LookupReference[] = []
  readonly #groups: Group[] = []
  /** For each open MAP: whether the next comma separates a key from its value. */
  readonly #isKey: boolean[] = []

  /** `prefix` comes before the rewritten text. */
  constructor(cursor: StatementCursor, prefix = '') {
    this.#cursor = cursor
    this.#out = new MappedText(cursor.text, prefix)
  }

  rewrite(): RewrittenQuery {
    while (this.#cursor.peek() !== undefined) this.#token()
    return { sql: this.#out.text, map: this.#out.map, windows: this.#windows, lookups: this.#lookups }
  }

  #token() {
    const cursor = this.#cursor
    const token = cursor.peek()!
    switch (token.kind) {
      case 'word':
        return this.#word(token)
      case 'quoted-name':
        if (isDot(cursor.previous)) return this.#afterDot(token)
        return cursor.is('(', 1) && !this.#namesColumns() ? this.#call(token) : this.#name(token)
      case 'double-quoted':
        throw cursor.syntax(DOUBLE_QUOTES, token)
      case 'hint':
        throw cursor.problem(`hints are not supported${ON_FLINK}`, token)
      case 'text':
        return this.#pass(token.text)
      case 'number':
        return this.#number(token)
      case 'binary':
        return this.#pass(`CAST('${token.value.replace(/[^0-9a-fA-F]/g, '')}' AS __hex)`)
      case 'unicode-text':
        return this.#pass(`'${withCharacters(token.value).replaceAll("'", "''")}'`)
      case 'operator':
        return this.#operator(token)
    }
  }

  /** Emits a text for the next token. */
  #pass(text: string): void {
    const token = this.#cursor.next('a token')
    this.#out.add(text, token.start, token.end)
  }

  #number(token: FlinkToken): void {
    const digits = token.text
      .replace(/[eE].*/, '')
      .replace('.', '')
      .replace(/^0+/, '').length
    if (digits > DIGITS_MAX || !Number.isFinite(Number(token.text))) {
      throw this.#cursor.problem(`a number has at most ${DIGITS_MAX} digits, and is below 1e309`, token)
    }
    this.#pass(token.text)
  }

  #operator(token: FlinkToken) {
    const cursor = this.#cursor
    switch (token.text) {
      case '(':
        this.#open('plain', token)
        return this.#pass('(')
      case '[':
        this.#open('list', token)
        return this.#pass('[')
      case ')':
        this.#groups.pop()
        return this.#pass(')')
      case ']':
        if (this.#groups.pop() !== 'map') return this.#pass(']')
        this.#isKey.pop()
        return this.#pass('}')
      case ',':
        this.#checkComma(token)
        if (this.#groups.at(-1) !== 'map') return this.#pass(',')
        this.#isKey.push(!this.#isKey.pop())
        return this.#pass(this.#isKey.at(-1) ? ',' : ':')
    }
    if (FOREIGN_OPERATORS.has(token.text)) throw cursor.syntax(`unexpected ${shown(token)}`, token)
    this.#pass(token.text)
  }

  /** DuckDB allows a comma after the last item of a list. */
  #checkComma(token: FlinkToken): void {
    const cursor = this.#cursor
    const next = cursor.peek(1)
    const word = upper(next)
    if (next !== undefined && word !== 'FROM' && word !== 'WHERE' && word !== ')' && word !== ']') return
    throw cursor.syntax("expected an expression after ','", token)
  }

  #open(group: Group, token: FlinkToken): void {
    if (this.#groups.length === DEPTH_MAX) {
      throw this.#cursor.problem(`the query is nested deeper than ${DEPTH_MAX} levels`, token)
    }
    this.#groups.push(group)
  }

  #word(token: FlinkToken) {
    const cursor = this.#cursor
    const word = token.text.toUpperCase()
    if (isDot(cursor.previous)) return this.#afterDot(token)
    if (Object.hasOwn(REFUSED_WORDS, word)) throw cursor.problem(REFUSED_WORDS[word] + ON_FLINK, token)
    if (word === 'TABLE' && cursor.is('(', 1)) return this.#window()
    if (word === 'INTERVAL') return this.#interval()
    if (word === 'AS' && this.#groups.at(-1) === 'cast') return this.#castType()
    if (word === 'TO' && this.#groups.at(-1) === 'rounding') return this.#roundingUnit()
    if (this.#groups.at(-1) === 'json-value' && this.#jsonClause(word)) return
    if (word === 'ARRAY' && cursor.is('[', 1)) return this.#pass('ARRAY')
    if (word === 'MAP' && cursor.is('[', 1)) return this.#map()
    if (BARE_FUNCTIONS.has(word)) return this.#bareFunction(word)
    if ((word === 'DATE' || word === 'TIME' || word === 'TIMESTAMP') && cursor.peek(1)?.kind === 'text')
      return this.#pass(word)
    if (isKeyWordHere(word, upper(cursor.previous), upper(cursor.peek(1)))) return this.#keyWord(token, word)
    if (cursor.is('(', 1) && !this.#namesColumns()) return this.#call(token)
    if (isReservedWord(word)) {
      throw cursor.syntax(`'${token.text}' is a reserved word; write \`${token.text}\` in back-ticks`, token)
    }
    this.#name(token)
  }

  #afterDot(token: FlinkToken) {
    if (this.#cursor.is('(', 1)) throw this.#cursor.problem('functions have names without a database', token)
    this.#name(token)
  }

  #keyWord(token: FlinkToken, word: string) {
    const cursor = this.#cursor
    if (word === 'EXTRACT' && cursor.is('(', 1)) {
      this.#pass('extract')
      this.#open('units', token)
      this.#pass('(')
      return this.#unit((unit) => unit)
    }
    this.#pass(word)
  }

  /** Whether the word before a parenthesis is an alias or the name of a query: `AS v (a, b)`, `WITH q (a) AS (`. */
  #namesColumns(): boolean {
    const cursor = this.#cursor
    const { previous } = cursor
    if (previous === undefined) return false
    if (isName(previous) && !isKeyWordHere(upper(previous), '', '')) return true
    if (upper(previous) === 'AS' || (previous.kind === 'operator' && previous.text === ')')) return true
    let ahead = 2
    while (isName(cursor.peek(ahead)) || cursor.is(',', ahead)) ahead++
    return cursor.is(')', ahead) && cursor.isWord('AS', ahead + 1) && cursor.is('(', ahead + 2)
  }

  #call(token: FlinkToken) {
    const cursor = this.#cursor
    const name = token.value.toUpperCase()
    if (LEGACY_WINDOWS.has(name)) {
      const how = `write TABLE(${name}(TABLE t, DESCRIPTOR(c), INTERVAL '1' MINUTE)) in FROM`
      const what =
        name === 'SESSION' ? 'SESSION windows are not supported' : `${name} is no function of a row: ${how}`
      throw cursor.problem(what + ON_FLINK, token)
    }
    if (isNameOfForm(name)) throw cursor.problem(`function '${name}' is not supported${ON_FLINK}`, token)
    if (token.kind === 'quoted-name') {
      this.#pass(quotedName(token.value.toLowerCase())) // in back-ticks a key word is a name
      this.#open('plain', token)
      return this.#pass('(')
    }
    this.#pass(/^[A-Z_][A-Z0-9_]*$/.test(name) ? name.toLowerCase() : quotedName(token.value))
    if (name === 'CAST' || name === 'TRY_CAST') this.#open('cast', token)
    else if (name === 'FLOOR' || name === 'CEIL' || name === 'CEILING') this.#open('rounding', token)
    else this.#open(name === 'JSON_VALUE' ? 'json-value' : 'plain', token)
    this.#pass('(')
    if (name === 'TIMESTAMPADD' || name === 'TIMESTAMPDIFF') this.#unit((unit) => `"${unit}"`)
  }

  #unit(printed: (unit: string) => string): void {
    const cursor = this.#cursor
    const unit = upper(cursor.peek())
    if (!TIME_UNITS.has(unit)) throw cursor.unexpected('a unit such as DAY')
    this.#pass(printed(unit))
  }

  #roundingUnit(): void {
    this.#pass(',')
    this.#unit((unit) => `'${unit}'`)
  }

  #interval(): void {
    const start = this.#cursor.peek()!.start
    const interval = readInterval(this.#cursor)
    this.#out.add(printInterval(interval), start, this.#cursor.previous!.end)
  }

  #castType(): void {
    const cursor = this.#cursor
    this.#pass('AS')
    const start = cursor.peek()?.start ?? 0
    const type = readCastType(cursor, quotedName)
    this.#out.add(type, start, cursor.previous!.end)
  }

  /** `RETURNING t`, `NULL ON EMPTY`, `NULL ON ERROR` behind the arguments of JSON_VALUE. */
  #jsonClause(word: string): boolean {
    const cursor = this.#cursor
    const token = cursor.peek()!
    if (word === 'RETURNING') {
      this.#pass(',')
      const type = cursor.peek()
      const start = type?.start ?? token.start
      readCastType(cursor, quotedName)
      const written = cursor.text.slice(start, cursor.previous!.end)
      this.#out.add(`'${written.replaceAll("'", "''")}'`, start, cursor.previous!.end)
      return true
    }
    const isOn = (ahead: number) =>
      cursor.isWord('ON', ahead) && (cursor.isWord('EMPTY', ahead + 1) || cursor.isWord('ERROR', ahead + 1))
    if (word === 'NULL' && isOn(1)) {
      cursor.at += 3
      return true
    }
    const isBehind = cursor.previous?.kind !== 'operator' && (word === 'DEFAULT' || word === 'ERROR')
    if (!isBehind) return false
    throw cursor.problem(
      'JSON_VALUE with DEFAULT or ERROR ON EMPTY or ON ERROR is not supported here; use COALESCE(JSON_VALUE(…), …)',
      token,
    )
  }

  #bareFunction(word: string): void {
    const token = this.#cursor.next(word)
    this.#out.add(`${word.toLowerCase()}()`, token.start, token.end)
    if (!this.#cursor.is('(')) return
    while (!this.#cursor.skip(')')) this.#cursor.next("')'") // a precision
  }

  #map(): void {
    const token = this.#cursor.peek()!
    this.#pass('MAP')
    this.#open('map', token)
    this.#isKey.push(true)
    this.#pass('{')
  }

  #window(): void {
    const cursor = this.#cursor
    const start = cursor.peek()!.start
    const window = readWindowFunction(cursor)
    this.#out.add(`"__window${this.#windows.length}"`, start, cursor.previous!.end)
    this.#windows.push(window)
  }

  #name(token: FlinkToken) {
    const cursor = this.#cursor
    if (cursor.isWord('FOR', 1) && cursor.isWord('SYSTEM_TIME', 2)) return this.#lookup(token)
    this.#pass(this.#encoded(token))
  }

  #encoded(token: FlinkToken): string {
    if (token.value.length > NAME_CHARACTERS_MAX) {
      throw this.#cursor.problem(`a name has at most ${NAME_CHARACTERS_MAX} characters`, token)
    }
    return quotedName(encodedName(token.value))
  }

  #lookup(table: FlinkToken): void {
    const cursor = this.#cursor
    cursor.at += 3
    cursor.word('AS')
    cursor.word('OF')
    const time: FlinkToken[] = []
    do {
      const name = cursor.next('the name of a column')
      if (!isName(name)) throw cursor.problem(`expected the name of a column, got ${shown(name)}`, name)
      time.push(name)
    } while (cursor.skip('.'))
    if (cursor.is('(')) {
      throw cursor.problem(
        'FOR SYSTEM_TIME AS OF takes a column that is AS PROCTIME()',
        time[0]!,
        cursor.peek(),
      )
    }
    this.#out.add(`"__lookup${this.#lookups.length}"`, table.start, table.end)
    this.#lookups.push({ table, time })
    const hasAlias =
      cursor.isWord('AS') || (isName(cursor.peek()) && !isKeyWordHere(upper(cursor.peek()), '', ''))
    if (!hasAlias) this.#out.add(`AS ${this.#encoded(table)}`, table.start, table.end)
  }
}

function isName(token: FlinkToken | undefined): boolean {
  return token?.kind === 'word' || token?.kind === 'quoted-name'
}

function isDot(token: FlinkToken | undefined): boolean {
  return token?.kind === 'operator' && token.text === '.'
}

/** Empty for a name in back-ticks, which is no key word. */
function upper(token: FlinkToken | undefined): string {
  return token === undefined || token.kind === 'quoted-name' ? '' : token.text.toUpperCase()
}

function quotedName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** `\00e9` and `\+01f600` are characters by their number. */
function withCharacters(text: string): string {
  return text.replace(/\\(?:([0-9a-fA-F]{4})|\+([0-9a-fA-F]{6})|(\\))/g, (all, four, six, slash) => {
    if (slash !== undefined) return '\\'
    const code = Number.parseInt(four ?? six, 16)
    if (code > 0x10ffff) throw new SqlProblem(`${all} is no character`)
    return String.fromCodePoint(code)
  })
}
