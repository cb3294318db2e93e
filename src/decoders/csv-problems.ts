/** Errors of the two CSV decoders. Records count from 1, bytes of the body from 0. */
import { ServiceError } from '../service-error.ts'
import type { CsvDialect } from './decoder.ts'

const AS_TEXT = 'send the body as text/plain to split it on line ends alone'

/** Returns the message for a record that is too long. The event cutter calls it. */
export function recordTooLong(eventBytesMax: number): (number: number) => string {
  return (number) =>
    `record ${number} is longer than ${eventBytesMax} bytes, the most one event may hold; ` +
    `send shorter records and close every quoted field, or ${AS_TEXT}`
}

export function notClosed(number: number, openedAt: number): ServiceError {
  return new ServiceError(
    'malformed_batch',
    `record ${number} ends inside a quoted field, whose quote opened at byte ` +
      `${openedAt} of the body; close it with a quote, or ${AS_TEXT}`,
  )
}

export function strayByte(
  number: number,
  byte: number,
  at: number,
  { delimiter, quote }: CsvDialect,
): ServiceError {
  const printable = byte > 0x20 && byte < 0x7f
  const got = printable ? `'${String.fromCharCode(byte)}'` : `byte 0x${byte.toString(16).padStart(2, '0')}`
  const text = Buffer.from(delimiter).toString('utf8')
  const wanted = text === ',' ? 'a comma' : `the delimiter ${JSON.stringify(text)}`
  const twice = String.fromCharCode(quote, quote)
  return new ServiceError(
    'malformed_batch',
    `record ${number} has ${got} right after a closing quote, at byte ${at} ` +
      `of the body; ${wanted}, a line end or the end of the body belongs there. Write a quote inside a quoted ` +
      `field twice (${twice}), or ${AS_TEXT}`,
  )
}
