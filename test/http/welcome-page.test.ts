/** What a person sees who opens the service in a browser. */
import { expect, test } from 'vitest'
import { testApp } from '../support/test-app.ts'
import { tokenFile } from '../support/tokens.ts'

const curls = (html: string) =>
  [.../<pre>([\s\S]*?)<\/pre>/.exec(html)![1]!.matchAll(/^curl .*$/gm)].map(([line]) => line)

test('GET / is a page with curl lines for the address that was asked, and its style is allowed', async () => {
  const app = await testApp()
  const { status, headers, text } = await app.request('GET', '/')
  expect(status).toBe(200)
  expect(headers).toMatchObject({
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
  })
  expect(curls(text)[0]).toMatch(
    /^curl -X PUT http:\/\/127\.0\.0\.1:[0-9]+\/v3\/namespaces\/default\/streams\/mystream$/,
  )
  expect(curls(text)).toHaveLength(3)
  expect(text).not.toContain('--cacert')
})

test('nothing that the client sends is in the page', async () => {
  const app = await testApp()
  const { text } = await app.request('GET', '/?<script>', {
    headers: { Host: 'evil.example', Referer: '<b>', 'X-Forwarded-Host': 'evil.example' },
  })
  expect(text).not.toMatch(/evil|<script>|<b>/)
})

test('with tokens the page is there for clients without one, and its lines take a token', async () => {
  const { path } = await tokenFile([{ name: 'all' }])
  const app = await testApp({ config: { authFile: path } })
  const { status, text } = await app.request('GET', '/')
  expect(status).toBe(200)
  for (const line of curls(text)) expect(line).toContain('-H "Authorization: Bearer $MILLRACE_TOKEN" ')
})
