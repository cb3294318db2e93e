/** Errors as clients of Flink read them: `{"errors":[text, …]}`. The Python client expects texts in a list, and fails at others. */
import type { ProblemShape } from '../server/problem.ts'
import { JSON_TYPE } from './answers.ts'

export const flinkProblemShape: ProblemShape = ({ status, text }) => ({
  contentType: JSON_TYPE,
  text: errorsText(status === 500 ? ['Internal server error.', text] : [text]),
})

export function errorsText(errors: readonly string[]): string {
  return JSON.stringify({ errors })
}
