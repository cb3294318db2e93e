/**
 * Snapshots of the catalog, in a topic of their own: where a node begins that has not read the records before.
 *
 *   head:  {"v":1,"snapshot":"<id>","upTo":S,"parts":n}
 *   part:  {"v":1,"part":i,"of":"<id>","docs":[["streams/x",41,{…}],…]}  or  {…,"state":"<piece of the text of a ReplayState>"}
 *   end:   {"v":1,"end":"<id>","docs":N,"crc":…}      crc: CRC-32 of the values of all parts, in their order
 *
 * A snapshot counts only with all its parts and its end. A record may be stored twice.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { crc32 } from '@node-rs/crc32'
import { StorageError } from '../storage-error.ts'
import { CatalogReplay, type ReplayObserver, type ReplayState } from './catalog-replay.ts'
import type { CatalogTopic, PollResult } from './catalog-topic.ts'
import { CATALOG_FORMAT, type Offset } from './change-codec.ts'
import { DocumentTree } from './document-tree.ts'
import { KafkaRequestError } from './error-codes.ts'
import { NO_PRODUCER, RecordBatchBuilder } from './record-batch.ts'

/** Records of the catalog after which a snapshot is written. */
export const SNAPSHOT_RECORDS = 10_000
const PART_BYTES = 512 * 1024
const POLL_MS = 100
const RETRY_MS = 30_000
const PAUSE_MS = 200

interface Snapshot {
  readonly id: string
  readonly upTo: Offset
  readonly count: number
  /** Where its head is in the topic of snapshots. */
  readonly at: Offset
  readonly parts: Map<number, Buffer>
}

export interface FoundSnapshot {
  readonly id: string
  readonly upTo: Offset
  readonly at: Offset
  /** A replay that continues behind it. */
  replay(observer: ReplayObserver): CatalogReplay
}

export class CatalogSnapshots {
  readonly #topic: CatalogTopic

  constructor(topic: CatalogTopic) {
    this.#topic = topic
  }

  /**
   * The complete snapshots, the newest last. One that a node was writing while it was paused may end behind newer ones. Rejects if no
   * leader answers.
   */
  async read(): Promise<FoundSnapshot[]> {
    const begun = new Map<string, Snapshot>()
    const complete: Snapshot[] = []
    const { offset: end } = await this.#topic.end(RETRY_MS)
    let next = await this.#topic.begin()
    const { signal } = new AbortController()
    while (next < end) {
      const result = await this.#poll(next, signal)
      if (result.kind === 'trimmed') return this.read()
      for (const entry of result.entries)
        if (entry.kind === 'record' && entry.value !== null) note(begun, complete, entry.offset, entry.value)
      next = result.next
    }
    complete.sort((a, b) => a.upTo - b.upTo)
    return complete.map((snapshot) => ({
      id: snapshot.id,
      upTo: snapshot.upTo,
      at: snapshot.at,
      replay: (observer) => replayOf(snapshot, observer),
    }))
  }

  async #poll(from: Offset, signal: AbortSignal): Promise<PollResult> {
    const endMs = performance.now() + RETRY_MS
    for (;;) {
      try {
        return await this.#topic.poll(from, POLL_MS, signal)
      } catch (error) {
        if (!(error instanceof KafkaRequestError) || error.isLasting || performance.now() + PAUSE_MS > endMs)
          throw error
      }
      await sleep(PAUSE_MS)
    }
  }

  /** Writes the state of the replay as it is at the time of the call. Resolves with its `upTo` when it is durable. */
  async write(replay: CatalogReplay, id: string): Promise<Offset> {
    const documents = replay.documents.all()
    const state = replay.state()
    const parts = [...partsOf(id, documents, JSON.stringify(state))]
    let crc = 0
    await this.#store({ snapshot: id, upTo: state.upTo, parts: parts.length })
    for (const make of parts) {
      const value = Buffer.from(JSON.stringify({ v: CATALOG_FORMAT, ...make() }), 'utf8')
      crc = crc32(value, crc)
      await this.#storeValue(value)
    }
    await this.#store({ end: id, docs: documents.length, crc })
    return state.upTo
  }

  /** Removes the snapshots that were begun before this one. */
  forgetBefore({ at }: FoundSnapshot): Promise<void> {
    return this.#topic.trim(at)
  }

  #store(record: object): Promise<void> {
    return this.#storeValue(Buffer.from(JSON.stringify({ v: CATALOG_FORMAT, ...record }), 'utf8'))
  }

  async #storeValue(value: Buffer): Promise<void> {
    const builder = new RecordBatchBuilder()
    builder.addRecord({ value })
    const batch = builder.finish()
    batch.seal(NO_PRODUCER)
    const endMs = performance.now() + RETRY_MS
    for (;;) {
      const outcome = await this.#topic.store(batch)
      if (outcome.kind === 'stored') return
      if (outcome.isLasting || performance.now() > endMs)
        throw new StorageError(
          'unavailable',
          `a snapshot of the catalog cannot be written: ${outcome.problem}`,
        )
      await sleep(PAUSE_MS)
    }
  }
}

type Documents = ReturnType<DocumentTree['all']>

function* partsOf(id: string, documents: Documents, state: string): Generator<() => object> {
  let index = 0
  for (let from = 0; from < state.length; from += PART_BYTES) {
    const part = index++
    yield () => ({ part, of: id, state: state.slice(from, from + PART_BYTES) })
  }
  let first = 0
  let bytes = 0
  for (const [i, [key, { text }]] of documents.entries()) {
    bytes += key.length + text.length
    if (bytes < PART_BYTES && i < documents.length - 1) continue
    const [part, docs] = [index++, documents.slice(first, i + 1)]
    yield () => ({
      part,
      of: id,
      docs: docs.map(([key, { text, version }]) => [key, version, JSON.parse(text)]),
    })
    first = i + 1
    bytes = 0
  }
}

/** What is no record of a snapshot is left out: what is missing makes it incomplete. */
function note(begun: Map<string, Snapshot>, complete: Snapshot[], offset: Offset, value: Buffer): void {
  let record: Readonly<Record<string, unknown>>
  try {
    record = JSON.parse(value.toString('utf8'))
  } catch {
    return
  }
  if (record.v !== CATALOG_FORMAT) {
    if (typeof record.v !== 'number') return
    throw new StorageError(
      'format',
      `a snapshot of the catalog has format ${record.v}, and this version reads ${CATALOG_FORMAT}; install the version of the other nodes`,
    )
  }
  const { snapshot, upTo, parts, part, of, end, crc } = record
  if (typeof snapshot === 'string') {
    const [count, known] = [parts as number, begun.get(snapshot)]
    if (known === undefined)
      begun.set(snapshot, { id: snapshot, upTo: upTo as Offset, count, at: offset, parts: new Map() })
  } else if (typeof of === 'string') {
    begun.get(of)?.parts.set(part as number, value)
  } else if (typeof end === 'string') {
    const found = begun.get(end)
    if (found === undefined || complete.includes(found)) return
    if (isComplete(found, crc as number)) {
      complete.push(found)
      const newest = complete.reduce((a, b) => (b.upTo > a.upTo ? b : a))
      for (const other of complete) if (other !== newest) other.parts.clear() // only the newest is loaded
    }
  }
}

function isComplete({ count, parts }: Snapshot, wanted: number): boolean {
  let crc = 0
  for (let i = 0; i < count; i++) {
    const part = parts.get(i)
    if (part === undefined) return false
    crc = crc32(part, crc)
  }
  return crc === wanted
}

function replayOf({ parts, count }: Snapshot, observer: ReplayObserver): CatalogReplay {
  const documents = new DocumentTree()
  let state = ''
  for (let i = 0; i < count; i++) {
    const { docs = [], state: piece = '' } = JSON.parse(parts.get(i)!.toString('utf8')) as {
      docs?: [string, Offset, unknown][]
      state?: string
    }
    for (const [key, version, document] of docs)
      documents.put(key, { text: JSON.stringify(document), version })
    state += piece
  }
  return new CatalogReplay(observer, JSON.parse(state) as ReplayState, documents)
}
