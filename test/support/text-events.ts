/**
 * Events of changes in the plain way, as texts: what the events of src/cdc/events are compared with, byte by byte.
 */

import type { CapturedTable } from '../../src/cdc/captured-table.ts'
import { type ColumnJson, columnJson } from '../../src/cdc/events/column-json.ts'
import type { RowTexts } from '../../src/cdc/events/row-bytes.ts'
import type { EventSource, RowChange } from '../../src/cdc/events/row-change.ts'
import { encodeHeaders } from '../../storage/header-set.ts'

export type TextChange = Omit<RowChange, 'before' | 'after'> & {
  readonly before?: RowTexts
  readonly after?: RowTexts
}

type Header = readonly [name: string, value: string]

const JSON_TYPE: Header = ['content.type', 'application/json']
const TOMBSTONE: Header = ['tombstone', 'true']
const NEW_KEY = '__debezium.newkey'
const OLD_KEY = '__debezium.oldkey'
const TRUNCATE_HEADERS: readonly Header[] = [JSON_TYPE]

export class TextEvents {
  readonly #columns: readonly Member[]
  readonly #keys: readonly KeyMember[]
  readonly #source: SourceTexts
  readonly #times = new ProcessingTimes()
  /** Header set and body of each event. */
  readonly events: Buffer[] = []

  constructor(table: CapturedTable, source: EventSource) {
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

  /** Adds the events of a change. An update with another key is a delete, a tombstone and an insert. */
  add(change: TextChange): void {
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

  #insert(change: TextChange, op: string, after: RowTexts, key: string, ...more: Header[]): void {
    this.#add(
      [['key', key], JSON_TYPE, ...more],
      `{"before":null,"after":${this.#row(after)}${this.#rest(change, op)}`,
    )
  }

  #delete(change: TextChange, before: RowTexts, key: string, ...more: Header[]): void {
    this.#add(
      [['key', key], JSON_TYPE, ...more],
      `{"before":${this.#row(before)},"after":null${this.#rest(change, 'd')}`,
    )
    this.#add([['key', key], JSON_TYPE, TOMBSTONE, ...more], '')
  }

  /** Values that the update did not change are converted once. */
  #update(change: TextChange, before: RowTexts, after: RowTexts): void {
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
  #rest(change: TextChange, op: string): string {
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
    for (const { index } of this.#keys) if ((before[index] ?? null) !== (after[index] ?? null)) return true
    return false
  }

  #add(headers: readonly Header[], body: string): void {
    this.events.push(Buffer.concat([encodeHeaders(headers), Buffer.from(body)]))
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

  text(change: TextChange): string {
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

  #renew({ commitUs, txId, lastCommitLsn, snapshot }: TextChange): void {
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

/** The same JSON in printable ASCII, as in the keys that jobs write. */
function ascii(json: string): string {
  return json.replace(/[\u007f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
