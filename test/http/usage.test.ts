import { describe, expect, onTestFinished, test } from 'vitest'
import { createApp } from '../../src/http/app.ts'
import type { ApplicationName, NamespaceName, ProgramName, StreamName } from '../../src/streams/names.ts'
import { type ProgramId, type ProgramType, UsageRegistry } from '../../src/streams/usage.ts'
import { answerOf, json, plain } from '../support/answer.ts'
import { appParts } from '../support/app-parts.ts'
import { ended, handleOf, QUERIES, submit } from '../support/explore.ts'
import { routeOptions, STREAMS, type TestApp, testApp } from '../support/test-app.ts'

const N = '/v3/namespaces/default'
const namespace = 'default' as NamespaceName

const WORDS = ['flows', 'mapreduce', 'services', 'spark', 'workflows', 'workers']

describe('no program uses anything', () => {
  const paths = [
    `${N}/apps/HelloWorld/streams`,
    `${N}/apps/a-b_c/streams`,
    ...WORDS.map((word) => `${N}/apps/HelloWorld/${word}/prog-1/streams`),
    `${N}/streams/s/programs`,
    `${N}/streams/nope/programs`,
    `${N}/data/datasets/s/programs`,
    `${N}/data/datasets/my.data-set_$1/programs`,
    '/v3/namespaces/nope/apps/HelloWorld/streams',
    '/v3/namespaces/nope/apps/HelloWorld/flows/f/streams',
    '/v3/namespaces/nope/streams/s/programs',
    '/v3/namespaces/nope/data/datasets/s/programs',
    `${N}/apps/__proto__/streams`,
    `${N}/apps/streams/streams`,
  ]
  test.each(paths)('so GET %s answers []', async (path) => {
    const app = await testApp({ streams: ['s'] })
    expect(answerOf(await app.get(path))).toEqual(json('[]'))
  })
})

describe('what cannot be named', () => {
  const unknown = (type: string) =>
    plain(404, `Problem accessing: ${N}/apps/a/${type}/p/streams. Reason: Not Found`)
  const id = (kind: string, got: string, andAlso: string) =>
    plain(400, `Invalid ${kind} ID: ${got}. Should only contain alphanumeric characters ${andAlso}.`)
  const badNamespace = id('namespace', 'my-ns', 'or _')
  const refused = [
    {
      path: `${N}/apps/a/adapters/p/streams`,
      answer: unknown('adapters'),
    },
    {
      path: `${N}/apps/a/Flows/p/streams`,
      answer: unknown('Flows'),
    },
    {
      path: `${N}/apps/a/constructor/p/streams`,
      answer: unknown('constructor'),
    },
    { path: `${N}/apps/a.b/streams`, answer: id('application', 'a.b', 'and _ or -') },
    { path: `${N}/apps/a%40/flows/p/streams`, answer: id('application', 'a@', 'and _ or -') },
    { path: `${N}/apps/a/flows/p%2Fq/streams`, answer: id('program', 'p/q', 'and _ or -') },
    {
      path: `${N}/streams/a.b/programs`,
      answer: plain(
        400,
        'java.lang.IllegalArgumentException: Invalid stream ID: a.b. Should only contain alphanumeric characters and _ or -.',
      ),
    },
    { path: `${N}/data/datasets/a%40/programs`, answer: id('dataset', 'a@', 'and _, -, ., or $') },
    { path: '/v3/namespaces/my-ns/apps/a/streams', answer: badNamespace },
    { path: '/v3/namespaces/my-ns/apps/a/flows/p/streams', answer: badNamespace },
    { path: '/v3/namespaces/my-ns/data/datasets/d/programs', answer: badNamespace },
    { path: '/v3/namespaces/my-ns/streams/s/programs', answer: badNamespace },
  ]
  test.each(refused)('GET $path is refused', async ({ path, answer }) => {
    const app = await testApp({ streams: ['s'] })
    expect(answerOf(await app.get(path))).toEqual(answer)
  })
})

describe('what is registered', () => {
  const who = { namespace, stream: 'who' as StreamName }
  const program = (type: ProgramType, name: string, application = 'HelloWorld') => ({
    namespace,
    application: application as ApplicationName,
    type,
    program: name as ProgramName,
  })

  async function appWithUses() {
    const nowMs = () => 0
    const { parts, storage } = await appParts(nowMs)
    onTestFinished(() => storage.close())
    const usage = new UsageRegistry()
    usage.register(program('Flow', 'WhoFlow'), who)
    usage.register(program('Flow', 'WhoFlow'), who)
    usage.register(program('Mapreduce', 'Count'), who)
    usage.register(program('Mapreduce', 'Count'), { namespace, stream: 'where' as StreamName })
    usage.register(program('Spark', 'WhoFlow', 'Other'), who)
    return createApp({ ...parts, usage }, routeOptions({ nowMs, report: () => {} }))
  }

  const whoJson = '{"namespace":{"id":"default"},"streamName":"who"}'
  const whereJson = '{"namespace":{"id":"default"},"streamName":"where"}'
  const programJson = (application: string, type: string, name: string) =>
    `{"application":{"namespace":{"id":"default"},"applicationId":"${application}"},"type":"${type}","id":"${name}"}`
  const flow = programJson('HelloWorld', 'Flow', 'WhoFlow')
  const count = programJson('HelloWorld', 'Mapreduce', 'Count')
  const rows = [
    { path: `${N}/apps/HelloWorld/streams`, text: `[${whoJson},${whereJson}]` },
    { path: `${N}/apps/Other/streams`, text: `[${whoJson}]` },
    { path: `${N}/apps/helloworld/streams`, text: '[]' },
    { path: '/v3/namespaces/x/apps/HelloWorld/streams', text: '[]' },
    { path: `${N}/apps/HelloWorld/flows/WhoFlow/streams`, text: `[${whoJson}]` },
    { path: `${N}/apps/HelloWorld/mapreduce/Count/streams`, text: `[${whoJson},${whereJson}]` },
    { path: `${N}/apps/HelloWorld/spark/WhoFlow/streams`, text: '[]' },
    {
      path: `${N}/streams/who/programs`,
      text: `[${flow},${count},${programJson('Other', 'Spark', 'WhoFlow')}]`,
    },
    { path: `${N}/streams/where/programs`, text: `[${count}]` },
    { path: '/v3/namespaces/x/streams/who/programs', text: '[]' },
    // The reference prints this path for streams.
    {
      path: `${N}/data/datasets/who/programs`,
      text: `[${flow},${count},${programJson('Other', 'Spark', 'WhoFlow')}]`,
    },
    { path: `${N}/data/datasets/who.x/programs`, text: '[]' },
  ]
  test.each(rows)('GET $path tells of it', async ({ path, text }) => {
    const app = await appWithUses()
    const response = await app.request(path)
    expect([response.status, response.headers.get('content-type'), await response.text()]).toEqual([
      200,
      'application/json',
      text,
    ])
  })
})

describe('queries', () => {
  const VIEW = '{"format":{"name":"text"},"tableName":"hits"}'
  const who = { app: 'Shop', program: 'Counter' }
  const users = async (app: TestApp, stream: string) =>
    ((await app.get(`${STREAMS}/${stream}/programs`)).json() as object[]).map((program) => {
      const { application, type, id } = program as {
        application: { applicationId: string }
        type: string
        id: string
      }
      return `${application.applicationId} ${type} ${id}`
    })
  const usedBy = async (app: TestApp, path: string) =>
    ((await app.get(`${N}/apps/${path}/streams`)).json() as { streamName: string }[]).map(
      ({ streamName }) => streamName,
    )

  test('a query of a program uses the streams whose tables it names', async () => {
    const app = await testApp({ streams: ['a', 'b', 'c'] })
    await app.put(`${STREAMS}/b/views/v`, { body: VIEW })
    await handleOf(app, 'SELECT x.body FROM stream_a x, hits h, stream_a y', who)
    expect(await users(app, 'a')).toEqual(['Shop Service Counter'])
    expect(await users(app, 'b')).toEqual(['Shop Service Counter'])
    expect(await users(app, 'c')).toEqual([])
    await handleOf(app, 'DESCRIBE stream_c', { ...who, type: 'Spark' })
    expect(await users(app, 'c')).toEqual(['Shop Spark Counter'])
    expect(await usedBy(app, 'Shop')).toEqual(['a', 'b', 'c'])
    expect(await usedBy(app, 'Shop/services/Counter')).toEqual(['a', 'b'])
    expect(await usedBy(app, 'Shop/spark/Counter')).toEqual(['c'])
  })

  test('a query that names no program, or is refused, leaves nothing', async () => {
    const app = await testApp({ streams: ['a'] })
    await handleOf(app, 'SELECT body FROM stream_a')
    for (const query of [
      'SELECT nope FROM stream_a',
      'SELECT * FROM stream_a, stream_nope',
      'DROP TABLE stream_a',
    ]) {
      expect((await submit(app, query, who)).status, query).toBe(400)
    }
    expect(await users(app, 'a')).toEqual([])
  })

  const badNames = [
    { conf: { app: 'Shop' }, text: 'app and program go together; give both or neither' },
    { conf: { program: 'Counter' }, text: 'app and program go together; give both or neither' },
    {
      conf: { ...who, app: 'a b' },
      text: 'Invalid application ID: a b. Should only contain alphanumeric characters and _ or -.',
    },
    {
      conf: { ...who, program: '' },
      text: 'Invalid program ID: . Should only contain alphanumeric characters and _ or -.',
    },
    {
      conf: { ...who, type: 'service' },
      text: "type is 'service'; use Flow, Mapreduce, Workflow, Webapp, Service, Spark, Worker",
    },
  ]
  test.each(badNames)('$conf is refused', async ({ conf, text }) => {
    const app = await testApp({ streams: ['a'] })
    expect(answerOf(await submit(app, 'SELECT body FROM stream_a', conf))).toEqual(plain(400, text))
    expect(await users(app, 'a')).toEqual([])
  })

  test('the use outlasts the query, and goes with the stream or the service', async () => {
    const app = await testApp({ streams: ['a', 'b'], onDisk: true })
    const handle = await handleOf(app, 'SELECT x.body FROM stream_a x, stream_b y', who)
    await ended(app, handle)
    await app.delete(`${QUERIES}/${handle}`)
    await app.post(`${STREAMS}/a/truncate`)
    expect(await users(app, 'a')).toEqual(['Shop Service Counter'])
    await app.delete(`${STREAMS}/a`)
    expect(await users(app, 'a')).toEqual([])
    expect(await usedBy(app, 'Shop')).toEqual(['b'])
    await app.put(`${STREAMS}/a`)
    expect(await users(app, 'a')).toEqual([])
    await app.restart()
    expect(await users(app, 'b')).toEqual([])
  })

  test('it goes with a whole namespace', async () => {
    const app = await testApp({ streams: ['a'] })
    await handleOf(app, 'SELECT body FROM stream_a', who)
    await app.delete('/v3/unrecoverable/namespaces/default')
    await app.put(`${STREAMS}/a`)
    expect(await users(app, 'a')).toEqual([])
  })

  test('taking a webhook of the same program away leaves it', async () => {
    const app = await testApp({ streams: ['a'], config: { allowPrivateWebhooks: true } })
    const body = JSON.stringify({ url: 'http://127.0.0.1:9/', secret: '0123456789abcdef', ...who })
    const { id } = (await app.post(`${STREAMS}/a/webhooks`, { body })).json() as { id: string }
    await handleOf(app, 'SELECT body FROM stream_a', who)
    expect(await users(app, 'a')).toEqual(['Shop Service Counter'])
    await app.delete(`${STREAMS}/a/webhooks/${id}`)
    expect(await users(app, 'a')).toEqual(['Shop Service Counter'])
  })

  test('only the last 1,000 are remembered', () => {
    const usage = new UsageRegistry()
    const used = (stream: string) => ({ namespace, stream: stream as StreamName })
    const program = (i: number) =>
      ({ namespace, application: 'app', type: 'Flow', program: `p${i}` }) as ProgramId
    for (let i = 0; i < 1000; i++) usage.remember(program(i), used('s'))
    usage.remember(program(0), used('s'))
    usage.remember(program(0), used('t'))
    expect(usage.programsOf(used('s')).length).toBe(999)
    expect(usage.programsOf(used('s'))).not.toContainEqual(program(1))
    expect(usage.programsOf(used('t'))).toEqual([program(0)])
  })
})
