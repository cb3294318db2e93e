/**
 * Records of the catalog's topic, as JSON. `v` is the format: a node that meets another one stops serving. `node`, `life`
 * and `n` number the records of one node: `life` is the number of its opening, `n` counts from 1.
 *
 *   change:   {"v":1,"kind":"change","node":"a","life":3,"n":7,"reads":[["streams/x",41],["streams/y",-1]],
 *              "puts":[["streams/x",{…}]],"deletes":["streams/z"]}
 *   barrier:  {"v":1,"kind":"barrier",…,"ask":true}       changes nothing; `ask`: every node sends its heartbeat at once
 *   beat:     {"v":1,"kind":"beat",…,"applied":812,"url":"http://…","bye":true}
 *   intent:   {"v":1,"kind":"intent",…,"transaction":"<transactional id>","reads":…,"writes":["streams/x"]}
 *   settle:   {"v":1,"kind":"settle","node":"a","life":3,"write":8,"locked":true,"puts":…,"deletes":…}
 *   release:  {"v":1,"kind":"release",…,"lock":["b",2,19]}
 *
 * A key is `<collection>/<id>`; a collection has no slash. The version of a read is the offset of the record that wrote the
 * document, -1 if there is none.
 *
 * An intent locks documents for one write with events (catalog-replay.ts); `settle` is its last part, in the transaction of the
 * events. A settle has no `n`, because the brokers store it once. Its `write` is the `n` of its intent.
 */
import { StorageError } from '../storage-error.ts'

export const CATALOG_FORMAT = 1

/** A document of the catalog: `<collection>/<id>`. */
export type DocumentKey = string

/** Offset of a record in the catalog's topic; -1 for a document that does not exist. */
export type Offset = number

export const ABSENT: Offset = -1

/** Who wrote a record, and its number. */
export interface Sender {
  readonly node: string
  readonly life: number
  readonly n: number
}

/** What has to be so, for a change to be applied. */
export interface Conditions {
  readonly reads: readonly (readonly [key: DocumentKey, version: Offset])[]
}

export interface Puts {
  /** Documents as JSON values. */
  readonly puts: readonly (readonly [key: DocumentKey, document: unknown])[]
  readonly deletes: readonly DocumentKey[]
}

export interface ChangeRecord extends Conditions, Puts {
  readonly kind: 'change'
  readonly from: Sender
}

export interface BarrierRecord {
  readonly kind: 'barrier'
  readonly from: Sender
  readonly ask: boolean
}

export interface BeatRecord {
  readonly kind: 'beat'
  readonly from: Sender
  /** The node has applied every record before this offset. */
  readonly applied: Offset
  readonly url: string | undefined
  /** The node stops. */
  readonly bye: boolean
}

export interface IntentRecord extends Conditions {
  readonly kind: 'intent'
  readonly from: Sender
  /** Fencing this transactional id ends the write. */
  readonly transaction: string
  readonly writes: readonly DocumentKey[]
}

export interface SettleRecord extends Puts {
  readonly kind: 'settle'
  /** `n` is that of the intent, or any number of this sender if there was none. */
  readonly from: Sender
  /** Whether an intent has locked the documents. */
  readonly locked: boolean
}

export interface ReleaseRecord {
  readonly kind: 'release'
  readonly from: Sender
  /** The sender of the intent. */
  readonly lock: Sender
}

export type CatalogRecord =
  | ChangeRecord
  | BarrierRecord
  | BeatRecord
  | IntentRecord
  | SettleRecord
  | ReleaseRecord

export function encodeRecord(record: CatalogRecord): Buffer {
  return Buffer.from(JSON.stringify(wireOf(record)), 'utf8')
}

function wireOf(record: CatalogRecord): object {
  const { node, life, n } = record.from
  const head = { v: CATALOG_FORMAT, kind: record.kind, node, life }
  const numbered = { ...head, n }
  switch (record.kind) {
    case 'change': {
      const { reads, puts, deletes } = record
      return { ...numbered, reads, puts, deletes }
    }
    case 'barrier':
      return { ...numbered, ask: record.ask }
    case 'beat': {
      const { applied, url, bye } = record
      return { ...numbered, applied, ...(url !== undefined && { url }), ...(bye && { bye }) }
    }
    case 'intent': {
      const { transaction, reads, writes } = record
      return { ...numbered, transaction, reads, writes }
    }
    case 'settle': {
      const { locked, puts, deletes } = record
      return { ...head, write: n, locked, puts, deletes }
    }
    case 'release': {
      const { lock } = record
      return { ...numbered, lock: [lock.node, lock.life, lock.n] }
    }
  }
}

/**
 * Throws StorageError 'format' for a record of another format, and 'corrupt' for one that no version of this service writes.
 * `where` names the record in messages.
 */
export function decodeRecord(value: Uint8Array | null, where: string): CatalogRecord {
  let wire: unknown
  try {
    wire = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(value ?? new Uint8Array()))
  } catch (cause) {
    throw new StorageError('corrupt', `${where} is not JSON; another program has written to the catalog`, {
      cause,
    })
  }
  if (!isObject(wire) || typeof wire.v !== 'number') throw foreign(where)
  if (wire.v !== CATALOG_FORMAT) {
    throw new StorageError(
      'format',
      `${where} has format ${wire.v}, and this version reads ${CATALOG_FORMAT}; install the version of the other nodes`,
    )
  }
  const record = recordOf(wire)
  if (record === undefined) throw foreign(where)
  return record
}

function foreign(where: string): StorageError {
  return new StorageError('corrupt', `${where} is no record of a catalog; another program has written to it`)
}

function recordOf(wire: Wire): CatalogRecord | undefined {
  const from = senderOf([wire.node, wire.life, wire.kind === 'settle' ? wire.write : wire.n])
  if (from === undefined) return undefined
  switch (wire.kind) {
    case 'change': {
      const conditions = conditionsOf(wire)
      const puts = putsOf(wire)
      return conditions && puts && { kind: 'change', from, ...conditions, ...puts }
    }
    case 'barrier':
      return { kind: 'barrier', from, ask: wire.ask === true }
    case 'beat': {
      const { applied, url, bye } = wire
      if (!isOffset(applied) || (url !== undefined && typeof url !== 'string')) return undefined
      return { kind: 'beat', from, applied, url, bye: bye === true }
    }
    case 'intent': {
      const conditions = conditionsOf(wire)
      const { transaction, writes } = wire
      if (conditions === undefined || typeof transaction !== 'string' || !isKeys(writes)) return undefined
      return { kind: 'intent', from, transaction, ...conditions, writes }
    }
    case 'settle': {
      const puts = putsOf(wire)
      return puts && { kind: 'settle', from, locked: wire.locked === true, ...puts }
    }
    case 'release': {
      const lock = Array.isArray(wire.lock) ? senderOf(wire.lock) : undefined
      return lock && { kind: 'release', from, lock }
    }
    default:
      return undefined
  }
}

type Wire = Readonly<Record<string, unknown>>

function isObject(value: unknown): value is Wire {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isOffset(value: unknown): value is Offset {
  return Number.isSafeInteger(value) && (value as number) >= ABSENT
}

function isKeys(value: unknown): value is readonly DocumentKey[] {
  return Array.isArray(value) && value.every((key) => typeof key === 'string')
}

function isVersioned(value: unknown): value is readonly (readonly [string, Offset])[] {
  return (
    Array.isArray(value) &&
    value.every((read) => Array.isArray(read) && typeof read[0] === 'string' && isOffset(read[1]))
  )
}

function senderOf([node, life, n]: readonly unknown[]): Sender | undefined {
  if (typeof node !== 'string' || !isOffset(life) || !isOffset(n)) return undefined
  return { node, life, n }
}

function conditionsOf({ reads }: Wire): Conditions | undefined {
  return isVersioned(reads) ? { reads } : undefined
}

function putsOf({ puts, deletes }: Wire): Puts | undefined {
  const isPuts =
    Array.isArray(puts) &&
    puts.every((put) => Array.isArray(put) && put.length === 2 && typeof put[0] === 'string')
  return isPuts && isKeys(deletes) ? { puts: puts as Puts['puts'], deletes } : undefined
}
