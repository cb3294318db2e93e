/** A statement or a schema that is refused, with its place. Messages are for people who write SQL. */

/** A part of a text: lines and characters count from 1, the end is part of it. */
export interface Place {
  readonly line: number
  readonly column: number
  readonly endLine: number
  readonly endColumn: number
}

/** How a refusal ends if a Flink cluster would run the statement: what is behind the place, not in it. */
export const ON_FLINK = '; run this job on a Flink cluster'

export class SqlProblem extends Error {
  override readonly name = 'SqlProblem'
  /** Undefined for an error without a place. */
  readonly place: Place | undefined
  /** The reason without its place. */
  readonly reason: string
  /** The temporary table or view in whose text the place is. Undefined: in the statement. */
  readonly definition: string | undefined

  constructor(reason: string, place?: Place, options: ProblemOptions = {}) {
    const { definition, ...cause } = options
    super(place === undefined ? reason : withPlace(reason, place), cause)
    this.reason = reason
    this.place = place
    this.definition = definition
  }

  /** The same problem at a place of another text. */
  at(place: Place | undefined, reason = this.reason): SqlProblem {
    const options = { cause: this }
    return this instanceof SyntaxProblem
      ? new SyntaxProblem(reason, place, options)
      : new SqlProblem(reason, place, options)
  }

  /** The same problem, whose place is in the text of a temporary table or view. */
  of(definition: string): SqlProblem {
    const { reason, place } = this
    const options = { cause: this, definition }
    return this instanceof SyntaxProblem
      ? new SyntaxProblem(reason, place, options)
      : new SqlProblem(reason, place, options)
  }
}

/** A text that is no statement, whatever tables, columns and types there are. */
export class SyntaxProblem extends SqlProblem {}

export interface ProblemOptions extends ErrorOptions {
  readonly definition?: string | undefined
}

function withPlace(reason: string, { line, column }: Place): string {
  const end = reason.endsWith(ON_FLINK) ? ON_FLINK : ''
  return `${reason.slice(0, reason.length - end.length)} at line ${line}, column ${column}${end}`
}

/** The place of the characters `[start, end)` of a text. `end` is above `start`. */
export function placeOf(text: string, start: number, end: number): Place {
  const [line, column] = lineAndColumn(text, start)
  const [endLine, endColumn] = lineAndColumn(text, Math.max(start, end - 1))
  return { line, column, endLine, endColumn }
}

function lineAndColumn(text: string, offset: number): readonly [number, number] {
  const before = text.slice(0, offset)
  const lastBreak = before.lastIndexOf('\n')
  return [before.split('\n').length, offset - lastBreak]
}

/** As `placeOf`, for many places of one text: the time of each is logarithmic. */
export function placesIn(text: string): (start: number, end: number) => Place {
  const lineStarts = [0]
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lineStarts.push(at + 1)
  const find = (offset: number): readonly [number, number] => {
    let line = 0
    for (let above = lineStarts.length; above - line > 1; ) {
      const middle = (line + above) >>> 1
      if ((lineStarts[middle] as number) <= offset) line = middle
      else above = middle
    }
    return [line + 1, offset - (lineStarts[line] as number) + 1]
  }
  return (start, end) => {
    const [line, column] = find(start)
    const [endLine, endColumn] = find(Math.max(start, end - 1))
    return { line, column, endLine, endColumn }
  }
}
