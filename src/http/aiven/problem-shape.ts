/**
 * Errors as clients of Aiven read them: `{"message":…,"errors":[{"message":…,"more_info":"","status":…}]}`. The command line
 * prints the message of the first error, or the whole body.
 */
import type { ProblemShape } from '../server/problem.ts'

export const aivenProblemShape: ProblemShape = ({ status, text }) => ({
  contentType: 'application/json',
  text: JSON.stringify({ message: text, errors: [{ message: text, more_info: '', status }] }),
})
