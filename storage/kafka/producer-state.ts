/**
 * The numbers by which brokers recognise a batch of this process: producer id, epoch and base sequence. A broker stores a batch
 * with the same three once, however often it arrives. Each log has an epoch and a sequence of its own.
 *
 * A log's epoch is raised after a batch was given up. Once a batch of the new epoch is stored, the broker refuses the old
 * batch, so it cannot appear any more. A new producer id would not have this effect: a broker knows no order between ids.
 * So a log leaves an id only while no batch of it is in doubt, and before its epochs are used up.
 */
import type { LogId } from '../log.ts'
import type { ProducerIdentity } from './transaction-requests.ts'

/** What a sealed batch has in its header. */
export interface ProducerStamp {
  readonly producerId: number
  readonly epoch: number
  readonly baseSequence: number
}

/** Sequences are 32-bit numbers that continue with 0 after 2^31-1. */
const SEQUENCES = 2 ** 31
/** The last epoch. */
const EPOCH_MAX = 32_767
/** From this epoch on a log gets a new producer id as soon as a batch is stored, which leaves epochs for batches given up until then. */
const EPOCH_RENEW = 30_000

interface LogNumbers {
  identity: ProducerIdentity
  epoch: number
  sequence: number
}

export class ProducerState {
  readonly #newIdentity: () => Promise<ProducerIdentity>
  readonly #logs = new Map<LogId, LogNumbers>()
  #identity: ProducerIdentity | undefined
  #requested: Promise<ProducerIdentity> | undefined

  /** `newIdentity` requests a producer id from the cluster. It is called when one is needed, once at a time. */
  constructor(newIdentity: () => Promise<ProducerIdentity>) {
    this.#newIdentity = newIdentity
  }

  /** The stamp of the next batch of this log. It stays the same until `stored` or `abandoned`. */
  next(log: LogId): ProducerStamp | Promise<ProducerStamp> {
    const numbers = this.#logs.get(log)
    return numbers === undefined || numbers.epoch > EPOCH_MAX ? this.#renewed(log, numbers) : stampOf(numbers)
  }

  async #renewed(log: LogId, used: LogNumbers | undefined): Promise<ProducerStamp> {
    const identity = await this.#identityFor(used?.identity)
    const numbers = { identity, epoch: identity.epoch, sequence: 0 }
    this.#logs.set(log, numbers)
    return stampOf(numbers)
  }

  /** The batch with the last stamp is stored, with `count` records. */
  stored(log: LogId, count: number): void {
    const numbers = this.#logs.get(log)
    if (numbers === undefined) return
    if (numbers.epoch >= EPOCH_RENEW) numbers.epoch = EPOCH_MAX + 1
    else numbers.sequence = (numbers.sequence + count) % SEQUENCES
  }

  /** The batch with the last stamp was given up. The next batch that is stored fences it. */
  abandoned(log: LogId): void {
    const numbers = this.#logs.get(log)
    if (numbers === undefined) return
    numbers.epoch++
    numbers.sequence = 0
  }

  /** The log was dropped. Its id is never used again. */
  forget(log: LogId): void {
    this.#logs.delete(log)
  }

  /** An identity other than `used`, whose epochs are used up. */
  async #identityFor(used: ProducerIdentity | undefined): Promise<ProducerIdentity> {
    if (this.#identity === undefined || this.#identity === used) {
      this.#requested ??= this.#newIdentity().finally(() => {
        this.#requested = undefined
      })
      this.#identity = await this.#requested
    }
    return this.#identity
  }
}

function stampOf({ identity, epoch, sequence }: LogNumbers): ProducerStamp {
  return { producerId: identity.producerId, epoch, baseSequence: sequence }
}
