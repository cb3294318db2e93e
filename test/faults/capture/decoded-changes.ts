/** Changes of tables as a second slot of the database decodes them, by the plug-in test_decoding. */
import { TABLES } from './database-load.ts'

export type TableKey = keyof typeof TABLES
/** `c <key> <v>`, `u <key> <v>`, `d <key>` or `t`. */
export type ChangeText = string

const LINE = /^table public\.(.+?): (INSERT|UPDATE|DELETE|TRUNCATE): (.*)$/s
const OPS = { INSERT: 'c', UPDATE: 'u', DELETE: 'd' } as const

/** Changes of each table in the order of commits, from lines of whole transactions. */
export class DecodedChanges {
  readonly changes = new Map<string, ChangeText[]>(Object.keys(TABLES).map((table) => [table, []]))
  transactions = 0

  add(line: string): void {
    if (line.startsWith('COMMIT')) this.transactions++
    const [, names, verb, rest] = LINE.exec(line) ?? []
    if (names === undefined) return
    if (verb === 'TRUNCATE') {
      for (const name of names.split(', public.')) this.#push(name, 't')
      return
    }
    const table = names as TableKey
    const moved = /^old-key: (.*?) new-tuple: (.*)$/s.exec(rest!)
    if (moved === null) {
      this.#push(table, changeText(OPS[verb as keyof typeof OPS], table, rest!))
    } else {
      this.#push(table, changeText('d', table, moved[1]!))
      this.#push(table, changeText('c', table, moved[2]!))
    }
  }

  #push(table: string, change: ChangeText): void {
    this.changes.get(table)?.push(change)
  }
}

function changeText(op: 'c' | 'u' | 'd', table: TableKey, tuple: string): ChangeText {
  const columns = TABLES[table] ?? []
  const key = columns.map((column) => new RegExp(`(?:^| )${column}\\[\\w+\\]:'?([^' ]*)`).exec(tuple)?.[1])
  return op === 'd' ? `d ${key.join('|')}` : `${op} ${key.join('|')} ${/ v\[bigint\]:(\d+)/.exec(tuple)?.[1]}`
}
