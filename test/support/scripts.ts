/** SQL scripts over HTTP, in the default namespace. */
import type { TestApp, TestResponse } from './test-app.ts'

const SCRIPTS = '/sql/v1beta1/namespaces/default/sqlscripts'

function post(app: TestApp, what: string, body: object): Promise<TestResponse> {
  const headers = { 'Content-Type': 'application/json' }
  return app.post(`${SCRIPTS}:${what}`, { headers, body: JSON.stringify(body) })
}

export async function executed(app: TestApp, statement: string): Promise<unknown> {
  const answer = await post(app, 'execute', { statement })
  if (answer.status !== 200) throw new Error(`${statement}: ${answer.status} ${answer.text}`)
  return answer.json()
}

/** The cells of the rows. */
export async function rowsOf(app: TestApp, statement: string): Promise<readonly (readonly string[])[]> {
  const { resultTable } = (await executed(app, statement)) as {
    readonly resultTable: {
      readonly rows: readonly { readonly cells: readonly { readonly value: string }[] }[]
    }
  }
  return resultTable.rows.map(({ cells }) => cells.map(({ value }) => value))
}

/** Status and body of a refusal. */
export async function refused(app: TestApp, statement: string): Promise<unknown> {
  const answer = await post(app, 'execute', { statement })
  return { status: answer.status, ...(answer.json() as object) }
}

export interface Verdict {
  readonly kind: string
  readonly message: string
  /** The text that the places mark; undefined without a place. */
  readonly marked: string | undefined
}

export async function validated(app: TestApp, statement: string): Promise<Verdict> {
  const answer = await post(app, 'validate', { statement })
  const { validationResult, errorDetails } = answer.json() as {
    readonly validationResult: string
    readonly errorDetails: Details
  }
  const kind = validationResult.replace('VALIDATION_RESULT_', '')
  return { kind, message: errorDetails.message, marked: markedIn(statement, errorDetails) }
}

interface Details {
  readonly lineNumber: number
  readonly columnNumber: number
  readonly endLineNumber: number
  readonly endColumnNumber: number
  readonly message: string
}

function markedIn(text: string, details: Details): string | undefined {
  const { lineNumber, columnNumber, endLineNumber, endColumnNumber } = details
  if (lineNumber === 0) return undefined
  const lines = text.split('\n')
  const offset = (line: number, column: number) =>
    lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0) + column - 1
  return text.slice(offset(lineNumber, columnNumber), offset(endLineNumber, endColumnNumber) + 1)
}

/** With the place at `|`. */
export async function suggested(app: TestApp, script: string): Promise<readonly string[]> {
  const position = script.indexOf('|')
  const sqlScript = script.slice(0, position) + script.slice(position + 1)
  const answer = await post(app, 'suggest', { sqlScript, position })
  if (answer.status !== 200) throw new Error(`${script}: ${answer.status} ${answer.text}`)
  const { completions } = answer.json() as { readonly completions: readonly { text: string; type: string }[] }
  if (completions.some(({ type }) => type !== 'HINT_TYPE_UNKNOWN')) throw new Error('another type of hint')
  return completions.map(({ text }) => text)
}
