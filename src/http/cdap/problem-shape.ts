/** The errors of CDAP: the sentence as plain text; a 401 as JSON with the address at which its clients get a token. */
import { type ProblemShape, plainText, type ShapeOf } from '../server/problem.ts'

/** For answers that belong to CDAP whatever their path. */
export const cdapShapeOf: ShapeOf = () => cdapProblemShape

const cdapProblemShape: ProblemShape = (problem) => {
  const { challenge } = problem
  if (challenge === undefined) return plainText(problem)
  const { tokenUrl, error, description } = challenge
  const body = { auth_uri: [tokenUrl], error, error_description: description }
  return { contentType: 'application/json', text: JSON.stringify(body) }
}
