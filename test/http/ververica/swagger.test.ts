/** `/swagger`: the page, its files and the two descriptions. */
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { testApp } from '../../support/test-app.ts'
import { tokenFile } from '../../support/tokens.ts'

const FILES = [
  { path: '/swagger', type: 'text/html; charset=utf-8', text: '<div id="swagger-ui"></div>' },
  { path: '/swagger/', type: 'text/html; charset=utf-8', text: '<div id="swagger-ui"></div>' },
  { path: '/swagger/start.js', type: 'text/javascript; charset=utf-8', text: "'/api/swagger.json'" },
  { path: '/swagger/swagger-ui.css', type: 'text/css; charset=utf-8', text: '.swagger-ui' },
  { path: '/swagger/swagger-ui-bundle.js', type: 'text/javascript; charset=utf-8', text: 'SwaggerUIBundle' },
  {
    path: '/swagger/swagger-ui-standalone-preset.js',
    type: 'text/javascript; charset=utf-8',
    text: 'SwaggerUIStandalonePreset',
  },
  { path: '/swagger/favicon-32x32.png', type: 'image/png', text: 'PNG' },
]

test.each(FILES)('GET $path', async ({ path, type, text }) => {
  const app = await testApp()
  const answer = await app.request('GET', path)
  expect([answer.status, answer.headers['content-type']]).toEqual([200, type])
  expect(answer.text).toContain(text)
  expect(answer.headers).toMatchObject({
    'content-security-policy': expect.stringMatching(/^default-src 'none'; script-src 'self'; /),
    'cache-control': 'no-cache',
    'x-content-type-options': 'nosniff',
  })
  const head = await app.request('HEAD', path)
  expect([head.status, head.text]).toEqual([200, ''])
})

test('the page names no other origin', async () => {
  const app = await testApp()
  for (const path of ['/swagger', '/swagger/start.js'])
    expect((await app.request('GET', path)).text).not.toMatch(/https?:|\/\/[a-z]/)
})

test.each([
  '/swagger/nope.js',
  '/swagger/../package.json',
  '/swagger/%2e%2e%2fpackage.json',
  '/swagger/index.js',
])('GET %s is 404', async (path) => {
  const app = await testApp()
  expect((await app.request('GET', path)).status).toBe(404)
})

test.each(['/swagger.json', '/api/swagger.json'])('GET %s is JSON, or YAML of the same', async (path) => {
  const app = await testApp()
  const json = await app.request('GET', path)
  expect(json.headers['content-type']).toBe('application/json')
  const yaml = await app.request('GET', path, { headers: { Accept: 'application/yaml' } })
  expect(yaml.headers['content-type']).toBe('application/yaml')
  expect(parse(yaml.text)).toEqual(json.json())
})

const PATHS = [...FILES.map(({ path }) => path), '/swagger.json', '/api/swagger.json']

test('where tokens are required, any good token is taken, also as the password of a browser', async () => {
  const { path: authFile, secrets, bearer } = await tokenFile([{ name: 'one', grants: ['other:*:read'] }])
  const app = await testApp({ config: { authFile } })
  const basic = (secret: string) => `Basic ${Buffer.from(`any:${secret}`).toString('base64')}`
  for (const path of PATHS) {
    for (const headers of [{}, { Authorization: 'Bearer x' }, { Authorization: basic('x') }]) {
      const refused = await app.request('GET', path, { headers })
      expect([refused.status, refused.headers['www-authenticate']]).toEqual([401, 'Basic realm="millrace"'])
      expect(refused.json()).toMatchObject({ kind: 'ApiException', reason: 'Unauthorized', statusCode: 401 })
    }
    for (const headers of [bearer('one'), { Authorization: basic(secrets.one!) }])
      expect((await app.request('GET', path, { headers })).status, path).toBe(200)
  }
})
