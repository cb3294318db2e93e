/** Window table-valued functions: `TABLE(TUMBLE(TABLE t, DESCRIPTOR(c), INTERVAL '30' SECOND))`, arguments by position or name. */
import type { FlinkToken } from './flink-tokens.ts'
import { fixedMs, readInterval } from './interval-literal.ts'
import { ON_FLINK, SqlProblem } from './sql-problem.ts'
import { type StatementCursor, shown } from './statement-cursor.ts'

export type WindowKind = 'TUMBLE' | 'HOP' | 'CUMULATE'

export interface WindowFunction {
  readonly kind: WindowKind
  readonly table: FlinkToken
  readonly timeColumn: FlinkToken
  readonly sizeMs: number
  /** Slide of HOP, step of CUMULATE; equal to the size for TUMBLE. */
  readonly slideMs: number
  readonly offsetMs: number
  /** The name of the function. */
  readonly token: FlinkToken
}

/** Names of the arguments in their order. HOP and CUMULATE take the slide or step before the size. */
const ARGUMENTS: Readonly<Record<WindowKind, readonly string[]>> = {
  TUMBLE: ['DATA', 'TIMECOL', 'SIZE', 'OFFSET'],
  HOP: ['DATA', 'TIMECOL', 'SLIDE', 'SIZE', 'OFFSET'],
  CUMULATE: ['DATA', 'TIMECOL', 'STEP', 'SIZE', 'OFFSET'],
}

export function isWindowKind(word: string): word is WindowKind {
  return Object.hasOwn(ARGUMENTS, word)
}

/** Reads from the word TABLE on, to the parenthesis that closes it. */
export function readWindowFunction(cursor: StatementCursor): WindowFunction {
  cursor.word('TABLE')
  cursor.operator('(')
  const token = cursor.next('TUMBLE, HOP or CUMULATE')
  const kind = token.text.toUpperCase()
  if (token.kind !== 'word' || !isWindowKind(kind)) {
    const isKnown = kind === 'SESSION'
    throw cursor.problem(
      `${isKnown ? 'SESSION windows are' : `TABLE(${shown(token)}…) is`} not supported${ON_FLINK}`,
      token,
    )
  }
  cursor.operator('(')
  const given = new ArgumentReader(cursor, ARGUMENTS[kind], token)
  given.read()
  cursor.operator(')')
  cursor.operator(')')
  return checked(cursor, kind, token, given)
}

function checked(
  cursor: StatementCursor,
  kind: WindowKind,
  token: FlinkToken,
  { table, timeColumn, intervals }: ArgumentReader,
): WindowFunction {
  const size = intervals.get('SIZE')
  const slide = kind === 'TUMBLE' ? size : intervals.get(kind === 'HOP' ? 'SLIDE' : 'STEP')
  if (table === undefined || timeColumn === undefined || size === undefined || slide === undefined) {
    throw cursor.problem(`${kind} needs ${ARGUMENTS[kind].slice(0, -1).join(', ')}`, token)
  }
  if (size <= 0 || slide <= 0) throw cursor.problem(`the intervals of ${kind} must be longer than 0`, token)
  if (kind === 'CUMULATE' && size % slide !== 0) {
    throw cursor.problem('the size of CUMULATE must be a multiple of its step', token)
  }
  if (kind === 'HOP' && size % slide !== 0) {
    throw cursor.problem('the size of HOP must be a multiple of its slide', token)
  }
  const offsetMs = intervals.get('OFFSET') ?? 0
  if (Math.abs(offsetMs) >= size)
    throw cursor.problem(`the offset of ${kind} must be shorter than its size`, token)
  if (kind !== 'TUMBLE' && size / slide > WINDOWS_OF_A_ROW_MAX) {
    throw cursor.problem(
      `a row would be in ${size / slide} windows; at most ${WINDOWS_OF_A_ROW_MAX} are possible`,
      token,
    )
  }
  return { kind, table, timeColumn, sizeMs: size, slideMs: slide, offsetMs, token }
}

/** A row is copied into each of its windows. */
const WINDOWS_OF_A_ROW_MAX = 10_000

class ArgumentReader {
  table: FlinkToken | undefined
  timeColumn: FlinkToken | undefined
  readonly intervals = new Map<string, number>()
  readonly #cursor: StatementCursor
  readonly #names: readonly string[]
  readonly #function: FlinkToken

  constructor(cursor: StatementCursor, names: readonly string[], token: FlinkToken) {
    this.#cursor = cursor
    this.#names = names
    this.#function = token
  }

  read(): void {
    for (let i = 0; i === 0 || this.#cursor.skip(','); i++) this.#argument(i)
  }

  #argument(index: number): void {
    const cursor = this.#cursor
    const first = cursor.next('an argument')
    const isNamed = cursor.skip('=>')
    const name = isNamed ? first.text.toUpperCase() : this.#names[index]
    if (!isNamed) cursor.at--
    if (name === undefined || !this.#names.includes(name)) {
      throw cursor.problem(
        `${this.#function.text} takes ${this.#names.join(', ')}, got ${shown(first)}`,
        first,
      )
    }
    if (name === 'DATA') this.table = this.#table()
    else if (name === 'TIMECOL') this.timeColumn = this.#descriptor()
    else this.intervals.set(name, this.#interval())
  }

  #table(): FlinkToken {
    const cursor = this.#cursor
    if (!cursor.isWord('TABLE'))
      throw cursor.unexpected('TABLE and the name of a table or of a query in WITH')
    cursor.at++
    return this.#name()
  }

  #descriptor(): FlinkToken {
    const cursor = this.#cursor
    cursor.word('DESCRIPTOR')
    cursor.operator('(')
    const name = this.#name()
    cursor.operator(')')
    return name
  }

  #name(): FlinkToken {
    const cursor = this.#cursor
    const token = cursor.next('a name')
    if (token.kind === 'word' || token.kind === 'quoted-name') return token
    cursor.at--
    throw cursor.unexpected('a name')
  }

  #interval(): number {
    const cursor = this.#cursor
    const token = cursor.peek()
    if (!cursor.isWord('INTERVAL')) throw cursor.unexpected('INTERVAL')
    try {
      return fixedMs(readInterval(cursor))
    } catch (error) {
      if (error instanceof SqlProblem && error.place === undefined) throw cursor.problem(error.reason, token!)
      throw error
    }
  }
}
