/** SQL scripts: validate, execute, suggest. */
import { ValidationError } from '../../deployments/deployment-error.ts'
import type { Json, JsonObject } from '../../deployments/resources.ts'
import type { ScriptRows, ScriptVerdict, SqlScriptService } from '../../sql-scripts/sql-script-service.ts'
import type { Namespaces } from '../../streams/namespaces.ts'
import type { AppOptions } from '../api.ts'
import type { HttpContext } from '../server/bindings.ts'
import { answer } from './answers.ts'
import { answerForm } from './media-types.ts'
import { bodyReader, existingNamespace } from './request.ts'

export interface ScriptParts {
  readonly sqlScripts: SqlScriptService
  readonly namespaces: Namespaces
}

export function scriptRoutes({ sqlScripts, namespaces }: ScriptParts, options: AppOptions) {
  const readBody = bodyReader(options)
  const ownerOf = (c: HttpContext) => c.get('client') ?? undefined

  return {
    /** 200 also for a statement that is not valid. */
    async validate(c: HttpContext) {
      const namespace = existingNamespace(c, namespaces)
      const form = answerForm(c)
      const statement = textOf(await readBody(c), 'statement')
      return answer(c, form, verdictJson(await sqlScripts.validate(namespace, statement, ownerOf(c))))
    },

    async execute(c: HttpContext) {
      const namespace = existingNamespace(c, namespaces)
      const form = answerForm(c)
      const statement = textOf(await readBody(c), 'statement')
      return answer(c, form, rowsJson(await sqlScripts.execute(namespace, statement, ownerOf(c))))
    },

    async suggest(c: HttpContext) {
      const namespace = existingNamespace(c, namespaces)
      const form = answerForm(c)
      const body = await readBody(c)
      const script = textOf(body, 'sqlScript')
      const position = positionOf(body, script)
      const completions = await sqlScripts.suggest(namespace, script, position, ownerOf(c))
      return answer(c, form, { completions: completions.map(({ text, type }) => ({ text, type })) })
    },
  }
}

function verdictJson({ kind, problem }: ScriptVerdict): JsonObject {
  const { line = 0, column = 0, endLine = 0, endColumn = 0 } = problem?.place ?? {}
  return {
    validationResult: `VALIDATION_RESULT_${kind}`,
    errorDetails: {
      lineNumber: line,
      columnNumber: column,
      endLineNumber: endLine,
      endColumnNumber: endColumn,
      message: problem?.message ?? '',
      cause: problem?.cause ?? '',
    },
  }
}

function rowsJson(rows: ScriptRows): JsonObject {
  if (rows === undefined) return { result: 'RESULT_SUCCESS' }
  return {
    result: 'RESULT_SUCCESS_WITH_ROWS',
    resultTable: {
      headers: rows.headers.map((name) => ({ name })),
      rows: rows.rows.map((row) => ({ cells: row.map((value) => ({ value })) })),
    },
  }
}

/** Throws ValidationError. */
function textOf(body: JsonObject, name: string): string {
  const value = body[name] ?? null
  if (typeof value === 'string') return value
  throw new ValidationError([
    { attribute: name, message: value === null ? 'must not be null' : 'must be a text' },
  ])
}

/** Absent: the end of the script. Throws ValidationError. */
function positionOf({ position = null }: { readonly position?: Json }, script: string): number {
  if (position === null) return script.length
  if (
    typeof position === 'number' &&
    Number.isInteger(position) &&
    position >= 0 &&
    position <= script.length
  )
    return position
  throw new ValidationError([
    { attribute: 'position', message: `must be a whole number from 0 to ${script.length}` },
  ])
}
