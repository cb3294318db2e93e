/** What is wrong with a token, a grant, or the file that keeps them. The message is one sentence and holds no secret. */
export class TokenProblem extends Error {
  override readonly name = 'TokenProblem'
}
