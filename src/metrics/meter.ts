/**
 * Metrics of streams: polls the counters every second, adds the changes to series, and writes totals and series to the catalog
 * a few seconds later, never in the path of an event.
 *
 * A crash loses the times of the last seconds' events, and all counts of these seconds except events and bytes: those
 * two are taken from the log when the store is opened, at the time of its last event. Reasons:
 * docs/decisions/0022-metrics.md.
 *
 *   catalog:  meter-totals/<namespace>:<stream>   {"life", "log", "events", "bytes", "totals": […]}: with the log's own totals at that time
 *             meter-points/<life>:<letter>:<slot>   a chunk, see series.ts
 *             meter-gone/<life>                     a stream that was deleted and whose chunks still have to be deleted
 *
 * If several nodes share the store, each writes what it has acknowledged itself: the ids of its totals and points end in `:<node>`,
 * and a crash of the node loses the counts of its last seconds. The totals of other nodes are followed, and added where they are shown.
 */
import type { Catalog, CatalogChange } from '../../storage/catalog.ts'
import type { EventLog } from '../../storage/log.ts'
import { type NamespaceName, type StreamId, type StreamName, streamKey } from '../streams/names.ts'
import type { Registry, RemovalHook, Stream } from '../streams/registry.ts'
import { COUNTED, type StreamCounts, type Totals, type Traffic, totalsOf } from '../streams/traffic.ts'
import {
  addToChunk,
  type Chunk,
  chunkBegin,
  chunkId,
  decodeChunk,
  oldestChunk,
  type Point,
  pointsOf,
  RESOLUTIONS,
  type Resolution,
  WIDTH,
} from './series.ts'

const POLL_INTERVAL_MS = 1000
/** The catalog is updated this often, so it is behind by this much. */
const WRITE_MS = 5000
/**
 * Limit of streams written at a time, some 3 KiB each. With more streams the catalog falls further behind, but the load
 * does not grow.
 */
const WRITE_STREAMS = 256
/** Documents removed in one commit. */
const REMOVED_DOCUMENTS = 1000
/** Limit of streams with series in memory, some 7 KiB each. Other streams have only totals until some of these become quiet. */
const ACTIVE_MAX = 2048
/** After this time without counts, the stream's chunks leave memory. They are read again when they are needed. */
const QUIET_SECONDS = 120
/** If two polls are at most this far apart, their counts are entered at the middle of the interval. */
const APART_MS = 2000

/** If the clock goes back by less than this, the meter treats it as standing still. */
const CLOCK_REGRESSION_SECONDS = 60

/** A stream with series in memory. */
interface Active {
  /** The current chunk of each resolution. */
  readonly chunks: Chunk[]
  /** By their ids: chunks that are not in the catalog, or not in their present form. */
  readonly unwritten: Map<string, Chunk>
  lastSecond: number
  /** No count is later than this. It is later than `lastSecond` if the clock went back. */
  newestSecond: number
}

export interface MeterParts {
  readonly catalog: Catalog
  readonly log: EventLog
  readonly registry: Registry
  readonly traffic: Traffic
  readonly nowMs: () => number
  readonly report: (error: unknown) => void
  /** Kept when the store is opened again: totals that a failed store did not accept are entered into the next one. */
  readonly unwrittenTotals?: UnwrittenTotals
}

/** Totals by the incarnation of their streams. */
export type UnwrittenTotals = Map<number, Totals>

/** Rounds in which a write waits for counts. More are needed only if chunks are read more slowly than events arrive. */
const CATCH_UP_ROUNDS = 10

export class Meter implements RemovalHook {
  readonly #parts: MeterParts
  readonly #active = new Map<StreamCounts, Active>()
  /** Streams with counts that are not written, the longest waiting first. */
  readonly #due = new Set<StreamCounts>()
  /** Counts that were taken from the streams and are not in the series yet: a metrics query polls while a write runs, too. */
  #counted: Counted[] = []
  /** Incarnations of the streams that have documents. */
  readonly #kept = new Set<number>()
  #gone: number[] = []
  /** Streams that are gone, by the ids of the totals that this node has written of them, where other nodes share the store. */
  readonly #goneTotals = new Map<string, StreamId>()
  #polledMs: number
  #writtenMs: number
  #working: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined
  #stopped = false
  #writesFail = false

  /** Of this node, where others share the store: the end of its ids. */
  readonly #suffix: string

  private constructor(parts: MeterParts) {
    this.#parts = parts
    const nodeId = parts.registry.sharing?.cluster.nodeId
    this.#suffix = nodeId === undefined ? '' : `:${nodeId}`
    this.#polledMs = parts.nowMs()
    this.#writtenMs = this.#polledMs
  }

  /** Reads the totals, and adds events and bytes that the log has beyond them. */
  static async open(parts: MeterParts): Promise<Meter> {
    const meter = new Meter(parts)
    await meter.#load()
    parts.registry.onRemoval(meter)
    return meter
  }

  /** Polls every second until `stop`. */
  start(): void {
    this.#wait()
  }

  /** Resolves when all counts are in the catalog, if the store accepts them. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await settled()
    this.poll()
    await this.#working
    while (this.#due.size > 0 && (await this.#write())) {}
    for (const counts of this.#due) this.#parts.unwrittenTotals?.set(counts.incarnation, totalsOf(counts))
  }

  /** Adds all counts since the last poll to the series. */
  poll(): void {
    this.#takeCounted()
    if (this.#counted.length > 0) this.#then(() => this.#addCounted())
  }

  /** Takes the counts since the last poll, with the second in which they are entered. */
  #takeCounted(): void {
    const nowMs = this.#parts.nowMs()
    const apartMs = nowMs - this.#polledMs
    const atMs = apartMs >= 0 && apartMs <= APART_MS ? nowMs - apartMs / 2 : nowMs
    this.#polledMs = nowMs
    const second = Math.floor(atMs / 1000)
    for (const { counts, before } of this.#parts.traffic.poll()) {
      const change = totalsOf(counts).map((total, i) => total - before[i]!)
      this.#counted.push({ counts, second, change })
    }
  }

  async #addCounted(): Promise<void> {
    while (this.#counted.length > 0) {
      const counted = this.#counted
      this.#counted = []
      for (const { counts, second, change } of counted) await this.#add(counts, second, change)
    }
  }

  /** The counts of every step from `beginSecond` to `endSecond`, both included; steps without counts are missing. */
  async series(
    counts: StreamCounts,
    resolution: Resolution,
    beginSecond: number,
    endSecond: number,
  ): Promise<Point[]> {
    await this.#working
    const active = this.#active.get(counts)
    const unwritten = new Map(active?.unwritten) // a write may begin and end while the catalog is read
    const chunks = new Map<string, Chunk>()
    if (this.#kept.has(counts.incarnation) || this.#suffix !== '') {
      const prefix = `${counts.incarnation}:${resolution.letter}:`
      await this.#parts.catalog.each(
        'meter-points',
        (id, document) => {
          const chunk = decodeChunk(document)
          if (chunk !== undefined) chunks.set(id, chunk)
        },
        prefix,
      )
    }
    for (const [id, chunk] of [...unwritten, ...(active?.unwritten ?? [])]) {
      if (id.startsWith(`${counts.incarnation}:${resolution.letter}:`)) chunks.set(id, chunk)
    }
    const oldest = oldestChunk(resolution, Math.floor(this.#parts.nowMs() / 1000))
    return [...chunks.values()]
      .filter(({ at }) => at >= oldest)
      .sort((a, b) => a.at - b.at)
      .flatMap((chunk) => [...pointsOf(resolution, chunk)])
      .filter(([second]) => second >= beginSecond && second <= endSecond)
  }

  changesOnRemoval(streams: readonly Stream[]): readonly CatalogChange[] {
    return streams
      .filter((stream) => this.#hasDocuments(stream))
      .flatMap(({ id, counts }) => {
        const elsewhere = counts.nodesElsewhere().map((node) => `${streamKey(id)}:${node}`)
        const totals = [this.#totalsId(id), ...elsewhere]
        return [
          ...totals.map((document) => ({ collection: 'meter-totals', id: document, document: undefined })),
          { collection: 'meter-gone', id: `${counts.incarnation}`, document: true },
        ]
      })
  }

  #hasDocuments({ counts }: Stream): boolean {
    return this.#kept.has(counts.incarnation) || counts.nodesElsewhere().length > 0
  }

  removed(streams: readonly Stream[]): void {
    for (const stream of streams) {
      const { id, counts } = stream
      this.#parts.traffic.ended(counts)
      this.#active.delete(counts)
      this.#due.delete(counts)
      if (this.#hasDocuments(stream)) this.#gone.push(counts.incarnation)
      // Another node may have removed the stream before it has seen the last totals of this one.
      if (this.#kept.delete(counts.incarnation) && this.#suffix !== '')
        this.#goneTotals.set(this.#totalsId(id), id)
    }
  }

  #wait(): void {
    if (this.#stopped) return
    const { nowMs } = this.#parts
    this.#timer = setTimeout(
      () => {
        this.poll()
        if (Math.abs(nowMs() - this.#writtenMs) >= WRITE_MS) this.#then(() => this.#writeDue())
        void this.#working.then(() => this.#wait())
      },
      POLL_INTERVAL_MS - (nowMs() % POLL_INTERVAL_MS),
    ).unref()
  }

  /** Runs tasks one after another. Reports errors and continues. */
  #then(work: () => Promise<void>): void {
    this.#working = this.#working.then(work).catch((error) => this.#parts.report(error))
  }

  async #load(): Promise<void> {
    const { catalog, registry, log, nowMs, unwrittenTotals } = this.#parts
    const stored = new Map<string, unknown>()
    const isShared = registry.sharing !== undefined
    if (isShared) catalog.watch(({ collection, id, document }) => this.#observe(collection, id, document))
    await catalog.each('meter-totals', (id, document) => {
      stored.set(id, document)
      if (isShared && !id.endsWith(this.#suffix)) this.#observe('meter-totals', id, document)
    })
    await catalog.each('meter-gone', (id) => this.#gone.push(Number(id)))
    if (isShared) this.#findGoneTotals([...stored.keys()])
    for (const stream of registry.allStreams()) {
      const { counts, id } = stream
      const document = decodeTotals(stored.get(this.#totalsId(id)))
      if (isShared) {
        if (document?.life !== counts.incarnation) continue
        setTotals(counts, document.totals)
        this.#kept.add(document.life)
        continue
      }
      const { events, bytes } = await log.totals(stream.log)
      if (document === undefined && stream.createdMs === undefined) {
        // The stream is older than its metrics, or from a backup. The times of its events are not known.
        counts.events = events
        counts.bytes = bytes
        if (events > 0) this.#due.add(counts) // so that the totals survive truncating
        continue
      }
      if (document !== undefined) {
        setTotals(counts, document.totals)
        counts.incarnation = document.life
        this.#kept.add(document.life)
      }
      const known = document?.log === stream.log ? document : { events: 0, bytes: 0 }
      const newEvents = Math.max(0, events - known.events)
      const newBytes = newEvents === 0 ? 0 : Math.max(0, bytes - known.bytes)
      if (newEvents > 0) {
        const tail = await log.tail(stream.log)
        await this.#take(counts, tail?.lastTimestampMs ?? 0, [newEvents, newBytes, 0, 0, 0])
      }
      const left = unwrittenTotals
        ?.get(counts.incarnation)
        ?.map((total, i) => Math.max(0, total - totalsOf(counts)[i]!))
      if (left?.some((count) => count > 0)) await this.#take(counts, nowMs(), left)
    }
    unwrittenTotals?.clear()
  }

  /** Totals of this node whose stream was removed while it did not run. */
  #findGoneTotals(ids: readonly string[]): void {
    for (const id of ids) {
      const [namespace, stream] = id.split(':') as [NamespaceName, StreamName]
      const isGone = this.#parts.registry.find(namespace, stream) === undefined
      if (isGone && id.endsWith(this.#suffix)) this.#goneTotals.set(id, { namespace, stream })
    }
  }

  #totalsId(id: StreamId): string {
    return `${streamKey(id)}${this.#suffix}`
  }

  #chunkId(incarnation: number, resolution: Resolution, at: number): string {
    return `${chunkId(incarnation, resolution, at)}${this.#suffix}`
  }

  /** Totals of another node. Those of a stream that is not known yet come again with its next counts. */
  #observe(collection: string, id: string, document: unknown): void {
    if (collection !== 'meter-totals') return
    const [namespace, stream, node] = id.split(':') as [NamespaceName, StreamName, string]
    const counts = this.#parts.registry.find(namespace, stream)?.counts
    const totals = decodeTotals(document)
    if (counts === undefined || totals?.life !== counts.incarnation) return
    counts.setElsewhere(node, totals.totals)
  }

  /** Adds counts from before this meter was opened to the totals and the series. */
  #take(counts: StreamCounts, atMs: number, counted: Totals): Promise<void> {
    for (const [i, name] of COUNTED.entries()) counts[name] += counted[i]!
    return this.#add(counts, Math.floor(atMs / 1000), counted)
  }

  async #add(counts: StreamCounts, countedSecond: number, counted: Totals): Promise<void> {
    const stream = this.#streamOf(counts)
    if (stream === undefined) return // deleted since
    const nowSecond = Math.floor(this.#parts.nowMs() / 1000)
    const inPast = Math.min(countedSecond, nowSecond)
    const active = this.#active.get(counts) ?? (await this.#activate(stream, inPast))
    this.#due.add(counts)
    if (active === undefined) return
    const second =
      Math.abs(inPast - active.lastSecond) < CLOCK_REGRESSION_SECONDS
        ? Math.max(inPast, active.lastSecond)
        : inPast
    active.lastSecond = second
    const { newestSecond } = active
    active.newestSecond = Math.max(newestSecond, second)
    for (const [i, resolution] of RESOLUTIONS.entries()) {
      const at = chunkBegin(resolution, second)
      if (at < oldestChunk(resolution, nowSecond)) continue // another chunk uses its slot now
      if (active.chunks[i]!.at !== at) {
        const known =
          at > newestSecond ? undefined : await this.#knownChunk(counts.incarnation, active, resolution, at)
        active.chunks[i] = known ?? { at, points: [] }
      }
      const chunk = active.chunks[i]!
      addToChunk(resolution, chunk, second, counted)
      active.unwritten.set(this.#chunkId(counts.incarnation, resolution, at), chunk)
    }
  }

  /** Undefined if the limit of active streams is reached. */
  async #activate({ counts, log }: Stream, second: number): Promise<Active | undefined> {
    if (this.#active.size >= ACTIVE_MAX) return undefined
    const chunks: Chunk[] = []
    for (const resolution of RESOLUTIONS) {
      const at = chunkBegin(resolution, second)
      chunks.push((await this.#storedChunk(counts.incarnation, resolution, at)) ?? { at, points: [] })
    }
    const lastMs = (await this.#parts.log.tail(log))?.lastTimestampMs ?? 0 // the time of the last event never goes back
    const newestSecond = Math.max(second, Math.floor(lastMs / 1000))
    const lastSecond = newestSecond - second < CLOCK_REGRESSION_SECONDS ? newestSecond : second
    const active: Active = { chunks, unwritten: new Map(), lastSecond, newestSecond }
    this.#active.set(counts, active)
    return active
  }

  /** The chunk that begins at this second, if it exists from before the clock went back. */
  async #knownChunk(
    incarnation: number,
    { unwritten }: Active,
    resolution: Resolution,
    at: number,
  ): Promise<Chunk | undefined> {
    const inMemory = unwritten.get(this.#chunkId(incarnation, resolution, at))
    return inMemory?.at === at ? inMemory : this.#storedChunk(incarnation, resolution, at)
  }

  async #storedChunk(incarnation: number, resolution: Resolution, at: number): Promise<Chunk | undefined> {
    if (!this.#kept.has(incarnation)) return undefined
    let stored: Chunk | undefined
    const take = (_: string, document: unknown) => {
      stored = decodeChunk(document)
    }
    await this.#parts.catalog.each('meter-points', take, this.#chunkId(incarnation, resolution, at))
    return stored?.at === at ? stored : undefined
  }

  async #writeDue(): Promise<void> {
    this.#writtenMs = this.#parts.nowMs()
    if (this.#due.size > 0) await this.#write()
    await this.#removeGoneTotals()
    await this.#removeGone()
    const nowSecond = Math.floor(this.#parts.nowMs() / 1000)
    for (const [counts, { lastSecond, unwritten }] of this.#active) {
      const isQuiet = Math.abs(nowSecond - lastSecond) > QUIET_SECONDS
      if (isQuiet && unwritten.size === 0) this.#active.delete(counts)
    }
  }

  /** Resolves with whether the store accepted the write. If not, the next write tries again. */
  async #write(): Promise<boolean> {
    if (this.#parts.log.failure() !== undefined) return false // reported by the store
    const taken: Taken[] = []
    try {
      // Runs inside `change`, so that no stream is deleted in between; otherwise its documents would be written after
      // its deletion.
      await this.#parts.registry.change(async () => {
        await settled()
        await this.#catchUp()
        const changes = await this.#takeDue(taken)
        if (changes.length === 0) return
        await this.#parts.catalog.commit(changes)
        for (const { counts } of taken) this.#kept.add(counts.incarnation)
      })
      this.#writesFail = false
      return true
    } catch (error) {
      for (const { counts, chunks } of taken) this.#putBack(counts, chunks)
      if (!this.#writesFail) this.#parts.report(error)
      this.#writesFail = true
      return false
    }
  }

  /**
   * The written totals are the present ones, so the series must contain all counts up to now. Counts that are only in
   * the totals would be missing from the series after a crash. Adding waits only for chunks that are not in memory yet.
   */
  async #catchUp(): Promise<void> {
    for (let round = 0; round < CATCH_UP_ROUNDS; round++) {
      this.#takeCounted()
      if (this.#counted.length === 0) return
      await this.#addCounted()
    }
  }

  /** Takes the counts and the totals of the logs in one iteration of the event loop, so that they belong together. */
  async #takeDue(taken: Taken[]): Promise<CatalogChange[]> {
    const changes: CatalogChange[] = []
    const totals: Promise<CatalogChange>[] = []
    for (const counts of this.#due) {
      if (taken.length >= WRITE_STREAMS) break
      this.#due.delete(counts)
      const stream = this.#streamOf(counts)
      if (stream === undefined) {
        this.#active.delete(counts)
        continue
      }
      const unwritten = this.#active.get(counts)?.unwritten
      const chunks = new Map(unwritten)
      unwritten?.clear()
      taken.push({ counts, chunks })
      for (const [id, { at, points }] of chunks) {
        changes.push({ collection: 'meter-points', id, document: { at, points: [...points] } })
      }
      totals.push(totalsChange(stream, this.#totalsId(stream.id), this.#parts.log))
    }
    return [...changes, ...(await Promise.all(totals))]
  }

  /** Undefined if the stream has been deleted. */
  #streamOf(counts: StreamCounts): Stream | undefined {
    const stream = this.#parts.registry.find(counts.id.namespace, counts.id.stream)
    return stream?.counts === counts ? stream : undefined
  }

  #putBack(counts: StreamCounts, chunks: ReadonlyMap<string, Chunk>): void {
    this.#due.add(counts)
    const unwritten = this.#active.get(counts)?.unwritten
    for (const [id, chunk] of chunks) if (!unwritten?.has(id)) unwritten?.set(id, chunk)
  }

  /** Removes the chunks of deleted streams, with many streams in one commit. */
  /** A stream that was made anew has the id of the one before. */
  async #removeGoneTotals(): Promise<void> {
    const taken = [...this.#goneTotals].slice(0, REMOVED_DOCUMENTS)
    const unused = taken.filter(([, { namespace, stream }]) => {
      const counts = this.#parts.registry.find(namespace, stream)?.counts
      return counts === undefined || !this.#kept.has(counts.incarnation)
    })
    const changes = unused.map(([id]) => ({ collection: 'meter-totals', id, document: undefined }))
    try {
      if (changes.length > 0) await this.#parts.catalog.commit(changes)
      for (const [id] of taken) this.#goneTotals.delete(id)
    } catch {} // the store reports its own failure; the next write tries again
  }

  async #removeGone(): Promise<void> {
    const gone = this.#gone
    this.#gone = []
    const last = gone.length - 1
    let changes: CatalogChange[] = []
    let removed = 0
    try {
      for (const [i, incarnation] of gone.entries()) {
        changes.push({ collection: 'meter-gone', id: `${incarnation}`, document: undefined })
        const take = (id: string) => changes.push({ collection: 'meter-points', id, document: undefined })
        await this.#parts.catalog.each('meter-points', take, `${incarnation}:`)
        if (changes.length < REMOVED_DOCUMENTS && i < last) continue
        await this.#parts.catalog.commit(changes)
        changes = []
        removed = i + 1
      }
    } catch {
      this.#gone.push(...gone.slice(removed)) // the store reports its own failure
    }
  }
}

/** Resolves after all durable appends have counted their events. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** The counts of one stream between two polls. */
interface Counted {
  readonly counts: StreamCounts
  readonly second: number
  readonly change: Totals
}

/** The unwritten chunks of a stream, while they are written. */
interface Taken {
  readonly counts: StreamCounts
  readonly chunks: ReadonlyMap<string, Chunk>
}

async function totalsChange({ counts, log }: Stream, id: string, logs: EventLog): Promise<CatalogChange> {
  const totals = totalsOf(counts)
  const { events, bytes } = await logs.totals(log)
  const document: StoredTotals = { life: counts.incarnation, log, events, bytes, totals }
  return { collection: 'meter-totals', id, document }
}

interface StoredTotals {
  readonly life: number
  readonly log: number
  readonly events: number
  readonly bytes: number
  readonly totals: Totals
}

/** Undefined for a document that cannot be read. Then only the log's own totals are known. */
function decodeTotals(document: unknown): StoredTotals | undefined {
  const { life, log, events, bytes, totals } = (document ?? {}) as Partial<StoredTotals>
  const numbers = [life, log, events, bytes, ...(Array.isArray(totals) ? totals : [])]
  if (numbers.length !== 4 + WIDTH || !numbers.every((number) => Number.isSafeInteger(number)))
    return undefined
  return document as StoredTotals
}

function setTotals(counts: StreamCounts, totals: Totals): void {
  for (const [i, name] of COUNTED.entries()) counts[name] = totals[i]!
}
