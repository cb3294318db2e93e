/** What is wrong with a datum. Thrown and caught within a read; no Errors, whose stacks would cost more than the read. */

/** The bytes are no datum of the schema it was written in: nothing behind that place can be read. */
export class DatumProblem {
  readonly reason: string

  constructor(reason: string) {
    this.reason = reason
  }
}

/** One value cannot be what the reader wants; its bytes can be passed over. */
export class ValueProblem {
  readonly reason: string

  constructor(reason: string) {
    this.reason = reason
  }
}
