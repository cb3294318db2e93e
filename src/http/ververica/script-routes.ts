/** SQL scripts: validate, execute, suggest. */
import { ValidationError } from '../../deployments/deployment-error.ts'
import type { JsonObject } from '../../deployments/resources.ts'
import type { ScriptRows, ScriptVerdict, SqlScriptService } from '../../sql-scripts/sql-script-service.ts'
import type { Namespaces } from '../../streams/namespaces.ts'
import type { AppOptions } from '../api.ts'
import type { HttpContext } from '../server/bindings.ts'
import { answer } from './answers.ts'
import { checked, STATEMENT_BODY, SUGGEST_BODY } from './body-schemas.ts'
import { answerForm } from './media-types.ts'
import { bodyReader, existingNamespace } from './request.ts'

export interface ScriptParts {
  readonly sqlScripts: SqlScriptService
  readonly namespaces: Namespaces
}

interface StatementBody {
  readonly statement: string
}

interface SuggestBody {
  readonly sqlScript: string
  readonly position?: number
}

export function scriptRoutes({ sqlScripts, namespaces }: ScriptParts, options: AppOptions) {
  const readBody = bodyReader(options)
  const ownerOf = (c: HttpContext) => c.get('client') ?? undefined

  return {
    /** 200 also for a statement that is not valid. */
    async validate(c: HttpContext) {
      const namespace = existingNamespace(c, namespaces)
      const form = answerForm(c)
      const { statement } = checked<StatementBody>(STATEMENT_BODY, await readBody(c))
      return answer(c, form, verdictJson(await sqlScripts.validate(namespace, statement, ownerOf(c))))
    },

    async execute(c: HttpContext) {
      const namespace = existingNamespace(c, namespaces)
      const form = answerForm(c)
      const { statement } = checked<StatementBody>(STATEMENT_BODY, await readBody(c))
      return answer(c, form, rowsJson(await sqlScripts.execute(namespace, statement, ownerOf(c))))
    },

    async suggest(c: HttpContext) {
      const namespace = existingNamespace(c, namespaces)
      const form = answerForm(c)
      const { sqlScript, position = sqlScript.length } = checked<SuggestBody>(SUGGEST_BODY, await readBody(c))
      if (position > sqlScript.length) throw beyond(sqlScript.length)
      const completions = await sqlScripts.suggest(namespace, sqlScript, position, ownerOf(c))
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

function beyond(length: number): ValidationError {
  return new ValidationError([{ attribute: 'position', message: `must be less than or equal to ${length}` }])
}
