/** The list of batch decoders, by the layout of the body. */
import { avroContainer } from './avro-container.ts'
import { csvRecords } from './csv-records.ts'
import type { BatchDecoder, BatchLayout, DecoderOptions } from './decoder.ts'
import { longDelimiterRecords } from './long-delimiter-records.ts'
import { textLines } from './text-lines.ts'
import { refusingUtf16 } from './utf16-mark.ts'

export function decoderFor(layout: BatchLayout, options: DecoderOptions): BatchDecoder {
  if (layout.kind === 'avro') return avroContainer(options)
  const decoder = layout.kind === 'lines' ? textLines(options) : csvDecoder(layout, options)
  return layout.mayBeUtf16 ? refusingUtf16(decoder) : decoder
}

function csvDecoder(layout: BatchLayout & { kind: 'csv' }, options: DecoderOptions): BatchDecoder {
  return layout.delimiter.length === 1 ? csvRecords(options, layout) : longDelimiterRecords(options, layout)
}
