/** The JDBC driver of CDAP (`cdap-explore-jdbc`): rows of every kind of column, prepared statements, errors, DatabaseMetaData. */
import { expect, test } from 'vitest'
import { STREAMS, startTestApp, type TestApp } from '../support/test-app.ts'
import { clientJars, compiled } from './client-files.ts'
import { callsOf, type Expected, expectCalls, run, tellSkipped } from './client-run.ts'

const FAILED = 'SQLException: co.cask.cdap.explore.service.ExploreException: Cannot execute query.'

const EXPECTED: Expected = {
  rows: {
    value: [
      ['a', 1],
      ['b', 2],
      ["it's", 3],
    ],
  },
  'no rows': { value: [] },
  labels: { value: ['page string 12', 'n int 4'] },
  'kind i': { value: ['int', 'Integer', 7] },
  'kind l': { value: ['bigint', 'Long', 4_294_967_296] },
  'kind f': { value: ['float', 'Double', 1.5] },
  'kind d': { value: ['double', 'Double', 2.25] },
  'kind b': { value: ['boolean', 'Boolean', true] },
  'kind s': { value: ['string', 'String', 'text'] },
  'kind raw': { value: ['binary', 'byte[]', 'é'] },
  'null of a kind': { value: ['int', 'null', null] },
  headers: { value: ['map', 'String', '{"content.type":"text/plain"}'] },
  sum: { value: ['bigint', 'Long', 6] },
  average: { value: ['double', 'Double', 2] },
  count: { value: ['bigint', 'Long', 4] },
  'max rows': { value: true },
  'by name and by number': { value: 'a 1 a 1 Integer' },
  prepared: { value: [['b']] },
  'a quote in a parameter': { value: [["it's", 0]] },

  'unknown table': { error: `${FAILED} Reason: Response code: 400` },
  'unknown column': { error: `${FAILED} Reason: Response code: 400` },
  'bad syntax': { error: `${FAILED} Reason: Response code: 400` },
  'an error is an SQLException': { value: true },
  'after an error': { value: ['bigint', 'Long', 4] },
  'no such service': { error: 'SQLException: Cannot connect to' },

  product: { value: expect.any(String) },
  'product version': { value: expect.any(String) },
  driver: { value: false },
  catalogs: { value: true },
  schemas: { value: ['default'] },
  'schemas like': { value: ['default'] },
  'table types': { value: true },
  types: { value: true },
  tables: { value: ['stream_clicks', 'stream_kinds'] },
  'tables like': { value: ['stream_clicks'] },
  columns: { value: ['ts', 'headers', 'page', 'hits'] },
  'columns like': { value: ['page'] },
  functions: { value: true },
}

const VERSION = '4.1.1'
const jars = clientJars('cdap', VERSION)
const client = `cdap-explore-jdbc ${VERSION}`
if ('missing' in jars) tellSkipped(client, jars.missing)

test.skipIf('missing' in jars)(client, async () => {
  if ('missing' in jars) return
  const app = await startTestApp({ onDisk: true, nowMs: Date.now() })
  try {
    await fill(app)
    const args = [...compiled(jars.folder, 'JdbcCalls'), '127.0.0.1', `${app.port}`]
    expectCalls(client, callsOf(await run('java', args)), EXPECTED)
    expect(app.reported).toEqual([])
  } finally {
    await app.stop()
  }
})

async function fill(app: TestApp): Promise<void> {
  await csvStream(app, 'clicks', { page: 'string', hits: ['int', 'null'] })
  const headers = { 'Content-Type': 'text/plain' }
  await app.post(`${STREAMS}/clicks/batch`, { headers, body: "a,1\nb,2\nit's,3\nd,\n" })
  const scalars = { i: 'int', l: 'long', f: 'float', d: 'double', b: 'boolean', s: 'string', raw: 'bytes' }
  await csvStream(app, 'kinds', { ...scalars, nothing: ['int', 'null'] })
  await app.post(`${STREAMS}/kinds`, { body: '7,4294967296,1.5,2.25,true,text,\\xC3\\xA9,' })
}

async function csvStream(app: TestApp, name: string, types: Readonly<Record<string, unknown>>) {
  const fields = Object.entries(types).map(([field, type]) => ({ name: field, type }))
  const format = { name: 'csv', schema: { type: 'record', name, fields } }
  await app.put(`${STREAMS}/${name}`)
  await app.put(`${STREAMS}/${name}/properties`, { body: JSON.stringify({ format }) })
}
