/**
 * A capture server in the test's process with a service side that keeps everything in memory: the events of each stream, and what the
 * service stores with them. `restart` is what the service does after the end of the capture process.
 */
import { fork } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { onTestFinished } from 'vitest'
import { joined } from '../../src/cdc/capture-frames.ts'
import { type CapturedTable, printedTable, type TableName } from '../../src/cdc/captured-table.ts'
import type { CaptureLimits } from '../../src/cdc/worker/capture-attempt.ts'
import type {
  CaptureCommit,
  CapturedEvents,
  CaptureReport,
  CaptureStart,
  CaptureTarget,
  CaptureWrite,
  FromCapture,
  ToCapture,
} from '../../src/cdc/worker/capture-protocol.ts'
import { CaptureServer } from '../../src/cdc/worker/capture-server.ts'
import { FrameReader } from '../../src/worker/frame-pipe.ts'
import { eventsOfHeaded, headedCount } from '../../storage/slices.ts'
import { PROJECT_FOLDER } from './service-process.ts'

export interface CapturedEvent {
  /** Undefined: a tombstone. */
  readonly body: Envelope | undefined
  readonly headers: Readonly<Record<string, string>>
}

export type JsonRow = Readonly<Record<string, unknown>>

export interface Envelope {
  readonly op: 'r' | 'c' | 'u' | 'd' | 't'
  readonly before: JsonRow | null
  readonly after: JsonRow | null
  readonly source: Readonly<Record<string, unknown>> & {
    readonly snapshot: string
    readonly txId: number
    readonly lsn: number
    readonly ts_us: number
  }
}

/** How the test talks to the server: in this process, or in another one. */
export interface CapturePort {
  post(message: ToCapture): void
  onMessage(listener: (message: FromCapture) => void): void
  /** Ends the server as a crash would. */
  kill(): Promise<void>
}

const QUICK: Partial<CaptureLimits> = {
  partBytes: 4_096,
  chunkBytes: 4_096,
  confirmMs: 20,
  idleConfirmMs: 50,
  checkMs: 100,
  stallMs: 300,
}

export function portHere(limits: Partial<CaptureLimits> = {}): CapturePort {
  let toServer: (message: ToCapture) => void = () => {}
  let toTest: (message: FromCapture) => void = () => {}
  let killed = false
  const server = new CaptureServer(
    {
      post: (message) => queueMicrotask(() => !killed && toTest(message)),
      listen: (listener) => {
        toServer = listener
      },
    },
    { nowNs: () => BigInt(Date.now()) * 1_000_000n, limits: { ...QUICK, ...limits } },
  )
  return {
    post: (message) => queueMicrotask(() => !killed && toServer(message)),
    onMessage: (listener) => {
      toTest = listener
    },
    async kill() {
      killed = true
      await server.close()
    },
  }
}

export interface TestCaptureOptions {
  readonly slot?: string
  readonly limits?: Partial<CaptureLimits>
  readonly port?: () => CapturePort
}

const CONNECTION = 1

/** What the service has stored durably. */
interface Stored {
  readonly streams: Map<string, CapturedEvent[]>
  tables: CapturedTable[]
  commit: CaptureCommit | undefined
  progress: unknown
}

export class TestCapture {
  readonly target: CaptureTarget
  readonly folder = mkdtempSync(join(tmpdir(), 'millrace-capture-'))
  readonly stored: Stored = { streams: new Map(), tables: [], commit: undefined, progress: undefined }
  readonly reports: CaptureReport[] = []
  /** Writes with a commit: how many events of which stream. */
  readonly commits: { readonly commit: CaptureCommit; readonly events: Readonly<Record<string, number>> }[] =
    []
  /** Each write takes this time. */
  writeMs = 0
  /** Writes fail with this. */
  writeFailure: string | undefined
  /** Writes become durable, but the process is not told. */
  repliesLost = false
  /** Called before a write with a commit becomes durable. */
  beforeCommit: (write: CaptureWrite) => Promise<void> | void = () => {}
  /** The largest part. */
  partBytesSeen = 0
  unansweredSeen = 0
  keepEvents = true
  eventCount = 0
  #unanswered = 0
  #parts: CapturedEvents[] = []
  #openWrite: number | undefined
  #port: CapturePort
  readonly #makePort: () => CapturePort
  readonly #calls = new Map<number, (answer: FromCapture) => void>()
  #lastCall = 0
  #writes: Promise<void> = Promise.resolve()
  #generation = 0

  constructor(connectionString: string, { slot = 'millrace_env1', limits, port }: TestCaptureOptions = {}) {
    this.target = { connectionString, slot, publication: slot }
    this.#makePort = port ?? (() => portHere(limits))
    this.#port = this.#open()
    mkdirSync(join(this.folder, 'rows'))
    onTestFinished(async () => {
      await this.#port.kill()
      rmSync(this.folder, { recursive: true, force: true })
    })
  }

  #open(): CapturePort {
    const generation = ++this.#generation
    const port = this.#makePort()
    this.#parts = []
    this.#openWrite = undefined
    port.onMessage((message) => {
      if (generation === this.#generation) this.#take(message)
    })
    return port
  }

  /** Ends the capture process and starts another. */
  async restart(): Promise<void> {
    const port = this.#port
    this.#generation++
    await port.kill()
    await this.#writes
    for (const answer of this.#calls.values()) {
      answer({ kind: 'refusal', call: 0, refusal: { code: 'internal', message: 'the process has ended' } })
    }
    this.#calls.clear()
    this.reports.length = 0
    this.#port = this.#open()
  }

  call(method: string, ...args: readonly unknown[]): Promise<unknown> {
    const call = ++this.#lastCall
    return new Promise((resolve, reject) => {
      this.#calls.set(call, (answer) => {
        if (answer.kind === 'answer') resolve(answer.value)
        else if (answer.kind === 'refusal') {
          reject(Object.assign(new Error(answer.refusal.message), { code: answer.refusal.code }))
        }
      })
      this.#port.post({ kind: 'call', call, method, args } as ToCapture)
    })
  }

  prepare(): Promise<unknown> {
    return this.call('prepare', this.target)
  }

  drop(): Promise<unknown> {
    return this.call('drop', this.target)
  }

  /** Starts from what is stored. `isAgain`: as after the loss of the slot. */
  async start({ isAgain = false } = {}): Promise<void> {
    // Parts of a write that was not committed are gone with the attempt that sent them.
    this.#parts = []
    this.#openWrite = undefined
    const { commit, progress, tables, streams } = this.stored
    const filled = tables.filter((table) => (streams.get(printedTable(table))?.length ?? 0) > 0)
    const start: CaptureStart = {
      ...this.target,
      connectionId: CONNECTION,
      name: 'env1',
      tables,
      durableLsn: isAgain ? undefined : commit?.lsn,
      progress,
      filled: filled.map(({ schema, table }) => ({ schema, table })),
      folder: join(this.folder, 'rows'),
      version: '0.3.0',
    }
    await this.call('start', start)
  }

  async stop(): Promise<void> {
    await this.call('stop', CONNECTION)
  }

  async addTables(...names: readonly string[]): Promise<readonly CapturedTable[]> {
    const tables = names.map(nameOf)
    const filled = tables.filter((table) => (this.stored.streams.get(printedTable(table))?.length ?? 0) > 0)
    const added = (await this.call('addTables', CONNECTION, tables, filled)) as CapturedTable[]
    const others = this.stored.tables.filter(({ oid }) => !added.some((table) => table.oid === oid))
    this.stored.tables = [...others, ...added]
    return added
  }

  /** Prepares, starts, adds the tables and waits until they are copied. */
  async capture(...names: readonly string[]): Promise<void> {
    await this.prepare()
    await this.start()
    await this.addTables(...names)
    await this.copied()
  }

  /** Resolves when no table of the connection lacks its snapshot. */
  async copied(): Promise<void> {
    await this.until(() => {
      const { commit, tables } = this.stored
      const progress = this.stored.progress as { tables: Record<string, unknown> } | undefined
      return (
        commit !== undefined &&
        commit.snapshotting.length === 0 &&
        tables.every(({ oid }) => progress?.tables[oid] !== undefined)
      )
    })
  }

  /** Resolves when the durable or the idle position has reached this one. */
  async reached(lsn: bigint, limitMs?: number): Promise<void> {
    await this.until(() => this.position >= lsn, limitMs)
  }

  get position(): bigint {
    const idle = this.reports.flatMap((report) => (report.kind === 'idle' ? [BigInt(report.lsn)] : []))
    return [BigInt(this.stored.commit?.lsn ?? 0), ...idle].reduce((a, b) => (a > b ? a : b))
  }

  async until(holds: () => boolean, limitMs = 120_000): Promise<void> {
    const endMs = performance.now() + limitMs
    while (!holds()) {
      if (performance.now() > endMs) {
        throw new Error(`timed out; reports: ${JSON.stringify(this.reports.slice(-8))}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  report<K extends CaptureReport['kind']>(kind: K): Promise<CaptureReport & { readonly kind: K }> {
    const find = () => this.reports.find((report) => report.kind === kind)
    return this.until(() => find() !== undefined).then(() => find() as CaptureReport & { readonly kind: K })
  }

  events(table: string): readonly CapturedEvent[] {
    return this.stored.streams.get(table) ?? []
  }

  /** `op before after`, with the rows as JSON. */
  ops(table: string): readonly string[] {
    return this.events(table).map(({ body, headers }) =>
      body === undefined
        ? `tombstone ${headers.key}`
        : [body.op, ...[body.before, body.after].map((row) => (row ? JSON.stringify(row) : '-'))].join(' '),
    )
  }

  /** Rows that the events of a stream give, by key. Throws where an event does not fit those before it. */
  rows(table: string): ReadonlyMap<string, JsonRow> {
    return rowsOf(this.events(table))
  }

  #take(message: FromCapture): void {
    if (message.kind === 'report') return void this.reports.push(message.report)
    if (message.kind === 'request') {
      this.#unanswered++
      this.unansweredSeen = Math.max(this.unansweredSeen, this.#unanswered)
      this.#writes = this.#writes.then(() => this.#write(message.requested, message.args[0] as CaptureWrite))
      return
    }
    const answer = this.#calls.get(message.call)
    this.#calls.delete(message.call)
    answer?.(message)
  }

  async #write(request: number, write: CaptureWrite): Promise<void> {
    const generation = this.#generation
    if (this.writeMs > 0) await new Promise((resolve) => setTimeout(resolve, this.writeMs))
    if (generation !== this.#generation) return // the process that sent it has ended; its write is not stored
    if (write.commit !== undefined) await this.beforeCommit(write)
    if (generation !== this.#generation) return
    this.#unanswered--
    if (this.writeFailure !== undefined) {
      this.#port.post({ kind: 'reply', request, failure: { message: this.writeFailure } })
      return
    }
    if (this.#openWrite !== undefined && this.#openWrite !== write.write) throw new Error('writes are mixed')
    this.#openWrite = write.commit === undefined ? write.write : undefined
    for (const events of write.events) {
      this.partBytesSeen = Math.max(this.partBytesSeen, events.bytes.length)
      this.#parts.push(events)
    }
    if (write.commit !== undefined) this.#commit(write.commit)
    if (!this.repliesLost) this.#port.post({ kind: 'reply', request })
  }

  #commit(commit: CaptureCommit): void {
    const counts: Record<string, number> = {}
    for (const part of this.#parts) {
      const name = printedTable(part.table)
      const events = this.keepEvents ? eventsOf(part) : []
      this.eventCount += headedCount(part)
      counts[name] = (counts[name] ?? 0) + headedCount(part)
      const stream = this.stored.streams.get(name) ?? []
      for (const event of events) stream.push(event)
      this.stored.streams.set(name, stream)
    }
    this.#parts = []
    const before = BigInt(this.stored.commit?.lsn ?? 0)
    if (BigInt(commit.lsn) < before) throw new Error(`the position went back from ${before} to ${commit.lsn}`)
    this.stored.commit = commit
    this.stored.progress = structuredClone(commit.progress)
    for (const table of commit.tables ?? []) {
      this.stored.tables = this.stored.tables.map((each) => (each.oid === table.oid ? table : each))
    }
    if (this.keepEvents) this.commits.push({ commit, events: counts })
  }
}

function nameOf(text: string): TableName {
  const [schema, table] = text.split('.') as [string, string]
  return { schema, table }
}

function eventsOf(part: CapturedEvents): CapturedEvent[] {
  return eventsOfHeaded(part).map(({ headers, body }) => {
    const text = Buffer.from(body).toString('utf8')
    return {
      body: text === '' ? undefined : (JSON.parse(text) as Envelope),
      headers: Object.fromEntries(headers),
    }
  })
}

/** Rows that events give, by key. Throws where an event does not fit those before it: something is missing, or there twice. */
export function rowsOf(events: readonly CapturedEvent[]): ReadonlyMap<string, JsonRow> {
  const rows = new Map<string, JsonRow>()
  for (const [i, { body, headers }] of events.entries()) {
    if (body === undefined) continue
    const key = headers.key!
    const present = rows.get(key)
    const place = () => `event ${i}: ${JSON.stringify(body)}`
    if (body.op === 't') rows.clear()
    else if (body.op === 'r' || body.op === 'c') {
      if (present !== undefined) throw new Error(`${place()}: there is a row ${JSON.stringify(present)}`)
      rows.set(key, body.after!)
    } else {
      if (!isSameRow(present, body.before)) {
        throw new Error(`${place()}: the row before is ${JSON.stringify(present)}`)
      }
      if (body.op === 'u') rows.set(key, body.after!)
      else rows.delete(key)
    }
  }
  return rows
}

/** A column that one of them does not have counts as null: it was added in between. */
function isSameRow(a: JsonRow | undefined, b: JsonRow | null): boolean {
  if (a === undefined || b === null) return false
  return Object.keys({ ...a, ...b }).every((name) => (a[name] ?? null) === (b[name] ?? null))
}

const ENTRY = join(PROJECT_FOLDER, 'dist', 'src', 'cdc', 'worker', 'capture-process.js')

/** A capture process of the built files, as the service starts it. */
export function portOfProcess(): CapturePort {
  const child = fork(ENTRY, {
    serialization: 'advanced',
    execArgv: ['--max-old-space-size=256'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc', 'pipe'],
  })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  return {
    post: (message) => {
      if (child.connected) child.send(message, () => {})
    },
    onMessage: (listener) => {
      const frames = new FrameReader((head, raw, release) =>
        listener(joined(head, Buffer.from(raw), release)),
      )
      ;(child.stdio[4] as Duplex).on('data', (chunk: Buffer) => frames.take(chunk))
    },
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
  }
}
