/**
 * A job engine whose jobs do what a test says: it plans the statements of a fixed form, and the test calls the listeners. It
 * keeps the rules of the contract: after the end of a job its listener is not called any more.
 */
import type { JobEngine, JobListener, JobOutline, JobRun } from '../../src/jobs/job-engine.ts'
import type { JobOrder } from '../../src/jobs/savepoints/savepoint.ts'
import type { JobId } from '../../src/jobs/worker/job-worker-protocol.ts'
import { SqlProblem } from '../../src/sql/sql-problem.ts'
import type { Table } from '../../src/tables/table.ts'

export interface ScriptedRun extends JobListener {
  readonly run: JobRun
}

/** Statements: `INSERT INTO <table> SELECT * FROM <table>`. */
const STATEMENT = /^INSERT INTO (\S+) SELECT \* FROM (\S+)$/

export class ScriptedEngine implements JobEngine {
  /** The runs so far, in the order of `submit`. */
  readonly submitted: ScriptedRun[] = []
  readonly cancelled: JobId[] = []
  readonly removed: JobId[] = []
  readonly running = new Map<JobId, ScriptedRun>()
  /** Orders that running jobs have taken. The test calls the listener with their outcomes. */
  readonly orders: { readonly jid: JobId; readonly order: JobOrder }[] = []
  readonly restored: { readonly jid: JobId; readonly savepoint: string }[] = []
  /** Called by `order` and by `restoreState` first. */
  onOrder: (order: JobOrder) => void | Promise<void> = () => {}
  onRestore: (jid: JobId) => void | Promise<void> = () => {}
  /** Called by `submit` first. */
  onSubmit: (run: JobRun) => void | Promise<void> = () => {}
  /** A job ends after this. */
  onCancel: (jid: JobId) => void | Promise<void> = () => {}
  /** Jobs report 'running' when they are submitted. */
  runsAtOnce = true

  async validate(
    statement: string,
    tables: readonly Table[],
    otherNames: readonly string[] = [],
  ): Promise<JobOutline> {
    const [, to, from] = STATEMENT.exec(statement) ?? []
    if (to === undefined) throw new SqlProblem('a job needs INSERT INTO')
    const idOf = (name: string | undefined) => {
      const table = tables.find((one) => one.name === name)
      const reason = otherNames.includes(name ?? '') ? 'is not in table_ids' : 'does not exist'
      if (table === undefined) throw new SqlProblem(`table ${name} ${reason}`)
      return table.id
    }
    return { reads: [idOf(from)], writes: [idOf(to)], vertices: [], signature: 's', warnings: [] }
  }

  async submit(run: JobRun, listener: JobListener): Promise<void> {
    await this.onSubmit(run)
    const { jid } = run
    const ending =
      <Args extends readonly unknown[]>(take: (...args: Args) => void) =>
      (...args: Args) => {
        if (this.running.get(jid) !== scripted) return
        this.running.delete(jid)
        take(...args)
      }
    const scripted: ScriptedRun = {
      run,
      running: (epoch) => listener.running(epoch),
      progress: (figures, checkpoints) => listener.progress(figures, checkpoints),
      badRecord: (record) => listener.badRecord(record),
      ordered: (id, outcome) => listener.ordered(id, outcome),
      finished: ending(() => listener.finished()),
      failed: ending((failure) => listener.failed(failure)),
    }
    this.running.set(jid, scripted)
    this.submitted.push(scripted)
    if (this.runsAtOnce) listener.running()
  }

  async cancel(jid: JobId): Promise<void> {
    this.cancelled.push(jid)
    await this.onCancel(jid)
    this.running.delete(jid)
  }

  async order(jid: JobId, order: JobOrder): Promise<void> {
    await this.onOrder(order)
    if (!this.running.has(jid)) throw new Error('job is not running')
    this.orders.push({ jid, order })
  }

  async restoreState(jid: JobId, savepoint: string): Promise<void> {
    await this.onRestore(jid)
    this.restored.push({ jid, savepoint })
  }

  async removeState(jid: JobId): Promise<void> {
    this.removed.push(jid)
  }

  async typesOf(): Promise<never> {
    throw new Error('the scripted engine has no types')
  }

  async close(): Promise<void> {}
}
