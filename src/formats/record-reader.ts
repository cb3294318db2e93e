/**
 * The contract of a reader: it reads the bodies of events as records, one after another, and returns the requested
 * fields.
 *
 * A reader is created once for a query and called for every event, on blocks as the log returns them. It allocates only
 * the values themselves. It returns errors of the content as values and never throws them; it can be used after an
 * error. Bytes are copied, so that values remain valid after the block is gone.
 *
 *   null        null
 *   boolean     boolean
 *   int         number, whole
 *   long        number while that is exact, within ±(2^53-1); bigint beyond. A bigint for every long would cost more
 *               than the rest of a line of numbers; BigInt(value) accepts both.
 *   float       number, rounded to 32 bits
 *   double      number
 *   bytes       Uint8Array, a copy
 *   string      string
 *   enum        string, one of the symbols
 *   array       array
 *   map         Map
 *   record      Map with the fields of the schema, in their order
 *   union       the value of the member that fits
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
 * Why a body is not a record of the schema.
 *
 *   without `partial`   the body as a whole could not be read; `into` may contain anything
 *   with `partial`      the body could be read, and some of its fields do not fit their types or lack a value. Those are
 *                       null in `into`, even where the schema does not allow null; all others have their values
 *
 * Both count as one bad event. Memory is allocated only for bodies with an error.
 */
export interface FormatError {
  /** For people. With several bad fields it has at most REASON_CHARS_MAX characters and names as many fields as fit. */
  readonly reason: string
  readonly partial?: true
}

/** Headers of the event, as the log returns them. Consecutive events with the same headers share one array. */
export type { EventHeaders } from '../../storage/log.ts'

export interface RecordReader {
  /**
   * Reads the body `bytes[start, end)`. `into[i]` becomes the value of the i-th requested field; FormatError describes
   * `into` after an error. The reader may miss errors of fields that are not requested.
   */
  read(
    bytes: Uint8Array,
    start: number,
    end: number,
    headers: EventHeaders,
    into: Value[],
  ): FormatError | undefined
}

/** Indexes of fields of the schema, each at most once, in the order in which the values are returned. */
export type RequestedFields = readonly number[]

export function allFields(schema: RecordSchema): RequestedFields {
  return schema.fields.map((_, index) => index)
}

/** The error of one field. */
export function fieldError(reason: string): FormatError {
  return { reason, partial: true }
}

/** The most characters of a reason for several bad fields. */
const REASON_CHARS_MAX = 300

/** Adds the error of one more field to the known error of a body. */
export function alsoWrong(known: FormatError | undefined, { reason }: FormatError): FormatError {
  if (known === undefined) return fieldError(reason)
  if (known.reason.endsWith(MORE)) return known
  const both = `${known.reason}; ${reason}`
  return fieldError(both.length <= REASON_CHARS_MAX ? both : `${known.reason}${MORE}`)
}

const MORE = '; and others'

/** These texts are exactly those of CDAP. */
export function nullRefused(field: string): FormatError {
  return fieldError(`field ${field} cannot be set to a null value.`)
}

export function valueMissing(field: string): FormatError {
  return fieldError(`Field ${field} must contain a value.`)
}

/** The most characters of the body that a message quotes. */
export const QUOTED_CHARS_MAX = 60

export function quoted(text: string): string {
  return `'${text.length > QUOTED_CHARS_MAX ? `${text.slice(0, QUOTED_CHARS_MAX)}…` : text}'`
}
