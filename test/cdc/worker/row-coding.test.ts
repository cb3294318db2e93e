/** Rows in the row store: which values a stored row has, and which it lacks. */
import { expect, test } from 'vitest'
import { RowBytes, rowOfTexts } from '../../../src/cdc/events/row-bytes.ts'
import { readRow, rowBytesMax, writeRow } from '../../../src/cdc/worker/row-coding.ts'
import { textsOf } from '../../../src/cdc/worker/table-capture.ts'

/** Undefined: a value that was not sent. */
type Texts = readonly (string | null | undefined)[]

const rows: readonly {
  readonly name: string
  readonly texts: Texts
  readonly places?: readonly number[]
  readonly stored: Texts
}[] = [
  { name: 'with all values', texts: ['1', '', null, 'é'], stored: ['1', '', null, 'é'] },
  {
    name: 'with values that were not sent',
    texts: [undefined, 'a', undefined],
    stored: [undefined, 'a', undefined],
  },
  {
    name: 'with texts like the marks of NULL and of what was not sent',
    texts: ['\x01', '\x02', '\x01\x02', undefined, '\x01\x01', null],
    stored: ['\x01', '\x02', '\x01\x02', undefined, '\x01\x01', null],
  },
  {
    name: 'in another order, with a dropped column',
    texts: ['a', undefined],
    places: [2, 0],
    stored: [undefined, null, 'a'],
  },
]

test.each(rows)('a row $name is read as it was written', ({ texts, places, stored }) => {
  const row = rowOfTexts(texts)
  const bytes = Buffer.alloc(rowBytesMax(row, stored.length))
  const end = writeRow(bytes, 0, row, places, stored.length)
  const read = new RowBytes()
  readRow(bytes.subarray(0, end), read)
  expect(textsOf(read)).toEqual(stored)
})
