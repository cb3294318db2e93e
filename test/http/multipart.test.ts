/** Bodies of multipart/form-data, whole and in pieces of every size. */
import { describe, expect, test } from 'vitest'
import { boundaryOf, multipartPieces } from '../../src/http/messages/multipart.ts'

async function read(body: Buffer, pieceBytes: number, boundary = 'xx') {
  async function* chunks() {
    for (let at = 0; at < body.length; at += pieceBytes) yield body.subarray(at, at + pieceBytes)
  }
  const parts: {
    name?: string | undefined
    fileName?: string | undefined
    content: string
    ended: boolean
  }[] = []
  for await (const piece of multipartPieces(chunks(), boundary)) {
    if (piece.kind === 'part')
      parts.push({ name: piece.name, fileName: piece.fileName, content: '', ended: false })
    else if (piece.kind === 'content') parts.at(-1)!.content += Buffer.from(piece.bytes).toString('latin1')
    else parts.at(-1)!.ended = true
  }
  return parts
}

const SIZES = [1, 2, 3, 5, 7, 64, 10_000]
const part = (headers: string, content: string) => `--xx\r\n${headers}\r\n\r\n${content}\r\n`
const FORM = 'Content-Disposition: form-data; '

describe.each(SIZES)('in pieces of %d bytes', (size) => {
  test.each([
    { what: 'no part', body: '--xx--', parts: [] },
    { what: 'no part, and text around', body: 'before\r\n--xx--\r\nafter --xx--', parts: [] },
    {
      what: 'one part',
      body: `${part(`${FORM}name="a"`, 'one')}--xx--\r\n`,
      parts: [['a', undefined, 'one']],
    },
    {
      what: 'a file, with other headers and cases',
      body: `${part(`Content-Type: x/y\r\ncontent-disposition:form-data;filename=x.jar ; NAME="a;b"`, 'one')}--xx--`,
      parts: [['a;b', 'x.jar', 'one']],
    },
    {
      what: 'two parts, one of them empty, and content like a boundary',
      body: `${part(`${FORM}name="a"; filename=""`, '')}${part(`${FORM}name="b"`, '\r\n--x\r\n--\r\n\r--xx')}--xx--`,
      parts: [
        ['a', '', ''],
        ['b', undefined, '\r\n--x\r\n--\r\n\r--xx'],
      ],
    },
    {
      what: 'spaces behind a boundary',
      body: `--xx \t \r\n${FORM}name=a\r\n\r\n1\r\n--xx--`,
      parts: [['a', undefined, '1']],
    },
    { what: 'a part without headers', body: '--xx\r\n\r\n1\r\n--xx--', parts: [[undefined, undefined, '1']] },
    {
      what: 'escaped names',
      body: `${part(`${FORM}name="a\\"b%22c"; filename="C:\\dir\\x.jar"`, '')}${part(`${FORM}name=b; filename*=UTF-8''z%C3%B6.jar`, '')}--xx--`,
      parts: [
        ['a"b"c', 'C:\\dir\\x.jar', ''],
        ['b', 'zö.jar', ''],
      ],
    },
  ])('$what', async ({ body, parts }) => {
    expect(await read(Buffer.from(body), size)).toEqual(
      parts.map(([name, fileName, content]) => ({ name, fileName, content, ended: true })),
    )
  })

  test.each([
    { what: 'an empty body', body: '', text: 'it ends before its last boundary' },
    { what: 'no boundary', body: 'a\r\nb\r\n', text: 'it ends before its last boundary' },
    {
      what: 'half a last boundary',
      body: `${part(`${FORM}name=a`, '1')}--xx-`,
      text: 'it ends before its last boundary',
    },
    {
      what: 'an open part',
      body: `--xx\r\n${FORM}name=a\r\n\r\n1`,
      text: 'it ends before its last boundary',
    },
    {
      what: 'text behind a boundary',
      body: '--xxy\r\n\r\n\r\n--xx--',
      text: 'a boundary is not at the end of its line',
    },
    {
      what: 'spaces without end',
      body: `--xx${' '.repeat(100)}`,
      text: 'a boundary is not at the end of its line',
    },
    {
      what: 'a wrong encoding',
      body: `${part(`${FORM}filename*=utf-8''%ff.jar`, '')}--xx--`,
      text: 'filename* of a part is not percent-encoded UTF-8',
    },
  ])('$what is refused', async ({ body, text }) => {
    await expect(read(Buffer.from(body), size)).rejects.toThrow(`the body is no multipart/form-data: ${text}`)
  })
})

test('long headers and many parts are refused', async () => {
  await expect(read(Buffer.from(`--xx\r\nX: ${'y'.repeat(5_000)}\r\n\r\n`), 1_000)).rejects.toThrow(
    'the headers of a part have more than 4096 bytes',
  )
  await expect(read(Buffer.from('--xx\r\n\r\n\r\n'.repeat(101)), 1_000)).rejects.toThrow(
    'it has more than 100 parts',
  )
})

test.each([
  ['multipart/form-data; boundary=abc', 'abc'],
  ['Multipart/Form-Data;boundary="a b;c"; charset=utf-8', 'a b;c'],
  ['multipart/form-data; charset=utf-8; boundary=abc', 'abc'],
  ['multipart/form-data', undefined],
  ['multipart/form-data; boundary=', undefined],
  [`multipart/form-data; boundary=${'x'.repeat(71)}`, undefined],
  ['multipart/mixed; boundary=abc', undefined],
  ['application/json', undefined],
  [undefined, undefined],
])('the boundary of %j', (contentType, boundary) => {
  expect(boundaryOf(contentType)).toBe(boundary)
})
