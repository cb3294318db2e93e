/**
 * An error of an Avro schema or an uploaded file, as a clause without its place. The container decoder adds block and
 * datum.
 */
export class AvroProblem extends Error {
  override readonly name = 'AvroProblem'
}
