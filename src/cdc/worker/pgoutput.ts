/**
 * Decodes the messages of PostgreSQL's plug-in pgoutput, protocol version 1, which all versions from 10 on send: whole transactions
 * in the order of their commits. The layouts are those of "Logical Replication Message Formats" in PostgreSQL's manual.
 *
 *   message of the stream := 'w' start u64 | end u64 | time u64 | pgoutput message
 *                          | 'k' end u64 | time u64 | reply u8                      keep-alive
 *
 * Values are UTF-8 texts. The rows of a decoded message are places in the received bytes, and are valid until the next one is decoded.
 */
import { NULL_END, RowBytes, UNSENT_END } from '../events/row-bytes.ts'

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
  | { readonly kind: 'insert'; readonly oid: number; readonly after: RowBytes; readonly lsn: bigint }
  /** `key`: the columns of the identity before the change, the others are null; only if they were changed. `before`: the whole row. */
  | {
      readonly kind: 'update'
      readonly oid: number
      readonly key: RowBytes | undefined
      readonly before: RowBytes | undefined
      readonly after: RowBytes
      readonly lsn: bigint
    }
  | {
      readonly kind: 'delete'
      readonly oid: number
      readonly key: RowBytes | undefined
      readonly before: RowBytes | undefined
      readonly lsn: bigint
    }
  | { readonly kind: 'truncate'; readonly oids: readonly number[]; readonly lsn: bigint }
  | { readonly kind: 'keepalive'; readonly endLsn: bigint; readonly wantsReply: boolean }

/** Microseconds from 1970 to 2000, where PostgreSQL's time begins. */
const EPOCH_US = 946_684_800_000_000n

const HEADER_BYTES = 25

/** What is known of a message before it is decoded. */
export class MessageHead {
  /** Position of the server's log, in two halves: a bigint for each message would take memory. */
  #endHigh = 0
  #endLow = 0
  wantsReply = false

  get endLsn(): bigint {
    return (BigInt(this.#endHigh) << 32n) + BigInt(this.#endLow)
  }

  /** The largest position stays. Throws for an unknown message. */
  read(bytes: Buffer, start: number, end: number): void {
    const isKeepalive = bytes[start] === KEEPALIVE
    if (!isKeepalive && bytes[start] !== DATA)
      throw new Error(`the stream of changes has an unknown message ${bytes[start]}`)
    if (end - start < (isKeepalive ? KEEPALIVE_BYTES : HEADER_BYTES)) throw cutShort()
    this.wantsReply = isKeepalive && bytes[start + KEEPALIVE_BYTES - 1] === 1
    const at = start + (isKeepalive ? 1 : 9)
    const high = u32(bytes, at)
    const low = u32(bytes, at + 4)
    if (high < this.#endHigh || (high === this.#endHigh && low <= this.#endLow)) return
    this.#endHigh = high
    this.#endLow = low
  }
}

const KEEPALIVE = 0x6b // k
const KEEPALIVE_BYTES = 18
const DATA = 0x77 // w

export class MessageDecoder {
  #bytes: Buffer = Buffer.alloc(0)
  #at = 0
  #end = 0
  readonly #before = new RowBytes()
  readonly #after = new RowBytes()

  /**
   * The message between `start` and `end`, whose head was read. Undefined if it says nothing about rows: types, origins, messages of
   * applications. Throws for an unknown one.
   */
  decode(bytes: Buffer, start: number, end: number): StreamMessage | undefined {
    if (bytes[start] === KEEPALIVE) {
      const wantsReply = bytes[start + KEEPALIVE_BYTES - 1] === 1
      return { kind: 'keepalive', endLsn: bytes.readBigUInt64BE(start + 1), wantsReply }
    }
    this.#bytes = bytes
    this.#at = start + HEADER_BYTES
    this.#end = end
    const message = this.#message(bytes.readBigUInt64BE(start + 1))
    if (this.#at > end) throw cutShort()
    return message
  }

  #message(lsn: bigint): StreamMessage | undefined {
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
    return { kind: 'insert', oid, after: this.#row(this.#after), lsn }
  }

  #update(lsn: bigint): StreamMessage {
    const oid = this.#u32()
    let kind = this.#byte()
    let key: RowBytes | undefined
    let before: RowBytes | undefined
    if (kind === 0x4b /* K */) key = this.#row(this.#before)
    else if (kind === 0x4f /* O */) before = this.#row(this.#before)
    if (kind !== 0x4e /* N */) kind = this.#byte()
    return { kind: 'update', oid, key, before, after: this.#row(this.#after), lsn }
  }

  #delete(lsn: bigint): StreamMessage {
    const oid = this.#u32()
    const isKey = this.#byte() === 0x4b /* K */
    const row = this.#row(this.#before)
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

  #row(row: RowBytes): RowBytes {
    const bytes = this.#bytes
    const count = this.#u16()
    row.clear(bytes)
    let at = this.#at
    for (let i = 0; i < count; i++) {
      const kind = bytes[at++]
      if (kind === 0x74 /* t */) {
        const start = at + 4
        if (start > this.#end) throw cutShort()
        const end = start + u32(bytes, at)
        if (end > this.#end) throw cutShort()
        row.push(start, end)
        at = end
      } else if (kind === 0x6e /* n */) row.push(at, NULL_END)
      else if (kind === 0x75 /* u */) row.push(at, UNSENT_END)
      else throw new Error(`the stream of changes has a value of an unknown kind ${kind}`)
    }
    this.#at = at
    return row
  }

  #byte(): number {
    return this.#bytes[this.#at++]!
  }

  #u16(): number {
    const bytes = this.#bytes
    const at = this.#at
    this.#at += 2
    if (this.#at > this.#end) throw cutShort()
    return bytes[at]! * 256 + bytes[at + 1]!
  }

  #u32(): number {
    const at = this.#at
    this.#at += 4
    if (this.#at > this.#end) throw cutShort()
    return u32(this.#bytes, at)
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

/** The calls of Buffer check their arguments, which takes longer than the reading. */
function u32(bytes: Buffer, at: number): number {
  return bytes[at]! * 0x1000000 + ((bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!)
}

function cutShort(): Error {
  return new Error('the stream of changes has a message that is cut short')
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
