/** Statements of SQL, as clients of Ververica's API send them. */
import { type TestApp, type TestAppOptions, testApp } from './test-app.ts'

interface Answer {
  readonly result?: string
  readonly message?: string
  readonly resultTable?: {
    readonly headers: readonly { readonly name: string }[]
    readonly rows: readonly { readonly cells: readonly { readonly value: string }[] }[]
  }
}

export function sqlOf(app: TestApp, namespace = 'default') {
  const call = async (verb: string, statement: string) => {
    const response = await app.post(`/sql/v1beta1/namespaces/${namespace}/sqlscripts:${verb}`, {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ statement }),
    })
    return { status: response.status, answer: response.json() as Answer, text: response.text }
  }
  return {
    /** The rows, or the result, or `STATUS message`. */
    async run(statement: string): Promise<unknown> {
      const { status, answer } = await call('execute', statement)
      if (status !== 200) return `${status} ${answer.message}`
      const { resultTable } = answer
      return resultTable?.rows.map(({ cells }) => cells.map(({ value }) => value)) ?? answer.result
    },
    async text(statement: string): Promise<string> {
      return (await call('execute', statement)).text
    },
    async validate(statement: string): Promise<string> {
      const { answer } = await call('validate', statement)
      const { validationResult, errorDetails } = answer as unknown as {
        readonly validationResult: string
        readonly errorDetails: { readonly message: string }
      }
      return `${validationResult.replace('VALIDATION_RESULT_', '')} ${errorDetails.message}`.trim()
    },
  }
}

export async function sqlApp(options: TestAppOptions = {}) {
  const app = await testApp(options)
  return { app, ...sqlOf(app) }
}
