/**
 * One write over several logs and documents, with conditions. All of it is in one LevelDB write, or none of it is
 * written.
 *
 * Its events wait in the LogWriters of their logs, in the order of all appends. A joint write is ready when only joint
 * writes of the same LevelDB write wait before its events. So it is never split, and no later change is written before
 * it. Its conditions are checked while no write runs, against the documents on disk and the documents of the joint
 * writes before it in the group.
 */
import type { CatalogChange, CatalogCondition } from '../catalog.ts'
import type { Position } from '../log.ts'
import type { WriteResult } from '../storage.ts'
import type { StorageError } from '../storage-error.ts'
import { documentText } from './document-codec.ts'
import { documentKey } from './keys.ts'
import type { Batch, Level } from './level.ts'
import { storageErrorOf } from './level-error.ts'
import type { Change, Waiting } from './log-change.ts'

/** A document as LevelDB stores it. If `text` is undefined, the document is deleted. */
interface EncodedChange {
  readonly key: Buffer
  readonly name: string
  readonly text: string | undefined
}

interface EncodedCondition {
  readonly name: string
  readonly version: string | undefined
}

/** The part of a LogWriter (log-writer.ts) that joint writes use. */
export interface JointLog {
  /** Throws StorageError 'dropped' if the log accepts no events. */
  assertTakes(): void
  enqueueJoint(joint: readonly Waiting[]): void
  /** Whether this one waits behind so many others. */
  isJointAt(index: number, joint: Waiting): boolean
  withdrawJoint(joint: readonly Waiting[]): void
  stageJoint(batch: Batch, nowMs: number, joint: ReadonlySet<Waiting>): void
  settle(error?: StorageError): void
  joinAgain(): void
  refuse(error: StorageError): void
}

/** A change of one log that is part of a joint write. */
export interface JointChange {
  readonly writer: JointLog
  readonly change: Change
  readonly bytes: number
}

export interface JointParts {
  readonly logChanges: readonly (JointChange | undefined)[]
  readonly changes: readonly CatalogChange[]
  readonly conditions: readonly CatalogCondition[]
  /** Whether the commits of documents that were accepted before this write have been staged. */
  readonly isNext: () => boolean
}

/** Texts of documents by key, as of the moment when the next joint write is staged. */
export type DocumentTexts = Map<string, string | undefined>

export class JointWrite {
  readonly documents: readonly EncodedChange[]
  readonly conditions: readonly EncodedCondition[]
  /** Number of changes, and their approximate bytes. */
  readonly count: number
  readonly bytes: number
  readonly result: Promise<WriteResult>
  readonly #isNext: () => boolean
  readonly #byWriter = new Map<JointLog, Waiting[]>()
  readonly #positions: (Position | undefined)[]
  #resolve: (result: WriteResult) => void = () => {}
  #reject: (error: unknown) => void = () => {}

  constructor({ logChanges, changes, conditions, isNext }: JointParts) {
    this.#isNext = isNext
    this.documents = changes.map(encoded)
    this.conditions = conditions.map(({ collection, id, version }) => ({
      name: nameOf(documentKey(collection, id)),
      version,
    }))
    this.#positions = logChanges.map(() => undefined)
    let bytes = 0
    for (const [i, part] of logChanges.entries()) {
      if (part === undefined) continue
      this.#add(i, part)
      bytes += part.bytes
    }
    for (const { text } of this.documents) bytes += text?.length ?? 0
    this.bytes = bytes
    this.count = logChanges.length + changes.length
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  #add(index: number, { writer, change, bytes }: JointChange): void {
    const waiting: Waiting = {
      change,
      bytes,
      resolve: (position) => {
        this.#positions[index] = position
      },
      reject() {}, // the joint write itself rejects
      sequence: 0,
    }
    const others = this.#byWriter.get(writer)
    if (others === undefined) this.#byWriter.set(writer, [waiting])
    else others.push(waiting)
  }

  get logs(): Iterable<JointLog> {
    return this.#byWriter.keys()
  }

  /** Its changes, log by log, in the order of each log. */
  get entries(): Waiting[] {
    return [...this.#byWriter.values()].flat()
  }

  /** Enqueues its changes in each log. */
  enqueue(): void {
    for (const [writer, waiting] of this.#byWriter) writer.enqueueJoint(waiting)
  }

  /** Whether only joint writes wait before it that are taken already: `taken` has their number of changes in each log. */
  isNext(taken: Map<JointLog, number>): boolean {
    if (!this.#isNext()) return false
    for (const [writer, [first]] of this.#byWriter)
      if (!writer.isJointAt(taken.get(writer) ?? 0, first!)) return false
    return true
  }

  take(taken: Map<JointLog, number>): void {
    for (const [writer, { length }] of this.#byWriter) taken.set(writer, (taken.get(writer) ?? 0) + length)
  }

  holds(texts: DocumentTexts): boolean {
    return this.conditions.every(({ name, version }) => texts.get(name) === version)
  }

  /** Updates the texts to the state after its documents are written. */
  change(texts: DocumentTexts): void {
    for (const { name, text } of this.documents) if (texts.has(name)) texts.set(name, text)
  }

  /** Stages its documents only: the writers of its logs stage the events. */
  stageDocuments(batch: Batch): void {
    for (const { key, text } of this.documents) {
      if (text === undefined) batch.del(key)
      else batch.put(key, Buffer.from(text, 'utf8'))
    }
  }

  /** The write is durable; with an error, it was not acknowledged. */
  settle(error?: StorageError): void {
    if (error === undefined) this.#resolve({ outcome: 'done', positions: this.#positions })
    else this.#reject(error)
  }

  conflict(): void {
    this.#withdraw()
    this.#resolve({ outcome: 'conflict', positions: [] })
  }

  /** It has not been written and will not be written. */
  fail(error: unknown): void {
    this.#withdraw()
    this.#reject(error)
  }

  #withdraw(): void {
    for (const [writer, waiting] of this.#byWriter) writer.withdrawJoint(waiting)
  }

  refuse(error: StorageError): void {
    for (const writer of this.#byWriter.keys()) writer.refuse(error)
    this.#reject(error)
  }
}

function encoded({ collection, id, document }: CatalogChange): EncodedChange {
  const key = documentKey(collection, id)
  return { key, name: nameOf(key), text: document === undefined ? undefined : documentText(key, document) }
}

function nameOf(key: Buffer): string {
  return key.toString('utf8')
}

/** Reads the documents that the conditions of these writes name. Rejects with StorageError if LevelDB cannot read. */
export async function conditionTexts(db: Level, writes: readonly JointWrite[]): Promise<DocumentTexts> {
  const names = [...new Set(writes.flatMap(({ conditions }) => conditions.map(({ name }) => name)))]
  const texts: DocumentTexts = new Map()
  if (names.length === 0) return texts
  try {
    const values = await db.getMany<string, string>(names, { keyEncoding: 'utf8', valueEncoding: 'utf8' })
    for (const [i, name] of names.entries()) texts.set(name, values[i])
  } catch (error) {
    throw storageErrorOf(error)
  }
  return texts
}
