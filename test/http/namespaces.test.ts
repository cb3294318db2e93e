import { describe, expect, test } from 'vitest'
import { answerOf, empty, json, plain } from '../support/answer.ts'
import { STREAMS, testApp } from '../support/test-app.ts'

const ALL = '/v3/namespaces'
const NS = `${ALL}/x`
const DELETE_X = '/v3/unrecoverable/namespaces/x'
const DEFAULT = '{"name":"default","description":"Default Namespace","config":{"scheduler.queue.name":""}}'
const X = '{"name":"x","description":"","config":{"scheduler.queue.name":""}}'

const created = plain(200, "Namespace 'x' created successfully.")
const exists = plain(200, "Namespace 'x' already exists.")
const updated = plain(200, "Updated properties for namespace 'x'.")
const missing = plain(404, "'namespace:x' was not found.")
const malformed = plain(400, 'Invalid json object provided in request body.')
const together = plain(400, 'principal and keytabURI go together; give both or neither')
const badName = (name: string) =>
  plain(400, `Invalid namespace ID: ${name}. Should only contain alphanumeric characters or _.`)

test('there is a default namespace from the start', async () => {
  const app = await testApp()
  expect(answerOf(await app.get(ALL))).toEqual(json(`[${DEFAULT}]`))
  expect(answerOf(await app.get(`${ALL}/default`))).toEqual(json(DEFAULT))
})

describe('creating', () => {
  const bodies = [
    { body: '', printed: X },
    { body: ' \n', printed: X },
    { body: '{}', printed: X },
    { body: 'null', printed: X },
    { body: '{"description":"d \\"q\\" é"}', printed: X.replace('""', '"d \\"q\\" é"') },
    { body: '{"description":null,"config":null}', printed: X },
    { body: '{"name":"other","unknown":{"member":[1]}}', printed: X },
    {
      body: '{"config":{"scheduler.queue.name":"A","more":"B","10":"C"}}',
      printed: X.replace(':""}}', ':"A","more":"B","10":"C"}}'),
    },
    {
      body: '{"config":{"more":5,"yes":true,"none":null}}',
      printed: X.replace(':""}}', ':"","more":5,"yes":true}}'),
    },
    {
      body: '{"config":{"explore.as.principal":true,"a":false,"b":"true","c":"5"}}',
      printed: X.replace(':""}}', ':"","explore.as.principal":true,"a":false,"b":"true","c":"5"}}'),
    },
    {
      body: '{"config":{"a":1.50,"b":-0,"c":1e400,"d":12345678901234567890}}',
      printed: X.replace(':""}}', ':"","a":1.50,"b":-0,"c":1e400,"d":12345678901234567890}}'),
    },
    {
      body: '{"config":{"principal":"p","keytabURI":"k"}}',
      printed: X.replace(':""}}', ':"","principal":"p","keytabURI":"k"}}'),
    },
    {
      body: '{"config":{"__proto__":"a","constructor":"b","toString":"c"}}',
      printed: X.replace(':""}}', ':"","__proto__":"a","constructor":"b","toString":"c"}}'),
    },
  ]
  test.each(bodies)('by %j', async ({ body, printed }) => {
    const app = await testApp()
    expect(answerOf(await app.put(NS, { body }))).toEqual(created)
    expect(answerOf(await app.get(NS))).toEqual(json(printed))
    expect(answerOf(await app.get(ALL))).toEqual(json(`[${DEFAULT},${printed}]`))
  })

  test('settings keep their types when others change, and over a restart', async () => {
    const app = await testApp({ onDisk: true })
    await app.put(NS, { body: '{"config":{"explore.as.principal":true,"n":1.50,"t":"true"}}' })
    await app.put(`${NS}/properties`, { body: '{"config":{"explore.as.principal":false,"m":7}}' })
    await app.restart()
    const config = '"explore.as.principal":false,"n":1.50,"t":"true","m":7'
    expect(answerOf(await app.get(NS))).toEqual(json(X.replace(':""}}', `:"",${config}}}`)))
  })

  test('again changes nothing', async () => {
    const app = await testApp()
    await app.put(NS, { body: '{"description":"first"}' })
    expect(answerOf(await app.put(NS, { body: '{"description":"second"}' }))).toEqual(exists)
    expect(answerOf(await app.put(NS))).toEqual(exists)
    expect(answerOf(await app.get(NS))).toEqual(json(X.replace('""', '"first"')))
  })

  const newName = plain(400, "Namespace id can contain only alphanumeric characters or '_'.")
  const reserved = (name: string) =>
    plain(400, `Cannot create the namespace '${name}'. '${name}' is a reserved namespace.`)
  const refused = [
    { name: 'my-ns', body: '', answer: newName },
    { name: 'a.b', body: '', answer: newName },
    { name: '%40', body: '', answer: newName },
    { name: '%E2%82%AC', body: '', answer: newName },
    { name: 'a%2Fb', body: '', answer: newName },
    { name: '%zz', body: '', answer: newName },
    { name: 'default', body: '', answer: reserved('default') },
    { name: 'system', body: '', answer: reserved('system') },
    { name: 'cdap', body: '{"description":"d"}', answer: reserved('cdap') },
    { name: 'x', body: '[]', answer: malformed },
    { name: 'x', body: '"text"', answer: malformed },
    { name: 'x', body: '{', answer: malformed },
    { name: 'x', body: '{} {}', answer: malformed },
    { name: 'x', body: '{"description":{}}', answer: malformed },
    { name: 'x', body: '{"config":[]}', answer: malformed },
    { name: 'x', body: '{"config":{"a":{}}}', answer: malformed },
    { name: 'x', body: '{"config":{"principal":"p"}}', answer: together },
    { name: 'x', body: '{"config":{"keytabURI":"k"}}', answer: together },
    { name: 'x', body: '{"principal":"p"}', answer: together },
    { name: 'x', body: '{"keytabURI":"k"}', answer: together },
  ]
  test.each(refused)('$name by $body is refused', async ({ name, body, answer }) => {
    const app = await testApp()
    expect(answerOf(await app.put(`${ALL}/${name}`, { body }))).toEqual(answer)
    expect(answerOf(await app.get(ALL))).toEqual(json(`[${DEFAULT}]`))
  })

  test.each([
    'a',
    'A',
    '0',
    '_',
    'test',
    'with_underscore',
    '__proto__',
    'constructor',
    'toString',
    'y'.repeat(1024),
  ])('the name %s is taken', async (name) => {
    const app = await testApp()
    expect(answerOf(await app.get(`${ALL}/${name}`))).toEqual(
      plain(404, `'namespace:${name}' was not found.`),
    )
    expect(answerOf(await app.put(`${ALL}/${name}`))).toEqual(
      plain(200, `Namespace '${name}' created successfully.`),
    )
    expect(answerOf(await app.get(`${ALL}/${name}`))).toEqual(json(X.replace('"x"', `"${name}"`)))
    expect(answerOf(await app.put(`${ALL}/${name}/streams/s`))).toEqual(empty(200))
  })
})

describe('setting properties', () => {
  const changes = [
    { body: '{}', printed: '{"name":"x","description":"d","config":{"scheduler.queue.name":"q","a":"1"}}' },
    { body: '', printed: '{"name":"x","description":"d","config":{"scheduler.queue.name":"q","a":"1"}}' },
    {
      body: '{"description":"e"}',
      printed: '{"name":"x","description":"e","config":{"scheduler.queue.name":"q","a":"1"}}',
    },
    {
      body: '{"config":{"a":"2","b":"3"}}',
      printed: '{"name":"x","description":"d","config":{"scheduler.queue.name":"q","a":"2","b":"3"}}',
    },
    {
      body: '{"name":"y","config":{"scheduler.queue.name":""}}',
      printed: '{"name":"x","description":"d","config":{"scheduler.queue.name":"","a":"1"}}',
    },
  ]
  test.each(changes)('by $body', async ({ body, printed }) => {
    const app = await testApp()
    await app.put(NS, { body: '{"description":"d","config":{"scheduler.queue.name":"q","a":"1"}}' })
    expect(answerOf(await app.put(`${NS}/properties`, { body }))).toEqual(updated)
    expect(answerOf(await app.get(NS))).toEqual(json(printed))
  })

  test('of the default namespace is allowed', async () => {
    const app = await testApp()
    expect(answerOf(await app.put(`${ALL}/default/properties`, { body: '{"description":"mine"}' }))).toEqual(
      plain(200, "Updated properties for namespace 'default'."),
    )
    expect(answerOf(await app.get(`${ALL}/default`))).toEqual(
      json(DEFAULT.replace('Default Namespace', 'mine')),
    )
    expect(answerOf(await app.get(ALL))).toEqual(json(`[${DEFAULT.replace('Default Namespace', 'mine')}]`))
  })

  const refused = [
    { path: `${NS}/properties`, body: '[]', answer: malformed },
    { path: `${NS}/properties`, body: '{"config":{"keytabURI":"k"}}', answer: together },
    { path: `${ALL}/nope/properties`, body: '{}', answer: plain(404, "'namespace:nope' was not found.") },
    { path: `${ALL}/my-ns/properties`, body: '{}', answer: badName('my-ns') },
  ]
  test.each(refused)('of $path by $body is refused', async ({ path, body, answer }) => {
    const app = await testApp()
    await app.put(NS)
    expect(answerOf(await app.put(path, { body }))).toEqual(answer)
    expect(answerOf(await app.get(NS))).toEqual(json(X))
  })
})

describe('looking for one that is not there', () => {
  test.each([
    { path: NS, answer: missing },
    { path: `${ALL}/my-ns`, answer: badName('my-ns') },
    { path: `${ALL}/%40`, answer: badName('@') },
    {
      path: `${ALL}/${'y'.repeat(1025)}`,
      answer: plain(400, 'Invalid namespace ID of 1025 characters; use at most 1024.'),
    },
  ])('$path', async ({ path, answer }) => {
    const app = await testApp()
    expect(answerOf(await app.get(path))).toEqual(answer)
  })
})

describe('deleting', () => {
  test('drops the namespace with all its streams, and no other', async () => {
    const app = await testApp({ streams: ['s'] })
    await app.put(NS)
    for (const stream of ['s', 't']) {
      await app.put(`${NS}/streams/${stream}`)
      await app.post(`${NS}/streams/${stream}`, { body: 'gone' })
    }
    await app.post(`${STREAMS}/s`, { body: 'kept' })

    expect(answerOf(await app.delete(DELETE_X))).toEqual(empty(200))
    expect(answerOf(await app.get(ALL))).toEqual(json(`[${DEFAULT}]`))
    expect(answerOf(await app.get(NS))).toEqual(missing)
    expect(answerOf(await app.get(`${NS}/streams`))).toEqual(missing)
    expect(answerOf(await app.get(`${NS}/streams/s/events`))).toEqual(empty(404))
    expect(answerOf(await app.put(`${NS}/streams/s`))).toEqual(missing)
    expect(await app.events('s')).toEqual([{ timestamp: 1_000_000, headers: {}, body: 'kept' }])

    await app.put(NS)
    expect(answerOf(await app.get(NS))).toEqual(json(X))
    expect(answerOf(await app.get(`${NS}/streams`))).toEqual(json('[]'))
    await app.put(`${NS}/streams/s`)
    expect(answerOf(await app.get(`${NS}/streams/s/events`))).toEqual(empty(204))
  })

  test('the default one drops its streams and leaves it listed', async () => {
    const app = await testApp({ streams: ['s'] })
    await app.post(`${STREAMS}/s`, { body: 'gone' })
    expect(answerOf(await app.delete('/v3/unrecoverable/namespaces/default'))).toEqual(empty(200))
    expect(answerOf(await app.get(ALL))).toEqual(json(`[${DEFAULT}]`))
    expect(answerOf(await app.get(STREAMS))).toEqual(json('[]'))
    await app.put(`${STREAMS}/s`)
    expect(await app.events('s')).toEqual([])
  })

  test.each([
    { name: 'x', answer: missing },
    { name: 'my-ns', answer: badName('my-ns') },
  ])('$name, which is not there, is refused', async ({ name, answer }) => {
    const app = await testApp()
    expect(answerOf(await app.delete(`/v3/unrecoverable/namespaces/${name}`))).toEqual(answer)
  })

  test('is refused where the operator says so', async () => {
    const app = await testApp({ config: { unrecoverableReset: false } })
    await app.put(NS)
    expect(answerOf(await app.delete(DELETE_X))).toEqual(
      plain(
        403,
        "Namespace 'x' cannot be deleted because 'enable.unrecoverable.reset' is not enabled. " +
          'Please enable it and restart CDAP Master.',
      ),
    )
    expect(answerOf(await app.get(NS))).toEqual(json(X))
  })

  test('and creating at the same time leaves a whole namespace or none', async () => {
    const app = await testApp()
    const requests = Array.from({ length: 20 }, (_, i) => {
      if (i % 3 === 0) return app.put(NS)
      if (i % 3 === 1) return app.delete(DELETE_X)
      return app.put(`${NS}/streams/s`)
    })
    const statuses = (await Promise.all(requests)).map(({ status }) => status)
    expect(statuses.filter((status) => status !== 200 && status !== 404)).toEqual([])
    const { status } = await app.get(NS)
    expect((await app.get(`${NS}/streams`)).status).toBe(status)
    expect(app.reported).toEqual([])
  })
})

test('streams of one name in two namespaces have nothing in common', async () => {
  const app = await testApp({ streams: ['s'] })
  await app.put(NS)
  await app.put(`${NS}/streams/s`, { body: '{"ttl":5}' })
  await app.post(`${STREAMS}/s`, { headers: { 's.in': 'default' }, body: 'a' })
  await app.post(`${NS}/streams/s`, { headers: { 's.in': 'x' }, body: 'b' })

  expect(await app.events('s')).toEqual([{ timestamp: 1_000_000, headers: { in: 'default' }, body: 'a' }])
  expect((await app.get(`${NS}/streams/s/events`)).json()).toEqual([
    { timestamp: 1_000_000, headers: { in: 'x' }, body: 'b' },
  ])
  expect((await app.get(`${STREAMS}/s`)).text).toContain('"ttl":9223372036854775,')
  await app.post(`${NS}/streams/s/truncate`)
  await app.delete(`${NS}/streams/s`)
  expect(await app.events('s')).toHaveLength(1)
})
