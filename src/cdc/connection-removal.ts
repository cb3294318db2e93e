/**
 * The deletion of a connection, in steps that go on after a restart of the service:
 *
 *   its document says so -> capture ends -> its streams become ordinary ones, or are deleted -> slot and publication are dropped
 *   -> its documents and its folder are removed
 *
 * A slot that is left behind keeps WAL on its server. So the drop is tried again for 24 hours if the server cannot be reached.
 */
import { Mutex } from '../../storage/mutex.ts'
import { failureOf } from './capture-failure.ts'
import type { CaptureHost } from './capture-host.ts'
import type { CapturedStreams } from './captured-streams.ts'
import type { ConnectionDocument } from './connection-document.ts'
import type { ConnectionRecord } from './connection-record.ts'
import type { LiveConnection } from './live-connection.ts'
import { RetryDelay, type Timer } from './retry-delay.ts'
import type { CaptureTarget } from './worker/capture-protocol.ts'

export interface ConnectionRemovalParts {
  readonly document: ConnectionDocument
  readonly live: LiveConnection
  readonly host: CaptureHost
  readonly captured: CapturedStreams
  readonly nowMs: () => number
  readonly timer: Timer
  readonly report: (error: unknown) => void
  /** Throws SecretProblem. */
  readonly target: (record: ConnectionRecord) => CaptureTarget
  readonly removeFolder: (id: number) => Promise<void>
  /** Called when the documents are removed. */
  readonly removed: () => void
}

const DROP_MS_MAX = 24 * 60 * 60 * 1000

export class ConnectionRemoval {
  readonly #parts: ConnectionRemovalParts
  readonly #delay = new RetryDelay()
  /** One try at a time. */
  readonly #trying = new Mutex()
  #cancelTimer: (() => void) | undefined
  #closed = false
  #slotDropped = false
  #failure: string | undefined

  constructor(parts: ConnectionRemovalParts) {
    this.#parts = parts
  }

  get status() {
    const { isRemoved, record } = this.#parts.document
    if (isRemoved) return { status: 'deleted', slotDropped: this.#slotDropped } as const
    const reason = this.#failure ?? 'the drop has begun'
    const until = new Date(this.#untilMs).toISOString()
    const error = `slot ${record.slot} is not dropped yet, and keeps WAL on its server: ${reason}; the drop is tried again until ${until}`
    return { status: 'deleting', slotDropped: false, error } as const
  }

  /** Resolves when the document says that the connection is deleted. `purge`: its streams, too. */
  async begin(purge: boolean): Promise<void> {
    const { document, nowMs } = this.#parts
    const { deleting } = document.record
    if (document.isRemoved || (deleting !== undefined && (deleting.purge || !purge))) return
    const sinceMs = deleting?.sinceMs ?? nowMs()
    await document.save((record) => ({
      ...record,
      deleting: { sinceMs, purge, released: record.deleting?.released ?? false },
    }))
  }

  /** Does what is left. If the drop fails, it is tried again later. `hasSlot` false: the server has nothing of the connection. */
  run(hasSlot = true): Promise<void> {
    return this.#trying.run(async () => {
      const { document, report } = this.#parts
      if (document.isRemoved || this.#closed) return
      this.#cancelTimer?.()
      try {
        await this.#release()
        if (hasSlot) await this.#drop()
        else this.#slotDropped = true
        if (this.#slotDropped || this.#parts.nowMs() >= this.#untilMs) await this.#remove()
      } catch (error) {
        if (this.#closed) return
        report(error)
        this.#failure = failureOf(error).message
      }
      if (!document.isRemoved && !this.#closed)
        this.#cancelTimer = this.#parts.timer(this.#delay.take(), () => void this.run())
    })
  }

  /** Resolves when no step runs any more. */
  async close(): Promise<void> {
    this.#closed = true
    this.#cancelTimer?.()
    await this.#trying.run(async () => {})
  }

  get #untilMs(): number {
    const { record } = this.#parts.document
    return (record.deleting?.sinceMs ?? this.#parts.nowMs()) + DROP_MS_MAX
  }

  async #release(): Promise<void> {
    const { document, live, captured } = this.#parts
    await live.stop()
    const { record } = document
    if (record.deleting?.released !== false) return
    if (record.deleting.purge) await captured.remove(record)
    await document.save(
      (now) => ({ ...now, deleting: { ...now.deleting!, released: true } }),
      () => captured.releaseChanges(record),
    )
    captured.unprotect(record.namespace, record.tables)
  }

  /** Sets `#slotDropped`, or the reason why it is not. */
  async #drop(): Promise<void> {
    const { host, target, document } = this.#parts
    try {
      const process = await host.opened()
      await process.call('drop', target(document.record))
      this.#slotDropped = true
    } catch (error) {
      const isFirst = this.#failure === undefined
      this.#failure = failureOf(error).message
      const { status, error: problem = '' } = this.status
      if (isFirst) this.#parts.report(`connection ${document.record.name} is ${status}: ${problem}`)
    }
  }

  async #remove(): Promise<void> {
    const { document, removeFolder, removed, report } = this.#parts
    const { id, name, slot, database } = document.record
    await document.remove()
    if (!this.#slotDropped)
      report(
        `connection ${name} is deleted, and slot ${slot} of ${database} could not be dropped in 24 hours (${this.#failure}); drop it there with SELECT pg_drop_replication_slot('${slot}')`,
      )
    removed()
    await removeFolder(id).catch(report)
  }
}
