/**
 * What the service keeps of a job, in memory and as a catalog document.
 *
 *   jobs/<namespace>:<jid>   {"number", "name", "statement", "reads": [table id, …], "writes": [table id, …], "owner"?: token name,
 *                            "state", "startMs", "endMs"?, "enteredMs": {state: ms, …}, "attempt", "vertices": […],
 *                            "attemptStates"?: [{"state", "atMs"}, …], "exceptions"?: […], "badRecords"?: […], "warnings"?: […], "figures"?: {…},
 *                            "temporary"?: [{"kind": "table", "name", "schemaSql", "options"} or {"kind": "view", "name", "columns"?, "query", "isOfCatalog"?}, …],
 *                            "restored"?: {"id", "restoredMs", "location"}, "isQuery"?: true,
 *                            "stopping"?: {"triggerId", "location", "format", "drains", "cancels"}, "stopped"?: {"triggerId", "location"},
 *                            "retains"?: true, "retained"?: {"location"} or {"failure"}, "settings"?: {…},
 *                            "stateIn"?: {"folder", "node"}}
 *
 * The document is durable before a job is answered, and written again after each change of its state. Figures are stored
 * when the job has ended: before that they are part of its own state.
 */
import assert from 'node:assert'
import type { CatalogChange } from '../../storage/catalog.ts'
import { type NamespaceName, trustedName } from '../streams/names.ts'
import {
  isTerminal,
  type JobException,
  type JobState,
  type JobView,
  type RestoredFrom,
  type RetainedState,
  type StateEntry,
  type StoppedWith,
} from './job.ts'
import type { JobSettings } from './job-settings.ts'
import type { VertexPlan } from './plan/job-plan.ts'
import type { StopIntent } from './savepoints/savepoint.ts'
import type { StateIn } from './state-place.ts'
import type { TemporaryDefinition } from './temporary-definition.ts'
import type { BadRecord, JobFigures, JobId } from './worker/job-worker-protocol.ts'

export const JOBS = 'jobs'
export const JOB_EPOCHS = 'job-epochs'

export interface JobRecord {
  readonly jid: JobId
  readonly namespace: NamespaceName
  /** Order of creation in the store. */
  readonly number: number
  readonly name: string
  readonly statement: string
  /** Tables and views of this job alone. Undefined: none. */
  readonly temporary?: readonly TemporaryDefinition[] | undefined
  /** Ids of the tables that the statement names. */
  readonly reads: readonly string[]
  readonly writes: readonly string[]
  /** Name of the token that created the job. Undefined: created without a token, or not limited by grants. */
  readonly owner: string | undefined
  readonly startMs: number
  readonly warnings: readonly string[]
  readonly vertices: readonly VertexPlan[]
  readonly restored?: RestoredFrom | undefined
  /** The job of a cached query: its tables are not in the catalog, and `reads` and `writes` are empty. */
  readonly isQuery?: true
  /** A stop that has been accepted and has not ended. */
  stopping?: StopIntent | undefined
  /** The job has ended with this stop. */
  stopped?: StoppedWith | undefined
  readonly retains?: true
  readonly settings?: JobSettings
  /** Where several nodes may run jobs: the folder that has the state, from before the first start. */
  stateIn?: StateIn
  retained?: RetainedState | undefined
  state: JobState
  endMs: number | undefined
  enteredMs: Partial<Record<JobState, number>>
  attempt: number
  attemptStates: readonly StateEntry[]
  exceptions: JobException[]
  badRecords: BadRecord[]
  figures: JobFigures | undefined
}

/** Of the exceptions of a job the newest are kept, of skipped events the first ones. */
const EXCEPTIONS_MAX = 20
const BAD_RECORDS_MAX = 5
/** A message may repeat what an event or a database contains. */
const MESSAGE_CHARACTERS_MAX = 2_000

/** The job enters a state. `begins`: a new attempt begins with it. */
export function enterState(record: JobRecord, state: JobState, atMs: number, begins = false): void {
  record.state = state
  record.enteredMs[state] = atMs
  record.attemptStates = [...(begins ? [] : record.attemptStates), { state, atMs }]
  if (isTerminal(state)) record.endMs = atMs
}

export function addException(record: JobRecord, exception: JobException): void {
  const { message } = exception
  const short =
    message.length > MESSAGE_CHARACTERS_MAX ? `${message.slice(0, MESSAGE_CHARACTERS_MAX)}…` : message
  record.exceptions = [...record.exceptions, { ...exception, message: short }].slice(-EXCEPTIONS_MAX)
}

/** `skippedMs`: the time now. Returns whether the event is new. After a restart the engine may report the same one again. */
export function addBadRecord(record: JobRecord, bad: BadRecord, skippedMs: number): boolean {
  if (record.badRecords.length >= BAD_RECORDS_MAX || record.badRecords.some((other) => isSame(other, bad)))
    return false
  const short = { ...bad, reason: bad.reason.slice(0, MESSAGE_CHARACTERS_MAX), skippedMs }
  record.badRecords = [...record.badRecords, short]
  return true
}

function isSame(a: BadRecord, b: BadRecord): boolean {
  return a.tableName === b.tableName && a.partition === b.partition && a.sequence === b.sequence
}

export function tableIdsOf({ reads, writes }: JobRecord): readonly string[] {
  return [...new Set([...reads, ...writes])]
}

/** Whether the job has run, in this attempt or an earlier one. `enteredMs` is undefined for a job that is not created yet. */
export function hasRun(enteredMs: JobRecord['enteredMs'] | undefined): boolean {
  return enteredMs?.RUNNING !== undefined
}

export function viewOf(record: JobRecord): JobView {
  const {
    reads: _,
    writes: __,
    owner: ___,
    number: ____,
    stopping: _____,
    settings: _______,
    temporary: ______,
    stateIn: ________,
    ...shown
  } = record
  return { ...shown, tableIds: tableIdsOf(record), enteredMs: { ...record.enteredMs } }
}

export function documentIdOf({ namespace, jid }: Pick<JobRecord, 'namespace' | 'jid'>): string {
  return `${namespace}:${jid}`
}

export function documentChange(record: JobRecord): CatalogChange {
  return { collection: JOBS, id: documentIdOf(record), document: encode(record) }
}

/** Removes the document of the job and those of the epochs of its sinks. */
export function removalChanges(record: JobRecord): readonly CatalogChange[] {
  return [
    { collection: JOBS, id: documentIdOf(record), document: undefined },
    ...Array.from({ length: sinksOf(record) }, (_, sink) => epochChange(record.jid, sink, undefined)),
  ]
}

function sinksOf({ isQuery, writes }: JobRecord): number {
  return isQuery ? 1 : writes.length
}

export function epochId(jid: JobId, sink: number): string {
  return `${jid}:${sink}`
}

export function epochChange(jid: JobId, sink: number, epoch: number | undefined): CatalogChange {
  return { collection: JOB_EPOCHS, id: epochId(jid, sink), document: epoch }
}

function encode(record: JobRecord): unknown {
  const { jid: _, namespace: __, owner, endMs, exceptions, badRecords, warnings, figures, ...rest } = record
  return {
    ...rest,
    ...(owner !== undefined && { owner }),
    ...(endMs !== undefined && { endMs }),
    ...(exceptions.length > 0 && { exceptions }),
    ...(badRecords.length > 0 && { badRecords }),
    ...(warnings.length > 0 && { warnings }),
    ...(figures !== undefined && isTerminal(record.state) && { figures }),
  }
}

/** Throws an Error for a document that is not one of a job. */
export function decodeJobDocument(id: string, document: unknown): JobRecord {
  const colon = id.indexOf(':')
  assert(isJobDocument(document), `catalog document of job ${id} has no state`)
  const { figures } = document
  return {
    ...{
      exceptions: [],
      badRecords: [],
      warnings: [],
      owner: undefined,
      endMs: undefined,
      attemptStates: statesOf(document.enteredMs),
    },
    ...document,
    figures: figures && { ...figures, vertices: figures.vertices ?? [] },
    namespace: trustedName<NamespaceName>(id.slice(0, colon)),
    jid: id.slice(colon + 1),
  }
}

/** Of a document without `attemptStates`: the states since the attempt began, which `enteredMs` has. */
function statesOf(enteredMs: JobRecord['enteredMs']): StateEntry[] {
  const { INITIALIZING = 0, CREATED = 0, RESTARTING } = enteredMs
  const isFirst = RESTARTING === undefined || INITIALIZING > RESTARTING
  const beganMs = isFirst ? INITIALIZING : CREATED
  const entries = Object.entries(enteredMs).map(([state, atMs]) => ({ state: state as JobState, atMs }))
  return entries.filter(({ atMs }) => atMs >= beganMs).sort((a, b) => a.atMs - b.atMs)
}

/** Members that are missing in the document where they would be empty. */
type Optional = 'owner' | 'endMs' | 'attemptStates' | 'exceptions' | 'badRecords' | 'warnings' | 'figures'
type JobDocument = Omit<JobRecord, 'jid' | 'namespace' | Optional> & Partial<Pick<JobRecord, Optional>>

function isJobDocument(document: unknown): document is JobDocument {
  return typeof document === 'object' && document !== null && 'state' in document && 'statement' in document
}
