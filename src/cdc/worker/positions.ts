/**
 * How far an attempt is, as positions in the write-ahead log. Each of them only ascends.
 *
 *   taken       everything that was committed before it has been taken from the stream
 *   durable     everything before it is stored by the service
 *   applied     everything before it is in the row store
 *   confirmed   the server may forget everything before it
 */
import { maxLsn } from '../lsn.ts'

export class Positions {
  #taken = 0n
  #durable: bigint
  #applied = 0n
  #confirmed = 0n

  constructor(durable: bigint) {
    this.#durable = durable
  }

  get taken(): bigint {
    return this.#taken
  }

  get durable(): bigint {
    return this.#durable
  }

  get applied(): bigint {
    return this.#applied
  }

  get confirmed(): bigint {
    return this.#confirmed
  }

  raiseTaken(lsn: bigint): void {
    this.#taken = maxLsn(this.#taken, lsn)
  }

  raiseDurable(lsn: bigint): void {
    this.#durable = maxLsn(this.#durable, lsn)
  }

  raiseApplied(lsn: bigint): void {
    this.#applied = maxLsn(this.#applied, lsn)
  }

  raiseConfirmed(lsn: bigint): void {
    this.#confirmed = maxLsn(this.#confirmed, lsn)
  }
}
