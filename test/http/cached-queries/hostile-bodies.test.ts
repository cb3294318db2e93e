/** Bodies that are made to cost time, memory or a secret: each is refused soon, with a sentence that repeats no value. */
import { expect, test } from 'vitest'
import { parseCreateQuery } from '../../../src/http/cached-queries/call-bodies.ts'
import { ServiceError } from '../../../src/service-error.ts'
import { apisWithQueries, FakeQueries, form } from '../../support/cached-queries.ts'
import { seededRandom } from '../../support/seeded-random.ts'
import { testApp } from '../../support/test-app.ts'

const MIB = 1024 * 1024
const SECRET = 'w0rd-of-a-secret'
const FORM = 'application/x-www-form-urlencoded'
const JSON_TYPE = 'application/json'
const FIELDS = {
  connectionString: `postgres://app:${SECRET}@db/shop`,
  environmentId: 'env1',
  schema: 'model A { id Int @id }',
  sqlQuery: 'SELECT 1',
}

const hostile: readonly (readonly [name: string, type: string, body: string | Uint8Array, status: number])[] =
  [
    [
      '10,000 unknown fields',
      FORM,
      Array.from({ length: 10_000 }, (_, i) => `f${i}=${SECRET}`).join('&'),
      400,
    ],
    ['10,000 fields of one name', FORM, `connectionString=${SECRET}&`.repeat(10_000), 400],
    ['a million separators', FORM, '&'.repeat(MIB), 400],
    ['a million equals signs', FORM, '='.repeat(MIB), 400],
    ['a megabyte of escapes', FORM, `sqlQuery=${'%41'.repeat(MIB / 3 - 8)}`, 400],
    ['a megabyte of broken escapes', FORM, '%'.repeat(MIB), 400],
    ['a long name', FORM, 'x'.repeat(MIB), 400],
    ['fields that look like members', FORM, '__proto__=1&constructor=2', 400],
    ['brackets', FORM, 'connectionString[]=a&connectionString[x]=b', 400],
    ['all bytes', FORM, Uint8Array.from({ length: 256 }, (_, i) => i), 400],
    ['a million levels of lists', JSON_TYPE, '['.repeat(MIB), 400],
    ['a million levels of objects', JSON_TYPE, '{"a":'.repeat(MIB / 5), 400],
    ['a nested value', JSON_TYPE, `{"schema":${'['.repeat(MIB - 20)}`, 400],
    [
      '10,000 members',
      JSON_TYPE,
      `{${Array.from({ length: 10_000 }, (_, i) => `"f${i}":"${SECRET}"`).join()}}`,
      400,
    ],
    ['10,000 members of one name', JSON_TYPE, `{${'"schema":"a",'.repeat(10_000)}`, 400],
    ['a text without an end', JSON_TYPE, `{"schema":"${'\\"'.repeat(MIB / 2 - 10)}`, 400],
    ['a text of escapes', JSON_TYPE, `{"schema":"${'\\n'.repeat(MIB / 2 - 10)}"}`, 400],
    ['white space', JSON_TYPE, ' '.repeat(MIB), 400],
    ['more than a MiB', JSON_TYPE, ' '.repeat(MIB + 1), 413],
  ]

test('each is refused', async () => {
  const queries = new FakeQueries()
  const app = await testApp({ apis: apisWithQueries(queries) })
  for (const [name, type, body, status] of hostile) {
    const answer = await app.post('/createCachedQuery', { headers: { 'Content-Type': type }, body })
    expect(answer.status, `${name}: ${answer.text.slice(0, 300)}`).toBe(status)
    expect(answer.text.length, name).toBeLessThan(500)
    expect(answer.text, name).not.toContain(SECRET)
  }
  expect(queries.calls).toEqual([])
  expect(app.reported).toEqual([])
})

test('none takes long to read', () => {
  const before = process.cpuUsage()
  for (const [, type, body] of hostile) {
    const form = type === FORM ? 'form' : 'json'
    expect(() => parseCreateQuery(Buffer.from(body), 64, form)).toThrow(ServiceError)
  }
  const { user } = process.cpuUsage(before)
  expect(user / 1000).toBeLessThan(3_000) // milliseconds for all of them; 200 are usual
})

test('a whole megabyte of SQL arrives as it was sent', async () => {
  const queries = new FakeQueries()
  const app = await testApp({ apis: apisWithQueries(queries) })
  const sqlQuery = `SELECT '${'é%&+\n'.repeat(40_000)}'`
  for (const [type, body] of [
    [FORM, form({ ...FIELDS, sqlQuery })],
    [JSON_TYPE, JSON.stringify({ ...FIELDS, sqlQuery })],
  ] as const) {
    const answer = await app.post('/createCachedQuery', { headers: { 'Content-Type': type }, body })
    expect(answer.status, answer.text).toBe(201)
    const [, asked] = queries.calls.pop() as [string, { sqlQuery: string }]
    expect(asked.sqlQuery === sqlQuery).toBe(true)
  }
})

test('altered bodies are read or refused, and no refusal repeats the password', () => {
  const random = seededRandom(7)
  const bodies = [
    form(FIELDS),
    Object.entries(FIELDS)
      .map((pair) => pair.join('='))
      .join('&'),
    JSON.stringify(FIELDS),
  ]
  const leaks: string[] = []
  let refused = 0
  for (let i = 0; i < 3_000; i++) {
    const which = i % bodies.length
    const body = Buffer.from(bodies[which]!)
    for (let changes = 1 + random.whole(0, 2); changes > 0; changes--) {
      const at = random.whole(0, body.length - 1)
      body[at] = '&=%+"\\{}[],: @\0'.charCodeAt(random.whole(0, 15))
    }
    try {
      parseCreateQuery(body, 64, which === 2 ? 'json' : 'form')
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error
      refused++
      if (/w0rd|secret/.test(error.message)) leaks.push(error.message)
    }
  }
  expect(leaks).toEqual([])
  expect(refused).toBeGreaterThan(500)
})

test('a password with separators is in no refusal, wherever it is cut', () => {
  const passwords = ['pa&w0rd', 'w0rd&pa', 'p&w0rd=1&2', 'a=w0rd&b=w0rd', 'a&w0rd%40b', 'a@b&w0rd', '&w0rd=']
  for (const password of passwords) {
    for (const string of [
      `postgres://app:${password}@db:5432/shop`,
      `postgres://db:5432/shop?user=app&password=${password}`,
      `postgres://app@db/shop?password=${password}&sslmode=require`,
    ]) {
      for (const body of [
        `connectionString=${string}&environmentId=env1`,
        `environmentId=env1&connectionString=${string}`,
      ]) {
        let message = ''
        try {
          parseCreateQuery(Buffer.from(body), 64, 'form')
        } catch (error) {
          message = (error as Error).message
        }
        expect(message, body).toMatch(/^unknown field|^field connectionString/)
        expect(message, body).not.toContain('w0rd')
      }
    }
  }
})
