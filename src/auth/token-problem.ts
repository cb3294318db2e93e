/** A problem with a token, a grant, or the token file. The message is one sentence and holds no secret. */
export class TokenProblem extends Error {
  override readonly name = 'TokenProblem'
}
