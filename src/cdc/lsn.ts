/** Positions in PostgreSQL's write-ahead log: bigint here, `0/256E898` in PostgreSQL. */

const LSN = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/

/** Undefined if the text is no position. */
export function parseLsn(text: string): bigint | undefined {
  const match = LSN.exec(text)
  return match === null ? undefined : (BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`)
}

/** Throws an Error if the text is no position. */
export function lsnOf(text: string): bigint {
  const lsn = parseLsn(text)
  if (lsn === undefined) throw new Error(`'${text}' is no position of the write-ahead log`)
  return lsn
}

export function printedLsn(lsn: bigint): string {
  return `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffffffffn).toString(16).toUpperCase()}`
}

export function maxLsn(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}
