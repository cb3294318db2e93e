/** Lists of what CDAP has beside streams: empty in a namespace that is there. */
import { expect, test } from 'vitest'
import { answerOf, json, plain } from '../support/answer.ts'
import { testApp } from '../support/test-app.ts'

const N = '/v3/namespaces'

const lists = [
  { path: 'apps?artifactName=a&artifactVersion=1.0', body: '[]' },
  { path: 'apps', body: '[]' },
  { path: 'flows', body: '[]' },
  { path: 'mapreduce', body: '[]' },
  { path: 'services', body: '[]' },
  { path: 'spark', body: '[]' },
  { path: 'workers', body: '[]' },
  { path: 'workflows', body: '[]' },
  { path: 'artifacts', body: '[]' },
  { path: 'artifacts?scope=SYSTEM', body: '[]' },
  { path: 'classes/apps', body: '[]' },
  { path: 'data/datasets', body: '[]' },
  { path: 'data/modules', body: '[]' },
  { path: 'data/types', body: '[]' },
  { path: 'configuration/dashboards', body: '[]' },
  { path: 'preferences?resolved=true', body: '{}' },
]
test.each(lists)('$path is $body where the namespace is, and 404 where it is not', async ({ path, body }) => {
  const app = await testApp()
  await app.put(`${N}/shop`)
  for (const namespace of ['default', 'shop']) {
    expect(answerOf(await app.get(`${N}/${namespace}/${path}`))).toEqual(json(body))
  }
  const [bare] = path.split('?')
  expect(answerOf(await app.get(`${N}/nope/${path}`))).toEqual(plain(404, "'namespace:nope' was not found."))
  expect((await app.get(`${N}/no-name/${path}`)).status).toBe(400)
  const head = await app.request('HEAD', `${N}/default/${path}`)
  expect([head.status, head.headers['content-type'], head.text]).toEqual([200, 'application/json', ''])
  const put = await app.put(`${N}/default/${bare}`, { body: '{"a":"b"}' })
  expect([put.status, put.headers.allow]).toEqual([405, 'GET, HEAD'])
})

test.each(['apps/a', 'apps/a/versions/1', 'artifacts/a', 'data/datasets/d', 'data/types/t', 'flows/f'])(
  'there is nothing at %s',
  async (path) => {
    const app = await testApp()
    expect((await app.get(`${N}/default/${path}`)).status).toBe(404)
  },
)
