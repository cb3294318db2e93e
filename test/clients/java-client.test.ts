/** The Java client of CDAP (`cdap-client`): every call that streams, views, SQL, metadata, metrics and namespaces have. */
import { expect, test } from 'vitest'
import { startTestApp } from '../support/test-app.ts'
import { clientJars, compiled } from './client-files.ts'
import { callsOf, type Expected, expectCalls, run, tellSkipped } from './client-run.ts'

const DONE = { value: null }
const SCHEMA =
  '{"type":"record","name":"hit","fields":[{"name":"page","type":"string"},{"name":"count","type":["int","null"]}]}'

const EXPECTED: Expected = {
  ping: DONE,
  version: { value: '4.1.0' },
  'cdap config': { value: 0 },
  'hadoop config': { value: 0 },
  services: { value: ['streams OK'] },
  'all statuses': { value: { streams: 'OK' } },
  'status of streams': { value: 'OK' },
  'status of nope': { error: "NotFoundException: 'system_service:nope' was not found." },
  'instances of streams': { value: 1 },
  'all ok': { value: true },

  create: DONE,
  'create again': DONE,
  'create with properties': DONE,
  'config of other': { value: `500 csv {delimiter=;} 7 theirs ${SCHEMA}` },
  list: { value: ['logs', 'other'] },
  send: DONE,
  'send async': DONE,
  'send batch': DONE,
  events: { value: ['a,1', 'b,2', 'c,3', 'd,x'] },
  'two events': { value: ['a,1', 'b,2'] },
  'no events': { value: [] },
  'events by text': { value: 4 },
  'content type': { value: { 'content.type': 'text/csv' } },
  ttl: DONE,
  description: DONE,
  properties: DONE,
  config: { value: `2000 csv {} 10 ours ${SCHEMA}` },
  'bad ttl': { error: '400: TTL value should be positive.' },
  'config of nope': { error: "StreamNotFoundException: 'stream:default.nope' was not found." },
  'send to nope': { error: "StreamNotFoundException: 'stream:default.nope' was not found." },

  view: { value: true },
  'view again': { value: false },
  'view with another table': {
    error: '400: Cannot change table name for view stream_view:default.logs.hits',
  },
  views: { value: ['hits'] },
  'view detail': { value: 'hits hits_table csv' },
  'view nope': { error: "NotFoundException: 'stream_view:default.logs.nope' was not found." },

  select: {
    value: [
      ['a', 1],
      ['b', 2],
      ['c', 3],
    ],
  },
  'select of a view': { value: [['a'], ['b']] },
  'column types': { value: ['ts BIGINT', 'headers map<string,string>', 'page STRING', 'count INT'] },
  sum: { value: [[6, 4]] },
  'type of sum': { value: ['s BIGINT'] },
  'show tables': { value: [['hits_table'], ['stream_logs'], ['stream_other']] },
  'bad query': { error: 'ExploreException: Cannot execute query. Reason: Response code: 400' },

  'add properties': DONE,
  'add tags': DONE,
  'add tags of a view': DONE,
  metadata: { value: ['stream:default.logs {owner=ann, stage=live} [fast, web]'] },
  'metadata of a view': { value: ['stream_view:default.logs.hits {} [web]'] },
  scopes: { value: 2 },
  'properties of user': { value: { owner: 'ann', stage: 'live' } },
  tags: { value: ['explore', 'fast', 'web'] },
  search: { value: [1, ['stream:default.logs'], []] },
  'search views': { value: [1, ['stream_view:default.logs.hits'], []] },
  'search pages': { value: [2, ['stream:default.other'], ['logs:logs']] },
  'search next page': { value: [2, ['stream:default.logs'], []] },
  'search nothing': { value: [0, [], []] },
  'search with a bad sort': { error: "BadRequestException: sort is 'size up'" },
  'remove property': DONE,
  'remove tag': DONE,
  'what is left': { value: ['stream:default.logs {owner=ann} [web]'] },
  'remove properties': DONE,
  'remove tags': DONE,
  'remove metadata': DONE,
  'nothing is left': { value: ['stream:default.logs {} []'] },

  lineage: { value: expect.stringMatching(/^0 9223372036854775807 0$/) },
  'lineage with levels': { value: '5 9 0' },
  'lineage by text': { value: 0 },
  'lineage backwards': { error: 'BadRequestException: end is 5, before start, which is 9' },

  'metric tags': { value: ['stream=logs'] },
  'metric names': { value: ['system.collect.bytes', 'system.collect.events'] },
  'metric total': { value: 4 },
  'metric to the end of time': { value: 2 ** 63 },
  'metric of an hour': { value: 1 },
  'metric of nope': { value: 0 },

  'create namespace': DONE,
  'create namespace again': { error: "NamespaceAlreadyExistsException: 'namespace:shop' already exists" },
  namespace: { value: 'Shop false' },
  namespaces: { value: ['default', 'shop'] },
  'namespace properties': DONE,
  'namespace changed': { value: 'The shop slow' },
  'namespace nope': { error: "NamespaceNotFoundException: 'namespace:nope' was not found." },
  exists: { value: 'true false' },
  'streams of shop': { value: 0 },
  'delete namespace': DONE,
  'delete namespace again': { error: "NamespaceNotFoundException: 'namespace:shop' was not found." },

  apps: { value: 0 },
  programs: { value: 0 },
  'app nope': { error: 'ApplicationNotFoundException' },
  artifacts: { value: 0 },
  'application classes': { value: 0 },
  datasets: { value: 0 },
  'dataset exists': { value: false },
  preferences: { value: {} },
  'preferences of namespace': { value: {} },

  'delete view': DONE,
  'delete view again': { error: "NotFoundException: 'stream_view:default.logs.hits' was not found." },
  truncate: DONE,
  truncated: { value: [] },
  delete: DONE,
  'delete again': { error: "StreamNotFoundException: 'stream:default.logs' was not found." },
}

const VERSION = '4.1.1'
const jars = clientJars('cdap', VERSION)
const client = `cdap-client ${VERSION}`
if ('missing' in jars) tellSkipped(client, jars.missing)

test.skipIf('missing' in jars)(client, async () => {
  if ('missing' in jars) return
  const app = await startTestApp({ onDisk: true, nowMs: Date.now() })
  try {
    const args = [...compiled(jars.folder, 'ClientCalls'), '127.0.0.1', `${app.port}`]
    expectCalls(client, callsOf(await run('java', args)), EXPECTED)
    expect(app.reported).toEqual([])
  } finally {
    await app.stop()
  }
})
