/**
 * What follows the rows in an envelope: source, transaction, op and the times of processing. It is the same for the changes of a transaction
 * but for the LSN, so the last one of each op is kept, and in the next one only the digits of the LSN are written again.
 */
import type { CapturedTable } from '../captured-table.ts'
import type { EventSource, RowChange } from './row-change.ts'

/** What it is made of, besides the LSN. */
interface Moment {
  readonly snapshot: RowChange['snapshot']
  readonly lastCommitLsn: bigint | null
  readonly txId: number
  readonly commitUs: bigint
  readonly processedNs: bigint
}

interface Tail {
  readonly moment: Moment
  lsn: bigint
  readonly bytes: Buffer
  /** Where the digits of the LSN are. */
  readonly places: readonly [number, number]
  readonly digits: number
  /** The numbers that have so many digits: from this one, to below the other. */
  readonly least: number
  readonly above: number
}

export class EnvelopeTails {
  readonly #start: string
  readonly #database: string
  readonly #table: string
  readonly #last = new Map<RowChange['op'], Tail>()

  constructor({ schema, table }: CapturedTable, { environment, database, version }: EventSource) {
    const name = JSON.stringify(environment)
    this.#start = `,"source":{"version":"millrace-${version}","connector":"postgresql","name":${name},"ts_ms":`
    this.#database = JSON.stringify(database)
    this.#table = `"schema":${JSON.stringify(schema)},"table":${JSON.stringify(table)}`
  }

  /** Valid until the next call. */
  tail(change: RowChange, op: RowChange['op']): Buffer {
    const last = this.#last.get(op)
    if (last !== undefined && isSameMoment(last.moment, change)) {
      if (last.lsn === change.lsn || writeLsn(last, change.lsn)) return last.bytes
    }
    const made = this.#make(change, op)
    this.#last.set(op, made)
    return made.bytes
  }

  #make(change: RowChange, op: RowChange['op']): Tail {
    const { commitUs, txId, lastCommitLsn, snapshot, processedNs } = change
    const lsn = change.lsn.toString()
    const last = lastCommitLsn === null ? 'null' : `\\"${lastCommitLsn}\\"`
    const head = `${this.#start}${commitUs / 1_000n},"snapshot":"${snapshot}","db":${this.#database},"sequence":"[${last},\\"`
    const middle = `\\"]","ts_us":${commitUs},"ts_ns":${commitUs * 1_000n},${this.#table},"txId":${txId},"lsn":`
    const end = `,"xmin":null,"origin":null,"origin_lsn":null},"transaction":null,"op":"${op}"${processed(processedNs)}`
    const first = Buffer.byteLength(head)
    const places = [first, first + lsn.length + Buffer.byteLength(middle)] as const
    return {
      moment: { commitUs, txId, lastCommitLsn, snapshot, processedNs },
      lsn: change.lsn,
      bytes: Buffer.from(head + lsn + middle + lsn + end),
      places,
      digits: lsn.length,
      least: 10 ** (lsn.length - 1),
      above: 10 ** lsn.length,
    }
  }
}

function isSameMoment(a: Moment, b: Moment): boolean {
  return (
    a.processedNs === b.processedNs &&
    a.txId === b.txId &&
    a.commitUs === b.commitUs &&
    a.lastCommitLsn === b.lastCommitLsn &&
    a.snapshot === b.snapshot
  )
}

/** Returns false if the LSN does not fit into the place of the one before. */
function writeLsn(tail: Tail, lsn: bigint): boolean {
  const { bytes, digits, least, above } = tail
  const [first, second] = tail.places
  let rest = Number(lsn)
  if (rest > Number.MAX_SAFE_INTEGER || rest < least || rest >= above) return false
  for (let i = digits - 1; i >= 0; i--) {
    const tens = Math.floor(rest / 10)
    const digit = 0x30 + rest - tens * 10
    bytes[first + i] = digit
    bytes[second + i] = digit
    rest = tens
  }
  tail.lsn = lsn
  return true
}

/** The members with the time of processing, which end the envelope. */
function processed(ns: bigint): string {
  const digits = ns.toString()
  return `,"ts_ms":${digits.slice(0, -6)},"ts_us":${digits.slice(0, -3)},"ts_ns":${digits}}`
}
