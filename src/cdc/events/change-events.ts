/**
 * Changes of a table as events: the envelope of Debezium in JSON, the key, and a tombstone after each delete.
 *
 *   headers    key, as JSON in printable ASCII; content.type; tombstone: true;
 *              __debezium.newkey of a delete and __debezium.oldkey of an insert that are an update of the key
 *   envelope   before, after, source, transaction, op, ts_ms, ts_us, ts_ns; a tombstone has an empty body
 *
 * This is the hot path of capture. An envelope is one text, written once into a buffer that grows; parts that many changes share
 * are kept.
 */
import { encodeHeaders } from '../../../storage/header-set.ts'
import type { HeadedEvents } from '../../../storage/log.ts'
import type { CapturedTable } from '../captured-table.ts'
import type { CapturedEvents } from '../worker/capture-protocol.ts'
import { type ColumnJson, columnJson } from './column-json.ts'

/** A row: PostgreSQL's texts of its values, in the order of `table.columns`. Columns beyond its end are NULL. */
export type RowTexts = readonly (string | null)[]

export type SnapshotMark =
  | 'first'
  | 'first_in_data_collection'
  | 'true'
  | 'last_in_data_collection'
  | 'last'
  | 'false'

export interface RowChange {
  /** r: row of a snapshot, c: insert, u: update, d: delete, t: truncate. */
  readonly op: 'r' | 'c' | 'u' | 'd' | 't'
  /** Of u and d. */
  readonly before?: RowTexts
  /** Of r, c and u. */
  readonly after?: RowTexts
  readonly snapshot: SnapshotMark
  /** Of the change; of a row of a snapshot that of the snapshot. */
  readonly lsn: bigint
  /** Of the last commit that was seen before; null: none. */
  readonly lastCommitLsn: bigint | null
  readonly txId: number
  /** Microseconds since 1970: commit of the transaction, or start of the snapshot. */
  readonly commitUs: bigint
  /** Nanoseconds since 1970. */
  readonly processedNs: bigint
}

export interface EventSource {
  /** First part of the names of the streams. */
  readonly environment: string
  readonly database: string
  /** `0.3.0`, of this service. */
  readonly version: string
}

type Header = readonly [name: string, value: string]

const JSON_TYPE: Header = ['content.type', 'application/json']
const TOMBSTONE: Header = ['tombstone', 'true']
const NEW_KEY = '__debezium.newkey'
const OLD_KEY = '__debezium.oldkey'
const TRUNCATE_HEADERS: readonly Header[] = [JSON_TYPE]

export class TableEvents {
  readonly #table: CapturedTable
  readonly #columns: readonly Member[]
  readonly #keys: readonly KeyMember[]
  readonly #source: SourceTexts
  readonly #times = new ProcessingTimes()
  readonly #bodies = new Bodies()

  constructor(table: CapturedTable, source: EventSource) {
    this.#table = { schema: table.schema, table: table.table, oid: table.oid, columns: [], key: [] }
    this.#columns = table.columns.map((column, index) => ({
      prefix: `${index === 0 ? '{' : ','}${JSON.stringify(column.name)}:`,
      json: columnJson(column),
    }))
    this.#keys = table.key.map((name, index) => {
      const at = table.columns.findIndex((column) => column.name === name)
      const prefix = `${index === 0 ? '{' : ','}${JSON.stringify(name)}:`
      return { index: at, prefix, json: this.#columns[at]!.json }
    })
    this.#source = new SourceTexts(table, source)
  }

  /** Bytes of the events since the last `take`. */
  get byteLength(): number {
    return this.#bodies.byteLength
  }

  /** Adds the events of a change. An update with another key is a delete, a tombstone and an insert. */
  add(change: RowChange): void {
    const { op, before, after } = change
    if (op === 't') {
      this.#add(TRUNCATE_HEADERS, `{"before":null,"after":null${this.#rest(change, 't')}`)
    } else if (op === 'd') {
      this.#delete(change, before!, this.#key(before!))
    } else if (op === 'u' && before !== undefined && this.#isOtherKey(before, after!)) {
      const oldKey = this.#key(before)
      const newKey = this.#key(after!)
      this.#delete(change, before, oldKey, [NEW_KEY, newKey])
      this.#insert(change, 'c', after!, newKey, [OLD_KEY, oldKey])
    } else if (op === 'u' && before !== undefined) {
      this.#update(change, before, after!)
    } else {
      this.#insert(change, op, after!, this.#key(after!))
    }
  }

  /** The events since the last call; undefined if there are none. Their bytes are a copy of their own. */
  take(): CapturedEvents | undefined {
    const events = this.#bodies.take()
    if (events === undefined) return undefined
    const { schema, table } = this.#table
    return { table: { schema, table }, ...events }
  }

  #insert(change: RowChange, op: string, after: RowTexts, key: string, ...more: Header[]): void {
    this.#add(
      [['key', key], JSON_TYPE, ...more],
      `{"before":null,"after":${this.#row(after)}${this.#rest(change, op)}`,
    )
  }

  #delete(change: RowChange, before: RowTexts, key: string, ...more: Header[]): void {
    this.#add(
      [['key', key], JSON_TYPE, ...more],
      `{"before":${this.#row(before)},"after":null${this.#rest(change, 'd')}`,
    )
    this.#add([['key', key], JSON_TYPE, TOMBSTONE, ...more], '')
  }

  /** Values that the update did not change are converted once. */
  #update(change: RowChange, before: RowTexts, after: RowTexts): void {
    let old = ''
    let present = ''
    for (let index = 0; index < this.#columns.length; index++) {
      const { prefix, json } = this.#columns[index]!
      const oldText = before[index] ?? null
      const text = after[index] ?? null
      const value = text === null ? 'null' : json(text)
      present += prefix + value
      old += prefix + (oldText === text ? value : oldText === null ? 'null' : json(oldText))
    }
    this.#add(
      [['key', this.#key(after)], JSON_TYPE],
      `{"before":${old}},"after":${present}}${this.#rest(change, 'u')}`,
    )
  }

  #row(texts: RowTexts): string {
    let row = ''
    for (let index = 0; index < this.#columns.length; index++) {
      const { prefix, json } = this.#columns[index]!
      const text = texts[index] ?? null
      row += text === null ? `${prefix}null` : prefix + json(text)
    }
    return `${row}}`
  }

  /** The members after `after`. */
  #rest(change: RowChange, op: string): string {
    return `${this.#source.text(change)},"transaction":null,"op":"${op}"${this.#times.text(change.processedNs)}`
  }

  #key(texts: RowTexts): string {
    let key = ''
    for (const { index, prefix, json } of this.#keys) {
      const text = texts[index] ?? null
      key += text === null ? `${prefix}null` : prefix + json(text)
    }
    return ascii(`${key}}`)
  }

  #isOtherKey(before: RowTexts, after: RowTexts): boolean {
    for (const { index } of this.#keys) if (before[index] !== after[index]) return true
    return false
  }

  #add(headers: readonly Header[], body: string): void {
    this.#bodies.add(encodeHeaders(headers), body)
  }
}

interface Member {
  /** `{"id":` of the first, `,"name":` of the others. */
  readonly prefix: string
  readonly json: ColumnJson
}

interface KeyMember extends Member {
  /** Of its column. */
  readonly index: number
}

/** The member `source`. All of it but the LSN is the same for the changes of a transaction. */
class SourceTexts {
  readonly #start: string
  readonly #database: string
  readonly #table: string
  #commitUs = -1n
  #txId = -1
  #lastCommitLsn: bigint | null = null
  #snapshot = ''
  #head = ''
  #tail = ''

  constructor({ schema, table }: CapturedTable, { environment, database, version }: EventSource) {
    const name = JSON.stringify(environment)
    this.#start = `,"source":{"version":"millrace-${version}","connector":"postgresql","name":${name},"ts_ms":`
    this.#database = JSON.stringify(database)
    this.#table = `"schema":${JSON.stringify(schema)},"table":${JSON.stringify(table)}`
  }

  text(change: RowChange): string {
    if (
      change.txId !== this.#txId ||
      change.commitUs !== this.#commitUs ||
      change.lastCommitLsn !== this.#lastCommitLsn ||
      change.snapshot !== this.#snapshot
    )
      this.#renew(change)
    const lsn = change.lsn.toString()
    return `${this.#head}${lsn}${this.#tail}${lsn},"xmin":null,"origin":null,"origin_lsn":null}`
  }

  #renew({ commitUs, txId, lastCommitLsn, snapshot }: RowChange): void {
    this.#commitUs = commitUs
    this.#txId = txId
    this.#lastCommitLsn = lastCommitLsn
    this.#snapshot = snapshot
    const last = lastCommitLsn === null ? 'null' : `\\"${lastCommitLsn}\\"`
    this.#head = `${this.#start}${commitUs / 1_000n},"snapshot":"${snapshot}","db":${this.#database},"sequence":"[${last},\\"`
    this.#tail = `\\"]","ts_us":${commitUs},"ts_ns":${commitUs * 1_000n},${this.#table},"txId":${txId},"lsn":`
  }
}

/** The members with the time of processing, which end the envelope. */
class ProcessingTimes {
  #ns = -1n
  #text = ''

  text(ns: bigint): string {
    if (ns !== this.#ns) {
      this.#ns = ns
      const digits = ns.toString()
      this.#text = `,"ts_ms":${digits.slice(0, -6)},"ts_us":${digits.slice(0, -3)},"ts_ns":${digits}}`
    }
    return this.#text
  }
}

const BUFFER_BYTES = 256 * 1024
/** A larger buffer is given up when its events are taken. */
const BUFFER_BYTES_KEPT = 4 * 1024 * 1024
/** UTF-8 bytes of one UTF-16 code unit. */
const UTF8_BYTES_MAX = 3

class Bodies {
  #bytes = Buffer.allocUnsafe(BUFFER_BYTES)
  #length = 0
  #bounds: number[] = [0]

  get byteLength(): number {
    return this.#length
  }

  add(headers: Buffer, body: string): void {
    if (this.#bytes.length - this.#length < headers.length + body.length * UTF8_BYTES_MAX)
      this.#reserve(headers.length, body)
    this.#bytes.set(headers, this.#length)
    this.#length += headers.length
    this.#bounds.push(this.#length)
    this.#length += this.#bytes.write(body, this.#length)
    this.#bounds.push(this.#length)
  }

  take(): HeadedEvents | undefined {
    if (this.#bounds.length === 1) return undefined
    const bounds = Uint32Array.from(this.#bounds)
    const bytes = new Uint8Array(this.#length)
    bytes.set(this.#bytes.subarray(0, this.#length))
    if (this.#bytes.length > BUFFER_BYTES_KEPT) this.#bytes = Buffer.allocUnsafe(BUFFER_BYTES)
    this.#length = 0
    this.#bounds = [0]
    return { bytes, bounds }
  }

  #reserve(headersLength: number, body: string): void {
    const needed = this.#length + headersLength + Buffer.byteLength(body)
    if (needed <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#bytes.length))
    this.#bytes.copy(larger, 0, 0, this.#length)
    this.#bytes = larger
  }
}

/** The same JSON in printable ASCII, as in the keys that jobs write. */
function ascii(json: string): string {
  return json.replace(/[\u007f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
