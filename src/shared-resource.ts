/** A bounded resource that clients share, with the numbers for its metrics: docs/decisions/0024-fair-shares.md has the rules. */
import { FairShare } from './fair-share.ts'

export interface SharedResource {
  /** The value of the label `resource` in metrics. */
  readonly resource: string
  readonly held: number
  readonly capacity: number
  /** The number of clients that hold some of it. */
  readonly clients: number
  /** How often a client lost some of it to another client, and how often a client was refused, since the start. */
  readonly cut: number
  readonly refused: number
}

/** A shared resource that is counted in a FairShare. */
export abstract class CountedResource implements SharedResource {
  readonly resource: string
  protected readonly share: FairShare
  cut = 0
  refused = 0

  constructor(resource: string, capacity: number) {
    this.resource = resource
    this.share = new FairShare(capacity)
  }

  get held(): number {
    return this.share.total
  }

  get capacity(): number {
    return this.share.capacity
  }

  get clients(): number {
    return this.share.clients
  }
}
