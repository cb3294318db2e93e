/**
 * `POST …/try-format`: the first events of a stream, read by a format that is tried, before it is set. Nothing changes.
 *
 *   {"format":{…},"events":[{"timestamp":…,"sequence":0,"record":{…}},
 *                           {"timestamp":…,"sequence":1,"error":"…","body":"…"}]}
 */
import type { EventBlock } from '../../storage/log.ts'
import { fieldJson } from '../formats/field-json.ts'
import { allFields, type RecordReader, type Value } from '../formats/record-reader.ts'
import { openReader, resolveFormat } from '../formats/specification.ts'
import { bytesText } from '../formats/value-json.ts'
import type { RecordSchema } from '../schemas/schema.ts'
import { parseSchemaText } from '../schemas/schema-json.ts'
import type { Streams } from '../streams/streams.ts'
import { answerJsonText } from './answers.ts'
import type { HttpContext } from './bindings.ts'
import { type DocumentOptions, documentReader } from './documents.ts'
import { parseEventQuery } from './event-reads.ts'
import { parseFormatDocument, printFormat } from './format-json.ts'
import { streamOf } from './path-names.ts'

export interface TryFormatOptions extends DocumentOptions {
  readonly nowMs: () => number
}

const EVENTS_MAX = 20
/** Of a body that does not fit. */
const BODY_BYTES_SHOWN = 1_000

/** The handler. An empty body tries the format that the stream has. */
export function tryFormatRoute(streams: Streams, options: TryFormatOptions) {
  const readDocument = documentReader(options)
  return async (c: HttpContext) => {
    const id = streamOf(c)
    const query = parseEventQuery(c, id, options.nowMs())
    const { properties } = streams.get(id)
    const format = await readDocument(c.env.incoming, (body, depthMax) =>
      body.length === 0
        ? properties.format
        : parseFormatDocument(body, 'Expected format in the body', depthMax),
    )
    const schema = parseSchemaText(format.schema) as RecordSchema
    const reader = openReader(resolveFormat(format.name, schema, format.settings))
    const read = await streams.read(id, { ...query, limit: Math.min(query.limit, EVENTS_MAX) })
    const events: string[] = []
    if (read !== undefined) {
      for await (const block of read.blocks) events.push(...eventsOf(block, reader, schema))
    }
    return answerJsonText(c, `{"format":${printFormat(format)},"events":[${events.join(',')}]}`)
  }
}

function* eventsOf(block: EventBlock, reader: RecordReader, schema: RecordSchema): Generator<string> {
  const { bytes, starts, ends, runs, firstSequence } = block
  const values: Value[] = new Array(allFields(schema).length).fill(null)
  for (const { begin, end, timestampMs, headers } of runs) {
    for (let i = begin; i < end; i++) {
      const error = reader.read(bytes, starts[i], ends[i], headers, values)
      const position = `"timestamp":${timestampMs},"sequence":${firstSequence + i}`
      if (error === undefined) {
        const fields = schema.fields.map(
          ({ name, schema: type }, at) => `${JSON.stringify(name)}:${fieldJson(type, values[at])}`,
        )
        yield `{${position},"record":{${fields.join(',')}}}`
      } else {
        const body = bytes.subarray(starts[i], Math.min(ends[i], starts[i] + BODY_BYTES_SHOWN))
        yield `{${position},"error":${JSON.stringify(error.reason)},"body":${JSON.stringify(bytesText(body))}}`
      }
    }
  }
}
