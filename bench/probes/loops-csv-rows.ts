/**
 * CSV as an export writes it, made on the fly: rows of exactly 100 bytes and a LF, as long as the lines of the text
 * workloads, so that the two can be compared row by row.
 *
 *   plain:  7f3a…,2024-05-17T09:30:12Z,Miller,42,19.99,<random text>
 *   quoted: 7f3a…,"Miller, Jane",42,"19"" rack, grey",2024-05-17,"<random text>"
 *
 * In quoted rows some fields are quoted, with commas in them; every third row has doubled quotes, every twentieth a line
 * end within its last field. There is one record per 101 bytes all the same.
 */
import { randomBytes } from 'node:crypto'
import { EVENT_BYTES, LINE_BYTES, randomText } from './probe-lines.ts'

export type CsvKind = 'plain' | 'quoted'

const NAMES = ['Miller', 'Nguyen', 'Okafor', 'Garcia', 'Schmidt', 'Ivanova', 'Rossi']
const FIRST_NAMES = ['Jane', 'Minh', 'Ada', 'Luis', 'Grete']
/** One in three has doubled quotes. */
const ITEMS = ['"19"" rack, grey"', 'Cable', '"Bolt, M8"', '"The ""big"" one"', '"Rack, grey"', 'Fan']
const LINE_END_EVERY = 20

/** As many whole rows as fit into `bytes`. */
export function csvRows(kind: CsvKind, bytes: number): Buffer {
  const rows = Math.floor(bytes / LINE_BYTES)
  const all = Buffer.allocUnsafe(rows * LINE_BYTES)
  const rowOf = kind === 'plain' ? plainRow : quotedRow
  for (let i = 0; i < rows; i++) all.write(`${rowOf(i)}\n`, i * LINE_BYTES, 'latin1')
  return all
}

function plainRow(i: number): string {
  const start = `${randomBytes(8).toString('hex')},2024-05-17T09:30:12Z,${pick(NAMES, i)},${i % 97},19.99,`
  return start + randomText(EVENT_BYTES - start.length)
}

function quotedRow(i: number): string {
  const name = `"${pick(NAMES, i)}, ${pick(FIRST_NAMES, i)}"`
  const start = `${randomBytes(4).toString('hex')},${name},${i % 97},${pick(ITEMS, i)},2024-05-17,"`
  const text = randomText(EVENT_BYTES - start.length - 1)
  return `${start}${i % LINE_END_EVERY === 0 ? `${text.slice(0, 9)}\n${text.slice(10)}` : text}"`
}

function pick(words: readonly string[], i: number): string {
  return words[i % words.length]!
}
