/** The processes behind a running service, its state files, and what a job had committed and not yet emitted at a kill. */
import { cpSync, existsSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import { DuckDBInstance } from '@duckdb/node-api'
import { JOB_EPOCHS } from '../../../src/jobs/job-record.ts'
import { openStorage } from '../../../storage/level/open.ts'

const STATE = 'state.duckdb'

/** The process that runs the jobs of the service. */
export function workerOf(servicePid: number): number | undefined {
  try {
    const children = readFileSync(`/proc/${servicePid}/task/${servicePid}/children`, 'utf8')
    return children
      .split(' ')
      .filter((pid) => pid !== '')
      .map(Number)
      .find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('job-worker-process'))
  } catch {
    return undefined // it has ended
  }
}

/** False: there is no such process. */
export function signalTo(pid: number | undefined, signal: NodeJS.Signals): boolean {
  if (pid === undefined) return false
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}

/** Resolves as soon as a job begins to write a commit into its state file, or after `withinMs`. */
export async function nextCommit(
  jobsFolder: string,
  jids: readonly string[],
  withinMs: number,
): Promise<void> {
  const size = (jid: string) => sizeOf(join(jobsFolder, jid, `${STATE}.wal`))
  const last = new Map(jids.map((jid) => [jid, size(jid)]))
  for (const endMs = performance.now() + withinMs; performance.now() < endMs; await nextTurn()) {
    for (const jid of jids) {
      const bytes = size(jid)
      if (bytes > last.get(jid)!) return
      last.set(jid, bytes) // a checkpoint removes the log
    }
  }
}

/** Long enough for a job that has much to do on a slow machine. */
const NEW_LOG_MS = 60_000

/**
 * Resolves when the log of the job is another file and has two commits more: the rows of the first have been emitted. Or
 * after some time, if the engine does not fold the log.
 */
export async function newLogInUse(jobsFolder: string, jid: string): Promise<void> {
  const log = join(jobsFolder, jid, `${STATE}.wal`)
  const identity = () => statSync(log, { throwIfNoEntry: false })?.birthtimeMs
  const first = identity()
  const endMs = performance.now() + NEW_LOG_MS
  while (identity() === undefined || identity() === first) {
    if (performance.now() > endMs) return
    await delay(1)
  }
  for (let commits = 0; commits < 2; commits++) await nextCommit(jobsFolder, [jid], endMs - performance.now())
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

export interface StateSeen {
  readonly epoch: number
  /** Of each sink: epochs of its last two outboxes with rows, and the rows of the last. */
  readonly sinks: readonly { readonly last: number; readonly previous: number; readonly rows: number }[]
}

/** What the state file of a job holds; read from a copy. */
export async function readState(
  jobsFolder: string,
  jid: string,
  scratch: string,
): Promise<StateSeen | undefined> {
  const copy = join(scratch, jid)
  rmSync(copy, { recursive: true, force: true })
  if (!existsSync(join(jobsFolder, jid, STATE))) return undefined
  cpSync(join(jobsFolder, jid), copy, { recursive: true })
  const instance = await DuckDBInstance.create(join(copy, STATE))
  const connection = await instance.connect()
  try {
    const rows = async (sql: string) => (await connection.runAndReadAll(sql)).getRows()
    if ((await rows("SELECT 1 FROM duckdb_tables() WHERE table_name = 'meta'")).length === 0) return undefined
    const [meta] = await rows('SELECT epoch FROM meta')
    const sinks = []
    for (const [sink, last, previous] of await rows(
      'SELECT sink, last, previous FROM emission ORDER BY sink',
    )) {
      const [count] = await rows(`SELECT count(*) FROM outbox_${sink}`)
      sinks.push({ last: Number(last), previous: Number(previous), rows: Number(count![0]) })
    }
    return { epoch: Number(meta![0]), sinks }
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}

/** The epochs that streams have recorded, by `<jid>:<sink>`; read from a copy of the store. */
export async function recordedEpochs(
  dataFolder: string,
  scratch: string,
): Promise<ReadonlyMap<string, number>> {
  const copy = join(scratch, 'store')
  rmSync(copy, { recursive: true, force: true })
  cpSync(dataFolder, copy, { recursive: true, filter: (path) => path !== join(dataFolder, 'jobs') })
  const storage = await openStorage(copy, { nowMs: Date.now, sync: false })
  try {
    const epochs = new Map<string, number>()
    await storage.catalog.each(JOB_EPOCHS, (key, epoch) => void epochs.set(key, Number(epoch)))
    return epochs
  } finally {
    await storage.close()
  }
}
