/** Positions in the write-ahead log as PostgreSQL prints them: two hexadecimal numbers of 32 bits, `0/256E898`. */

const LSN = /^([0-9a-fA-F]{1,8})\/([0-9a-fA-F]{1,8})$/

export function printLsn(lsn: bigint): string {
  return `${(lsn >> 32n).toString(16)}/${(lsn & 0xffff_ffffn).toString(16)}`.toUpperCase()
}

/** Undefined if the text is none. */
export function parseLsn(text: string): bigint | undefined {
  const found = LSN.exec(text)
  return found === null ? undefined : (BigInt(`0x${found[1]}`) << 32n) | BigInt(`0x${found[2]}`)
}
