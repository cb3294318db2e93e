/** The list of batch decoders, by content type. */
import { avroContainer } from './avro-container.ts'
import { csvRecords } from './csv-records.ts'
import type { BatchDecoder, DecoderOptions } from './decoder.ts'
import { textLines } from './text-lines.ts'

/**
 * The decoder for a `Content-Type` as sent, or undefined. As in CDAP, `text/` is matched in lower case and any subtype
 * is text, while Avro takes no parameters.
 */
export function decoderFor(contentType: string, options: DecoderOptions): BatchDecoder | undefined {
  if (contentType === 'avro/binary') return avroContainer(options)
  if (/^text\/csv *(;|$)/.test(contentType)) return csvRecords(options)
  if (contentType.startsWith('text/')) return textLines(options)
  return undefined
}
