/**
 * Scripts that clients type: checks them, and executes those that are one statement about the catalog. Scripts with INSERT INTO run as
 * deployments, which make jobs of them (script-job.ts).
 */
import type { JobOwner, JobService } from '../jobs/job-service.ts'
import { ServiceError, type ServiceErrorCode } from '../service-error.ts'
import { inWhole } from '../sql/inner-place.ts'
import { ON_FLINK, SqlProblem, SyntaxProblem } from '../sql/sql-problem.ts'
import type { NamespaceName } from '../streams/names.ts'
import type { CatalogRunner, RunnableStatement } from './catalog-runner.ts'
import { jobOf } from './script-job.ts'
import { type CatalogPart, readScript, type ScriptContents, type ScriptPart } from './script-reader.ts'
import type {
  Completion,
  ScriptKind,
  ScriptRows,
  ScriptVerdict,
  SqlScriptService,
} from './sql-script-service.ts'
import type { CatalogStatement } from './statements.ts'

export interface SqlScriptsParts {
  readonly jobs: Pick<JobService, 'outline'>
  readonly catalog: CatalogRunner
}

type ValidKind = ScriptKind & `VALID_${string}`

/** A script that may be executed at once: one query, one statement about the catalog, or a job. */
type Script =
  | { readonly kind: 'job'; readonly contents: ScriptContents }
  | { readonly kind: 'query'; readonly contents: ScriptContents; readonly query: ScriptPart }
  | { readonly kind: 'catalog'; readonly contents: ScriptContents; readonly part: CatalogPart }

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
      case 'catalog':
        return inScript(script.part, (runnable) => this.#parts.catalog.run(namespace, runnable, owner))
    }
  }

  async suggest(): Promise<readonly Completion[]> {
    return []
  }

  async #check(namespace: NamespaceName, script: Script, owner: JobOwner): Promise<ValidKind> {
    switch (script.kind) {
      case 'job':
        await this.#checkJob(namespace, script.contents)
        return 'VALID_INSERT_QUERY'
      case 'query':
        return 'VALID_SELECT_QUERY'
      case 'catalog':
        await inScript(script.part, (runnable) => this.#parts.catalog.check(namespace, runnable, owner))
        return isCommand(script.part.statement) ? 'VALID_COMMAND_STATEMENT' : 'VALID_DDL_STATEMENT'
    }
  }

  async #checkJob(namespace: NamespaceName, contents: ScriptContents): Promise<void> {
    const { statement, temporary, inScript: toScript } = jobOf([contents])
    try {
      await this.#parts.jobs.outline(namespace, { statement, temporary, tableIds: [], name: undefined })
    } catch (error) {
      throw error instanceof SqlProblem ? toScript(error) : error
    }
  }
}

/** Throws SqlProblem. */
function scriptIn(text: string): Script {
  const contents = readScript({ name: undefined, text })
  const { inserts, queries, catalog, temporary, jobName } = contents
  const others = [...queries, ...catalog].sort(
    (a, b) => a.place.line - b.place.line || a.place.column - b.place.column,
  )
  const [first, second] = others
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
  if (more !== undefined || jobName !== undefined)
    throw new SyntaxProblem('execute one statement at a time', (more ?? first).place)
  const [query] = queries
  if (query !== undefined) return { kind: 'query', contents, query }
  return { kind: 'catalog', contents, part: catalog[0]! }
}

function isCommand({ kind }: CatalogStatement): boolean {
  return !['create-table', 'create-view', 'drop', 'alter-table'].includes(kind)
}

async function inScript<T>(
  { statement, place }: CatalogPart,
  work: (statement: RunnableStatement) => Promise<T>,
): Promise<T> {
  if (statement.kind === 'explain') throw new SqlProblem('EXPLAIN is not supported', place)
  try {
    return await work(statement)
  } catch (error) {
    throw error instanceof SqlProblem ? inWhole(error, place) : error
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
