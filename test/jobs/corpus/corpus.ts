/** The statement corpus: statements with the answers of a real Flink, and how an answer is compared with one of Flink. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Stream {
  readonly columns: string
  readonly rows: readonly string[]
}

export interface CorpusStatement {
  /** The statement as it is run. */
  readonly sql: string
  /** What identifies it in deviations.json: the expression, or the statement. */
  readonly key: string
  readonly kind: string
  readonly types?: readonly string[]
  readonly rows?: readonly (readonly unknown[])[]
  readonly changes?: readonly (readonly unknown[])[]
  readonly error?: string
}

export interface Corpus {
  readonly statements: readonly CorpusStatement[]
  readonly streams: Readonly<Record<string, Stream>>
}

/** An answer in the form of the corpus: type names as typeName of record.ts, values as JSON. */
export type CorpusAnswer =
  | { readonly types: readonly string[]; readonly rows: readonly (readonly unknown[])[] }
  | { readonly error: string }

const FOLDER = import.meta.dirname

interface Line {
  readonly about?: string
  readonly tables?: Readonly<Record<string, string>>
  readonly streams?: Readonly<Record<string, Stream>>
  readonly on?: string
  readonly kind: string
  readonly expression?: string
  readonly sql?: string
}

export function readCorpus(): Corpus {
  const parts = ['semantics.jsonl', 'recorded.jsonl'].map(readPart)
  return {
    statements: parts.flatMap(({ statements }) => statements),
    streams: Object.assign({}, ...parts.map(({ streams }) => streams)),
  }
}

/** Reasons for statements whose answer differs from Flink's, by key. */
export function readDeviations(): Readonly<Record<string, string>> {
  const groups = JSON.parse(readFileSync(join(FOLDER, 'deviations.json'), 'utf8')) as Record<string, string[]>
  return Object.fromEntries(
    Object.entries(groups).flatMap(([reason, keys]) => keys.map((key) => [key, reason])),
  )
}

function readPart(file: string): Corpus {
  const lines = readFileSync(join(FOLDER, file), 'utf8').trimEnd().split('\n')
  const [head, ...rest] = lines.map((line) => JSON.parse(line) as Line)
  // `g2` is a table of datagen, described in words.
  const tables: Record<string, string> = { ...head!.tables }
  if (tables.g2 !== undefined) tables.g2 = '(VALUES (0), (1)) g2(k)'
  const statements = rest.map(({ on, expression, sql, ...line }) => {
    const order = line.kind === 'row' && file === 'recorded.jsonl' ? ' ORDER BY k' : ''
    const text =
      sql !== undefined
        ? withTables(sql, tables)
        : `SELECT ${expression}${on === undefined ? '' : ` FROM ${tables[on]}${order}`}`
    const key = on === undefined ? (sql ?? expression!) : `${on}: ${expression}`
    return { ...line, sql: text, key }
  })
  return { statements: statements as CorpusStatement[], streams: head!.streams ?? {} }
}

/** Replaces the names of the tables of the corpus after FROM and JOIN by their definition. */
export function withTables(sql: string, tables: Readonly<Record<string, string>>): string {
  return sql.replace(/\b(FROM|JOIN) ([a-z]+)\b(?!\s*\()(?: (a1|a2|z)\b)?/g, (whole, word, name, alias) => {
    const table = tables[name]
    if (table === undefined) return whole
    const named = alias === undefined ? table : table.replace(/\) [a-z]+(\([a-z0-9,]+\))$/, `) ${alias}$1`)
    return `${word} ${named}`
  })
}

/** Undefined if the answer is Flink's, else what differs. */
export function difference(expected: CorpusStatement, answer: CorpusAnswer): string | undefined {
  if (expected.error !== undefined)
    return 'error' in answer
      ? undefined
      : `Flink fails (${expected.error.slice(0, 80)}), got ${JSON.stringify(answer.rows)}`
  if ('error' in answer) return `failed: ${answer.error.slice(0, 200)}`
  if (expected.types!.join() !== answer.types.join())
    return `types ${expected.types!.join()}, got ${answer.types.join()}`
  const normal = (rows: readonly (readonly unknown[])[]) =>
    rows.map((row) => JSON.stringify(row.map((value, index) => normalValue(value, answer.types[index]!))))
  const isOrdered = expected.kind === 'row' || /ORDER BY (?!.*\bOVER\b)[^()]*$/.test(expected.sql)
  const wanted = normal(expected.rows ?? finalRows(expected.changes!))
  const got = normal(answer.rows)
  if (!isOrdered) for (const rows of [wanted, got]) rows.sort()
  return wanted.join() === got.join() ? undefined : `rows ${wanted.join()}, got ${got.join()}`
}

/** What is left after all changes. */
function finalRows(changes: readonly (readonly unknown[])[]): (readonly unknown[])[] {
  const rows: (readonly unknown[])[] = []
  for (const [kind, ...row] of changes) {
    const at = rows.findIndex((one) => JSON.stringify(one) === JSON.stringify(row))
    if (kind === 'INSERT' || kind === 'UPDATE_AFTER') rows.push(row)
    else if (at !== -1) rows.splice(at, 1)
  }
  return rows
}

function normalValue(value: unknown, type: string): unknown {
  if (value === null || typeof value === 'boolean') return value
  const text = String(value)
  if (type === 'FLOAT') return Math.fround(numberOf(text)).toString()
  if (type === 'DOUBLE') return numberOf(text).toString()
  if (/^DECIMAL/.test(type)) return decimalText(text)
  if (/INT/.test(type)) return BigInt(text).toString()
  if (/^TIMESTAMP/.test(type))
    return text
      .replace(' ', 'T')
      .replace(/\+00$/, 'Z')
      .replace(/(\.\d*?)0+(Z?)$/, '$1$2')
      .replace(/\.(Z?)$/, '$1')
  return text
}

function numberOf(text: string): number {
  return Number(text.replace(/^(-?)inf(?:inity)?$/i, '$1Infinity').replace(/^nan$/i, 'NaN'))
}

/** Without an exponent and without zeros at the end. */
function decimalText(text: string): string {
  const [, sign, whole, fraction = '', exponent = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(
    text,
  )!
  const point = whole!.length + Number(exponent)
  const digits = (whole! + fraction).padStart(whole!.length + fraction.length + Math.max(0, -point), '0')
  const at = Math.max(0, point)
  const padded = digits.padEnd(at, '0')
  const result = `${padded.slice(0, at).replace(/^0+(?=\d)/, '') || '0'}.${padded.slice(at)}`.replace(
    /\.?0*$/,
    '',
  )
  return result === '0' ? '0' : sign + result
}
