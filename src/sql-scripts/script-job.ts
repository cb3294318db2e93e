/** A script as a job: its INSERT INTO become one statement, several of them a statement set, behind temporary tables and views. */
import { placeInWhole } from '../sql/inner-place.ts'
import { type Place, SqlProblem } from '../sql/sql-problem.ts'
import {
  inNamed,
  type NamedScript,
  readScript,
  type ScriptContents,
  type ScriptDefinition,
  type ScriptPart,
} from './script-reader.ts'
import type { ScriptJob } from './sql-script-service.ts'

const SET_BEGINS = 'EXECUTE STATEMENT SET\nBEGIN\n'
const SET_ENDS = 'END;'
/** Between two INSERT INTO. A comment to the end of the line may be before it. */
const INSERT_ENDS = '\n;\n'

/** Throws SqlProblem, whose place is in the script. */
export function scriptJobOf(script: string): ScriptJob {
  return jobOfScripts([{ name: undefined, text: script }])
}

/** One job of several scripts, in their order. Throws SqlProblem, which names the script. */
export function jobOfScripts(scripts: readonly NamedScript[]): ScriptJob {
  return jobOf(
    scripts.map(readScript),
    scripts.flatMap(({ name }) => name ?? []),
  )
}

/** `names` are those of the scripts, for error texts. */
export function jobOf(contents: readonly ScriptContents[], names: readonly string[] = []): ScriptJob {
  for (const one of contents) assertOfJob(one)
  const inserts = contents.flatMap((one) => one.inserts)
  const [first] = inserts
  if (first === undefined) {
    const where = names.length === 0 ? '' : `${names.join(', ')}: `
    throw new SqlProblem(`${where}there is no INSERT INTO; a job needs one`)
  }
  const statement =
    inserts.length === 1
      ? first.text
      : `${SET_BEGINS}${inserts.map(({ text }) => text + INSERT_ENDS).join('')}${SET_ENDS}`
  const parts = contents.flatMap((one) => one.temporary)
  return {
    statement,
    temporary: parts.map(({ definition }) => definition),
    jobName: contents.findLast((one) => one.jobName !== undefined)?.jobName,
    inScript: (problem) => inTexts(parts, inserts, problem),
  }
}

function assertOfJob({ queries, catalog }: ScriptContents): void {
  const [query] = queries
  if (query !== undefined)
    throw inNamed(query.script, new SqlProblem('a job needs INSERT INTO before its query', query.place))
  const [other] = catalog
  if (other === undefined) return
  const [word = ''] = other.text.split(/\s/, 1)
  const reason =
    other.statement.kind === 'create-table' || other.statement.kind === 'create-view'
      ? 'the script of a job has CREATE TEMPORARY TABLE and VIEW; create those of the catalog before, on their own'
      : `the script of a job has no ${word.toUpperCase()}; execute it before, on its own`
  throw inNamed(other.script, new SqlProblem(reason, other.place))
}

/** A problem of a part, as one of its script. */
export function inPart({ script, place: begin }: ScriptPart, problem: SqlProblem): SqlProblem {
  const { place } = problem
  return inNamed(script, problem.at(place && placeInWhole(place, begin)))
}

/** A problem of a temporary definition or of the statement that `inserts` make, as one of its script. */
export function inTexts(
  definitions: readonly ScriptDefinition[],
  inserts: readonly ScriptPart[],
  problem: SqlProblem,
): SqlProblem {
  if (problem.definition === undefined) return inStatement(inserts, problem)
  const part = definitions.find(({ definition }) => definition.name === problem.definition)
  if (part === undefined) return problem
  return problem.place === undefined ? inNamed(part.script, problem.at(part.place)) : inPart(part, problem)
}

/** A problem of the statement that `inserts` make. */
function inStatement(inserts: readonly ScriptPart[], problem: SqlProblem): SqlProblem {
  const { place } = problem
  if (place === undefined) return inserts.length === 1 ? inNamed(inserts[0]!.script, problem) : problem
  let line = inserts.length === 1 ? 1 : 3
  for (const insert of inserts) {
    const next = line + insert.text.split('\n').length + 1
    if (place.line < next) return inPart(insert, problem.at(linesUp(place, line - 1)))
    line = next
  }
  return problem
}

function linesUp({ line, endLine, ...columns }: Place, lines: number): Place {
  return { line: line - lines, endLine: endLine - lines, ...columns }
}
