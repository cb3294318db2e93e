/**
 * The lines of an export (http/cdap/event-export.ts) -> events, each line checked against the one before it.
 *
 * An export may be in several parts, each with its closing line, where one continues after the cursor of the other. It is complete
 * if its last line is a closing line, and each closing line has the count and the checksum of its part.
 */
import { crc32c } from '@node-rs/crc32'
import type { EventHeaders } from '../../storage/log.ts'

export interface ExportedEvent {
  readonly timestampMs: number
  readonly headers: EventHeaders
  readonly body: Buffer
}

/** The message has the number of the line and the problem. */
export class ExportError extends Error {
  override readonly name = 'ExportError'
}

const LF = 0x0a

/** Throws ExportError, at the latest where the text ends too early. */
export async function* exportedEvents(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<ExportedEvent, void> {
  const reader = new ExportReader()
  for await (const line of linesOf(chunks)) {
    const event = reader.take(line)
    if (event !== undefined) yield event
  }
  reader.end()
}

/** Each with its line end, if it has one. */
async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void> {
  let begun: Buffer[] = []
  for await (const bytes of chunks) {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    let from = 0
    for (let end = chunk.indexOf(LF); end !== -1; end = chunk.indexOf(LF, from)) {
      const rest = chunk.subarray(from, end + 1)
      yield begun.length === 0 ? rest : Buffer.concat([...begun, rest])
      begun = []
      from = end + 1
    }
    if (from < chunk.length) begun.push(chunk.subarray(from))
  }
  if (begun.length > 0) yield Buffer.concat(begun)
}

class ExportReader {
  #line = 0
  #events = 0
  #checksum = 0
  #lastMs = 0
  #lastSequence: number | undefined
  #ended = false
  /** The first line of the part whose sequence does not follow that of the line before. */
  #gap: ExportError | undefined

  /** Undefined for a closing line. */
  take(line: Buffer): ExportedEvent | undefined {
    this.#line++
    if (line.at(-1) !== LF) throw this.#wrong('is cut off: the export is not whole')
    const json = this.#parse(line)
    if ('end' in json) {
      this.#close(json)
      return undefined
    }
    this.#ended = false
    this.#events++
    this.#checksum = crc32c(line, this.#checksum)
    return this.#event(json, line)
  }

  end(): void {
    if (this.#ended) return
    throw new ExportError(
      `the export is not whole: after line ${this.#line} the closing line {"end":true,…} is missing`,
    )
  }

  #parse(line: Buffer): Record<string, unknown> {
    let json: unknown
    try {
      json = JSON.parse(line.toString('utf8'))
    } catch (cause) {
      throw this.#wrong('is not JSON', cause)
    }
    if (typeof json !== 'object' || json === null || Array.isArray(json))
      throw this.#wrong('is no JSON object')
    return json as Record<string, unknown>
  }

  #close({ end, events, crc32c: sum, gaps }: Record<string, unknown>): void {
    if (end !== true) throw this.#wrong('has an end that is not true')
    if (events !== this.#events)
      throw this.#wrong(`closes ${String(events)} events, and there are ${this.#events}`)
    const checksum = this.#checksum.toString(16).padStart(8, '0')
    if (sum !== checksum)
      throw this.#wrong(`has the checksum ${String(sum)}, and that of the lines is ${checksum}`)
    if (this.#gap !== undefined && gaps !== true) throw this.#gap
    this.#gap = undefined
    this.#events = 0
    this.#checksum = 0
    this.#ended = true
  }

  #event(json: Record<string, unknown>, line: Buffer): ExportedEvent {
    const { timestamp, sequence, body, encoding } = json
    if (!isWholeNumber(timestamp)) throw this.#wrong('has no timestamp in whole milliseconds')
    if (!isWholeNumber(sequence)) throw this.#wrong('has no sequence')
    if (timestamp < this.#lastMs) throw this.#wrong(`goes back in time, from ${this.#lastMs} to ${timestamp}`)
    // Events that expired between two parts are missing; within one part none is, unless its closing line says so.
    const last = this.#lastSequence
    if (last !== undefined && sequence !== last + 1) {
      const wrong = this.#wrong(`has sequence ${sequence}, and the event before it ${last}`)
      if (sequence <= last) throw wrong
      if (this.#events > 1) this.#gap ??= wrong
    }
    this.#lastMs = timestamp
    this.#lastSequence = sequence
    return {
      timestampMs: timestamp,
      headers: this.#headers(json.headers, line),
      body: this.#body(body, encoding),
    }
  }

  #headers(headers: unknown, line: Buffer): EventHeaders {
    if (typeof headers !== 'object' || headers === null || Array.isArray(headers))
      throw this.#wrong('has no headers')
    const entries = Object.entries(headers)
    for (const [name, value] of entries) {
      if (typeof value !== 'string') throw this.#wrong(`has a header '${name}' that is no text`)
    }
    // JavaScript puts names that are numbers first, whatever their place in the text.
    if (entries.length > 1 && entries.some(([name]) => /^[0-9]+$/.test(name))) {
      return inWrittenOrder(entries, line.toString('utf8'))
    }
    return entries
  }

  #body(body: unknown, encoding: unknown): Buffer {
    if (typeof body !== 'string') throw this.#wrong('has no body')
    if (encoding === undefined) return Buffer.from(body, 'utf8')
    const bytes = encoding === 'base64' ? Buffer.from(body, 'base64') : undefined
    if (bytes === undefined) throw this.#wrong(`has the encoding '${String(encoding)}'; only base64 is known`)
    if (bytes.toString('base64') !== body) throw this.#wrong('has a body that is not base64')
    return bytes
  }

  #wrong(what: string, cause?: unknown): ExportError {
    return new ExportError(`line ${this.#line} ${what}`, { cause })
  }
}

function isWholeNumber(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

const TEXT = /"(?:[^"\\]|\\.)*"/gy

/** The members of `"headers":{…}` in the order in which the line has them. */
function inWrittenOrder(entries: readonly [string, string][], line: string): EventHeaders {
  const values = new Map(entries)
  const ordered: [string, string][] = []
  TEXT.lastIndex = line.indexOf('"headers"') + '"headers"'.length
  // Forward to the first name; then name, colon, value, comma.
  TEXT.lastIndex = line.indexOf('"', TEXT.lastIndex)
  while (ordered.length < entries.length) {
    const name = JSON.parse(TEXT.exec(line)![0]) as string
    ordered.push([name, values.get(name)!])
    TEXT.lastIndex = line.indexOf('"', TEXT.lastIndex)
    TEXT.exec(line)
    TEXT.lastIndex = line.indexOf('"', TEXT.lastIndex)
  }
  return ordered
}
