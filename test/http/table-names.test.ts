/** Names of tables: `stream_…` is the table of the stream it names, and a name reveals nothing about other streams. */
import { describe, expect, test } from 'vitest'
import { ended, handleOf, QUERIES, rowsOf } from '../support/explore.ts'
import { STREAMS, type TestApp, testApp } from '../support/test-app.ts'
import { ALL, tokenFile } from '../support/tokens.ts'

const TEXT = '{"format":{"name":"text"}}'
const named = (table: string) => JSON.stringify({ format: { name: 'text' }, tableName: table })

async function appWithTokens(grants: readonly string[]) {
  const tokens = await tokenFile([
    { name: 'root', grants: [ALL] },
    { name: 'a', grants },
  ])
  const app = await testApp({ config: { authFile: tokens.path } })
  const root = { headers: tokens.bearer('root') }
  const a = { headers: tokens.bearer('a') }
  for (const stream of ['a', 'secret', 'a_b', 'A-c']) {
    await app.put(`${STREAMS}/${stream}`, root)
    await app.post(`${STREAMS}/${stream}`, { ...root, body: `of ${stream}` })
  }
  return { app, root, a }
}

async function bodyIn(app: TestApp, table: string, options: { headers: Record<string, string> }) {
  const handle = await handleOf(app, `SELECT body FROM ${table}`, {}, options)
  expect(await ended(app, handle, options)).toMatchObject({ status: 'FINISHED' })
  const page = await app.post(`${QUERIES}/${handle}/next`, options)
  return (page.json() as { columns: unknown[] }[]).map(({ columns }) => columns[0])
}

describe('a view cannot take the name of a stream', () => {
  const pairs = [
    { there: 'stream_secret', missing: 'stream_missin' },
    { there: 'STREAM_SECRET', missing: 'STREAM_MISSIN' },
    { there: 'Stream_A_C', missing: 'Stream_A_D' },
    { there: 'stream_a', missing: 'stream_z' },
  ]
  test.each(pairs)(
    '$there is answered like $missing, in whatever way it is asked',
    async ({ there, missing }) => {
      const { app, a } = await appWithTokens(['default:a:read,write,admin'])
      const ways = {
        view: (table: string) => app.put(`${STREAMS}/a/views/v`, { ...a, body: named(table) }),
        enable: (table: string) =>
          app.post(`/v3/namespaces/default/data/explore/streams/a/tables/${table}/enable`, {
            ...a,
            body: '{"name":"text"}',
          }),
        disable: (table: string) =>
          app.post(`/v3/namespaces/default/data/explore/streams/a/tables/${table}/disable`, a),
      }
      for (const [way, ask] of Object.entries(ways)) {
        if (there === 'stream_a' && way !== 'view') continue // that one is its own
        const one = await ask(there)
        const other = await ask(missing)
        const likeOne = other.text
          .replaceAll(missing, there)
          .replaceAll(missing.toLowerCase(), there.toLowerCase())
        expect([way, other.status, likeOne]).toEqual([way, one.status, one.text])
        expect([400, 404]).toContain(one.status)
      }
    },
  )

  test('names of views that others have are refused with the same text', async () => {
    const { app, root, a } = await appWithTokens(['default:a:admin'])
    await app.put(`${STREAMS}/secret/views/v`, { ...root, body: named('Hits') })
    const taken = await app.put(`${STREAMS}/a/views/v`, { ...a, body: named('hits') })
    const never = await app.put(`${STREAMS}/a/views/v`, { ...a, body: named('stream_x') })
    expect([taken.status, never.status]).toEqual([400, 400])
    expect(taken.text).toBe(never.text.replace('stream_x', 'hits'))
    expect(taken.text).not.toMatch(/secret/)
  })
})

describe('the default name of a view', () => {
  test.each(['b', 'c', 'none'])(
    'for view %s is given, whatever streams there are that may not be known',
    async (view) => {
      const { app, root, a } = await appWithTokens(['default:a:read,write,admin'])
      const answer = await app.put(`${STREAMS}/a/views/${view}`, { ...a, body: TEXT })
      expect([answer.status, answer.text]).toEqual([201, ''])
      expect(await bodyIn(app, `stream_a_${view}`, a)).toEqual(['of a'])
      const tables = (await app.get('/v3/namespaces/default/data/explore/tables', a)).json()
      expect(tables).toContainEqual({ database: 'default', table: `stream_a_${view}` })
      // A client that may know the stream of that name gets the stream.
      const expected = { b: 'of a_b', c: 'of A-c', none: 'of a' }[view]
      expect(await bodyIn(app, `stream_a_${view}`, root)).toEqual([expected])
    },
  )

  test('is refused to a client that may know the stream that has it', async () => {
    const app = await testApp({ streams: ['a', 'a-v'] })
    expect((await app.put(`${STREAMS}/a/views/v`, { body: TEXT })).status).toBe(400)
    expect((await app.put(`${STREAMS}/a/views/v`, { body: named('other') })).status).toBe(201)
  })

  test('may be written out', async () => {
    const app = await testApp({ streams: ['a'] })
    expect((await app.put(`${STREAMS}/a/views/v`, { body: named('Stream_a_V') })).status).toBe(201)
  })

  test('goes to a stream that comes later, which leaves the view without a table', async () => {
    const app = await testApp({ streams: ['a'], onDisk: true })
    await app.post(`${STREAMS}/a`, { body: 'of a' })
    await app.put(`${STREAMS}/a/views/v`, { body: TEXT })
    expect(await rowsOf(app, 'SELECT body FROM stream_a_v')).toEqual([['of a']])
    await app.put(`${STREAMS}/a-v`)
    await app.post(`${STREAMS}/a-v`, { body: 'of a-v' })
    for (const restart of [false, true]) {
      if (restart) await app.restart()
      expect(await rowsOf(app, 'SELECT body FROM stream_a_v')).toEqual([['of a-v']])
      expect(await rowsOf(app, 'SHOW TABLES')).toEqual([['stream_a'], ['stream_a_v']])
    }
    await app.delete(`${STREAMS}/a-v`)
    expect(await rowsOf(app, 'SELECT body FROM stream_a_v')).toEqual([['of a']])
  })

  test('is one of each namespace', async () => {
    const app = await testApp({ streams: ['a'] })
    await app.put('/v3/namespaces/other')
    await app.put('/v3/namespaces/other/streams/a-v')
    expect((await app.put(`${STREAMS}/a/views/v`, { body: TEXT })).status).toBe(201)
  })
})

test('of two streams with one table name, a client sees the one that it may know', async () => {
  const tokens = await tokenFile([
    { name: 'root', grants: [ALL] },
    { name: 'young', grants: ['default:x_y:read,write,admin'] },
  ])
  const app = await testApp({ config: { authFile: tokens.path } })
  const root = { headers: tokens.bearer('root') }
  const young = { headers: tokens.bearer('young') }
  for (const stream of ['x-y', 'x_y']) {
    await app.put(`${STREAMS}/${stream}`, root)
    await app.post(`${STREAMS}/${stream}`, { ...root, body: stream })
  }
  expect(await bodyIn(app, 'stream_x_y', young)).toEqual(['x_y'])
  expect(await bodyIn(app, 'stream_x_y', root)).toEqual(['x-y'])
  const enable = await app.post('/v3/namespaces/default/data/explore/streams/x_y/tables/stream_x_y/enable', {
    ...young,
    body: '{"name":"text"}',
  })
  expect([enable.status, enable.text]).toEqual([200, '{"handle":"NO_OP"}'])
})
