/**
 * The contract of a reader: it reads the bodies of events as records, one after the other, and returns the requested fields.
 *
 * A reader is made once for a query and called for every event, from blocks as the log hands them out: nothing is
 * allocated except the values themselves. Bad content is returned as a value, never thrown, and leaves the reader
 * usable. Bytes are copied, so that values outlive the block they came from.
 *
 *   null        null
 *   boolean     boolean
 *   int         number, whole
 *   long        number while that is exact, within ±(2^53-1); bigint beyond. A bigint for each would cost more than
 *               the rest of a line of numbers; BigInt(value) takes both.
 *   float       number, rounded to 32 bits
 *   double      number
 *   bytes       Uint8Array, a copy
 *   string      string
 *   enum        string, one of the symbols
 *   array       array
 *   map         Map
 *   record      Map with the fields of the schema, in their order
 *   union       the value of the member that was found
 */
import type { EventHeaders } from '../../storage/log.ts'
import type { RecordSchema } from '../schemas/schema.ts'

export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly Value[]
  | ReadonlyMap<string, Value>

/**
 * Why a body is no record of the schema.
 *
 *   without `partial`   the body as a whole could not be read; `into` may hold anything
 *   with `partial`      the body could be read, and some of its fields do not fit their types or lack a value: those are
 *                       null in `into`, even where the schema does not let them be, and all others have their values
 *
 * Both count as one bad event. Memory is taken only for bodies that have an error.
 */
export interface FormatError {
  /** For people, at most REASON_CHARS_MAX characters when there are several bad fields; it names as many of them as fit. */
  readonly reason: string
  readonly partial?: true
}

/** Headers of the event, as the log returns them: one array for all events of a run. */
export type { EventHeaders as HeaderPairs } from '../../storage/log.ts'

export interface RecordReader {
  /**
   * Reads the body `bytes[start, end)`. `into[i]` becomes the value of the i-th field that is wanted; for what it holds
   * after an error see FormatError. What is wrong with fields that are not wanted may go unnoticed.
   */
  read(
    bytes: Uint8Array,
    start: number,
    end: number,
    headers: EventHeaders,
    into: Value[],
  ): FormatError | undefined
}

/** Indexes into the fields of the schema, each at most once, in the order in which the values are to come. */
export type RequestedFields = readonly number[]

export function allFields(schema: RecordSchema): RequestedFields {
  return schema.fields.map((_, index) => index)
}

/** One field does not fit. */
export function fieldError(reason: string): FormatError {
  return { reason, partial: true }
}

/** The longest reason for several bad fields. */
const REASON_CHARS_MAX = 300

/** What is known of a body, and one more bad field of it. */
export function alsoWrong(known: FormatError | undefined, { reason }: FormatError): FormatError {
  if (known === undefined) return fieldError(reason)
  if (known.reason.endsWith(MORE)) return known
  const both = `${known.reason}; ${reason}`
  return fieldError(both.length <= REASON_CHARS_MAX ? both : `${known.reason}${MORE}`)
}

const MORE = '; and others'

/** CDAP's texts, to the letter. */
export function nullRefused(field: string): FormatError {
  return fieldError(`field ${field} cannot be set to a null value.`)
}

export function valueMissing(field: string): FormatError {
  return fieldError(`Field ${field} must contain a value.`)
}

/** An excerpt for a message. */
export const QUOTED_CHARS_MAX = 60

export function quoted(text: string): string {
  return `'${text.length > QUOTED_CHARS_MAX ? `${text.slice(0, QUOTED_CHARS_MAX)}…` : text}'`
}
