/**
 * Runs the statements of statements.json on a real Flink and writes its answers to recorded.jsonl. README.md says how.
 *
 *   node record.js http://127.0.0.1:<port of the SQL Gateway> <folder that Flink can read> <folder of the corpus>
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Statements {
  /** FROM items of `expressions`, `aggregates` and `queries`: each defines an alias with its columns. */
  readonly tables: Readonly<Record<string, string>>
  readonly streams: Readonly<Record<string, { readonly columns: string; readonly rows: readonly string[] }>>
  readonly expressions: Readonly<Record<string, readonly string[]>>
  readonly aggregates: Readonly<Record<string, readonly string[]>>
  readonly queries: readonly string[]
  readonly streaming: readonly string[]
}

interface Answer {
  readonly types?: readonly string[]
  readonly rows?: readonly (readonly unknown[])[]
  /** Rows with the kind of change first, where a statement updates its result. */
  readonly changes?: readonly (readonly unknown[])[]
  readonly error?: string
}

interface ResultPage {
  readonly errors?: readonly string[]
  readonly resultType?: string
  readonly nextResultUri?: string
  readonly results?: {
    readonly columns?: readonly { readonly logicalType: LogicalType }[]
    readonly data?: readonly { readonly kind: string; readonly fields: readonly unknown[] }[]
  }
}

interface LogicalType {
  readonly type: string
  readonly precision?: number
  readonly scale?: number
}

/** JavaScript does not hold more digits than this. */
const LONG_NUMBER = /([[,:])(-?\d[\d.]{15,}(?:[eE][+-]?\d+)?)(?=[,\]}])/g
const POLL_MS = 40

class Gateway {
  readonly #url: string
  #session = ''

  constructor(url: string) {
    this.#url = url
  }

  async open(mode: 'batch' | 'streaming'): Promise<void> {
    const properties = {
      'execution.runtime-mode': mode,
      'table.local-time-zone': 'UTC',
      'restart-strategy.type': 'none',
    }
    this.#session = (await this.#post('/v3/sessions', { properties })).sessionHandle as string
  }

  async run(statement: string): Promise<Answer> {
    const started = await this.#post(`/v3/sessions/${this.#session}/statements`, { statement })
    if (started.operationHandle === undefined) return { error: String(started.errors) }
    let next: string | undefined =
      `/v3/sessions/${this.#session}/operations/${started.operationHandle}/result/0?rowFormat=JSON`
    let types: string[] = []
    const changes: (readonly unknown[])[] = []
    while (next !== undefined) {
      const text = await (await fetch(this.#url + next)).text()
      const page = JSON.parse(text.replace(LONG_NUMBER, '$1"$2"')) as ResultPage
      if (page.errors !== undefined) return { error: causeOf(page.errors.join('\n')) }
      if (page.results?.columns !== undefined) types = page.results.columns.map(typeName)
      for (const { kind, fields } of page.results?.data ?? []) changes.push([kind, ...fields])
      if (page.resultType === 'EOS') break
      if (page.resultType === 'NOT_READY') await new Promise((resolve) => setTimeout(resolve, POLL_MS))
      next = page.nextResultUri
    }
    const isInsertOnly = changes.every(([kind]) => kind === 'INSERT')
    return isInsertOnly ? { types, rows: changes.map(([, ...fields]) => fields) } : { types, changes }
  }

  async #post(path: string, body: object): Promise<Record<string, unknown>> {
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(this.#url + path, { method: 'POST', headers, body: JSON.stringify(body) })
    return (await response.json()) as Record<string, unknown>
  }
}

/** As in semantics.jsonl: without lengths, nullability and comments. */
function typeName({
  logicalType: { type, precision, scale },
}: {
  readonly logicalType: LogicalType
}): string {
  const short = type
    .replace('TIMESTAMP_WITHOUT_TIME_ZONE', 'TIMESTAMP')
    .replace('TIMESTAMP_WITH_LOCAL_TIME_ZONE', 'TIMESTAMP_LTZ')
    .replace('TIME_WITHOUT_TIME_ZONE', 'TIME')
  if (short === 'DECIMAL') return `DECIMAL(${precision}, ${scale})`
  return short.startsWith('TIMESTAMP') ? `${short}(${precision})` : short
}

function causeOf(trace: string): string {
  const causes = [...trace.matchAll(/Caused by: (.*)/g)].map(([, cause]) => cause!)
  return (causes.at(-1) ?? trace).slice(0, 200)
}

/** `known` holds lines of an earlier run: their statements are not run again. */
export async function record(
  url: string,
  folder: string,
  statements: Statements,
  known: ReadonlyMap<string, string>,
): Promise<string> {
  const gateway = new Gateway(url)
  const lines: string[] = []
  const withTables = (sql: string) =>
    sql.replace(/\b(FROM|JOIN) ([a-z]+)\b(?!\s*\()(?: (a1|a2|z)\b)?/g, (whole, word, name, alias) => {
      const table = statements.tables[name]
      if (table === undefined) return whole
      return `${word} ${alias === undefined ? table : table.replace(/\) [a-z]+\(([a-z0-9,]+)\)$/, `) ${alias}($1)`)}`
    })
  const add = async (entry: object, sql: string) => {
    const line = known.get(JSON.stringify(entry)) ?? JSON.stringify({ ...entry, ...(await gateway.run(sql)) })
    lines.push(line)
    if (lines.length % 25 === 0) console.log(`${lines.length} ${sql.slice(0, 60)}`)
  }
  await gateway.open('batch')
  for (const kind of ['expressions', 'aggregates'] as const)
    for (const [on, list] of Object.entries(statements[kind]))
      for (const expression of list)
        await add(
          { kind: kind === 'expressions' ? 'row' : 'aggregate', on, expression },
          `SELECT ${expression} FROM ${statements.tables[on]}${kind === 'expressions' ? ' ORDER BY k' : ''}`,
        )
  for (const sql of statements.queries) await add({ kind: 'query', sql }, withTables(sql))
  await gateway.open('streaming')
  for (const [name, { columns, rows }] of Object.entries(statements.streams)) {
    mkdirSync(join(folder, name), { recursive: true })
    writeFileSync(join(folder, name, 'rows.csv'), `${rows.join('\n')}\n`)
    const options = `'connector'='filesystem','path'='file://${join(folder, name)}','format'='csv','csv.null-literal'='NULL'`
    const created = await gateway.run(`CREATE TEMPORARY TABLE ${name} (${columns}) WITH (${options})`)
    if (created.error !== undefined) throw new Error(created.error)
  }
  for (const sql of statements.streaming) await add({ kind: 'streaming', sql }, sql)
  return `${lines.join('\n')}\n`
}

/** The lines of a file that this script wrote, by what identifies a statement. Without the file: none. */
function recordedLines(file: string): Map<string, string> {
  if (!existsSync(file)) return new Map()
  const [, ...lines] = readFileSync(file, 'utf8').trimEnd().split('\n')
  return new Map(
    lines.map((line) => {
      const { kind, on, expression, sql } = JSON.parse(line) as Record<string, unknown>
      return [JSON.stringify(sql === undefined ? { kind, on, expression } : { kind, sql }), line]
    }),
  )
}

const [url, folder, corpus] = process.argv.slice(2)
if (url?.startsWith('http')) {
  const file = join(corpus!, 'recorded.jsonl')
  const statements = JSON.parse(readFileSync(join(corpus!, 'statements.json'), 'utf8')) as Statements
  const { tables, streams } = statements
  const head = JSON.stringify({ about: 'Answers of Flink; record.ts made this file.', tables, streams })
  const recorded = await record(url, folder!, statements, recordedLines(file))
  writeFileSync(file, `${head}\n${recorded}`)
}
