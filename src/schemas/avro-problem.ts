/** What is wrong with an Avro schema or an uploaded file, as a clause without the place; the container adds block and datum. */
export class AvroProblem extends Error {
  override readonly name = 'AvroProblem'
}
