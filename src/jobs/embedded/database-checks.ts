/**
 * Checks the database tables of a statement before its job is created. A table that does not fit refuses the job. A database
 * that does not answer does not: the job is created and starts again until it does.
 */
import { Semaphore } from '../../../storage/semaphore.ts'
import { ServiceError } from '../../service-error.ts'
import { ConnectorError } from '../connectors/connector.ts'
import { checkLookup, checkScan, checkSink } from '../connectors/table-checks.ts'
import type { TableContact } from '../job-engine.ts'
import type { JobPlan } from '../plan/job-plan.ts'
import type { ConnectedTable } from '../worker/job-worker-protocol.ts'

export interface DatabaseCheck {
  readonly warnings: readonly string[]
  readonly contacts: readonly TableContact[]
}

/** Connections to databases for checks, of all clients together. */
const CHECKS_MAX = 8
/** No job has this id: a check reads what a job would need and writes nothing. */
const NO_JOB = '0'.repeat(32)

export class DatabaseChecks {
  readonly #running = new Semaphore(CHECKS_MAX)

  /** Rejects with ServiceError 'invalid_table' for a table that does not exist or does not fit. */
  async run(plan: JobPlan, tables: readonly ConnectedTable[]): Promise<DatabaseCheck> {
    const warnings: string[] = []
    const contacts: TableContact[] = []
    const database = (id: string) =>
      tables.find((table) => table.id === id && table.access.kind === 'postgres')
    const check = async (id: string, work: (table: ConnectedTable) => Promise<readonly string[]>) => {
      const table = database(id)
      if (table === undefined) return
      const outcome = await this.#running.run(() => attempt(table, work))
      warnings.push(...outcome.warnings)
      contacts.push({ integrationId: table.integrationId ?? '', problem: outcome.problem })
    }
    await Promise.all([
      ...plan.lookups.map((lookup) => check(lookup.tableId, (table) => checkLookup(table, lookup))),
      ...plan.fixed.map((fixed) => check(fixed.tableId, (table) => checkScan(table, fixed.columns))),
      ...plan.inserts.map(({ sink }, index) =>
        check(sink.tableId, (table) => checkSink(table, sink, NO_JOB, index)),
      ),
    ])
    return { warnings, contacts }
  }
}

async function attempt(
  table: ConnectedTable,
  work: (table: ConnectedTable) => Promise<readonly string[]>,
): Promise<{ readonly warnings: readonly string[]; readonly problem: string | undefined }> {
  try {
    return { warnings: await work(table), problem: undefined }
  } catch (error) {
    if (!(error instanceof ConnectorError)) throw error
    if (!error.passing) throw new ServiceError('invalid_table', error.message, { cause: error })
    return { warnings: [], problem: error.message }
  }
}
