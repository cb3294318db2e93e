import { expect, test } from 'vitest'
import { type Charset, findCharset } from '../../src/formats/charset.ts'

const platform = (label: string): Charset => ({ kind: 'platform', label })

const known: { name: string; charset: Charset }[] = [
  ...['utf-8', 'UTF-8', 'UTF8', 'utf_8'].map((name) => ({ name, charset: platform('utf-8') })),
  ...['ISO-8859-1', 'iso8859_1', 'latin1', 'Cp819'].map((name) => ({
    name,
    charset: { kind: 'iso-8859-1' } as const,
  })),
  ...['US-ASCII', 'ASCII', 'ISO646-US'].map((name) => ({ name, charset: { kind: 'us-ascii' } as const })),
  ...['UTF-16', 'UTF_16'].map((name) => ({ name, charset: { kind: 'utf-16' } as const })),
  ...['UTF-16LE', 'UTF_16LE', 'UnicodeLittleUnmarked'].map((name) => ({
    name,
    charset: platform('utf-16le'),
  })),
  ...['UTF-16BE', 'X-UTF-16BE'].map((name) => ({ name, charset: platform('utf-16be') })),
  ...['windows-1252', 'Cp1252', 'MS1252'].map((name) => ({ name, charset: platform('windows-1252') })),
  ...['ISO-8859-15', 'ISO8859_15'].map((name) => ({ name, charset: platform('iso-8859-15') })),
  ...['Shift_JIS', 'SJIS', 'MS932', 'Windows-31J'].map((name) => ({ name, charset: platform('shift_jis') })),
  { name: 'EUC_JP', charset: platform('euc-jp') },
  { name: 'EUC-KR', charset: platform('euc-kr') },
  { name: 'GBK', charset: platform('gbk') },
  { name: 'GB18030', charset: platform('gb18030') },
  { name: 'Big5', charset: platform('big5') },
  { name: 'KOI8_R', charset: platform('koi8-r') },
  { name: 'IBM866', charset: platform('ibm866') },
  { name: 'MacRoman', charset: platform('macintosh') },
]
test.each(known)('$name is $charset', ({ name, charset }) => {
  expect(findCharset(name)).toEqual(charset)
})

test.each(['klingon', '', ' ', ' utf-8', 'utf-8 ', 'utf 8', '__proto__', 'replacement', 'utf-8\n'])(
  'there is no character set %j',
  (name) => {
    expect(findCharset(name)).toBeUndefined()
  },
)
