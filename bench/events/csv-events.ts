/** CSV records of 100 bytes, with the line end inside a quoted field counted. */
import { EVENT_BYTES, randomText } from './random-text.ts'

/** An id, some words, and text that fills the record up. No quotes; as random as the lines of the text uploads. */
export function csvRecord(at: number): string {
  return filled(`${1_000_000 + at},${randomText(8)},${randomText(8)},`)
}

/**
 * As a database exports it: text is quoted where it has to be, which here is every second record. What stands within is in
 * turn a comma, a quote, a line end, and all three.
 */
export function quotedCsvRecord(at: number): string {
  if (at % 2 === 0) return csvRecord(at)
  const inside = ['Smith, ', 'the ""big"" ', 'two\nlines ', 'a, ""b""\nc '][(at >> 1) % 4]!
  const start = `${1_000_000 + at},"${randomText(6)} ${inside}${randomText(6)}",${randomText(8)},"`
  return `${start}${randomText(EVENT_BYTES - start.length - 1)}"`
}

function filled(start: string): string {
  return start + randomText(EVENT_BYTES - start.length)
}
