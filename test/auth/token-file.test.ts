/** The token file as text: what is printed is read back, and nothing that is not meant is passed over. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseTokenFile, printTokenFile, type TokenEntry } from '../../src/auth/token-file.ts'
import {
  hashOfSecret,
  isSecret,
  parseTokenHash,
  secretFrom,
  withoutSecrets,
} from '../../src/auth/token-hash.ts'
import { secretNumber, tokenEntry } from '../support/tokens.ts'

const SECRET = secretNumber(7)
const HASH = hashOfSecret(SECRET)
const GOOD = { name: 'shop', hash: HASH, grants: ['default:orders-*:write'] }

function fileWith(token: object): string {
  return JSON.stringify({ format: 1, tokens: [token] })
}

test('a secret is 32 random bytes, and its hash does not depend on who computes it', () => {
  const secret = secretFrom(Buffer.from(Array.from({ length: 32 }, (_, i) => i)))
  expect(secret).toBe('mr_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8')

  // As `printf %s mr_AAEC… | sha256sum` says.
  expect(hashOfSecret(secret)).toBe('6b4e09a2d936eb9d7bfd271d65f8dae962b2f9c5730514aef0082a2696a04938')
  expect(isSecret(secret)).toBe(true)
  for (const other of [
    '',
    'mr_',
    secret.slice(1),
    `${secret}A`,
    secret.replace('A', '+'),
    secret.toUpperCase(),
  ]) {
    expect(isSecret(other), other).toBe(false)
  }
})

test('what is printed is read back', () => {
  const moment = fc.option(fc.integer({ min: 0, max: 4_000_000_000_000 }), { nil: undefined })
  const rate = fc.option(fc.integer({ min: 1, max: 1_000_000_000_000 }), { nil: undefined })
  const grant = fc
    .tuple(
      fc.constantFrom('*', 'default', 'a_*'),
      fc.constantFrom('*', 'logs-*', 'x'),
      fc.constantFrom('read', 'read,write,admin'),
    )
    .map((parts) => parts.join(':'))
  const entry = fc
    .record({
      name: fc.stringMatching(/^[A-Za-z0-9._-]{1,64}$/),
      grants: fc.array(grant, { minLength: 1, maxLength: 5 }),
      createdMs: moment,
      expiresMs: moment,
      eventsPerSecond: rate,
      bytesPerSecond: rate,
      random: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    })
    .map(({ random, ...token }): TokenEntry => tokenEntry(token, secretFrom(random)))
  const entries = fc
    .uniqueArray(entry, { selector: ({ name }) => name, maxLength: 5 })
    .filter((all) => new Set(all.map(({ hash }) => hash)).size === all.length)
  fc.assert(
    fc.property(entries, (all) => {
      expect(parseTokenFile(printTokenFile(all))).toEqual(all)
    }),
  )
})

const refused = [
  { name: 'nothing', text: '', says: 'it is not JSON' },
  { name: 'half a file', text: fileWith(GOOD).slice(0, -3), says: 'it is not JSON' },
  { name: 'a list', text: '[]', says: 'the file is not a JSON object' },
  {
    name: 'no format',
    text: '{"tokens":[]}',
    says: 'its "format" is not 1, the only one this Millrace knows',
  },
  { name: 'a later format', text: '{"format":2,"tokens":[]}', says: 'its "format" is not 1' },
  { name: 'no tokens', text: '{"format":1}', says: 'its "tokens" are not a list' },
  {
    name: 'something beside the tokens',
    text: '{"format":1,"tokens":[],"x":1}',
    says: 'the file has a member that is none of',
  },
  { name: 'a text for a token', text: '{"format":1,"tokens":["x"]}', says: 'token 1 is not a JSON object' },
  {
    name: 'a misspelt member',
    text: fileWith({ ...GOOD, expire: '2027-01-31T12:00:00Z' }),
    says: 'token 1 has a member that is none of',
  },
  { name: 'no name', text: fileWith({ ...GOOD, name: undefined }), says: 'token 1: the name of a token is' },
  {
    name: 'a name with a colon',
    text: fileWith({ ...GOOD, name: 'a:b' }),
    says: 'token 1: the name of a token is',
  },
  {
    name: 'a secret for a name',
    text: fileWith({ ...GOOD, name: SECRET }),
    says: 'token 1: a secret stands where',
  },
  { name: 'no hash', text: fileWith({ ...GOOD, hash: undefined }), says: "token 'shop': its hash is not 64" },
  {
    name: 'the secret for its hash',
    text: fileWith({ ...GOOD, hash: SECRET }),
    says: "token 'shop': its hash is not 64",
  },
  {
    name: 'a hash in upper case',
    text: fileWith({ ...GOOD, hash: HASH.toUpperCase() }),
    says: "token 'shop': its hash",
  },
  {
    name: 'no grants',
    text: fileWith({ ...GOOD, grants: [] }),
    says: "token 'shop': its grants are not a list of",
  },
  {
    name: 'a grant that is none',
    text: fileWith({ ...GOOD, grants: ['x'] }),
    says: "token 'shop': 'x' is no grant",
  },
  {
    name: 'an end without a zone',
    text: fileWith({ ...GOOD, expires: '2027-01-31T12:00:00' }),
    says: "token 'shop': a moment is written",
  },
  {
    name: 'an end that is no day',
    text: fileWith({ ...GOOD, expires: '2027-13-31T12:00:00Z' }),
    says: "token 'shop': a moment is written",
  },
  {
    name: 'an end in seconds',
    text: fileWith({ ...GOOD, expires: 1_800_000_000 }),
    says: "token 'shop': a moment is written",
  },
  {
    name: 'an end of null',
    text: fileWith({ ...GOOD, expires: null }),
    says: "token 'shop': a moment is written",
  },
  {
    name: 'a rate of zero',
    text: fileWith({ ...GOOD, eventsPerSecond: 0 }),
    says: "token 'shop': a rate is a whole number",
  },
  {
    name: 'a rate as text',
    text: fileWith({ ...GOOD, bytesPerSecond: '5' }),
    says: "token 'shop': a rate is a whole number",
  },
  {
    name: 'a name twice',
    text: JSON.stringify({ format: 1, tokens: [GOOD, { ...GOOD, hash: hashOfSecret(secretNumber(8)) }] }),
    says: "tokens 'shop' and 'shop' have the same name",
  },
  {
    name: 'a hash twice',
    text: JSON.stringify({ format: 1, tokens: [GOOD, { ...GOOD, name: 'other' }] }),
    says: "tokens 'shop' and 'other' have the same hash",
  },
]

test.each(refused)('$name is refused in a sentence without secrets', ({ text, says }) => {
  let message = ''
  try {
    parseTokenFile(text)
  } catch (error) {
    message = (error as Error).message
  }
  expect(message).toContain(says)
  expect(message).not.toContain(SECRET)
  expect(message).not.toContain(HASH.slice(0, 8))
})

test('a hash is compared as a whole', () => {
  expect(parseTokenHash(HASH)).toBe(HASH)
})

test.each([
  { text: `GET /x?token=${SECRET} HTTP/1.1`, clean: 'GET /x?token=mr_… HTTP/1.1' },
  { text: `${SECRET}${SECRET}`, clean: 'mr_…' },
  { text: `"${SECRET}","${SECRET}"`, clean: '"mr_…","mr_…"' },
  { text: 'mr_short and mr_', clean: 'mr_short and mr_' },
  { text: '', clean: '' },
])('$text is printed as $clean', ({ text, clean }) => {
  expect(withoutSecrets(text)).toBe(clean)
})
