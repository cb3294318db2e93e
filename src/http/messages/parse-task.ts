/**
 * The tasks of a worker thread: parse a document, or read events by a format for a preview. Tasks and results are plain
 * values, which can be sent between threads.
 */
import { fieldJson } from '../../formats/field-json.ts'
import type { FormatSpecification } from '../../formats/format-specification.ts'
import { allFields, type EventHeaders, type RecordReader, type Value } from '../../formats/record-reader.ts'
import { openReader, resolveFormat } from '../../formats/specification.ts'
import { bytesText } from '../../formats/value-json.ts'
import type { RecordSchema } from '../../schemas/schema.ts'
import { parseSchemaText } from '../../schemas/schema-json.ts'
import { type ApiDocuments, parserOf } from './api-documents.ts'

export interface DocumentTask {
  readonly kind: 'document'
  readonly api: string
  readonly parser: string
  readonly body: Uint8Array
  readonly depthMax: number
  readonly more: readonly unknown[]
}

export interface PreviewTask {
  readonly kind: 'preview'
  readonly format: FormatSpecification
  readonly events: readonly PreviewEvent[]
}

export interface PreviewEvent {
  /** Undefined if it is longer than TRIED_BYTES_MAX. */
  readonly body: Uint8Array | undefined
  readonly headers: EventHeaders
  /** `"timestamp":…,"sequence":…` */
  readonly position: string
  /** The first bytes of the body. */
  readonly shown: Uint8Array
  readonly length: number
}

export type ParseTask = DocumentTask | PreviewTask

/** A longer event is not read by the format. */
export const TRIED_BYTES_MAX = 256 * 1024
/** Of one record as JSON. */
const RECORD_CHARS_MAX = 64 * 1024

/**
 * Returns the parsed document. For a preview returns undefined and calls `emit` with each event as JSON. Throws ServiceError.
 */
export function runTask(
  task: ParseTask,
  documents: readonly ApiDocuments[],
  emit: (part: string) => void,
): unknown {
  if (task.kind === 'preview') return preview(task, emit)
  return parserOf(documents, task.api, task.parser)(task.body, task.depthMax, ...task.more)
}

/** JSON of an event that the format could not read. */
export function unreadEvent({ position, shown }: PreviewEvent, reason: string): string {
  return `{${position},"error":${JSON.stringify(reason)},"body":${JSON.stringify(bytesText(shown))}}`
}

function preview({ format, events }: PreviewTask, emit: (part: string) => void): undefined {
  const schema = parseSchemaText(format.schema) as RecordSchema
  const reader = openReader(resolveFormat(format.name, schema, format.settings))
  const values: Value[] = new Array(allFields(schema).length).fill(null)
  for (const event of events) emit(previewOf(event, reader, schema, values))
}

function previewOf(event: PreviewEvent, reader: RecordReader, schema: RecordSchema, values: Value[]): string {
  const { body, headers, position, length } = event
  if (body === undefined) {
    return unreadEvent(event, `the event has ${length} bytes; one of at most ${TRIED_BYTES_MAX} is tried`)
  }
  const error = reader.read(body, 0, body.length, headers, values)
  if (error !== undefined) return unreadEvent(event, error.reason)
  const fields = schema.fields.map(
    ({ name, schema: type }, at) => `${JSON.stringify(name)}:${fieldJson(type, values[at] ?? null)}`,
  )
  const record = `{${fields.join(',')}}`
  if (record.length <= RECORD_CHARS_MAX) return `{${position},"record":${record}}`
  const cut = `the record has ${record.length} characters as JSON; one of at most ${RECORD_CHARS_MAX} is shown`
  return `{${position},"cut":${JSON.stringify(cut)},"body":${JSON.stringify(bytesText(event.shown))}}`
}
