/**
 * Checks the database tables of a statement before its job is created. A table that does not fit refuses the job. A database
 * that does not answer does not: the job is created and starts again until it does.
 *
 * A database that does not answer holds its connection for seconds, so clients share the connections, and only few statements
 * wait.
 */
import { FairSemaphore } from '../../fair-semaphore.ts'
import { type ClientKey, FairShare } from '../../fair-share.ts'
import { Penalties } from '../../penalties.ts'
import { ServiceError } from '../../service-error.ts'
import { ConnectorError } from '../connectors/connector.ts'
import { checkLookup, checkScan, checkSink } from '../connectors/table-checks.ts'
import type { OnContact } from '../job-engine.ts'
import type { JobPlan } from '../plan/job-plan.ts'
import type { ConnectedTable } from '../worker/job-worker-protocol.ts'

/** Connections to databases for checks, of all clients together. The last free one is for a client that has none. */
const CHECKS_MAX = 8
/** Statements whose tables are being checked, of all clients together and of one. */
const STATEMENTS_MAX = 64
const STATEMENTS_OF_CLIENT_MAX = 16
/** No job has this id: a check reads what a job would need and writes nothing. */
const NO_JOB = '0'.repeat(32)

export class DatabaseChecks {
  readonly #connections = new FairSemaphore(CHECKS_MAX, new Penalties())
  readonly #statements = new FairShare(STATEMENTS_MAX)

  /**
   * Returns warnings. Rejects with ServiceError 'invalid_table' for a table that does not exist or does not fit, and with
   * 'overloaded' if the client has too many statements here.
   */
  async run(
    plan: JobPlan,
    tables: readonly ConnectedTable[],
    onContact: OnContact,
    client: ClientKey = '',
  ): Promise<readonly string[]> {
    const checks = checksOf(plan, tables)
    if (checks.length === 0) return []
    this.#assertCapacity(client)
    this.#statements.take(client, 1)
    try {
      const warnings = await Promise.all(
        checks.map(({ table, work }) => this.#connections.run(client, () => attempt(table, work, onContact))),
      )
      return warnings.flat()
    } finally {
      this.#statements.give(client, 1)
    }
  }

  #assertCapacity(client: ClientKey): void {
    const ofClient = this.#statements.held(client) >= STATEMENTS_OF_CLIENT_MAX
    if (!ofClient && this.#statements.fits(1)) return
    const count = ofClient ? STATEMENTS_OF_CLIENT_MAX : STATEMENTS_MAX
    const text = `the database tables of ${count} statements are being checked already; try again later`
    throw new ServiceError('overloaded', text)
  }
}

interface Check {
  readonly table: ConnectedTable
  readonly work: () => Promise<readonly string[]>
}

function checksOf(plan: JobPlan, tables: readonly ConnectedTable[]): readonly Check[] {
  const checks: Check[] = []
  const add = (id: string, work: (table: ConnectedTable) => Promise<readonly string[]>) => {
    const table = tables.find((one) => one.id === id && one.access.kind === 'postgres')
    if (table !== undefined) checks.push({ table, work: () => work(table) })
  }
  for (const lookup of plan.lookups) add(lookup.tableId, (table) => checkLookup(table, lookup))
  for (const fixed of plan.fixed) add(fixed.tableId, (table) => checkScan(table, fixed.columns))
  for (const [index, { sink }] of plan.inserts.entries())
    add(sink.tableId, (table) => checkSink(table, sink, NO_JOB, index))
  return checks
}

async function attempt(
  { integrationId = '' }: ConnectedTable,
  work: Check['work'],
  onContact: OnContact,
): Promise<readonly string[]> {
  try {
    const warnings = await work()
    onContact(integrationId, undefined)
    return warnings
  } catch (error) {
    if (!(error instanceof ConnectorError)) throw error
    onContact(integrationId, error.unreachable === undefined ? undefined : error.message)
    if (!error.passing) throw new ServiceError('invalid_table', error.message, { cause: error })
    return []
  }
}
