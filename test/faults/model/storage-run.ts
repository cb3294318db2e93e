/** Does the steps to a log engine and to the model beside it, and compares whatever can be seen. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type fc from 'fast-check'
import { expect } from 'vitest'
import type { LevelLog } from '../../../storage/level/level-log.ts'
import type { EventData, EventHeaders, EventSlices, Position, ReadRange } from '../../../storage/log.ts'
import type { Storage, WriteResult } from '../../../storage/storage.ts'
import { StorageError } from '../../../storage/storage-error.ts'
import { type ModelEvent, ModelLog, type StoredEvent } from './storage-model.ts'
import type { NearTime, Range, StorageStep, Tidying, Writing } from './storage-steps.ts'

/** A store to test, and what can happen to it as a whole. */
export interface Engine {
  readonly log: LevelLog
  readonly storage: Storage
  reopen(): Promise<void>
  /** Opens what is on disk now, as if the process had gone; undefined if the engine cannot. */
  readonly crash: (() => Promise<void>) | undefined
  /** Keys that are still there. */
  keys(): Promise<string[]>
  close(): Promise<void>
}

export type OpenEngine = (nowMs: () => number) => Promise<Engine>

/** Logs that are written to at a time. */
const LOGS = 2
const ONE_HOUR_MS = 3_600_000
const STARTED_MS = 1_000_000
const FOREVER: ReadRange = { startMs: 0, endMs: Number.MAX_SAFE_INTEGER, limit: Number.MAX_SAFE_INTEGER }

const DOCUMENT = ['model', 'write'] as const

const HEADERS: readonly EventHeaders[] = [
  [],
  [['k', 'v']],
  [['k', 'w']],
  [
    ['a', '1'],
    ['', 'no name'],
    ['é', ''],
  ],
  [['big', 'x'.repeat(3000)]],
  [['__proto__', 'constructor']],
]

/** The model: what should be. */
export interface Expected {
  nowMs: number
  /** Events ever written: makes every body another one. */
  written: number
  /** Batches that were neither committed nor discarded: what they leave is found when the store is opened. */
  left: number
  /** The one document, whose content is the number of the write that made it. */
  document: number | undefined
  readonly logs: Map<number, ModelLog>
  /** Ids of the logs in use. */
  readonly used: number[]
  readonly retired: number[]
}

export function nothingYet(): Expected {
  const used = Array.from({ length: LOGS }, (_, i) => i + 1)
  return {
    nowMs: STARTED_MS,
    written: 0,
    left: 0,
    document: undefined,
    logs: new Map(used.map((id) => [id, new ModelLog()])),
    used,
    retired: [],
  }
}

export class StorageCommand implements fc.AsyncCommand<Expected, Engine> {
  readonly step: StorageStep

  constructor(step: StorageStep) {
    this.step = step
  }

  check(): boolean {
    return true
  }

  async run(model: Expected, real: Engine): Promise<void> {
    await new Run(model, real).step(this.step)
  }

  toString(): string {
    return JSON.stringify(this.step)
  }
}

/** Everything is looked at once more; then all logs are dropped, and nothing may be left on disk. */
export async function finish(model: Expected, real: Engine): Promise<void> {
  const run = new Run(model, real)
  for (const id of model.used) await run.compareAll(id)
  if (model.left > 0) await run.step({ do: 'reopen' })
  for (let i = 0; i < LOGS; i++) await run.step({ do: 'retire', log: i })
  while (model.retired.length > 0) await run.step({ do: 'drop', limit: 512 })
  while ((await real.log.sweep(512)).more);
  const [collection, id] = DOCUMENT
  await real.storage.catalog.commit([{ collection, id, document: undefined }])
  expect(await real.keys()).toEqual([])
}

interface StartedJoint {
  readonly parts: readonly { readonly id: number; readonly events: readonly ModelEvent[] }[]
  readonly document: number
  readonly result: Promise<WriteResult>
}

class Run {
  readonly model: Expected
  readonly real: Engine

  constructor(model: Expected, real: Engine) {
    this.model = model
    this.real = real
  }

  async step(step: StorageStep): Promise<void> {
    const { model, real } = this
    switch (step.do) {
      case 'append': {
        const id = this.#idOf(step.log)
        const events = this.#eventsOf(step)
        const position = await real.log.append(id, events, { linger: step.linger })
        this.#written(id, events, position)
        return
      }
      case 'together':
        await this.#together(step.writings)
        return
      case 'batch':
        return this.#batch(step)
      case 'large':
        return this.#large(step)
      case 'write':
        return this.#write(step)
      case 'read': {
        const id = this.#idOf(step.log)
        return this.#compare(id, this.#rangeOf(id, step.range))
      }
      case 'locate':
        return this.#locate(step)
      case 'clock':
        model.nowMs = Math.max(0, model.nowMs + step.byMs)
        return
      case 'tidy': {
        const id = this.#idOf(step.log)
        await this.#tidy(id, step.tidying, true)
        return this.compareAll(id)
      }
      case 'retire': {
        const place = step.log % LOGS
        model.retired.push(model.used[place]!)
        model.used[place] = Math.max(...model.logs.keys()) + 1
        model.logs.set(model.used[place], new ModelLog())
        return
      }
      case 'drop':
        return this.#drop(step.limit)
      case 'sweep': {
        const { removed } = await real.log.sweep(step.limit)
        expect(removed).toBeLessThanOrEqual(step.limit)
        return
      }
      case 'busy':
        return this.#busy(step)
      case 'reopen':
        await real.reopen()
        model.left = 0
        for (const id of model.used) await this.compareAll(id)
        return
      case 'crash':
        return this.#crash(step)
    }
  }

  /** All events, and the tail. */
  async compareAll(id: number): Promise<void> {
    await this.#compare(id, FOREVER)
    await this.#compareTail(id)
    expect((await this.real.storage.catalog.get(...DOCUMENT))?.document).toBe(this.model.document)
  }

  #idOf(log: number): number {
    return this.model.used[log % LOGS]!
  }

  #logOf(id: number): ModelLog {
    return this.model.logs.get(id)!
  }

  #eventsOf({ lengths, headers }: Omit<Writing, 'log' | 'linger'>): ModelEvent[] {
    return lengths.map((length, i) => ({
      headers: HEADERS[(headers + (i % 3 === 2 ? 1 : 0)) % HEADERS.length]!,
      body: bodyOf(this.model.written++, length),
    }))
  }

  /** What has been acknowledged stands at the end of the log, under the time of the clock. */
  #written(id: number, events: readonly ModelEvent[], position: Position | undefined): void {
    const log = this.#logOf(id)
    log.append(events, this.model.nowMs)
    const last = log.events.at(-1)
    expect(position).toEqual(
      events.length === 0 ? undefined : { timestampMs: last!.timestampMs, sequence: last!.sequence },
    )
  }

  #timeOf(id: number, { event, by }: NearTime): number {
    const { events } = this.#logOf(id)
    return events.length === 0
      ? this.model.nowMs
      : Math.max(0, events[event % events.length]!.timestampMs + by)
  }

  #rangeOf(id: number, { start, end, after, limit }: Range): ReadRange {
    const { events } = this.#logOf(id)
    const last = after === undefined || events.length === 0 ? undefined : events[after % events.length]
    return {
      startMs: start === undefined ? 0 : this.#timeOf(id, start),
      endMs: end === undefined ? Number.MAX_SAFE_INTEGER : this.#timeOf(id, end),
      limit: limit ?? Number.MAX_SAFE_INTEGER,
      ...(last && { after: { timestampMs: last.timestampMs, sequence: last.sequence } }),
    }
  }

  async #compare(id: number, range: ReadRange): Promise<void> {
    const read = await readEvents(this.real.log, id, range)
    assertSame(read, this.#logOf(id).read(range), `log ${id}, ${JSON.stringify(range)}`)
  }

  async #compareTail(id: number): Promise<void> {
    const log = this.#logOf(id)
    const tail = await this.real.log.tail(id)
    // Asked for something, an engine may remember a log that holds nothing.
    if (log.events.length === 0) return void expect(tail?.nextSequence ?? 0).toBe(0)
    expect(tail).toMatchObject(log.tail())
    expect(await this.real.log.totals(id)).toEqual(log.totals())
    const oldest = log.events[log.first]
    if (oldest !== undefined) expect(tail!.firstTimestampMs).toBeLessThanOrEqual(oldest.timestampMs)
  }

  /** Starts them all; those of one log are answered with positions in the order in which they began. */
  #start(writings: readonly Writing[]): { id: number; events: ModelEvent[]; position: Promise<Position> }[] {
    return writings.map((writing) => {
      const id = this.#idOf(writing.log)
      const events = this.#eventsOf(writing)
      return { id, events, position: this.real.log.append(id, events, { linger: writing.linger }) }
    })
  }

  async #together(writings: readonly Writing[]): Promise<void> {
    const started = this.#start(writings)
    const positions = await Promise.all(started.map(({ position }) => position))
    started.forEach(({ id, events }, i) => {
      this.#written(id, events, positions[i])
    })
  }

  /** Of all that is called in one turn the order is that of the calls. */
  async #write({ appends, before, after, stale }: Extract<StorageStep, { do: 'write' }>): Promise<void> {
    const found = await this.real.storage.catalog.get(...DOCUMENT)
    const first = this.#start(before)
    const joint = this.#startJoint(appends, stale ? 'of no document' : found?.version)
    const last = this.#start(after)
    const { outcome, positions } = await joint.result
    expect(outcome).toBe(stale ? 'conflict' : 'done')
    for (const { id, events, position } of first) this.#written(id, events, await position)
    if (!stale) {
      this.model.document = joint.document
      this.#writtenTogether(joint.parts, positions)
    }
    for (const { id, events, position } of last) this.#written(id, events, await position)
    for (const id of this.model.used) await this.compareAll(id)
  }

  #startJoint(appends: readonly Writing[], version: string | undefined): StartedJoint {
    const parts = appends.map((writing) => ({ id: this.#idOf(writing.log), events: this.#eventsOf(writing) }))
    const document = this.model.written++
    const [collection, id] = DOCUMENT
    const result = this.real.storage.write({
      appends: parts.map((part) => ({ log: part.id, events: part.events })),
      changes: [{ collection, id, document }],
      conditions: [{ collection, id, version }],
    })
    return { parts, document, result }
  }

  #writtenTogether(
    parts: readonly { id: number; events: readonly ModelEvent[] }[],
    positions: readonly (Position | undefined)[],
  ): void {
    for (const [i, { id, events }] of parts.entries()) this.#written(id, events, positions[i])
  }

  async #batch({ parts, end }: Extract<StorageStep, { do: 'batch' }>): Promise<void> {
    const id = this.#idOf(parts[0]?.log ?? 0)
    const batch = this.real.log.stage(id)
    const events: ModelEvent[] = []
    for (const part of parts) events.push(...(await this.#addPart(batch, part)))
    if (end === 'discard') return batch.discard()
    this.#written(id, events, await batch.commit())
    await batch.discard()
  }

  async #large(step: Extract<StorageStep, { do: 'large' }>): Promise<void> {
    const id = this.#idOf(step.log)
    const batch = this.real.log.stage(id)
    const events: ModelEvent[] = []
    const lengths = Array.from({ length: Math.ceil(300_000 / step.bodyLength) }, () => step.bodyLength)
    for (let part = 0; part < 5; part++) {
      const headers = step.headers[part % step.headers.length]!
      events.push(...(await this.#addPart(batch, { lengths, headers })))
    }
    if (step.end === 'leave') return void this.model.left++
    if (step.end === 'discard') return batch.discard()
    this.#written(id, events, await batch.commit())
  }

  /** One set of headers for all of it, and a buffer that is overwritten at once. */
  async #addPart(
    batch: ReturnType<LevelLog['stage']>,
    { lengths, headers }: Omit<Writing, 'log' | 'linger'>,
  ): Promise<ModelEvent[]> {
    const events = this.#eventsOf({ lengths, headers }).map(({ body }) => ({
      body,
      headers: HEADERS[headers % HEADERS.length]!,
    }))
    const slices = slicesOf(events)
    const added = batch.add(slices, HEADERS[headers % HEADERS.length]!)
    slices.bytes.fill(0)
    await added
    return events
  }

  async #locate({ log, event, near }: Extract<StorageStep, { do: 'locate' }>): Promise<void> {
    const id = this.#idOf(log)
    const { events, first } = this.#logOf(id)
    const sequence = event % (events.length + 2)
    const known =
      near === undefined || sequence === 0 ? undefined : events[near % Math.min(sequence, events.length)]
    const found = await this.real.log.locate(
      id,
      sequence,
      known && { timestampMs: known.timestampMs, sequence: known.sequence },
    )
    const wanted = sequence < first ? undefined : events[sequence]
    expect(found).toEqual(wanted && { timestampMs: wanted.timestampMs, sequence })
  }

  /** `alone`: no other write runs at the same time. */
  async #tidy(id: number, tidying: Tidying, alone: boolean): Promise<void> {
    const { log } = this.real
    if ('merge' in tidying) {
      this.#logOf(id).merged = true
      await log.merge(id, this.model.nowMs - tidying.merge, tidying.limit)
      return
    }
    const beforeMs = this.#timeOf(id, tidying.trim)
    const { removed, more } = await log.trim(id, beforeMs, tidying.limit)
    expect(removed).toBeLessThanOrEqual(tidying.limit)
    await this.#trimmed(id, beforeMs, alone && !more)
  }

  /** Only what is old may have gone; all of it has when trimming is done, save old events in one block with newer ones. */
  async #trimmed(id: number, beforeMs: number, done: boolean): Promise<void> {
    const log = this.#logOf(id)
    const first = (await this.real.log.tail(id))?.firstSequence ?? 0
    expect(first).toBeGreaterThanOrEqual(log.first)
    for (const { sequence, timestampMs } of log.events.slice(log.first, first)) {
      if (timestampMs >= beforeMs) throw new Error(`event ${sequence} is trimmed, and not before ${beforeMs}`)
    }
    log.first = first
    const oldest = log.events[first]
    if (!done || oldest === undefined) return
    expect(oldest.timestampMs).toBeGreaterThanOrEqual(log.merged ? beforeMs - ONE_HOUR_MS : beforeMs)
  }

  async #drop(limit: number): Promise<void> {
    const { retired, logs } = this.model
    const [id] = retired
    if (id === undefined) return
    const { removed, more } = await this.real.log.drop(id, limit)
    expect(removed).toBeLessThanOrEqual(limit)
    if (more) return
    expect([await this.real.log.tail(id), (await this.real.log.logs()).includes(id)]).toEqual([
      undefined,
      false,
    ])
    retired.shift()
    logs.delete(id)
  }

  async #busy({ log, ranges, writings, tidyings }: Extract<StorageStep, { do: 'busy' }>): Promise<void> {
    const id = this.#idOf(log)
    const model = this.#logOf(id)
    const before = { first: model.first, count: model.events.length }
    const wanted = ranges.map((range) => this.#rangeOf(id, range))
    const started = this.#start(writings)
    const writing = Promise.all(started.map(({ position }) => position))
    const tidied = (async () => {
      for (const tidying of tidyings) await this.#tidy(id, tidying, false)
    })()
    const reads = await Promise.all(wanted.map((range) => readEvents(this.real.log, id, range)))
    await tidied
    const positions = await writing
    started.forEach(({ id: to, events }, i) => {
      this.#written(to, events, positions[i])
    })
    reads.forEach((read, i) => {
      assertWithin(read, model, before, wanted[i]!)
    })
    await this.compareAll(id)
  }

  /** Of calls that were not answered yet, all events are there or none, in the order of the calls. */
  async #crash({ writings, joint, tidying, turns }: Extract<StorageStep, { do: 'crash' }>): Promise<void> {
    if (this.real.crash === undefined) return
    const found = await this.real.storage.catalog.get(...DOCUMENT)
    const id = this.#idOf(0)
    const told = new Set<number>()
    const started = this.#start(writings)
    started.forEach(({ position }, i) => {
      position.then(() => told.add(i)).catch(() => {})
    })
    const together = joint && this.#startJoint(joint, found?.version)
    let isTogetherTold = false
    together?.result.then(() => {
      isTogetherTold = true
    }, ignoreFailure)
    const beforeMs = tidying !== undefined && 'trim' in tidying ? this.#timeOf(id, tidying.trim) : 0
    if (tidying !== undefined) this.#beginTidying(id, tidying, beforeMs)
    for (let turn = 0; turn < turns; turn++) await nextTurn()
    const acknowledged = new Set(told)
    const isTogetherAcknowledged = isTogetherTold
    await this.real.crash()
    this.model.left = 0

    for (const [i, { id: to, events }] of started.entries()) {
      const log = this.#logOf(to)
      const tail = await this.real.log.tail(to)
      const stored = (tail?.nextSequence ?? 0) >= log.events.length + events.length
      if (!stored && acknowledged.has(i)) throw new Error(`write ${i} was acknowledged and is lost`)
      if (stored) log.append(events, this.model.nowMs)
    }
    if (together !== undefined) await this.#crashedTogether(together, isTogetherAcknowledged)
    await this.#trimmed(id, beforeMs, false)
    for (const used of this.model.used) await this.compareAll(used)
  }

  /** The document says whether the write is there: its events then are, too, which the comparison of all logs shows. */
  async #crashedTogether({ parts, document }: StartedJoint, isAcknowledged: boolean): Promise<void> {
    const stored = (await this.real.storage.catalog.get(...DOCUMENT))?.document === document
    if (!stored && isAcknowledged) throw new Error('a write over several logs was acknowledged and is lost')
    if (!stored) return
    this.model.document = document
    for (const { id, events } of parts) this.#logOf(id).append(events, this.model.nowMs)
  }

  #beginTidying(id: number, tidying: Tidying, beforeMs: number): void {
    const { log } = this.real
    if ('merge' in tidying) this.#logOf(id).merged = true
    const work =
      'merge' in tidying
        ? log.merge(id, this.model.nowMs - tidying.merge, tidying.limit)
        : log.trim(id, beforeMs, tidying.limit)
    work.catch((error) => {
      if (!(error instanceof StorageError)) throw error
    })
  }
}

function ignoreFailure(): void {} // of a store that is given up

function bodyOf(number: number, length: number): Buffer {
  return Buffer.alloc(length, `${number}|`)
}

/** Line ends in between, as a decoder of text has them. */
function slicesOf(events: readonly EventData[]): EventSlices {
  const starts: number[] = []
  const ends: number[] = []
  const pieces: Uint8Array[] = []
  let at = 0
  for (const { body } of events) {
    starts.push(at)
    ends.push(at + body.length)
    pieces.push(body, LINE_END)
    at += body.length + LINE_END.length
  }
  const bytes = Buffer.concat(pieces)
  return { bytes, starts: Uint32Array.from(starts), ends: Uint32Array.from(ends), count: events.length }
}

const LINE_END = Buffer.from('\n')

async function readEvents(log: LevelLog, id: number, range: ReadRange): Promise<StoredEvent[]> {
  const read: StoredEvent[] = []
  const found = await log.read(id, range)
  for await (const { firstSequence, bytes, starts, ends, runs } of found?.blocks ?? []) {
    for (const { begin, end, timestampMs, headers } of runs) {
      for (let i = begin; i < end; i++) {
        const body = Buffer.from(bytes.subarray(starts[i], ends[i]))
        read.push({ sequence: firstSequence + i, timestampMs, headers, body })
      }
    }
  }
  return read
}

function assertSame(read: readonly StoredEvent[], wanted: readonly StoredEvent[], what: string): void {
  if (read.length === wanted.length && read.every((event, i) => isSame(event, wanted[i]!))) return
  const wrong = wanted.findIndex((event, i) => read[i] === undefined || !isSame(event, read[i]))
  const at = wrong === -1 ? wanted.length : wrong
  const told = `${what}: event ${at} of ${wanted.length} (${read.length} read)`
  expect(shown(read[at]), told).toEqual(shown(wanted[at]))
  throw new Error(`${told} is not what it should be`)
}

/** What was there before and is there still has to be read; what came or went meanwhile may be. */
function assertWithin(
  read: readonly StoredEvent[],
  log: ModelLog,
  before: { readonly first: number; readonly count: number },
  range: ReadRange,
): void {
  const what = `a read among others of ${JSON.stringify(range)}`
  const everything = Object.assign(new ModelLog(), { events: log.events, first: before.first })
  const may = everything.read({ ...range, limit: Number.MAX_SAFE_INTEGER })
  const begin = read.length === 0 ? 0 : may.findIndex(({ sequence }) => sequence === read[0]!.sequence)
  if (begin === -1) throw new Error(`${what} begins with ${read[0]!.sequence}, which is out of range`)
  // A trim that moved past the reader took what it had not come to yet.
  const sequences = new Set(read.map(({ sequence }) => sequence))
  const left = may.slice(begin).filter(({ sequence }) => sequence >= log.first || sequences.has(sequence))
  assertSame(read, left.slice(0, read.length), what)
  const missed = [...may.slice(0, begin), ...(read.length < range.limit ? left.slice(read.length) : [])]
  for (const { sequence } of missed) {
    if (sequence >= log.first && sequence < before.count) throw new Error(`${what} has missed ${sequence}`)
  }
}

function isSame(a: StoredEvent, b: StoredEvent): boolean {
  return (
    a.sequence === b.sequence &&
    a.timestampMs === b.timestampMs &&
    a.body.equals(b.body) &&
    a.headers.length === b.headers.length &&
    a.headers.every(([name, value], i) => name === b.headers[i]![0] && value === b.headers[i]![1])
  )
}

function shown(event: StoredEvent | undefined): unknown {
  if (event === undefined) return 'no event'
  const { body, ...others } = event
  return { ...others, length: body.length, body: body.toString('latin1', 0, 40) }
}
