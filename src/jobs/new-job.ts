/** What a new job begins with: its id, its name, its record, and the savepoint from which it starts. */
import type { CatalogChange } from '../../storage/catalog.ts'
import { ServiceError } from '../service-error.ts'
import type { NamespaceName } from '../streams/names.ts'
import type { Table } from '../tables/table.ts'
import type { JobEngine, JobOutline } from './job-engine.ts'
import { newJobId } from './job-id.ts'
import { epochChange, type JobRecord } from './job-record.ts'
import type { JobOwner } from './job-service.ts'
import type { JobSettings } from './job-settings.ts'
import { streamOf, type TableSource } from './job-tables.ts'
import {
  type FoundSavepoint,
  findSavepoint,
  isRestorable,
  type RestoreRequest,
  readable,
} from './savepoints/restore.ts'
import type { SavepointPlaces } from './savepoints/savepoint-places.ts'
import type { TemporaryDefinition } from './temporary-definition.ts'
import type { JobId } from './worker/job-worker-protocol.ts'

const NAME_CHARACTERS_MAX = 1_000
const JOB_ID = /^[0-9a-f]{32}$/

export interface NewJob {
  readonly jid: JobId
  readonly number: number
  readonly namespace: NamespaceName
  readonly name: string
  readonly statement: string
  readonly temporary?: readonly TemporaryDefinition[]
  readonly outline: Pick<JobOutline, 'reads' | 'writes' | 'vertices' | 'warnings'>
  readonly owner: JobOwner
  readonly savepoint: FoundSavepoint | undefined
  readonly startMs: number
  readonly isQuery?: true
  readonly retains?: boolean | undefined
  readonly settings?: JobSettings | undefined
}

export function newRecord({
  outline,
  owner,
  savepoint,
  startMs,
  isQuery,
  retains,
  settings,
  ...given
}: NewJob): JobRecord {
  const { jid, number, namespace, name, statement, temporary = [] } = given
  const { reads, writes, vertices, warnings } = outline
  const restored = savepoint && {
    ...{ id: savepoint.metadata.epoch, restoredMs: startMs, location: savepoint.location },
  }
  return {
    ...{ jid, ...(restored && { restored }), ...(isQuery && { isQuery }), ...(retains && { retains }) },
    ...(settings && { settings }),
    ...{ namespace, number, name, statement, ...(temporary.length > 0 && { temporary }) },
    ...{ reads, writes, vertices, warnings },
    ...{ owner: owner?.name, startMs, endMs: undefined, attempt: 0, figures: undefined },
    ...{ state: 'INITIALIZING', enteredMs: { INITIALIZING: startMs }, exceptions: [], badRecords: [] },
    attemptStates: [{ state: 'INITIALIZING', atMs: startMs }],
  }
}

export function defaultName({ writes }: JobOutline, tables: readonly Table[]): string {
  const names = writes.map((id) => tables.find((table) => table.id === id)!.name)
  return `insert-into_${[...new Set(names)].join(',')}`.slice(0, NAME_CHARACTERS_MAX)
}

/** Throws ServiceError 'invalid_parameter'. */
export function assertName({ length }: string): void {
  if (length >= 1 && length <= NAME_CHARACTERS_MAX) return
  throw new ServiceError(
    'invalid_parameter',
    `job_name has ${length} characters; use 1 to ${NAME_CHARACTERS_MAX}`,
  )
}

export interface NewJobIdsParts {
  readonly engine: JobEngine
  readonly random: () => number
  readonly report: (error: unknown) => void
  /** Whether a job has this id. */
  readonly has: (jid: JobId) => boolean
}

/** Ids of jobs that are being created. */
export class NewJobIds {
  readonly #parts: NewJobIdsParts
  readonly #reserved = new Set<JobId>()

  constructor(parts: NewJobIdsParts) {
    this.#parts = parts
  }

  /**
   * Reserves an id while the job is created. If that fails, nothing of its state is left. Rejects with ServiceError
   * 'invalid_parameter' and 'job_exists' for a wanted id.
   */
  async reserve<T>(wanted: JobId | undefined, create: (jid: JobId) => Promise<T>): Promise<T> {
    const { engine, random, report, has } = this.#parts
    const isInUse = (jid: JobId) => has(jid) || this.#reserved.has(jid)
    if (wanted !== undefined && !JOB_ID.test(wanted))
      throw new ServiceError(
        'invalid_parameter',
        `the id of the job is '${wanted.slice(0, 100)}'; use 32 lower-case hexadecimal digits, or leave it out`,
      )
    if (wanted !== undefined && isInUse(wanted))
      throw new ServiceError('job_exists', `job ${wanted} exists already; use another id, or leave it out`)
    const jid = wanted ?? newJobId(random, isInUse)
    this.#reserved.add(jid)
    try {
      return await create(jid)
    } catch (error) {
      await engine.removeState(jid).catch(report)
      throw error
    } finally {
      this.#reserved.delete(jid)
    }
  }
}

/**
 * The savepoint of a request, if its state is to be restored. Undefined, with one more of `warnings`: its state does not fit, and
 * need not be restored. Rejects with ServiceError 'savepoint_outside', 'savepoint_unreadable', 'state_not_restorable'.
 */
export async function savepointOf(
  request: RestoreRequest | undefined,
  job: { readonly namespace: NamespaceName; readonly signature: string },
  places: SavepointPlaces,
  warnings: string[],
): Promise<FoundSavepoint | undefined> {
  if (request === undefined) return undefined
  const found = await findSavepoint(places, request.location)
  if (isRestorable(found, job, request)) return found
  warnings.push(`the state of savepoint ${found.location} does not fit the statement and was not restored`)
  return undefined
}

/** Copies the state of a savepoint for a new job. Rejects with ServiceError 'unsupported', 'savepoint_unreadable'. */
export async function restoreState(
  engine: JobEngine,
  jid: JobId,
  { folder, metadata }: FoundSavepoint,
): Promise<void> {
  if (engine.restoreState === undefined)
    throw new ServiceError('unsupported', 'the engine of this job restores no savepoints')
  await readable(folder, engine.restoreState(jid, folder, metadata))
}

/** The sinks of a restored job have its epoch before it emits anything. Other sinks than streams record it when the job starts. */
export function restoredEpochs(
  { jid, writes }: JobRecord,
  tables: readonly Table[],
  source: TableSource,
  savepoint: FoundSavepoint | undefined,
): readonly CatalogChange[] {
  if (savepoint === undefined) return []
  return writes.flatMap((id, sink) => {
    const table = tables.find((one) => one.id === id)
    const isStream = table !== undefined && streamOf(table, source) !== undefined
    return isStream ? [epochChange(jid, sink, savepoint.metadata.epoch)] : []
  })
}
