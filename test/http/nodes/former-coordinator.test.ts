/** A node that stood still while another one took over what it ran: it must not overwrite what that one has written. */
import { expect, test } from 'vitest'
import { coordinatorOf, serves, testNodes } from '../../support/nodes.ts'

const N = '/v3/namespaces/default'
const TAGS = `${N}/streams/s/metadata/tags`
const ENDED =
  'another node runs tables, jobs and queries by now, so the change was not made; send the request again'

/** Node a does not know that node b has the coordinator. */
async function replaced() {
  const { store, start } = testNodes()
  const a = await start('a', { streams: ['s'], config: { allowPrivateWebhooks: true } })
  await serves(a)
  const b = await start('b')
  expect((await b.post(TAGS, { body: '["first"]' })).status).toBe(200)
  store.pause('a')
  store.bury('a')
  await serves(b)
  expect(await coordinatorOf(b)).toBe('b')
  return { store, a, b }
}

const CHANGES = [
  { name: 'metadata', change: ['POST', TAGS, '["second"]'] },
  { name: 'a feed', change: ['PUT', `${N}/feeds/categories/c/names/f`, '{"description":"of a"}'] },
  { name: 'a webhook', change: ['POST', `${N}/streams/s/webhooks`, '{"url":"http://127.0.0.1:1"}'] },
  { name: 'the deletion of a stream', change: ['DELETE', `${N}/streams/s`, undefined] },
  {
    name: 'a deployment target',
    change: [
      'POST',
      '/api/v1/namespaces/default/deployment-targets',
      '{"metadata":{"name":"x"},"spec":{"kubernetes":{"namespace":"n"}}}',
    ],
  },
] as const

test('changes of a former coordinator are refused, and what the next one has written stays', async () => {
  const { store, a, b } = await replaced()
  expect((await b.post(TAGS, { body: '["of b"]' })).status).toBe(200)
  store.resume('a')
  const answers = []
  for (const {
    change: [method, path, body],
  } of CHANGES)
    answers.push(await a.request(method, path, { ...(body && { body }) }))
  expect(answers.map(({ status, text }) => [status, text.includes(ENDED)])).toEqual(
    CHANGES.map(() => [503, true]),
  )
  store.expire('a')
  store.mend('a')
  await serves(a)
  for (const node of [a, b]) expect((await node.get(`${TAGS}?scope=user`)).text).toMatch(/first.*of b/)
  expect((await b.get(`${N}/feeds`)).text).not.toContain('of a')
})
