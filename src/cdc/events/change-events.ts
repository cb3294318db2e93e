/**
 * Changes of a table as events: the envelope of Debezium in JSON, the key, and a tombstone after each delete.
 *
 *   headers    key, as JSON in printable ASCII; content.type; tombstone: true;
 *              __debezium.newkey of a delete and __debezium.oldkey of an insert that are an update of the key
 *   envelope   before, after, source, transaction, op, ts_ms, ts_us, ts_ns; a tombstone has an empty body
 *
 * This is the hot path of capture. Bytes of values are copied to where they stay; parts that many changes share are prepared, and of
 * those only the digits of the LSN are written again. An event costs no objects.
 */
import { writeVarint } from '../../../storage/varint.ts'
import type { CapturedTable } from '../captured-table.ts'
import type { CapturedEvents } from '../worker/capture-protocol.ts'
import { ByteWriter } from './byte-writer.ts'
import { type ColumnBytes, columnBytes } from './column-bytes.ts'
import { EnvelopeTails } from './envelope-tails.ts'
import { eventBuffer } from './event-buffers.ts'
import { isSameValue, type RowBytes } from './row-bytes.ts'
import type { EventSource, RowChange } from './row-change.ts'

const BUFFER_BYTES = 256 * 1024
/** A larger buffer is given up when its events are taken. */
const BUFFER_BYTES_KEPT = 4 * 1024 * 1024
const KEY_BYTES = 1024
const HEADER_BYTES_MAX = 128

export class TableEvents {
  readonly #table: CapturedTable
  readonly #columns: readonly Member[]
  readonly #keys: readonly KeyMember[]
  readonly #tails: EnvelopeTails
  readonly #out = new ByteWriter(BUFFER_BYTES, BUFFER_BYTES_KEPT)
  /** Of HeadedEvents. */
  #bounds: number[] = [0]
  readonly #key = new ByteWriter(KEY_BYTES, BUFFER_BYTES)
  /** Of an update of the key: the key before or after it. */
  readonly #otherKey = new ByteWriter(KEY_BYTES, BUFFER_BYTES)

  constructor(table: CapturedTable, source: EventSource) {
    this.#table = { schema: table.schema, table: table.table, oid: table.oid, columns: [], key: [] }
    this.#columns = table.columns.map((column, index) => ({
      prefix: memberPrefix(column.name, index),
      write: columnBytes(column),
    }))
    this.#keys = table.key.map((name, index) => {
      const at = table.columns.findIndex((column) => column.name === name)
      return { index: at, prefix: memberPrefix(name, index), write: this.#columns[at]!.write }
    })
    this.#tails = new EnvelopeTails(table, source)
  }

  /** Bytes of the events since the last `take`. */
  get byteLength(): number {
    return this.#out.at
  }

  /** Adds the events of a change. An update with another key is a delete, a tombstone and an insert. */
  add(change: RowChange): void {
    const { op, before, after } = change
    if (op === 't') {
      this.#beginHeaders(1)
      this.#out.put(JSON_TYPE)
      this.#end()
      this.#envelope(change, 't', undefined, undefined)
    } else if (op === 'd') {
      this.#writeKey(this.#key, before!)
      this.#delete(change, before!, undefined)
    } else if (op === 'u' && before !== undefined && this.#isOtherKey(before, after!)) {
      this.#writeKey(this.#key, before)
      this.#writeKey(this.#otherKey, after!)
      this.#delete(change, before, this.#otherKey)
      this.#headers(this.#otherKey, false, OLD_KEY, this.#key)
      this.#envelope(change, 'c', undefined, after)
    } else {
      this.#writeKey(this.#key, after!)
      this.#headers(this.#key, false)
      this.#envelope(change, op, op === 'u' ? before : undefined, after)
    }
  }

  /** The events since the last call; undefined if there are none. Their bytes are a copy of their own. */
  take(): CapturedEvents | undefined {
    if (this.#bounds.length === 1) return undefined
    const bounds = Uint32Array.from(this.#bounds)
    const bytes = eventBuffer(this.#out.at)
    bytes.set(this.#out.bytes.subarray(0, this.#out.at))
    this.#out.clear()
    this.#bounds = [0]
    const { schema, table } = this.#table
    return { table: { schema, table }, bytes, bounds }
  }

  #delete(change: RowChange, before: RowBytes, newKey: ByteWriter | undefined): void {
    this.#headers(this.#key, false, NEW_KEY, newKey)
    this.#envelope(change, 'd', before, undefined)
    this.#headers(this.#key, true, NEW_KEY, newKey)
    this.#end() // of an empty body
  }

  /** The header set of an event with a key: header-set.ts of the storage. */
  #headers(key: ByteWriter, isTombstone: boolean, name?: Buffer, value?: ByteWriter): void {
    this.#beginHeaders(2 + (isTombstone ? 1 : 0) + (value === undefined ? 0 : 1))
    const out = this.#out
    out.put(KEY_NAME)
    this.#headerValue(key)
    out.put(JSON_TYPE)
    if (isTombstone) out.put(TOMBSTONE)
    if (value !== undefined) {
      out.put(name!)
      this.#headerValue(value)
    }
    this.#end()
  }

  #beginHeaders(count: number): void {
    this.#out.reserve(HEADER_BYTES_MAX)
    this.#out.bytes[this.#out.at++] = count
  }

  #headerValue({ bytes, at }: ByteWriter): void {
    const out = this.#out
    out.reserve(HEADER_BYTES_MAX)
    out.at = writeVarint(out.bytes, out.at, at)
    out.copy(bytes, 0, at)
  }

  #envelope(change: RowChange, op: RowChange['op'], before?: RowBytes, after?: RowBytes): void {
    const out = this.#out
    out.put(BEFORE)
    if (before === undefined) out.put(NULL)
    else this.#row(before)
    out.put(AFTER)
    if (after === undefined) out.put(NULL)
    else this.#row(after)
    out.put(this.#tails.tail(change, op))
    this.#end()
  }

  /** The present header set, or body, ends here. */
  #end(): void {
    this.#bounds.push(this.#out.at)
  }

  #row(row: RowBytes): void {
    const out = this.#out
    for (let i = 0; i < this.#columns.length; i++) {
      const { prefix, write } = this.#columns[i]!
      out.put(prefix)
      const end = row.endOf(i)
      if (end < 0) out.put(NULL)
      else write(out, row.bytes, row.starts[i]!, end)
    }
    out.byte(CLOSE)
  }

  #writeKey(out: ByteWriter, row: RowBytes): void {
    out.clear()
    for (const { index, prefix, write } of this.#keys) {
      out.put(prefix)
      const end = row.endOf(index)
      if (end < 0) out.put(NULL)
      else write(out, row.bytes, row.starts[index]!, end)
    }
    out.byte(CLOSE)
    const { bytes, at } = out
    for (let i = 0; i < at; i++) {
      if (bytes[i]! < DELETE) continue
      writeAscii(out)
      return
    }
  }

  #isOtherKey(before: RowBytes, after: RowBytes): boolean {
    for (const { index } of this.#keys) if (!isSameValue(before, after, index)) return true
    return false
  }
}

interface Member {
  /** `{"id":` of the first, `,"name":` of the others. */
  readonly prefix: Buffer
  readonly write: ColumnBytes
}

interface KeyMember extends Member {
  /** Of its column. */
  readonly index: number
}

function memberPrefix(name: string, index: number): Buffer {
  return Buffer.from(`${index === 0 ? '{' : ','}${JSON.stringify(name)}:`)
}

/** Replaces JSON by the same JSON in printable ASCII, as in the keys that jobs write. */
function writeAscii(out: ByteWriter): void {
  const json = out.bytes.toString('utf8', 0, out.at)
  out.clear()
  out.text(
    json.replace(/[\u007f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`),
  )
}

/** A name of a header, or a text of its value: its length and its bytes. */
function headerText(text: string): Buffer {
  return Buffer.from([text.length, ...Buffer.from(text)])
}

const KEY_NAME = headerText('key')
const JSON_TYPE = Buffer.concat([headerText('content.type'), headerText('application/json')])
const TOMBSTONE = Buffer.concat([headerText('tombstone'), headerText('true')])
const NEW_KEY = headerText('__debezium.newkey')
const OLD_KEY = headerText('__debezium.oldkey')
const BEFORE = Buffer.from('{"before":')
const AFTER = Buffer.from(',"after":')
const NULL = Buffer.from('null')
const CLOSE = 0x7d
const DELETE = 0x7f // the first character that is not printable ASCII
