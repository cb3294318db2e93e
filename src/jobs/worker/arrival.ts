/** The ways without state: `arrival`, whose rows go to the sink at once, and `once`, which runs a single time. */
import type { InsertPlan } from '../plan/job-plan.ts'
import type { Way, WayContext, WayResult, WayTick } from './way.ts'

type ArrivalPlan = InsertPlan & { readonly way: 'arrival' | 'once' }

export class Arrival implements Way {
  readonly probes: readonly string[]
  readonly runsWithoutEvents: boolean
  readonly #context: WayContext
  readonly #isOnce: boolean
  readonly #insert: string

  constructor(context: WayContext) {
    this.#context = context
    const plan = context.plan.inserts[context.insert] as ArrivalPlan
    this.#isOnce = plan.way === 'once'
    this.runsWithoutEvents = this.#isOnce
    this.probes = [plan.select]
    const columns = plan.sink.columns.map((_, index) => `c${index}`)
    // One event may give several rows, in no order of the engine; so they are ordered by all columns.
    const order = ['__ord', ...columns].join(', ')
    this.#insert = `INSERT INTO ${context.outbox} SELECT 'c', ${columns.join(', ')} FROM (${plan.select}) ORDER BY ${order}`
  }

  async prepare(): Promise<void> {}

  async run({ grown, isFirst }: WayTick): Promise<WayResult> {
    if (this.#isOnce ? !isFirst : grown.size === 0) return { rows: 0, late: 0 }
    return { rows: await this.#context.connection.run(this.#insert), late: 0 }
  }
}
