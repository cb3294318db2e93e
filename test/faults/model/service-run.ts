/** Does the steps to the whole service over HTTP and to the model beside it, and compares every answer. */
import { connect } from 'node:net'
import { gzipSync } from 'node:zlib'
import type fc from 'fast-check'
import { expect } from 'vitest'
import { type EventJson, STREAMS, type TestApp, type TestResponse } from '../../support/test-app.ts'
import { type KeptCursor, type ModelRange, ModelStream, printed, type SentEvent } from './service-model.ts'
import { type NearTime, type Query, type ServiceStep, TTLS } from './service-steps.ts'

const NAMES = ['a', 'b-1', 'Constructor']
/** Nothing of it is looked at: an answer to an event for it says that what came before is on disk as well. */
const FLUSHED = 'flushed'
/** What a stream set to keep its events for ever says. */
const TTL_SECONDS_MAX = '9223372036854775'
const LIMIT_MAX = 2 ** 31 - 1

const HEADERS: readonly Readonly<Record<string, string>>[] = [
  {},
  { k: 'v' },
  { k: 'w', Other: '' },
  { '': 'no name', long: 'x'.repeat(500) },
]

/** The model: what should be. */
export interface ExpectedService {
  readonly streams: Map<string, ModelStream>
  readonly cursors: KeptCursor[]
  lives: number
  written: number
  /** Events of /async may not be on disk yet. */
  queued: boolean
}

export function noStreams(): ExpectedService {
  return { streams: new Map(), cursors: [], lives: 0, written: 0, queued: false }
}

export async function prepare(app: TestApp): Promise<void> {
  await app.put(`${STREAMS}/${FLUSHED}`)
}

export class ServiceCommand implements fc.AsyncCommand<ExpectedService, TestApp> {
  readonly step: ServiceStep

  constructor(step: ServiceStep) {
    this.step = step
  }

  check(): boolean {
    return true
  }

  async run(model: ExpectedService, app: TestApp): Promise<void> {
    await new Run(model, app).step(this.step)
  }

  toString(): string {
    return JSON.stringify(this.step)
  }
}

/** Every stream is looked at once more, before and after it has been tidied. */
export async function finish(model: ExpectedService, app: TestApp): Promise<void> {
  const run = new Run(model, app)
  for (const [i] of NAMES.entries()) {
    await run.step({ do: 'read', stream: i, query: {}, ndjson: false })
    await run.step({ do: 'pages', stream: i, limit: 5 })
  }
  await run.step({ do: 'tidy' })
  for (const [i] of NAMES.entries()) await run.step({ do: 'read', stream: i, query: {}, ndjson: true })
  expect(app.reported).toEqual([])
}

class Run {
  readonly #model: ExpectedService
  readonly #app: TestApp

  constructor(model: ExpectedService, app: TestApp) {
    this.#model = model
    this.#app = app
  }

  async step(step: ServiceStep): Promise<void> {
    const app = this.#app
    switch (step.do) {
      case 'create':
        return this.#create(step)
      case 'delete':
        return this.#delete(nameOf(step.stream))
      case 'truncate':
        return this.#truncate(nameOf(step.stream))
      case 'ttl':
        return this.#setTtl(nameOf(step.stream), TTLS[step.ttl % TTLS.length])
      case 'send':
        return this.#send(step)
      case 'together':
        return this.#together(step)
      case 'async':
        return this.#async(step)
      case 'batch':
        return this.#batch(step)
      case 'upload':
        return this.#upload(step)
      case 'read':
        await this.#flush()
        await this.#read(nameOf(step.stream), step.query, step.ndjson)
        return
      case 'pages':
        await this.#flush()
        return this.#pages(nameOf(step.stream), step.limit)
      case 'clock':
        await this.#flush()
        app.nowMs = Math.max(0, app.nowMs + step.byMs)
        return
      case 'tidy':
        await this.#flush()
        for (const stream of this.#model.streams.values()) stream.tidy(app.nowMs)
        await app.tidy()
        return
      case 'restart':
        await this.#flush()
        return app.restart()
    }
  }

  async #flush(): Promise<void> {
    if (!this.#model.queued) return
    this.#model.queued = false
    await this.#app.post(`${STREAMS}/${FLUSHED}`, { body: 'x' })
  }

  /** A stream that exists stays as it is. */
  async #create({ stream, ttl }: Extract<ServiceStep, { do: 'create' }>): Promise<void> {
    const name = nameOf(stream)
    const { streams } = this.#model
    const ttlSeconds = TTLS[ttl % TTLS.length]
    expectStatus(await this.#app.put(`${STREAMS}/${name}`, { body: ttlJson(ttlSeconds) }), 200)
    if (!streams.has(name)) streams.set(name, new ModelStream(++this.#model.lives, ttlSeconds))
  }

  async #delete(name: string): Promise<void> {
    const { streams } = this.#model
    expectStatus(await this.#app.delete(`${STREAMS}/${name}`), streams.has(name) ? 200 : 404)
    streams.delete(name)
  }

  async #truncate(name: string): Promise<void> {
    const { streams } = this.#model
    const stream = streams.get(name)
    expectStatus(await this.#app.post(`${STREAMS}/${name}/truncate`), stream === undefined ? 404 : 200)
    if (stream !== undefined) streams.set(name, new ModelStream(++this.#model.lives, stream.ttlSeconds))
  }

  async #setTtl(name: string, ttlSeconds: number | undefined): Promise<void> {
    const stream = this.#model.streams.get(name)
    const answer = await this.#app.put(`${STREAMS}/${name}/properties`, { body: ttlJson(ttlSeconds) })
    expectStatus(answer, stream === undefined ? 404 : 200)
    if (stream === undefined) return
    stream.ttlSeconds = ttlSeconds
    const { text } = await this.#app.get(`${STREAMS}/${name}`)
    expect(text).toContain(`"ttl":${ttlSeconds ?? TTL_SECONDS_MAX},`)
  }

  async #send({ stream, length, headers, how }: Extract<ServiceStep, { do: 'send' }>): Promise<void> {
    const name = nameOf(stream)
    const event = { body: this.#body(length), headers: HEADERS[headers % HEADERS.length]! }
    const sent = prefixed(name, event.headers)
    const path = `${STREAMS}/${name}`
    const answer =
      how === 'plain'
        ? await this.#app.post(path, { headers: sent, body: event.body })
        : how === 'chunked'
          ? await this.#app.post(path, { headers: sent, chunks: halves(event.body) })
          : await this.#app.post(path, {
              headers: { ...sent, 'Content-Encoding': 'gzip' },
              body: gzipSync(event.body),
            })
    this.#stored(answer, name, [event], 200)
  }

  /** Their order is unknown until they are read. All of them are stored, after the events that were there before. */
  async #together({ stream, lengths }: Extract<ServiceStep, { do: 'together' }>): Promise<void> {
    const name = nameOf(stream)
    const model = this.#model.streams.get(name)
    // Where nothing can be read the order will never be known: so one after the other would tell no more.
    const invisible = model?.ttlSeconds === 0
    const bodies = (invisible ? lengths.slice(0, 1) : lengths).map((length) => this.#body(length))
    const answers = await Promise.all(bodies.map((body) => this.#app.post(`${STREAMS}/${name}`, { body })))
    for (const answer of answers) expectStatus(answer, model === undefined ? 404 : 200)
    if (model === undefined) return
    const written = invisible
      ? bodies
      : (await this.#app.events(name, 'encoding=base64'))
          .slice(-bodies.length)
          .map(({ body }) => Buffer.from(body, 'base64'))
    expect(written.map(String).sort()).toEqual(bodies.map(String).sort())
    model.add(
      written.map((body) => ({ body, headers: {} })),
      this.#app.nowMs,
    )
  }

  async #async({ stream, lengths }: Extract<ServiceStep, { do: 'async' }>): Promise<void> {
    const name = nameOf(stream)
    for (const length of lengths) {
      const event = { body: this.#body(length), headers: {} }
      this.#model.queued = true
      this.#stored(await this.#app.post(`${STREAMS}/${name}/async`, { body: event.body }), name, [event], 202)
    }
  }

  async #batch({ stream, lengths, type, headers }: Extract<ServiceStep, { do: 'batch' }>): Promise<void> {
    const name = nameOf(stream)
    const given = HEADERS[headers % HEADERS.length]!
    const events = lengths.map((length) => ({
      body: this.#body(Math.max(1, length)),
      headers: { 'content.type': type, ...given },
    }))
    const answer = await this.#app.post(`${STREAMS}/${name}/batch`, {
      headers: { 'Content-Type': type, ...prefixed(name, given) },
      body: Buffer.concat(events.flatMap(({ body }) => [body, LINE_END])),
    })
    this.#stored(answer, name, events, 200)
  }

  async #upload({ stream, length, whole }: Extract<ServiceStep, { do: 'upload' }>): Promise<void> {
    const name = nameOf(stream)
    const count = Math.ceil(1_400_000 / length)
    const headers = { 'content.type': 'text/plain' }
    const events = Array.from({ length: count }, () => ({ body: this.#body(length), headers }))
    const body = Buffer.concat(events.flatMap((event) => [event.body, LINE_END]))
    const path = `${STREAMS}/${name}/batch`
    if (!whole) return breakOff(this.#app.port, path, body)
    const chunks = Array.from({ length: 20 }, (_, i) =>
      body.subarray((i * body.length) / 20, ((i + 1) * body.length) / 20),
    )
    const answer = await this.#app.post(path, { headers: { 'Content-Type': 'text/plain' }, chunks })
    this.#stored(answer, name, events, 200)
  }

  #stored(answer: TestResponse, name: string, events: readonly SentEvent[], status: number): void {
    const stream = this.#model.streams.get(name)
    expectStatus(answer, stream === undefined ? 404 : status)
    stream?.add(events, this.#app.nowMs)
  }

  /** Distinct, unless the length allows too few different bodies. */
  #body(length: number): Buffer {
    return Buffer.alloc(length, `${this.#model.written++}.`)
  }

  /** The answer compared with the model; resolves with the cursor of the page that follows, if there is one. */
  async #read(name: string, query: Query, ndjson: boolean): Promise<KeptCursor | undefined> {
    const stream = this.#model.streams.get(name)
    const kept = query.cursor === undefined ? undefined : this.#cursor(query.cursor)
    const startMs = query.start && this.#timeOf(stream, query.start)
    const endMs = query.end && this.#timeOf(stream, query.end)
    const parameters = new URLSearchParams({ encoding: 'base64', cursor: 'true' })
    if (startMs !== undefined) parameters.set('start', this.#timeText(startMs, query.start!.math))
    if (endMs !== undefined) parameters.set('end', this.#timeText(endMs, query.end!.math))
    if (query.limit !== undefined) parameters.set('limit', `${query.limit}`)
    if (kept !== undefined) parameters.set('after', kept.text)
    const path = `${STREAMS}/${name}/events?${parameters}`
    const answer = await this.#app.get(path, ndjson ? { headers: { Accept: 'application/x-ndjson' } } : {})

    const range: ModelRange = {
      startMs: startMs ?? 0,
      endMs: endMs ?? Number.POSITIVE_INFINITY,
      limit: query.limit ?? LIMIT_MAX,
      afterIndex: kept?.life === stream?.life ? (kept?.index ?? -1) : -1,
    }
    if (range.startMs >= range.endMs || (kept !== undefined && kept.stream !== name)) {
      expectStatus(answer, 400)
      return undefined
    }
    if (stream === undefined) {
      expectStatus(answer, 404)
      return undefined
    }
    return this.#compare(answer, name, stream, range, path)
  }

  #compare(
    answer: TestResponse,
    name: string,
    stream: ModelStream,
    range: ModelRange,
    path: string,
  ): KeptCursor | undefined {
    const events = eventsOf(answer)
    const found = stream.inRange(range, this.#app.nowMs)
    // The janitor may have removed events, the oldest first; the model cannot know how many.
    const mayBeGone = found.filter((i) => i < stream.tidied).length
    let gone = 0
    while (gone < mayBeGone && !answers(events, stream, found.slice(gone), range.limit)) gone++
    const wanted = found.slice(gone, gone + range.limit)
    const shown = events.map(({ cursor: _, ...event }) => event)
    expect(shown, `${path} at ${this.#app.nowMs}`).toEqual(wanted.map((i) => printed(stream.events[i]!)))
    expectStatus(answer, wanted.length === 0 ? 204 : 200)
    if (gone > 0) stream.gone = Math.max(stream.gone, found[gone - 1]! + 1)

    for (const at of new Set([0, events.length - 1])) {
      const text = events[at]?.cursor
      if (text !== undefined) this.#keep({ text, stream: name, life: stream.life, index: wanted[at]! })
    }
    const link = answer.headers.link as string | undefined
    expect(link !== undefined, `${path} has another page`).toBe(found.length - gone > range.limit)
    if (link === undefined) return undefined
    const text = new URL(/<(.*)>; rel="next"/.exec(link)![1]!, 'http://x').searchParams.get('after')!
    expect(text).toBe(events.at(-1)!.cursor)
    return { text, stream: name, life: stream.life, index: wanted.at(-1)! }
  }

  async #pages(name: string, limit: number): Promise<void> {
    let next = await this.#read(name, { limit }, false)
    for (let page = 0; next !== undefined && page < 12; page++) {
      this.#keep(next)
      next = await this.#read(name, { limit, cursor: this.#model.cursors.length - 1 }, page % 2 === 0)
    }
  }

  #keep(cursor: KeptCursor): void {
    this.#model.cursors.push(cursor)
  }

  #cursor(choice: number): KeptCursor | undefined {
    const { cursors } = this.#model
    return cursors.length === 0 ? undefined : cursors[choice % cursors.length]
  }

  #timeOf(stream: ModelStream | undefined, { event, by }: NearTime): number {
    const events = stream?.events ?? []
    const time = events.length === 0 ? this.#app.nowMs : events[event % events.length]!.timestampMs
    return Math.max(0, time + by)
  }

  #timeText(timeMs: number, math: boolean): string {
    const sinceMs = this.#app.nowMs - timeMs
    if (!math) return `${timeMs}`
    return sinceMs >= 0 ? `now-${Math.floor(sinceMs / 1000)}s-${sinceMs % 1000}ms` : `now+${-sinceMs}ms`
  }
}

const LINE_END = Buffer.from('\n')

function nameOf(stream: number): string {
  return NAMES[stream % NAMES.length]!
}

function ttlJson(ttlSeconds: number | undefined): string {
  return `{"ttl":${ttlSeconds ?? TTL_SECONDS_MAX}}`
}

function prefixed(stream: string, headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [`${stream}.${name}`, value]))
}

function halves(body: Buffer): Buffer[] {
  const half = body.length >> 1
  return [body.subarray(0, half), body.subarray(half)].filter((piece) => piece.length > 0)
}

function eventsOf({ status, text }: TestResponse): EventJson[] {
  if (status !== 200) return []
  if (text.startsWith('[')) return JSON.parse(text) as EventJson[]
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as EventJson)
}

function answers(
  events: readonly EventJson[],
  stream: ModelStream,
  found: readonly number[],
  limit: number,
): boolean {
  if (events.length !== Math.min(found.length, limit)) return false
  return events.every(({ timestamp, body }, i) => {
    const event = stream.events[found[i]!]!
    return timestamp === event.timestampMs && body === event.body.toString('base64')
  })
}

function expectStatus({ status, text }: TestResponse, wanted: number): void {
  if (status !== wanted) throw new Error(`answered ${status} instead of ${wanted}: ${text.slice(0, 300)}`)
}

/** Says how long the body is, sends half of it and goes; resolves when the service has seen that. */
function breakOff(port: number, path: string, body: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n`
      socket.write(`${head}Content-Length: ${body.length}\r\n\r\n`)
      socket.end(body.subarray(0, body.length >> 1))
    })
    socket.resume()
    socket.once('error', reject)
    socket.once('close', () => resolve())
  })
}
