import { describe, expect, onTestFinished, test } from 'vitest'
import { createApp } from '../../src/http/app.ts'
import type { ApplicationName, NamespaceName, ProgramName, StreamName } from '../../src/streams/names.ts'
import { type ProgramType, UsageRegistry } from '../../src/streams/usage.ts'
import { answerOf, json, plain } from '../support/answer.ts'
import { appParts } from '../support/app-parts.ts'
import { routeOptions, testApp } from '../support/test-app.ts'

const N = '/v3/namespaces/default'

const WORDS = ['flows', 'mapreduce', 'services', 'spark', 'workflows', 'workers']

describe('nobody uses anything', () => {
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
  const namespace = 'default' as NamespaceName
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
