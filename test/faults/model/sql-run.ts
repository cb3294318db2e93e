/** Does the steps to the service over HTTP and to the model beside it, and compares every answer to a query. */
import type fc from 'fast-check'
import { expect } from 'vitest'
import { DEFAULT_QUERIES, ended, QUERIES } from '../../support/explore.ts'
import { STREAMS, type TestApp } from '../../support/test-app.ts'
import { ModelStream, type SentEvent } from './service-model.ts'
import {
  type Cell,
  cellText,
  FORMATS,
  formatJson,
  type ModelFormat,
  type ModelRow,
  rowsOf,
} from './sql-model.ts'
import { type EventChoice, SQL_TTLS, type SqlQuery, type SqlStep } from './sql-steps.ts'

const NAMES = ['a', 'B-1']
const TABLES = ['stream_a', 'stream_b_1']
const TTL_SECONDS_MAX = '9223372036854775'
const LONG = 'a text of more than twelve bytes'

/** Texts of the fields k, n, d, l, b. The first four of each are good for every type that the field has somewhere. */
const TEXTS: readonly (readonly string[])[] = [
  ['a', 'bb', LONG, 'é€ and 😀 beyond', '', 'exactly12byt', 'nul \0 in a longer text', '\0', 'b" \\b'],
  ['1', '-7', '2147483647', '0', '2147483648', 'x', '', '1.5'],
  ['3', '0', '-2147483648', '77', '0.5', '1e300', 'x', ''],
  ['9007199254740993', '-9223372036854775808', '12', '-1', '9223372036854775808', 'x', ''],
  ['true', 'FALSE', 'True', 'no', ''],
]

class SqlStream extends ModelStream {
  format: ModelFormat
  readonly views: Map<number, ModelFormat>
  /** How many events there were after each request. */
  readonly ends: number[] = []

  constructor(life: number, format: ModelFormat, views: Map<number, ModelFormat>, ttl: number | undefined) {
    super(life, ttl)
    this.format = format
    this.views = views
  }

  override add(events: readonly SentEvent[], nowMs: number): void {
    super.add(events, nowMs)
    this.ends.push(this.events.length)
  }
}

export interface ExpectedSql {
  readonly streams: Map<number, SqlStream>
  lives: number
  queries: number
}

export function noSql(): ExpectedSql {
  return { streams: new Map(), lives: 0, queries: 0 }
}

/** What every run begins with: there is something to ask. */
export async function prepare(model: ExpectedSql, app: TestApp): Promise<void> {
  const run = new Run(model, app)
  await run.step({ do: 'create', stream: 0, format: 0 })
  await run.step({ do: 'view', stream: 0, view: 1, format: 1 })
  await run.step({
    do: 'batch',
    stream: 0,
    events: [
      [0, 0, 0, 0, 0],
      [1, 1, 1, 1, 1],
    ],
    times: 1,
  })
}

export class SqlCommand implements fc.AsyncCommand<ExpectedSql, TestApp> {
  readonly step: SqlStep

  constructor(step: SqlStep) {
    this.step = step
  }

  check(): boolean {
    return true
  }

  async run(model: ExpectedSql, app: TestApp): Promise<void> {
    await new Run(model, app).step(this.step)
  }

  toString(): string {
    return JSON.stringify(this.step)
  }
}

class Run {
  readonly #model: ExpectedSql
  readonly #app: TestApp

  constructor(model: ExpectedSql, app: TestApp) {
    this.#model = model
    this.#app = app
  }

  async step(step: SqlStep): Promise<void> {
    const app = this.#app
    const { streams } = this.#model
    const path = 'stream' in step ? `${STREAMS}/${NAMES[step.stream]}` : ''
    const stream = 'stream' in step ? streams.get(step.stream) : undefined
    switch (step.do) {
      case 'create': {
        const format = FORMATS[step.format]!
        const body = JSON.stringify({ format: formatJson(format) })
        expect((await app.put(path, { body })).status).toBe(200)
        if (stream === undefined) streams.set(step.stream, this.#newStream(format, new Map(), undefined))
        return
      }
      case 'delete':
        expect((await app.delete(path)).status).toBe(stream === undefined ? 404 : 200)
        streams.delete(step.stream)
        return
      case 'truncate':
        expect((await app.post(`${path}/truncate`)).status).toBe(stream === undefined ? 404 : 200)
        if (stream !== undefined) {
          streams.set(step.stream, this.#newStream(stream.format, stream.views, stream.ttlSeconds))
        }
        return
      case 'format': {
        const format = FORMATS[step.format]!
        const body = JSON.stringify({ format: formatJson(format) })
        const answer = await app.put(`${path}/properties`, { body })
        expect(answer.status, answer.text).toBe(stream === undefined ? 404 : 200)
        if (stream !== undefined) stream.format = format
        return
      }
      case 'ttl': {
        const ttl = SQL_TTLS[step.ttl]
        const answer = await app.put(`${path}/properties`, { body: `{"ttl":"${ttl ?? TTL_SECONDS_MAX}"}` })
        expect(answer.status, answer.text).toBe(stream === undefined ? 404 : 200)
        if (stream !== undefined) stream.ttlSeconds = ttl
        return
      }
      case 'send': {
        const headers = step.headers ? { host: 'a1' } : {}
        const sent = Object.entries(headers).map(([name, value]) => [`${NAMES[step.stream]}.${name}`, value])
        const body = bodyOf(step.event)
        const answer = await app.post(path, { headers: Object.fromEntries(sent), body })
        expect(answer.status).toBe(stream === undefined ? 404 : 200)
        stream?.add([{ headers, body }], app.nowMs)
        return
      }
      case 'batch': {
        const events = Array.from({ length: step.times }, () => step.events).flat()
        return this.#batch(step.stream, events)
      }
      case 'view': {
        const format = FORMATS[step.format]!
        const answer = await app.put(`${path}/views/v${step.view}`, {
          body: JSON.stringify({ format: formatJson(format) }),
        })
        const status = stream === undefined ? 404 : stream.views.has(step.view) ? 200 : 201
        expect(answer.status, answer.text).toBe(status)
        stream?.views.set(step.view, format)
        return
      }
      case 'unview':
        expect((await app.delete(`${path}/views/v${step.view}`)).status).toBe(
          stream?.views.has(step.view) ? 200 : 404,
        )
        stream?.views.delete(step.view)
        return
      case 'clock':
        app.nowMs = Math.max(0, app.nowMs + step.byMs)
        return
      case 'tidy':
        for (const one of streams.values()) one.tidy(app.nowMs)
        await app.tidy()
        return
      case 'query':
        return this.#query(step.query)
      case 'together': {
        await this.#learnWhatIsGone()
        const before = new Map([...streams].map(([i, { events }]) => [i, events.length]))
        const asked = step.queries.map((query) => this.#ask(query))
        for (const events of step.batches) await this.#batch(step.stream, events)
        for (const [i, query] of step.queries.entries()) {
          this.#compare(query, (await asked[i])!, before.get(query.stream) ?? 0)
        }
      }
    }
  }

  #newStream(format: ModelFormat, views: Map<number, ModelFormat>, ttl: number | undefined): SqlStream {
    return new SqlStream(++this.#model.lives, format, views, ttl)
  }

  async #batch(name: number, choices: readonly EventChoice[]): Promise<void> {
    const stream = this.#model.streams.get(name)
    const events: SentEvent[] = choices.map((choice) => ({
      headers: { 'content.type': 'text/plain' },
      body: bodyOf(choice),
    }))
    const answer = await this.#app.post(`${STREAMS}/${NAMES[name]}/batch`, {
      headers: { 'Content-Type': 'text/plain' },
      body: Buffer.concat(events.flatMap(({ body }) => [body, Buffer.from('\n')])),
    })
    expect(answer.status).toBe(stream === undefined ? 404 : 200)
    stream?.add(events, this.#app.nowMs)
  }

  async #query(query: SqlQuery): Promise<void> {
    await this.#learnWhatIsGone()
    const count = this.#model.streams.get(query.stream)?.events.length ?? 0
    this.#compare(query, await this.#ask(query), count)
  }

  /** Of the events that the janitor may have removed, reading tells which are there. */
  async #learnWhatIsGone(): Promise<void> {
    for (const [i, stream] of this.#model.streams) {
      if (stream.gone >= stream.tidied) continue
      const range = { startMs: 0, endMs: Number.POSITIVE_INFINITY, afterIndex: -1, limit: 0 }
      const visible = stream.inRange(range, this.#app.nowMs)
      if (visible.length === 0 || visible[0]! >= stream.tidied) continue
      const there = (await this.#app.events(NAMES[i]!)).length
      expect(there).toBeLessThanOrEqual(visible.length)
      stream.gone = visible[visible.length - there] ?? stream.events.length
      expect(stream.gone).toBeLessThanOrEqual(stream.tidied)
    }
  }

  async #ask(query: SqlQuery): Promise<Asked> {
    const app = this.#app
    this.#model.queries++
    const built = this.#built(query)
    const { sql, format } = built
    const body = JSON.stringify({ query: sql, ...(query.strict && { strict: 'true' }) })
    const answer = await app.post(DEFAULT_QUERIES, { body })
    if (format === undefined) {
      expect([answer.status, answer.text], sql).toEqual([
        400,
        expect.stringMatching(/^\[SQLState 42S02\] Table not found/),
      ])
      return { built, state: undefined, rows: '' }
    }
    expect(answer.status, `${sql}: ${answer.text}`).toBe(200)
    const { handle } = answer.json() as { handle: string }
    const state = await ended(app, handle)
    const rows: string[] = []
    const isLong = (this.#model.streams.get(query.stream)?.events.length ?? 0) > 1_000
    const size = isLong ? 10_000 : query.page
    while (state.status === 'FINISHED') {
      const page = await app.post(`${QUERIES}/${handle}/next`, { body: `{"size":"${size}"}` })
      if (page.text === '[]') break
      rows.push(page.text.slice(1, -1))
    }
    await app.delete(`${QUERIES}/${handle}`)
    return { built, state, rows: rows.join(',') }
  }

  #built(query: SqlQuery): Built {
    const stream = this.#model.streams.get(query.stream)
    const format = query.view === 0 ? stream?.format : stream?.views.get(query.view)
    const table = TABLES[query.stream] + (query.view === 0 ? '' : `_v${query.view}`)
    const fields = format?.fields ?? []
    const chosen = fields.filter((_, i) => (query.fields >> i) & 1).map(({ name }) => name)
    const where = query.shape === 'first' ? undefined : query.where
    const tested = where && fields[where.field % Math.max(1, fields.length)]
    const startMs = query.start && this.#timeOf(stream, query.start)
    const endMs = query.end && this.#timeOf(stream, query.end)
    const value = tested && TEXTS[fields.indexOf(tested)]![where!.text % 4]
    const conditions = [
      ...(startMs === undefined ? [] : [`ts >= ${startMs}`]),
      ...(endMs === undefined ? [] : [`ts < ${endMs}`]),
      ...(tested === undefined
        ? []
        : [`${tested.name} ${where!.equal ? '=' : '<>'} ${literal(tested.type, value!)}`]),
    ]
    const columns = ['ts', ...(query.headers ? ["headers['host']"] : []), ...chosen]
    const limit = `LIMIT ${query.limit}${query.offset > 0 ? ` OFFSET ${query.offset}` : ''}`
    const from = `FROM ${table}${conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`}`
    const select = {
      rows: `SELECT ${columns.join(', ')} ${from}`,
      star: `SELECT * EXCLUDE (headers) ${from}`,
      group: `SELECT ${chosen[0] ?? 'ts'} AS x, count(*) ${from} GROUP BY x ORDER BY x NULLS FIRST`,
      count: `SELECT count(*) ${from}`,
      first: `SELECT ${['ts', ...chosen].join(', ')} ${from} ${limit}`,
    }
    const named =
      query.shape === 'star' ? fields.map(({ name }) => name) : query.shape === 'count' ? [] : chosen
    return {
      sql: select[query.shape],
      table,
      format,
      chosen,
      named: [...(query.shape === 'group' ? named.slice(0, 1) : named), ...(tested ? [tested.name] : [])],
      startMs: startMs ?? 0,
      endMs: endMs ?? Number.POSITIVE_INFINITY,
      test: tested && { name: tested.name, equal: where!.equal, value: literalCell(tested.type, value!) },
    }
  }

  /** With the events there were, or any number of batches more. */
  #compare(query: SqlQuery, asked: Asked, before: number): void {
    const stream = this.#model.streams.get(query.stream)
    if (asked.state === undefined || stream === undefined) return
    const counts = [...new Set([before, ...stream.ends.filter((end) => end >= before)])]
    const answers = counts.map((count) => this.#expected(query, asked.built, stream, count))
    const found = told(asked)
    if (answers.some((answer) => answer === found)) return
    expect(found, `${asked.built.sql}${query.strict ? ' (strict)' : ''}`).toBe(answers[0])
  }

  #expected(query: SqlQuery, built: Built, stream: SqlStream, count: number): string {
    const { format, named, startMs, endMs, test, chosen, table } = built
    const eventsMax = query.shape === 'first' ? query.limit + query.offset : Number.POSITIVE_INFINITY
    const wanted = { named, startMs, endMs, eventsMax }
    const looked = rowsOf(stream, format!, this.#app.nowMs, count, wanted)
    const bad = looked.filter((row) => row.bad)
    const first = bad.slice(0, 5).map(({ sequence, ts }) => `${sequence}@${ts}`)
    const badText = `${bad.length} bad of ${table}: ${bad.length > 20 ? '…' : first.join()}`
    if (query.strict && bad.length > 0) return `ERROR ${badText}`
    const rows = looked.filter((row) => test === undefined || holds(row, test))
    return `FINISHED ${badText} ${printed(query, chosen, format!, rows)}`
  }

  #timeOf(stream: SqlStream | undefined, { event, by }: { event: number; by: number }): number {
    const events = stream?.events ?? []
    return (events.length === 0 ? this.#app.nowMs : events[event % events.length]!.timestampMs) + by
  }
}

interface Built {
  readonly sql: string
  readonly table: string
  readonly format: ModelFormat | undefined
  readonly chosen: readonly string[]
  readonly named: readonly string[]
  readonly startMs: number
  readonly endMs: number
  readonly test: { readonly name: string; readonly equal: boolean; readonly value: Cell } | undefined
}

interface Asked {
  readonly built: Built
  readonly state: Awaited<ReturnType<typeof ended>> | undefined
  readonly rows: string
}

/** As `#expected` tells it. */
function told({ built: { table }, state, rows }: Asked): string {
  const { status, badEvents = 0, firstBadEvents = [], errorMessage } = state!
  const first = firstBadEvents.map(({ sequence, timestamp }) => `${sequence}@${timestamp}`)
  const badText = `${badEvents} bad of ${table}: ${badEvents > 20 ? '…' : first.join()}`
  if (status === 'FINISHED') return `FINISHED ${badText} ${rows}`
  if (!errorMessage?.startsWith('Unable to format the stream body.')) return `${status} ${errorMessage}`
  return `ERROR ${badText}`
}

function holds({ cells }: ModelRow, { name, equal, value }: NonNullable<Built['test']>): boolean {
  const cell = cells.get(name) ?? null
  return cell !== null && (cell === value) === equal
}

function printed(
  query: SqlQuery,
  chosen: readonly string[],
  { fields }: ModelFormat,
  rows: readonly ModelRow[],
): string {
  const columns = (cells: readonly Cell[]) => `{"columns":[${cells.map(cellText).join()}]}`
  const of = (names: readonly string[]) => (row: ModelRow) => names.map((name) => row.cells.get(name)!)
  switch (query.shape) {
    case 'rows':
      return rows
        .map((row) =>
          columns([row.ts, ...(query.headers ? [row.headers.host ?? null] : []), ...of(chosen)(row)]),
        )
        .join()
    case 'star':
      return rows.map((row) => columns([row.ts, ...of(fields.map(({ name }) => name))(row)])).join()
    case 'first':
      return rows
        .slice(query.offset, query.offset + query.limit)
        .map((row) => columns([row.ts, ...of(chosen)(row)]))
        .join()
    case 'count':
      return columns([rows.length])
    case 'group': {
      const groups = new Map<Cell, number>()
      for (const row of rows) {
        const key = chosen.length === 0 ? row.ts : row.cells.get(chosen[0]!)!
        groups.set(key, (groups.get(key) ?? 0) + 1)
      }
      return [...groups]
        .sort(([a], [b]) => byValue(a, b))
        .map(([key, count]) => columns([key, count]))
        .join()
    }
  }
}

/** As the engine sorts: texts by their bytes, false before true. */
function byValue(a: Cell, b: Cell): number {
  if (a === null || b === null) return Number(b === null) - Number(a === null)
  if (typeof a === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b as string))
  return a < b ? -1 : Number(a > b)
}

function bodyOf(choice: EventChoice): Buffer {
  return Buffer.from(TEXTS.map((texts, i) => texts[choice[i]! % texts.length]).join(','))
}

function literal(type: string, text: string): string {
  if (type === 'boolean') return String(text.toLowerCase() === 'true')
  return type === 'string' ? `'${text}'` : text
}

function literalCell(type: string, text: string): Cell {
  if (type === 'string') return text
  if (type === 'boolean') return text.toLowerCase() === 'true'
  return type === 'double' ? Number(text) : BigInt(text)
}
