/** Places of a text that is a part of another one. */
import { type Place, SqlProblem } from './sql-problem.ts'

/** The place in a whole text of a place in the part that begins at `begin`. */
export function placeInWhole({ line, column, endLine, endColumn }: Place, begin: Place): Place {
  const columnIn = (ofLine: number, at: number) => (ofLine === 1 ? at + begin.column - 1 : at)
  return {
    line: line + begin.line - 1,
    column: columnIn(line, column),
    endLine: endLine + begin.line - 1,
    endColumn: columnIn(endLine, endColumn),
  }
}

/** A problem with its place in the whole text, for a problem of the part that begins at `begin`. */
export function inWhole(problem: SqlProblem, begin: Place): SqlProblem {
  const { place } = problem
  return place === undefined ? problem : problem.at(placeInWhole(place, begin))
}

/** Throws what `work` throws; a problem of the part that begins at `begin` becomes one of the whole. */
export function ofPart<T>(begin: Place, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw error instanceof SqlProblem ? inWhole(error, begin) : error
  }
}
