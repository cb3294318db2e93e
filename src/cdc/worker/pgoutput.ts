/**
 * Decodes the messages of PostgreSQL's plug-in pgoutput, protocol version 1, which all versions from 10 on send: whole transactions
 * in the order of their commits. The layouts are those of "Logical Replication Message Formats" in PostgreSQL's manual.
 *
 *   message of the stream := 'w' start u64 | end u64 | time u64 | pgoutput message
 *                          | 'k' end u64 | time u64 | reply u8                      keep-alive
 *
 * Values are UTF-8 texts. A decoded message holds nothing of the received bytes.
 */

/** A value of a row: text, null, or undefined: a large value that was not changed and is not sent. */
export type SentValue = string | null | undefined
export type SentRow = readonly SentValue[]

export interface SentColumn {
  readonly name: string
  readonly typeOid: number
  readonly typmod: number
}

export interface Relation {
  readonly kind: 'relation'
  readonly oid: number
  readonly schema: string
  readonly table: string
  readonly columns: readonly SentColumn[]
}

export type StreamMessage =
  /** `commitLsn`: where the record of the commit begins. */
  | {
      readonly kind: 'begin'
      readonly commitLsn: bigint
      readonly commitUs: bigint
      readonly txId: number
    }
  | { readonly kind: 'commit'; readonly endLsn: bigint }
  | Relation
  | { readonly kind: 'insert'; readonly oid: number; readonly after: SentRow; readonly lsn: bigint }
  /** `key`: the columns of the identity before the change, the others are null; only if they were changed. `before`: the whole row. */
  | {
      readonly kind: 'update'
      readonly oid: number
      readonly key: SentRow | undefined
      readonly before: SentRow | undefined
      readonly after: SentRow
      readonly lsn: bigint
    }
  | {
      readonly kind: 'delete'
      readonly oid: number
      readonly key: SentRow | undefined
      readonly before: SentRow | undefined
      readonly lsn: bigint
    }
  | { readonly kind: 'truncate'; readonly oids: readonly number[]; readonly lsn: bigint }
  | { readonly kind: 'keepalive'; readonly endLsn: bigint; readonly wantsReply: boolean }

/** Microseconds from 1970 to 2000, where PostgreSQL's time begins. */
const EPOCH_US = 946_684_800_000_000n

const HEADER_BYTES = 25

/** Undefined for a message that says nothing about rows: types, origins, messages of applications. Throws for an unknown one. */
export function decodeMessage(bytes: Buffer): StreamMessage | undefined {
  const type = bytes[0]
  if (type === 0x6b /* k */) {
    return { kind: 'keepalive', endLsn: bytes.readBigUInt64BE(1), wantsReply: bytes[17] === 1 }
  }
  if (type !== 0x77 /* w */) throw new Error(`the stream of changes has an unknown message ${type}`)
  return new MessageReader(bytes).message(bytes.readBigUInt64BE(1))
}

class MessageReader {
  readonly #bytes: Buffer
  #at = HEADER_BYTES

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  message(lsn: bigint): StreamMessage | undefined {
    const type = this.#byte()
    switch (type) {
      case 0x49: // I
        return this.#insert(lsn)
      case 0x55: // U
        return this.#update(lsn)
      case 0x44: // D
        return this.#delete(lsn)
      case 0x42: // B
        return {
          kind: 'begin',
          commitLsn: this.#u64(),
          commitUs: this.#i64() + EPOCH_US,
          txId: this.#u32(),
        }
      case 0x43: // C
        this.#at += 9 // flags, where the record of the commit begins
        return { kind: 'commit', endLsn: this.#u64() }
      case 0x52: // R
        return this.#relation()
      case 0x54: // T
        return this.#truncate(lsn)
      case 0x59: // Y, a type
      case 0x4f: // O, an origin
      case 0x4d: // M, a message
        return undefined
      default:
        throw new Error(`the stream of changes has an unknown message of pgoutput ${type}`)
    }
  }

  #insert(lsn: bigint): StreamMessage {
    const oid = this.#u32()
    this.#at++ // N
    return { kind: 'insert', oid, after: this.#row(), lsn }
  }

  #update(lsn: bigint): StreamMessage {
    const oid = this.#u32()
    let kind = this.#byte()
    let key: SentRow | undefined
    let before: SentRow | undefined
    if (kind === 0x4b /* K */) key = this.#row()
    else if (kind === 0x4f /* O */) before = this.#row()
    if (kind !== 0x4e /* N */) kind = this.#byte()
    return { kind: 'update', oid, key, before, after: this.#row(), lsn }
  }

  #delete(lsn: bigint): StreamMessage {
    const oid = this.#u32()
    const isKey = this.#byte() === 0x4b /* K */
    const row = this.#row()
    return { kind: 'delete', oid, key: isKey ? row : undefined, before: isKey ? undefined : row, lsn }
  }

  #truncate(lsn: bigint): StreamMessage {
    const count = this.#u32()
    this.#at++ // CASCADE, RESTART IDENTITY
    return { kind: 'truncate', oids: Array.from({ length: count }, () => this.#u32()), lsn }
  }

  #relation(): Relation {
    const oid = this.#u32()
    const schema = this.#text() || 'pg_catalog'
    const table = this.#text()
    this.#at++ // replica identity
    const columns: SentColumn[] = []
    for (let left = this.#u16(); left > 0; left--) {
      this.#at++ // whether it is part of the identity
      columns.push({ name: this.#text(), typeOid: this.#u32(), typmod: this.#u32() | 0 })
    }
    return { kind: 'relation', oid, schema, table, columns }
  }

  #row(): SentRow {
    const bytes = this.#bytes
    const count = this.#u16()
    const row: SentValue[] = new Array(count)
    let at = this.#at
    for (let i = 0; i < count; i++) {
      const kind = bytes[at++]
      if (kind === 0x74 /* t */) {
        const end = at + 4 + bytes.readUInt32BE(at)
        row[i] = textBetween(bytes, at + 4, end)
        at = end
      } else if (kind === 0x6e /* n */) row[i] = null
      else if (kind === 0x75 /* u */) row[i] = undefined
      else throw new Error(`the stream of changes has a value of an unknown kind ${kind}`)
    }
    this.#at = at
    return row
  }

  #byte(): number {
    return this.#bytes[this.#at++]!
  }

  #u16(): number {
    const value = this.#bytes.readUInt16BE(this.#at)
    this.#at += 2
    return value
  }

  #u32(): number {
    const value = this.#bytes.readUInt32BE(this.#at)
    this.#at += 4
    return value
  }

  #u64(): bigint {
    const value = this.#bytes.readBigUInt64BE(this.#at)
    this.#at += 8
    return value
  }

  #i64(): bigint {
    const value = this.#bytes.readBigInt64BE(this.#at)
    this.#at += 8
    return value
  }

  /** Up to a zero byte. */
  #text(): string {
    const end = this.#bytes.indexOf(0, this.#at)
    const text = this.#bytes.toString('utf8', this.#at, end)
    this.#at = end + 1
    return text
  }
}

/** Short texts are mostly digits and dates: reading them here is faster than a call into the engine. */
const SHORT_BYTES = 12

function textBetween(bytes: Buffer, start: number, end: number): string {
  if (end - start > SHORT_BYTES) return bytes.toString('utf8', start, end)
  let text = ''
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!
    if (byte > 0x7f) return bytes.toString('utf8', start, end)
    text += String.fromCharCode(byte)
  }
  return text
}

/** `written`: what this side has received, `flushed`: what the server need not send again. */
export function statusUpdate(written: bigint, flushed: bigint, nowUs: bigint, wantsReply: boolean): Buffer {
  const message = Buffer.alloc(34)
  message[0] = 0x72 // r
  message.writeBigUInt64BE(written, 1)
  message.writeBigUInt64BE(flushed, 9)
  message.writeBigUInt64BE(flushed, 17)
  message.writeBigInt64BE(nowUs - EPOCH_US, 25)
  message[33] = wantsReply ? 1 : 0
  return message
}
