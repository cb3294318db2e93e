/**
 * Scripts that clients type: checks them, and executes those that are one statement about the catalog. Scripts with INSERT INTO run as
 * deployments, which make jobs of them (script-job.ts).
 */
import type { JobOutlineView, JobOwner, JobService } from '../jobs/job-service.ts'
import type { DescribedQuery } from '../jobs/plan/planner-protocol.ts'
import { ServiceError, type ServiceErrorCode } from '../service-error.ts'
import { inWhole, ofPart, placeInWhole } from '../sql/inner-place.ts'
import { ON_FLINK, SqlProblem, SyntaxProblem } from '../sql/sql-problem.ts'
import type { NamespaceName } from '../streams/names.ts'
import type { CatalogRunner, RunnableStatement } from './catalog-runner.ts'
import { explainedJob, explainedQuery } from './explained-plan.ts'
import { inTexts, jobOf } from './script-job.ts'
import { type CatalogPart, readScript, type ScriptContents, type ScriptPart } from './script-reader.ts'
import type {
  Completion,
  ScriptKind,
  ScriptRows,
  ScriptVerdict,
  SqlScriptService,
} from './sql-script-service.ts'
import type { Explain } from './statements.ts'
import { type SuggestionSource, suggestions } from './suggest.ts'

export interface SqlScriptsParts {
  readonly jobs: Pick<JobService, 'outline' | 'describe'>
  readonly catalog: CatalogRunner
  readonly words: SuggestionSource
}

type ValidKind = ScriptKind & `VALID_${string}`

/** What a script is: a job, or one other statement behind temporary tables and views. */
type Script =
  | { readonly kind: 'job'; readonly contents: ScriptContents }
  | ({ readonly kind: 'query' } & QueryScript)
  | ExplainScript
  | CatalogScript

interface QueryScript {
  readonly contents: ScriptContents
  readonly query: ScriptPart
}

interface ExplainScript {
  readonly kind: 'explain'
  readonly contents: ScriptContents
  readonly explained:
    | { readonly kind: 'query'; readonly query: ScriptPart }
    | { readonly kind: 'job'; readonly inserts: readonly ScriptPart[] }
}

interface CatalogScript {
  readonly kind: 'catalog'
  readonly contents: ScriptContents
  readonly part: CatalogPart
  readonly statement: RunnableStatement
}

export class SqlScripts implements SqlScriptService {
  readonly #parts: SqlScriptsParts

  constructor(parts: SqlScriptsParts) {
    this.#parts = parts
  }

  async validate(namespace: NamespaceName, statement: string, owner: JobOwner): Promise<ScriptVerdict> {
    try {
      return { kind: await this.#check(namespace, scriptIn(statement), owner) }
    } catch (error) {
      return verdictOf(error)
    }
  }

  async execute(namespace: NamespaceName, statement: string, owner: JobOwner): Promise<ScriptRows> {
    const script = scriptIn(statement)
    switch (script.kind) {
      case 'job':
        await this.#check(namespace, script, owner)
        throw new SqlProblem(
          `INSERT INTO runs as a deployment: POST it to /api/v1/namespaces/${namespace}/deployments as artifact.sqlScript`,
          script.contents.inserts[0]!.place,
        )
      case 'query':
        throw new SqlProblem('use data/explore/queries, or INSERT INTO', script.query.place)
      case 'explain':
        return { headers: ['result'], rows: [[await this.#explain(namespace, script)]] }
      case 'catalog':
        return inScript(script, (runnable) => this.#parts.catalog.run(namespace, runnable, owner))
    }
  }

  async suggest(namespace: NamespaceName, script: string, position: number): Promise<readonly Completion[]> {
    const words = suggestions(script, position, this.#parts.words(namespace))
    return words.map((text) => ({ text, type: 'HINT_TYPE_UNKNOWN' }))
  }

  async #check(namespace: NamespaceName, script: Script, owner: JobOwner): Promise<ValidKind> {
    switch (script.kind) {
      case 'job':
        await this.#outline(namespace, script.contents)
        return 'VALID_INSERT_QUERY'
      case 'query':
        await this.#describe(namespace, script)
        return 'VALID_SELECT_QUERY'
      case 'explain':
        await this.#explain(namespace, script)
        return 'VALID_COMMAND_STATEMENT'
      case 'catalog':
        await inScript(script, (runnable) => this.#parts.catalog.check(namespace, runnable, owner))
        return isCommand(script.statement) ? 'VALID_COMMAND_STATEMENT' : 'VALID_DDL_STATEMENT'
    }
  }

  async #outline(namespace: NamespaceName, contents: ScriptContents): Promise<JobOutlineView> {
    const { statement, temporary, inScript: toScript } = jobOf([contents])
    const request = { statement, temporary, tableIds: [], name: undefined }
    return placed(toScript, () => this.#parts.jobs.outline(namespace, request))
  }

  async #describe(namespace: NamespaceName, { contents, query }: QueryScript): Promise<DescribedQuery> {
    const temporary = contents.temporary.map(({ definition }) => definition)
    return placed(
      (problem) => inTexts(contents.temporary, [query], problem),
      () => this.#parts.jobs.describe(namespace, query.text, temporary),
    )
  }

  async #explain(namespace: NamespaceName, { contents, explained }: ExplainScript): Promise<string> {
    if (explained.kind === 'query')
      return explainedQuery(await this.#describe(namespace, { contents, query: explained.query }))
    return explainedJob(
      await this.#outline(namespace, { ...contents, inserts: explained.inserts, catalog: [] }),
    )
  }
}

/** Throws SqlProblem. */
function scriptIn(text: string): Script {
  const contents = readScript({ name: undefined, text })
  const { inserts, queries, catalog, temporary, jobName } = contents
  const [first, second] = [...queries, ...catalog].sort(inOrder)
  if (first === undefined) {
    if (inserts.length > 0) return { kind: 'job', contents }
    const [definition] = temporary
    if (definition !== undefined)
      throw new SqlProblem(
        'temporary tables and views are of their script alone; add the statement that uses them',
        definition.place,
      )
    throw new SyntaxProblem('the script has no statement')
  }
  const more = second ?? inserts[0]
  if (more !== undefined) throw new SyntaxProblem('execute one statement at a time', more.place)
  if (jobName !== undefined)
    throw new SqlProblem("SET 'pipeline.name' is for scripts with INSERT INTO; remove it", first.place)
  const [query] = queries
  if (query !== undefined) return { kind: 'query', contents, query }
  const part = catalog[0]!
  if (part.statement.kind === 'explain') return explainIn(contents, part, part.statement)
  const [definition] = temporary
  if (definition !== undefined)
    throw new SqlProblem(
      'temporary tables and views are of their script alone, and this statement does not use them',
      definition.place,
    )
  return { kind: 'catalog', contents, part, statement: part.statement }
}

function explainIn(contents: ScriptContents, { place }: CatalogPart, { statement }: Explain): ExplainScript {
  const begin = placeInWhole(statement.place, place)
  const inner = ofPart(begin, () => readScript({ name: undefined, text: statement.text }))
  const moved = (part: ScriptPart) => ({ ...part, place: placeInWhole(part.place, begin) })
  const inserts = inner.inserts.map(moved)
  const [query] = inner.queries.map(moved)
  if (query !== undefined) return { kind: 'explain', contents, explained: { kind: 'query', query } }
  if (inserts.length > 0) return { kind: 'explain', contents, explained: { kind: 'job', inserts } }
  throw new SqlProblem('EXPLAIN takes INSERT INTO and SELECT', begin)
}

function inOrder({ place: a }: ScriptPart, { place: b }: ScriptPart): number {
  return a.line - b.line || a.column - b.column
}

function isCommand({ kind }: RunnableStatement): boolean {
  return !['create-table', 'create-view', 'drop', 'alter-table'].includes(kind)
}

function inScript<T>(
  { part, statement }: CatalogScript,
  work: (statement: RunnableStatement) => Promise<T>,
): Promise<T> {
  return placed(
    (problem) => inWhole(problem, part.place),
    () => work(statement),
  )
}

/** Rejects as `work`; problems get the place that `place` gives them. */
async function placed<T>(place: (problem: SqlProblem) => SqlProblem, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw error instanceof SqlProblem ? place(error) : error
  }
}

/** Errors that say something about the service, not about the statement. */
const NOT_OF_STATEMENTS: ReadonlySet<ServiceErrorCode> = new Set(['namespace_not_found', 'overloaded'])

/** Throws what is no refusal of a statement. */
function verdictOf(error: unknown): ScriptVerdict {
  if (error instanceof SqlProblem) {
    const { reason, message, place } = error
    return { kind: kindOf(error), problem: { message, cause: reason, place } }
  }
  if (!(error instanceof ServiceError) || NOT_OF_STATEMENTS.has(error.code)) throw error
  const { message, code } = error
  const kind = code === 'unsupported' ? 'UNSUPPORTED_QUERY' : 'INVALID_QUERY'
  return { kind, problem: { message, cause: message, place: undefined } }
}

function kindOf(problem: SqlProblem): ScriptKind {
  if (problem.reason.endsWith(ON_FLINK)) return 'UNSUPPORTED_QUERY'
  return problem instanceof SyntaxProblem ? 'INVALID' : 'INVALID_QUERY'
}
