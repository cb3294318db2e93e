/** Positions in PostgreSQL's write-ahead log: bigint here, `0/256E898` in PostgreSQL. */

/** Throws an Error if the text is no position. */
export function lsnOf(text: string): bigint {
  const match = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text)
  if (match === null) throw new Error(`'${text}' is no position of the write-ahead log`)
  return (BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`)
}

export function printedLsn(lsn: bigint): string {
  return `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffffffffn).toString(16).toUpperCase()}`
}

export function maxLsn(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}
