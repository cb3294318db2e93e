import { describe, expect, test } from 'vitest'
import { ServiceError } from '../../src/service-error.ts'
import {
  NAME_BYTES_MAX,
  parseApplicationName,
  parseNamespaceName,
  parseNewNamespaceName,
  parseProgramName,
  parseStreamName,
} from '../../src/streams/names.ts'

const parsers = [
  {
    kind: 'stream',
    parse: parseStreamName,
    hyphen: true,
    refusal: (text: string) =>
      `java.lang.IllegalArgumentException: Invalid stream ID: ${text}. Should only contain alphanumeric characters and _ or -.`,
  },
  {
    kind: 'namespace',
    parse: parseNamespaceName,
    hyphen: false,
    refusal: (text: string) =>
      `Invalid namespace ID: ${text}. Should only contain alphanumeric characters or _.`,
  },
  {
    kind: 'new namespace',
    parse: parseNewNamespaceName,
    hyphen: false,
    refusal: () => "Namespace id can contain only alphanumeric characters or '_'.",
  },
  {
    kind: 'application',
    parse: parseApplicationName,
    hyphen: true,
    refusal: (text: string) =>
      `Invalid application ID: ${text}. Should only contain alphanumeric characters and _ or -.`,
  },
  {
    kind: 'program',
    parse: parseProgramName,
    hyphen: true,
    refusal: (text: string) =>
      `Invalid program ID: ${text}. Should only contain alphanumeric characters and _ or -.`,
  },
]

describe.each(parsers)('the name of a $kind', ({ parse, hyphen, refusal }) => {
  const accepted = [
    'mystream',
    'test_stream1',
    '_hidden',
    'UPPER',
    '0',
    '__proto__',
    'x'.repeat(NAME_BYTES_MAX),
  ]
  test.each(accepted)('may be %s', (text) => {
    expect(parse(text)).toBe(text)
  })

  const refused = ['inv@lid', '', 'a.b', 'a b', 'a/b', 'é', 'a\n', '٣', 'a+b']
  test.each(refused)('may not be %j', (text) => {
    expect(() => parse(text)).toThrow(new ServiceError('invalid_id', refusal(text)))
  })

  test(`${hyphen ? 'may' : 'may not'} hold a hyphen`, () => {
    if (hyphen) expect(parse('my-name')).toBe('my-name')
    else expect(() => parse('my-name')).toThrow(new ServiceError('invalid_id', refusal('my-name')))
  })

  test('has a limit, and the refusal does not repeat it all', () => {
    expect(() => parse('x'.repeat(NAME_BYTES_MAX + 1))).toThrow(
      expect.objectContaining({
        code: 'invalid_id',
        message: expect.stringMatching(/ID of 1025 characters; use at most 1024\.$/),
      }),
    )
  })
})
