/** The processes behind a running service, its state files, and what a job had committed and not yet emitted at a kill. */
import { cpSync, existsSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { DuckDBInstance } from '@duckdb/node-api'

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

/** Resolves with the jobs that commit until some time after the first of them, or within `withinMs` if none does. */
export async function nextCommits(
  jobsFolder: string,
  jids: readonly string[],
  { withinMs, moreMs }: { readonly withinMs: number; readonly moreMs: number },
): Promise<ReadonlySet<string>> {
  const size = (jid: string) => sizeOf(join(jobsFolder, jid, `${STATE}.wal`))
  const before = new Map(jids.map((jid) => [jid, size(jid)]))
  const committed = new Set<string>()
  for (let endMs = performance.now() + withinMs; performance.now() < endMs; await delay(1)) {
    const none = committed.size === 0
    for (const jid of jids) if (size(jid) !== before.get(jid)) committed.add(jid)
    if (none && committed.size > 0) endMs = performance.now() + moreMs
  }
  return committed
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
