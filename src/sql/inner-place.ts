/** Places of a text that is a part of another one. */
import { type Place, SqlProblem, SyntaxProblem } from './sql-problem.ts'

/** A problem with its place in the whole text, for a problem of the part that begins at `begin`. */
export function inWhole(problem: SqlProblem, begin: Place): SqlProblem {
  const { place } = problem
  if (place === undefined) return problem
  const at = (line: number, column: number) =>
    [line + begin.line - 1, line === 1 ? column + begin.column - 1 : column] as const
  const [line, column] = at(place.line, place.column)
  const [endLine, endColumn] = at(place.endLine, place.endColumn)
  const whole = { line, column, endLine, endColumn }
  return problem instanceof SyntaxProblem
    ? new SyntaxProblem(problem.reason, whole, { cause: problem })
    : new SqlProblem(problem.reason, whole, { cause: problem })
}
