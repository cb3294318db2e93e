/**
 * Jobs through the whole application while something happens to what they need: their rights, streams, tables and namespace.
 * And the statements with several sinks, with generated rows, and with an end.
 */
import { existsSync } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { printTokenFile } from '../../../src/auth/token-file.ts'
import { createJob, createTable, detailOf, FLINK, jsonBody, refusal, seen } from '../../support/aiven.ts'
import { POLL } from '../../support/speeds.ts'
import { STREAMS, sequenceOf, type TestApp, testApp } from '../../support/test-app.ts'
import { secretNumber, type TestToken, tokenEntry, tokenFile } from '../../support/tokens.ts'

const COPY = 'INSERT INTO SINK SELECT * FROM SOURCE'

const post = (app: TestApp, stream: string, body: object, headers: Record<string, string> = {}) =>
  app.post(`${STREAMS}/${stream}`, { headers, body: JSON.stringify(body) })

async function bodies(app: TestApp, stream: string, headers: Record<string, string> = {}): Promise<string[]> {
  const answer = await app.get(`${STREAMS}/${stream}/events`, { headers })
  return answer.status === 200 ? (answer.json() as { body: string }[]).map(({ body }) => body) : []
}

async function untilState(app: TestApp, id: string, state: string, headers: Record<string, string> = {}) {
  await expect.poll(async () => (await detailOf(app, id, headers)).state, POLL).toBe(state)
}

/** With a job that copies the stream `source` into the stream `sink`, and has copied one event. */
async function appWithCopy(): Promise<{ app: TestApp; id: string; tables: readonly string[] }> {
  const app = await testApp({ nowMs: Date.now(), streams: ['source'] })
  const tables: string[] = []
  for (const name of ['SOURCE', 'SINK']) tables.push(await createTable(app, { name, schema_sql: 'node INT' }))
  const id = await createJob(app, { statement: COPY, job_name: 'copy' })
  await post(app, 'source', { node: 1 })
  await expect.poll(() => bodies(app, 'sink'), POLL).toEqual(['{"node":1}'])
  return { app, id, tables }
}

test('a token that is revoked or loses a grant ends its jobs, and no others', async () => {
  const grants = ['default:*:jobs', 'default:source:read', 'default:sink:write']
  const owners = ['kept', 'revoked', 'no-read', 'no-write', 'no-jobs'].map((name) => ({ name, grants }))
  const tokens = await tokenFile([{ name: 'all' }, ...owners])
  const app = await testApp({ nowMs: Date.now(), config: { authFile: tokens.path } })
  const headers = tokens.bearer('all')
  for (const stream of ['source', 'sink']) await app.put(`${STREAMS}/${stream}`, { headers })
  for (const name of ['SOURCE', 'SINK']) await createTable(app, { name, schema_sql: 'node INT' }, { headers })
  const ids: Record<string, string> = {}
  for (const { name } of owners)
    ids[name] = await createJob(app, { statement: COPY }, { headers: tokens.bearer(name) })
  await post(app, 'source', { node: 1 }, headers)
  await expect.poll(() => bodies(app, 'sink', headers), POLL).toHaveLength(owners.length)

  await rewrite([
    { name: 'all' },
    { name: 'kept', grants },
    { name: 'no-read', grants: without('default:source:read') },
    { name: 'no-write', grants: without('default:sink:write') },
    // Only creating and cancelling takes this grant.
    { name: 'no-jobs', grants: without('default:*:jobs') },
  ])
  app.reload()
  const ended = {
    revoked: "token 'revoked' is not valid any more",
    'no-read': "token 'no-read' has no read grant for stream source",
    'no-write': "token 'no-write' has no write grant for stream sink",
  }
  for (const [name, message] of Object.entries(ended)) {
    await untilState(app, ids[name]!, 'FAILED', headers)
    expect((await detailOf(app, ids[name]!, headers)).millrace).toMatchObject({
      restarts: 0,
      exceptions: [{ message }],
    })
  }
  await post(app, 'source', { node: 2 }, headers)
  const copies = [
    '{"node":1}',
    '{"node":1}',
    '{"node":1}',
    '{"node":1}',
    '{"node":1}',
    '{"node":2}',
    '{"node":2}',
  ]
  await expect.poll(() => bodies(app, 'sink', headers), POLL).toEqual(copies)

  // Grants are read again when the service starts. A job that has ended does not come back with its grants.
  await rewrite([{ name: 'all' }, ...owners.filter(({ name }) => name !== 'kept')])
  await app.restart()
  await untilState(app, ids.kept!, 'FAILED', headers)
  for (const name of Object.keys(ended))
    expect((await detailOf(app, ids[name]!, headers)).state).toBe('FAILED')
  await untilState(app, ids['no-jobs']!, 'RUNNING', headers)
  await post(app, 'source', { node: 3 }, headers)
  await expect.poll(() => bodies(app, 'sink', headers), POLL).toEqual([...copies, '{"node":3}'])

  function without(lost: string): string[] {
    return grants.filter((grant) => grant !== lost)
  }
  async function rewrite(left: readonly TestToken[]): Promise<void> {
    const numbers = new Map(['all', ...owners.map(({ name }) => name)].map((name, i) => [name, i + 1]))
    const entries = left.map((token) => tokenEntry(token, secretNumber(numbers.get(token.name)!)))
    await writeFile(`${tokens.path}.new`, printTokenFile(entries))
    await rename(`${tokens.path}.new`, tokens.path)
  }
})

describe('deleted under a running job', () => {
  const streams = [
    { stream: 'source', text: /^stream source of table SOURCE does not exist$/ },
    { stream: 'sink', text: /'stream:default\.sink' was not found/ },
  ]
  test.each(streams)('the stream $stream: the job fails', async ({ stream, text }) => {
    const { app, id, tables } = await appWithCopy()
    // Its table cannot be deleted, its data can.
    for (const [index, name] of ['SOURCE', 'SINK'].entries())
      expect(seen(await app.delete(`${FLINK}/table/${tables[index]}`))).toEqual(
        refusal(409, `Table ${name} is used by job copy (${id})`),
      )
    expect((await app.delete(`${STREAMS}/${stream}`)).status).toBe(200)
    if (stream === 'sink') await post(app, 'source', { node: 2 })
    await untilState(app, id, 'FAILED')
    expect((await detailOf(app, id)).millrace).toMatchObject({
      restarts: 0,
      exceptions: [{ message: expect.stringMatching(text) }],
    })
    expect((await app.get(`${STREAMS}/${stream}`)).status).toBe(404)
    expect(app.reported).toEqual([])
  })

  test('the namespace: its jobs end first, and nothing of them is left', async () => {
    const app = await testApp({ nowMs: Date.now(), onDisk: true, config: { unrecoverableReset: true } })
    const service = '/v1/project/p/service/my-shop'
    const streams = '/v3/namespaces/my_shop/streams'
    const setUp = async () => {
      await app.put('/v3/namespaces/my_shop')
      await app.put(`${streams}/source`)
      for (const name of ['SOURCE', 'SINK'])
        await createTable(app, { name, schema_sql: 'node INT' }, { service })
    }
    await setUp()
    const ids = [0, 1].map(() => '')
    for (const i of ids.keys()) ids[i] = await createJob(app, { statement: COPY }, { service })
    await app.post(`${streams}/source`, { body: '{"node":1}' })
    await expect
      .poll(async () => (await app.get(`${streams}/sink/events`)).text.match(/node/g)?.length, POLL)
      .toBe(2)
    const states = ids.map((id) => join(app.dataFolder, 'jobs', id))
    expect(states.map((folder) => existsSync(folder))).toEqual([true, true])

    const removal = await app.delete('/v3/unrecoverable/namespaces/my_shop')
    expect([removal.status, removal.text]).toEqual([200, ''])
    expect(seen(await app.get(`${service}/flink/job`))).toEqual(
      refusal(404, expect.stringContaining('Service my-shop does not exist')),
    )
    await expect.poll(() => states.map((folder) => existsSync(folder)), POLL).toEqual([false, false])

    // A namespace of the same name has none of its tables and jobs, also after a restart.
    await setUp()
    await app.restart()
    expect(seen(await app.get(`${service}/flink/job`))).toEqual([200, { jobs: [] }])
    expect((await app.get(`${streams}/sink/events`)).status).toBe(404)
    expect(app.reported).toEqual([])
  })
})

describe('events without a time', () => {
  const TIMED = 'node INT, seen TIMESTAMP(3), WATERMARK FOR seen AS seen'
  const windowed = (sink: string, table: string) =>
    `INSERT INTO ${sink} SELECT SUM(node) FROM TABLE(TUMBLE(TABLE ${table}, DESCRIPTOR(seen), INTERVAL '10' SECOND)) GROUP BY window_start, window_end`
  const at = (second: number, node: number) => ({ node, seen: `2026-01-01 00:00:${second + 10}` })
  const REASON = 'seen is NULL, and no window takes an event without a time'

  test('are counted as bad, once, with the first of them, and pass where no window is', async () => {
    const app = await testApp({ nowMs: Date.now(), streams: ['source'] })
    await createTable(app, { name: 'SOURCE', schema_sql: TIMED })
    for (const name of ['ONE', 'TWO', 'COPY']) await createTable(app, { name, schema_sql: 'node INT' })
    const inserts = [
      windowed('ONE', 'SOURCE'),
      windowed('TWO', 'SOURCE'),
      'INSERT INTO COPY SELECT node FROM SOURCE',
    ]
    const id = await createJob(app, {
      statement: `EXECUTE STATEMENT SET BEGIN ${inserts.map((one) => `${one};`).join(' ')} END`,
    })
    const events = [at(0, 1), { node: 2 }, { node: 'x' }, { node: 3, seen: null }, at(15, 4)]
    for (const event of events) await post(app, 'source', event)
    for (const sink of ['one', 'two']) await expect.poll(() => bodies(app, sink)).toEqual(['{"node":1}'])
    await expect.poll(() => bodies(app, 'copy')).toEqual([1, 2, 3, 4].map((node) => `{"node":${node}}`))
    const progress = async () => (await detailOf(app, id)).millrace
    await expect.poll(progress).toMatchObject({ recordsIn: 5, recordsBad: 3, recordsLate: 0 })
    const bad = { table: 'SOURCE', partition: 0, timestamp: app.nowMs }
    expect((await progress()).badRecords).toEqual([
      { ...bad, sequence: sequenceOf(1), reason: REASON },
      { ...bad, sequence: sequenceOf(2), reason: expect.stringContaining('node') },
      { ...bad, sequence: sequenceOf(3), reason: REASON },
    ])
    // The source passes on what it can read.
    const { vertices } = (await app.get(`${FLINK}/job/${id}`)).json() as { vertices: { metrics: object }[] }
    expect(vertices[0]!.metrics).toMatchObject({ 'read-records': 5, 'write-records': 4 })

    await app.restart()
    for (const event of [{ node: 5 }, { node: 6 }, at(30, 7)]) await post(app, 'source', event)
    await expect.poll(() => bodies(app, 'one')).toEqual(['{"node":1}', '{"node":4}'])
    await expect.poll(progress).toMatchObject({ recordsIn: 8, recordsBad: 5 })
    expect((await progress()).badRecords).toHaveLength(5)
  })

  test('are counted for their own source', async () => {
    const app = await testApp({ nowMs: Date.now(), streams: ['a', 'b'] })
    for (const name of ['A', 'B']) await createTable(app, { name, schema_sql: TIMED })
    await createTable(app, { name: 'SUMS', schema_sql: 'node INT' })
    const both = 'WITH ab AS (SELECT node, seen FROM A UNION ALL SELECT node, seen FROM B) '
    const id = await createJob(app, {
      statement: windowed('SUMS', 'ab').replace('INSERT INTO SUMS ', `INSERT INTO SUMS ${both}`),
    })
    for (const event of [at(0, 1), { node: 2 }]) await post(app, 'a', event)
    for (const event of [{ node: 3 }, { node: 4 }, at(15, 5)]) await post(app, 'b', event)
    await post(app, 'a', at(15, 6))
    const sources = async () => {
      app.nowMs += 10 // events wait for the end of their millisecond
      return ((await detailOf(app, id)).millrace as unknown as { sources: object[] }).sources
    }
    await expect.poll(sources).toMatchObject([
      { recordsIn: 3, recordsBad: 1 },
      { recordsIn: 3, recordsBad: 2 },
    ])
    await expect.poll(() => bodies(app, 'sums')).toEqual(['{"node":1}'])
  })
})

describe('statements', () => {
  test('a statement set writes each of its sinks', async () => {
    const app = await testApp({ nowMs: Date.now(), streams: ['source'] })
    for (const name of ['SOURCE', 'HIGH', 'LOW']) await createTable(app, { name, schema_sql: 'node INT' })
    const statement =
      'EXECUTE STATEMENT SET BEGIN INSERT INTO HIGH SELECT * FROM SOURCE WHERE node > 10; INSERT INTO LOW SELECT * FROM SOURCE WHERE node <= 10; END'
    const answer = await app.post(`${FLINK}/job`, jsonBody({ statement }))
    const { job_id: id, job_name } = answer.json() as { job_id: string; job_name: string }
    expect(job_name).toBe('insert-into_HIGH,LOW')
    for (const node of [1, 20, 3, 40]) await post(app, 'source', { node })
    await expect.poll(() => bodies(app, 'high'), POLL).toEqual(['{"node":20}', '{"node":40}'])
    await expect.poll(() => bodies(app, 'low'), POLL).toEqual(['{"node":1}', '{"node":3}'])
    await app.restart()
    for (const node of [5, 60]) await post(app, 'source', { node })
    await expect.poll(() => bodies(app, 'high'), POLL).toEqual(['{"node":20}', '{"node":40}', '{"node":60}'])
    await expect.poll(() => bodies(app, 'low'), POLL).toEqual(['{"node":1}', '{"node":3}', '{"node":5}'])
    await expect
      .poll(async () => (await detailOf(app, id)).millrace, POLL)
      .toMatchObject({
        recordsIn: 6,
        recordsOut: 6,
        sinks: [
          { name: expect.stringContaining('HIGH'), recordsOut: 3 },
          { name: expect.stringContaining('LOW'), recordsOut: 3 },
        ],
      })
  })

  const fields = { node: { kind: 'sequence', start: 1, end: 9 } }
  const bounded = [
    { sink: 'blackhole', source: { number_of_rows: 9, fields }, rows: 9 },
    { sink: 'print', source: { number_of_rows: 9, fields }, rows: 9 },
    { sink: 'stream', source: { number_of_rows: 9, fields }, rows: 9 },
    { sink: 'stream', source: undefined, rows: 2 },
  ]
  test.each(bounded)('$rows rows into $sink end the job', async ({ sink, source, rows }) => {
    const app = await testApp({ nowMs: Date.now() })
    const printed: string[] = []
    const write = vi
      .spyOn(process.stdout, 'write')
      .mockImplementation((text) => printed.push(String(text)) > 0)
    onTestFinished(() => write.mockRestore())
    if (source !== undefined)
      await createTable(app, { name: 'SOURCE', schema_sql: 'node INT', datagen: source })
    await createTable(app, { name: 'SINK', schema_sql: 'node INT', ...(sink !== 'stream' && { [sink]: {} }) })
    const id = await createJob(app, { statement: source ? COPY : 'INSERT INTO SINK VALUES (1), (2)' })
    const state = async () => {
      app.nowMs += 1_000 // generated rows are due by the clock
      return (await detailOf(app, id)).state
    }
    await expect.poll(state, POLL).toBe('FINISHED')
    write.mockRestore()
    expect((await detailOf(app, id)).millrace).toMatchObject({
      ...{ recordsOut: rows, restarts: 0, exceptions: [] },
      ...(source !== undefined && { recordsIn: rows }),
    })
    const nodes = Array.from({ length: rows }, (_, i) => i + 1)
    if (sink === 'stream') expect(await bodies(app, 'sink')).toEqual(nodes.map((node) => `{"node":${node}}`))
    if (sink === 'print') expect(printed.join('')).toBe(nodes.map((node) => `SINK> +I[${node}]\n`).join(''))
    // A job that has ended keeps no table.
    const { tables } = (await app.get(`${FLINK}/table`)).json() as { tables: { table_id: string }[] }
    for (const { table_id } of tables)
      expect(seen(await app.delete(`${FLINK}/table/${table_id}`))).toEqual([200, {}])
  })

  test('generated rows without an end go on until the job is cancelled', async () => {
    const app = await testApp({ nowMs: Date.now() })
    await createTable(app, { name: 'SOURCE', schema_sql: 'node INT', datagen: { rows_per_second: 1000 } })
    await createTable(app, { name: 'SINK', schema_sql: 'node INT', blackhole: {} })
    const id = await createJob(app, { statement: COPY })
    const written = async () => {
      app.nowMs += 1_000 // generated rows are due by the clock
      return (await detailOf(app, id)).millrace.recordsOut
    }
    await expect.poll(written, POLL).toBeGreaterThan(0)
    expect((await detailOf(app, id)).state).toBe('RUNNING')
    await app.post(`${FLINK}/job/${id}/cancel`)
    await untilState(app, id, 'CANCELED')
  })
})
