/** Whose a query is, and what lists of tables tell: every token its own, and no name beyond its grants. */
import { writeFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { printTokenFile } from '../../src/auth/token-file.ts'
import { answerOf, empty } from '../support/answer.ts'
import { DEFAULT_QUERIES, ended, handleOf, QUERIES, submit } from '../support/explore.ts'
import { STREAMS, type TestApp, testApp } from '../support/test-app.ts'
import { ALL, secretNumber, type TestTokens, tokenEntry, tokenFile } from '../support/tokens.ts'

const TABLES = '/v3/namespaces/default/data/explore/tables'
const READS_A = ['default:a:read']

async function appWithTokens() {
  const tokens = await tokenFile([
    { name: 'root', grants: [ALL] },
    { name: 'a', grants: READS_A },
    { name: 'also-a', grants: READS_A },
    { name: 'writes-a', grants: ['default:a:write'] },
    { name: 'admin', grants: ['default:*:admin'] },
  ])
  const app = await testApp({ config: { authFile: tokens.path } })
  const root = { headers: tokens.bearer('root') }
  for (const stream of ['a', 'secret']) await app.put(`${STREAMS}/${stream}`, root)
  await app.put(`${STREAMS}/secret/views/v`, {
    ...root,
    body: '{"format":{"name":"text"},"tableName":"hidden"}',
  })
  return { app, tokens, as: (name: string) => ({ headers: tokens.bearer(name) }) }
}

async function rowsAs(app: TestApp, tokens: TestTokens, name: string, query: string): Promise<unknown[]> {
  const options = { headers: tokens.bearer(name) }
  const handle = await handleOf(app, query, {}, options)
  expect(await ended(app, handle, options)).toMatchObject({ status: 'FINISHED' })
  const page = await app.post(`${QUERIES}/${handle}/next`, options)
  return (page.json() as { columns: unknown[] }[]).map(({ columns }) => columns[0])
}

describe('names of tables', () => {
  test.each([
    { name: 'root', tables: ['hidden', 'stream_a', 'stream_secret'] },
    { name: 'a', tables: ['stream_a'] },
    { name: 'writes-a', tables: ['stream_a'] },
    { name: 'admin', tables: ['hidden', 'stream_a', 'stream_secret'] },
  ])('are listed for $name as far as its grants go', async ({ name, tables }) => {
    const { app, tokens, as } = await appWithTokens()
    expect(await rowsAs(app, tokens, name, 'SHOW TABLES')).toEqual(tables)
    const listed = (await app.get(TABLES, as(name))).json() as { table: string }[]
    expect(listed.map(({ table }) => table).sort()).toEqual(tables)
    for (const table of ['stream_a', 'stream_secret', 'hidden', 'STREAM_SECRET']) {
      const { status } = await app.get(`${TABLES}/${table}/info`, as(name))
      expect([table, status]).toEqual([table, tables.includes(table.toLowerCase()) ? 200 : 404])
    }
  })

  test('do not show in what is wrong with a query', async () => {
    const { app, as } = await appWithTokens()
    for (const query of [
      'SELECT * FROM stream_secre',
      'SELECT * FROM stream_a, hidde',
      'DESCRIBE stream_secre',
    ]) {
      const { text } = await submit(app, query, {}, as('a'))
      expect(text).not.toMatch(/stream_secret|hidden/)
    }
  })
})

const requests = [
  { method: 'GET', path: 'status' },
  { method: 'GET', path: 'schema' },
  { method: 'POST', path: 'next' },
  { method: 'POST', path: 'preview' },
  { method: 'POST', path: 'download' },
  { method: 'DELETE', path: '' },
]
const queries = [
  'SELECT 1',
  'SELECT * FROM stream_a',
  'SHOW TABLES',
  'DESCRIBE stream_a',
  'SELECT x FROM stream_a',
]

describe('a query of another token', () => {
  test.each(queries)('%s: is answered like an unknown handle', async (query) => {
    const { app, as } = await appWithTokens()
    const own = await submit(app, query, {}, as('a'))
    if (own.status === 400) return // the submitter gets the reason
    const { handle } = own.json() as { handle: string }
    await ended(app, handle, as('a'))
    for (const name of ['also-a', 'root', 'admin', 'writes-a']) {
      for (const { method, path } of requests) {
        const answer = await app.request(method, `${QUERIES}/${handle}/${path}`.replace(/\/$/, ''), as(name))
        const unknown = await app.request(method, `${QUERIES}/nope/${path}`.replace(/\/$/, ''), as(name))
        expect(answerOf(answer), `${method} ${path} by ${name}`).toEqual(answerOf(unknown))
        expect(answerOf(answer), `${method} ${path} by ${name}`).toEqual(empty(404))
      }
      expect((await app.get(DEFAULT_QUERIES, as(name))).json()).toEqual([])
      expect((await app.get(`${DEFAULT_QUERIES}/count`, as(name))).json()).toEqual({ count: 0 })
    }
    expect((await app.get(`${QUERIES}/${handle}/status`, as('a'))).status).toBe(200)
    expect((await app.get(`${DEFAULT_QUERIES}/count`, as('a'))).json()).toEqual({ count: 1 })
    expect((await app.delete(`${QUERIES}/${handle}`, as('a'))).status).toBe(200)
  })

  test('a token that was added again under its name with another secret has none of the queries of the first', async () => {
    const { app, tokens, as } = await appWithTokens()
    const handle = await handleOf(app, 'SELECT 1', {}, as('a'))
    await writeFile(
      tokens.path,
      printTokenFile([tokenEntry({ name: 'a', grants: READS_A }, secretNumber(77))]),
    )
    app.reload()
    const again = { headers: { Authorization: `Bearer ${secretNumber(77)}` } }
    await expect.poll(async () => (await app.get('/ping', again)).status).toBe(200)
    expect(answerOf(await app.get(`${QUERIES}/${handle}/status`, again))).toEqual(empty(404))
    expect((await app.get(`${QUERIES}/${handle}/status`, as('a'))).status).toBe(401)
  })

  test('other grants with the same secret keep it, as far as they go', async () => {
    const { app, tokens, as } = await appWithTokens()
    const options = as('a')
    const one = await handleOf(app, 'SELECT 1', {}, options)
    const ofA = await handleOf(app, 'SELECT * FROM stream_a', {}, options)
    await writeFile(
      tokens.path,
      printTokenFile([tokenEntry({ name: 'a', grants: ['default:a:write'] }, tokens.secrets.a!)]),
    )
    app.reload()
    await expect.poll(async () => (await app.get(`${QUERIES}/${ofA}/status`, options)).status).toBe(404)
    expect((await app.get(`${QUERIES}/${one}/status`, options)).status).toBe(200)
  })
})
