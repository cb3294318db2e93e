/**
 * One connection while it captures: attempts, each from the durable position, with a delay after one that has failed, and what is
 * known of the present one. It never rejects: a failure is a state.
 */
import type { CatalogChange } from '../../storage/catalog.ts'
import type { Storage } from '../../storage/storage.ts'
import type { StreamId } from '../streams/names.ts'
import type { StreamWrites } from '../streams/stream-writes.ts'
import type { Space, Streams } from '../streams/streams.ts'
import { type CaptureFailure, captureErrorOf, failureOf } from './capture-failure.ts'
import type { CaptureHost } from './capture-host.ts'
import { streamNameOf } from './capture-names.ts'
import { CallRefusal, type CaptureListenerOf, CaptureProcess } from './capture-process.ts'
import { CaptureError, type ConnectionStatus } from './capture-service.ts'
import { type CapturedStreams, streamIdOf } from './captured-streams.ts'
import { type CapturedTable, printedTable, type TableName } from './captured-table.ts'
import type { ConnectionDocument } from './connection-document.ts'
import {
  type ConnectionRecord,
  isLost,
  isSameTable,
  type Loss,
  type RecordedTable,
} from './connection-record.ts'
import { ConnectionWrites } from './connection-writes.ts'
import { Pause, RetryDelay, type Timer } from './retry-delay.ts'
import type { CaptureReport, CaptureTarget } from './worker/capture-protocol.ts'

export interface LiveConnectionParts {
  readonly document: ConnectionDocument
  readonly host: CaptureHost
  readonly storage: Storage
  readonly streams: Streams
  readonly captured: CapturedStreams
  readonly writes: StreamWrites
  readonly space: Space
  readonly eventBytesMax: number
  readonly timer: Timer
  readonly version: string
  /** Makes the folder of the connection's rows durable, and returns its path. */
  readonly folder: (id: number) => Promise<string>
  /** Throws SecretProblem. */
  readonly target: (record: ConnectionRecord) => CaptureTarget
  /** Called after each durable write, change of status, and when the position moves. */
  readonly changed: () => void
  readonly report: (error: unknown) => void
}

export type Figures = Extract<CaptureReport, { kind: 'figures' }>
type AttemptEnd =
  | CaptureFailure
  | { readonly kind: 'slot-lost'; readonly message: string }
  | { readonly kind: 'stopped' }
type State = Exclude<ConnectionStatus, 'deleting' | 'deleted'>

/** An attempt that has run for so long is no reason to wait longer after the next failure. */
const STEADY_MS = 10_000
/** The capture process closes its connections to a server that does not answer within this time. */
const STOP_MS_MAX = 20_000

/** From its beginning to its end. */
class Attempt {
  readonly ended: Promise<AttemptEnd>
  isOver = false
  /** The process that knows the connection. */
  process: CaptureProcess | undefined
  /** The process captures, and knows all tables. */
  hasStarted = false
  /** Something of it is durable. */
  hasWritten = false
  #resolve: (end: AttemptEnd) => void = () => {}

  constructor() {
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve
    })
  }

  end(end: AttemptEnd): void {
    this.isOver = true
    this.#resolve(end)
  }
}

/** Waits for an attempt that captures. */
type Waiter = (outcome: CaptureProcess | AttemptEnd) => void

export class LiveConnection {
  readonly #parts: LiveConnectionParts
  readonly #writes: ConnectionWrites
  readonly #delay = new RetryDelay()
  readonly #pause: Pause
  #attempt: Attempt | undefined
  #running: Promise<void> | undefined
  #stopping = false
  #state: State
  #failure: CaptureFailure | undefined
  #idleLsn: bigint | undefined
  #figures: Figures | undefined
  #reconnects = 0
  #lastEnd: AttemptEnd['kind'] | undefined
  #waiters: Waiter[] = []
  /** Calls that add tables wait for each other. */
  #adding: Promise<unknown> = Promise.resolve()

  constructor(parts: LiveConnectionParts) {
    this.#parts = parts
    this.#pause = new Pause(parts.timer)
    this.#state = this.#record.prepared ? 'retrying' : 'new'
    const { storage, streams, writes, eventBytesMax, document } = parts
    this.#writes = new ConnectionWrites({
      ...{ id: this.#record.id, storage, streams, writes, eventBytesMax },
      streamOf: (table) => this.#streamOf(table),
      withTables: (tables, write) => document.written((record) => withCaptured(record, tables), write),
      written: () => this.#written(),
    })
  }

  get state(): State {
    return this.#state
  }

  get failure(): CaptureFailure | undefined {
    return this.#failure
  }

  get figures(): Figures | undefined {
    return this.#figures
  }

  get reconnects(): number {
    return this.#reconnects
  }

  get writes(): ConnectionWrites {
    return this.#writes
  }

  /** The database had no further commit up to here; undefined if nothing later than the durable position is known. */
  get idleLsn(): bigint | undefined {
    return this.#idleLsn
  }

  /** Reads what is durable, so that it can be shown before the first attempt. */
  async load(): Promise<void> {
    await this.#writes.load(this.#streamIds())
  }

  start(): void {
    if (this.#running !== undefined || this.#stopping) return
    this.#running = this.#run()
  }

  /** Tries again now, if it waits. */
  retry(): void {
    if (this.#state === 'failed') this.#delay.reset()
    this.#pause.wake()
  }

  /** Ends the present attempt and begins another one: the connection string has changed. */
  restart(): void {
    this.#delay.reset()
    this.#attempt?.end({ kind: 'stopped' })
    this.#pause.wake()
  }

  /** Resolves when the first attempt after `start` captures, or with the failure that has ended it. */
  async firstAttempt(): Promise<CaptureFailure | undefined> {
    const outcome = await this.#started()
    if (outcome instanceof CaptureProcess || outcome.kind !== 'failed') return undefined
    return outcome
  }

  /** Resolves when nothing of it runs any more. */
  async stop(): Promise<void> {
    this.#stopping = true
    this.#attempt?.end({ kind: 'stopped' })
    this.#pause.wake()
    await this.#running
    await this.#writes.close()
  }

  /** Rejects with CaptureError; then these tables are not recorded. */
  addTables(names: readonly TableName[]): Promise<readonly CapturedTable[]> {
    const added = this.#adding.then(() => this.#addTables(names))
    this.#adding = added.catch(() => {})
    return added
  }

  get #record(): ConnectionRecord {
    return this.#parts.document.record
  }

  async #run(): Promise<void> {
    for (;;) {
      const end = await this.#tryOnce()
      this.#lastEnd = end.kind
      if (this.#stopping) return
      const delayMs = await this.#after(end)
      if (delayMs !== 0 && !this.#stopping) await this.#pause.wait(delayMs)
      if (this.#stopping) return
      this.#reconnects++
    }
  }

  /** Resolves with the delay until the next attempt; undefined: until it is asked for. */
  async #after(end: AttemptEnd): Promise<number | undefined> {
    if (end.kind === 'stopped') return 0
    if (end.kind === 'slot-lost') return this.#renew(end.message)
    this.#enter(end.passing ? 'retrying' : 'failed', end)
    return end.passing ? this.#delay.take() : undefined
  }

  async #renew(message: string): Promise<number> {
    const isRepeated = this.#record.renewing !== undefined && this.#lastEnd === 'slot-lost'
    try {
      const tables = this.#record.tables.filter(isCaptured)
      await this.#parts.document.written(
        (record) => ({ ...record, renewing: message, prepared: false }),
        (change) => this.#writes.renew(tables.map(nameOf), change),
      )
      this.#idleLsn = undefined
      this.#enter('retrying', { kind: 'failed', passing: true, code: 'database_unreachable', message })
      return isRepeated ? this.#delay.take() : 0
    } catch (error) {
      this.#enter('retrying', failureOf(error))
      return this.#delay.take()
    }
  }

  async #tryOnce(): Promise<AttemptEnd> {
    const attempt = new Attempt()
    this.#attempt = attempt
    this.#pause.reset()
    if (this.#stopping) attempt.end({ kind: 'stopped' })
    const beganMs = performance.now()
    const listener = this.#listenerOf(attempt)
    const opening = this.#opened(attempt, listener).catch((error) => attempt.end(failureOf(error)))
    const end = await attempt.ended
    if (attempt.hasWritten || performance.now() - beganMs > STEADY_MS) this.#delay.reset()
    await this.#leave(attempt, listener)
    await opening
    this.#attempt = undefined
    this.#endWaiters(end)
    return end
  }

  async #opened(attempt: Attempt, listener: CaptureListenerOf): Promise<void> {
    const { space, host } = this.#parts
    if (attempt.isOver) return
    if (space.low) throw space.refusal()
    const process = await host.opened()
    await this.#open(process, attempt, listener)
  }

  async #open(process: CaptureProcess, attempt: Attempt, listener: CaptureListenerOf): Promise<void> {
    const { document, captured, target, folder, version } = this.#parts
    const { id, name, namespace } = this.#record
    const reached = target(this.#record)
    if (!this.#record.prepared) {
      await process.call('prepare', reached)
      await document.save((record) => ({ ...record, prepared: true }))
    }
    if (attempt.isOver) return
    await captured.make(
      this.#record,
      this.#record.tables.filter((table) => !isLost(table)),
    )
    const position = await this.#writes.load(this.#streamIds())
    const tables = this.#record.tables.filter(isCaptured)
    const start = {
      ...{ ...reached, connectionId: id, name, version, folder: await folder(id) },
      tables: tables.map((table) => table.captured!),
      durableLsn: position?.lsn ?? undefined,
      progress: position?.progress ?? undefined,
      filled: await captured.filled({ namespace }, tables),
    }
    if (attempt.isOver) return
    attempt.process = process
    process.attach(id, listener)
    await process.call('start', start)
    await this.#addWanted(process, attempt)
    if (attempt.isOver) return
    attempt.hasStarted = true
    for (const captures of this.#waiters.splice(0)) captures(process)
  }

  /** Ends the attempt in the process. */
  async #leave({ process }: Attempt, listener: CaptureListenerOf): Promise<void> {
    if (process === undefined) return
    const { id } = this.#record
    const late = setTimeout(
      () => process.end('a connection could not be stopped, and the capture process was ended'),
      STOP_MS_MAX,
    ).unref()
    try {
      await process.call('stop', id)
    } catch (error) {
      if (!process.hasEnded) this.#parts.report(error)
    } finally {
      clearTimeout(late)
      process.detach(id, listener)
    }
  }

  #listenerOf(attempt: Attempt): CaptureListenerOf {
    return {
      write: async (write) => {
        if (attempt.isOver) throw new Error('the connection has been stopped')
        try {
          await this.#writes.take(write)
          attempt.hasWritten = true
        } catch (error) {
          attempt.end(failureOf(error))
          throw error
        }
      },
      report: (report) => {
        if (!attempt.isOver) this.#reported(attempt, report)
      },
      ended: (message) => attempt.end(failureOf(new CallRefusal('ended', message))),
    }
  }

  #reported(attempt: Attempt, report: CaptureReport): void {
    switch (report.kind) {
      case 'state':
        this.#enter(report.state, undefined)
        break
      case 'failed':
        // A slot or a sender may become free again.
        attempt.end({ ...report, passing: report.passing || report.code === 'no_free_slot' })
        break
      case 'slot-lost':
        attempt.end(report)
        break
      case 'table-lost':
        this.#tableLost(report).catch((error) => attempt.end(failureOf(error)))
        break
      case 'idle':
        this.#writes.after(() => this.#idle(attempt, BigInt(report.lsn)))
        break
      case 'figures':
        this.#figures = report
    }
  }

  #idle(attempt: Attempt, lsn: bigint): void {
    if (attempt.isOver || (this.#idleLsn !== undefined && lsn <= this.#idleLsn)) return
    this.#idleLsn = lsn
    this.#parts.changed()
  }

  async #tableLost({ table, message, columns }: CaptureReport & { kind: 'table-lost' }): Promise<void> {
    await this.#parts.document.save((record) => withLost(record, [table], { message, columns }))
    this.#parts.changed()
  }

  #written(): void {
    const { document, changed, report } = this.#parts
    changed()
    if (document.record.renewing === undefined || this.#writes.position?.snapshotting.length !== 0) return
    document
      .save((record) => ({ ...record, renewing: undefined }))
      .then(changed)
      .catch(report)
  }

  #enter(state: State, failure: CaptureFailure | undefined): void {
    const isSame = this.#state === state && this.#failure?.message === failure?.message
    this.#state = state
    this.#failure = failure
    if (!isSame) this.#parts.changed()
  }

  // Tables

  async #addTables(names: readonly TableName[]): Promise<readonly CapturedTable[]> {
    const { document } = this.#parts
    const { tables, name, namespace } = this.#record
    const wanted = names.filter(
      (one) =>
        !tables.some((known) => isSameTable(known, one) && isCaptured(known) && known.lost === undefined),
    )
    const before = tables.filter(isIn(wanted))
    const fresh = wanted
      .filter((one) => !isIn(before)(one))
      .map((one) => ({ ...nameOf(one), stream: streamNameOf(name, one) }))
    const existing = fresh.filter(({ stream }) => this.#parts.streams.has({ namespace, stream }))
    try {
      if (wanted.length > 0)
        await document.save(
          (record) => withWanted(record, wanted, fresh),
          () => this.#take(fresh),
        )
      await this.#makeCaptured(wanted)
    } catch (error) {
      await this.#takeBack(before, fresh, existing)
      throw captureErrorOf(error)
    }
    return names.map((one) => this.#find(one)!.captured!)
  }

  async #take(fresh: readonly RecordedTable[]): Promise<CatalogChange[]> {
    return this.#parts.captured.take(this.#record, fresh)
  }

  async #makeCaptured(wanted: readonly TableName[]): Promise<void> {
    if (wanted.length === 0) return
    const process = await this.#started()
    if (!(process instanceof CaptureProcess)) throw errorOfEnd(process)
    const missing = wanted.filter((one) => this.#find(one)?.captured === undefined || this.#find(one)?.lost)
    for (const one of missing) {
      const table = this.#find(one)
      if (table?.lost !== undefined && isLost(table))
        throw new CaptureError('schema_mismatch', table.lost.message)
    }
    if (missing.length > 0) await this.#addIn(process, missing)
  }

  /** The process, when it captures, or the end of the attempt. Tries at once if the connection waits. */
  #started(): Promise<CaptureProcess | AttemptEnd> {
    const attempt = this.#attempt
    if (attempt?.hasStarted === true && !attempt.isOver) return Promise.resolve(attempt.process!)
    if (this.#stopping) return Promise.resolve({ kind: 'stopped' })
    return new Promise((resolve) => {
      this.#waiters.push(resolve)
      if (attempt === undefined) this.retry()
    })
  }

  /** Those that wait go on waiting if the next attempt follows at once. */
  #endWaiters(end: AttemptEnd): void {
    if (end.kind === 'stopped' && !this.#stopping) return
    for (const ends of this.#waiters.splice(0)) ends(end)
  }

  async #addIn(process: CaptureProcess, names: readonly TableName[]): Promise<void> {
    const { document, captured, changed } = this.#parts
    const { id, namespace } = this.#record
    const tables = this.#record.tables.filter(isIn(names))
    await captured.make(this.#record, tables)
    for (const table of tables) await this.#writes.addStream(streamIdOf(namespace, table))
    const filled = await captured.filled({ namespace }, tables)
    const answer = await process.call('addTables', id, names, filled)
    await document.save((record) => withCaptured(record, answer, true))
    changed()
  }

  /** Tables that were recorded, and that the publication may not have. One that cannot be captured does not stop the others. */
  async #addWanted(process: CaptureProcess, attempt: Attempt): Promise<void> {
    for (const table of this.#record.tables) {
      if (attempt.isOver) return
      if (table.captured !== undefined || isLost(table)) continue
      try {
        await this.#addIn(process, [nameOf(table)])
      } catch (error) {
        const failure = failureOf(error)
        if (failure.passing || !(error instanceof CallRefusal)) throw error
        const lost = { message: failure.message, columns: [] }
        await this.#parts.document.save((record) => withLost(record, [table], lost))
      }
    }
  }

  /** A failed call leaves nothing: neither records of its tables nor their streams. */
  async #takeBack(
    before: readonly RecordedTable[],
    fresh: readonly RecordedTable[],
    existing: readonly RecordedTable[],
  ): Promise<void> {
    const { document, captured } = this.#parts
    const { namespace } = this.#record
    const isLeft = (table: RecordedTable) => this.#find(table)?.captured === undefined
    const left = fresh.filter((table) => this.#find(table) !== undefined && isLeft(table))
    const restored = before.filter(isLeft)
    if (left.length + restored.length === 0) return
    try {
      await captured.remove({ namespace, tables: left.filter((table) => !existing.includes(table)) })
      await document.save(
        (record) => ({
          ...record,
          tables: record.tables
            .filter((one) => !isIn(left)(one))
            .map((one) => restored.find((other) => isSameTable(one, other)) ?? one),
        }),
        () => captured.releaseChanges({ namespace, tables: existing.filter(isLeft) }),
      )
      captured.unprotect(namespace, left)
    } catch (error) {
      this.#parts.report(error) // they are added with the next attempt
    }
  }

  #find(name: TableName): RecordedTable | undefined {
    return this.#record.tables.find((one) => isSameTable(one, name))
  }

  #streamOf(name: TableName): StreamId {
    const table = this.#find(name)
    if (table === undefined) throw new Error(`table ${printedTable(name)} is not captured`)
    return streamIdOf(this.#record.namespace, table)
  }

  #streamIds(): readonly StreamId[] {
    const { namespace, tables } = this.#record
    return tables.map((table) => streamIdOf(namespace, table))
  }
}

function errorOfEnd(end: AttemptEnd): CaptureError {
  if (end.kind === 'stopped') return new CaptureError('not_found', 'the connection is being deleted')
  return new CaptureError(end.kind === 'failed' ? end.code : 'database_unreachable', end.message)
}

function nameOf({ schema, table }: TableName): TableName {
  return { schema, table }
}

/** Its changes are captured, perhaps without some of its columns. */
function isCaptured(table: RecordedTable): boolean {
  return table.captured !== undefined && !isLost(table)
}

function isIn(names: readonly TableName[]): (table: TableName) => boolean {
  return (table) => names.some((name) => isSameTable(name, table))
}

/** `restored`: columns that were lost are those of the table as it is now. */
function withCaptured(
  record: ConnectionRecord,
  captured: readonly CapturedTable[],
  restored = false,
): ConnectionRecord {
  const tables = record.tables.map((table) => {
    const now = captured.find((one) => isSameTable(one, table))
    if (now === undefined) return table
    const lost = restored || isLost(table) ? undefined : table.lost
    return { ...nameOf(table), stream: table.stream, captured: now, ...(lost && { lost }) }
  })
  return { ...record, tables }
}

function withLost(record: ConnectionRecord, names: readonly TableName[], lost: Loss): ConnectionRecord {
  const tables = record.tables.map((table) =>
    isIn(names)(table) ? { ...table, lost: bothLost(table.lost, lost) } : table,
  )
  return { ...record, tables }
}

function bothLost(before: Loss | undefined, now: Loss): Loss {
  if (before === undefined || before.columns.length === 0 || now.columns.length === 0) return now
  const messages = before.message.includes(now.message) ? before.message : `${before.message}; ${now.message}`
  return { message: messages, columns: [...new Set([...before.columns, ...now.columns])] }
}

/** Tables that are known are wanted again, with their streams: the table was lost, or not added yet. */
function withWanted(
  record: ConnectionRecord,
  wanted: readonly TableName[],
  fresh: readonly RecordedTable[],
): ConnectionRecord {
  const known = record.tables.map((table) =>
    isIn(wanted)(table) && !isCaptured(table) ? { ...nameOf(table), stream: table.stream } : table,
  )
  return { ...record, tables: [...known, ...fresh] }
}
