/**
 * Problems of a datum. Thrown and caught within a read. They are not Errors: the stack of an Error would cost more than
 * the read.
 */

/** The bytes are not a datum of the schema it was written in. The reader cannot continue after this place. */
export class DatumProblem {
  readonly reason: string

  constructor(reason: string) {
    this.reason = reason
  }
}

/** One value cannot be converted to the reader's type. The reader can skip its bytes and continue. */
export class ValueProblem {
  readonly reason: string

  constructor(reason: string) {
    this.reason = reason
  }
}
