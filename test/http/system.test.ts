import { expect, test } from 'vitest'
import { answerOf, json, plain } from '../support/answer.ts'
import { ON_KAFKA, testApp } from '../support/test-app.ts'

const answers = [
  { path: '/ping', answer: plain(200, 'OK.\n') },
  ...(ON_KAFKA ? [] : [{ path: '/status', answer: plain(200, 'OK.\n') }]), // there it lists the nodes
  { path: '/v3/version', answer: json('{"version":"4.1.0"}') },
  { path: '/v3/system/services/status', answer: json('{"streams":"OK"}') },
  { path: '/v3/system/services/streams/status', answer: json('{"status":"OK"}') },
  {
    path: '/v3/system/services',
    answer: json(
      '[{"name":"streams","description":"Streams, their views and SQL over them.","status":"OK","logs":"NOTOK","min":1,"max":1,"requested":1,"provisioned":1}]',
    ),
  },
  {
    path: '/v3/system/services/streams/instances',
    answer: json('{"instances":1,"requested":1,"provisioned":1}'),
  },
  { path: '/v3/preferences', answer: json('{}') },
  { path: '/v3/config/cdap', answer: json('[]') },
  { path: '/v3/config/hadoop', answer: json('[]') },
]
test.each(answers)('GET $path answers "$answer.text"', async ({ path, answer }) => {
  const app = await testApp()
  expect(answerOf(await app.get(path))).toEqual(answer)
  expect(answerOf(await app.get(`${path}?any=query`))).toEqual(answer)
  const head = await app.request('HEAD', path)
  expect([head.status, head.headers['content-type'], head.text]).toEqual([answer.status, answer.type, ''])
})

test.each(answers)('$path takes GET alone', async ({ path }) => {
  const app = await testApp()
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND']) {
    const answer = await app.request(method, path)
    expect(answerOf(answer)).toEqual(plain(405, `Problem accessing: ${path}. Reason: Method Not Allowed`))
    expect(answer.headers.allow).toBe('GET, HEAD')
  }
})

test.each(['nope', '__proto__', 'Streams'])('there is no service %s', async (service) => {
  const app = await testApp()
  const path = `/v3/system/services/${service}/status`
  expect(answerOf(await app.get(path))).toEqual(plain(404, `Problem accessing: ${path}. Reason: Not Found`))
})
