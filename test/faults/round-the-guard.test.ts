/** Where tokens are required, no way of writing a path, a verb or a header leads round the guard. Raw bytes on sockets. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { effort, tellProof } from '../support/effort.ts'
import { rawText } from '../support/raw-http.ts'
import { STREAMS, type TestApp, testApp } from '../support/test-app.ts'
import { type TestToken, type TestTokens, tokenFile } from '../support/tokens.ts'

/** Ways of writing the path of the events of stream `s`, or of something that is open, that a parser may stumble over. */
const targets = [
  `/${STREAMS}/s/events`,
  `${STREAMS}//s/events`,
  `${STREAMS}/s/events/`,
  `${STREAMS}/s/events//`,
  `${STREAMS}/%73/events`,
  `${STREAMS}/%2573/events`,
  `${STREAMS}/s%2Fevents`,
  `${STREAMS}/s/%65vents`,
  `${STREAMS}/s/events%00`,
  `${STREAMS}/s/events?x=/status`,
  `${STREAMS}/s/events#/status`,
  `${STREAMS}/s;x/events`,
  `${STREAMS}/./s/events`,
  `${STREAMS}/t/../s/events`,
  `${STREAMS}/t/%2e%2e/s/events`,
  `${STREAMS}/t/..%2fs/events`,
  `${STREAMS}\\s\\events`,
  `${STREAMS.toUpperCase()}/s/events`,
  `/V3/namespaces/default/streams/s/events`,
  '/v2/streams/s/events',
  '/v2/streams/%73/events',
  '/v2//streams/s/events',
  ...['/v1/project/p', '/v1/project/p/test', '/v1//project/p', '/v1/project/p/'].map(
    (project) => `${project}/service/default/flink/table`,
  ),
  '/v1/project/p/service/defaul%74/flink/job',
  '/v1/project/p/service/default%2Fflink%2Ftable',
  '/v1/project/p/integration/x',
  `http://x${STREAMS}/s/events`,
  `https://x${STREAMS}/s/events`,
  `HTTP://x${STREAMS}/s/events`,
  `http://x@y${STREAMS}/s/events`,
  `/status/..${STREAMS}/s/events`,
  `/status/%2e%2e${STREAMS}/s/events`,
  `/ping/..${STREAMS}/s/events`,
  `/token/..${STREAMS}/s/events`,
  '/status/',
  '/Status',
  '/status%2f',
  '/st%61tus',
  '*',
  '',
]
/** Another way to a namespace. */
const AIVEN = '/v1/project/p/service/default'
const methods = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'OPTIONS',
  'PATCH',
  'TRACE',
  'PROPFIND',
  'CONNECT',
  'get',
]
const tricks = [
  '',
  'X-HTTP-Method-Override: GET\r\n',
  'X-Original-URL: /status\r\nX-Rewrite-URL: /status\r\n',
  'Authorization: \r\nProxy-Authorization: Bearer TOKEN\r\n',
  'Cookie: token=TOKEN; Authorization=Bearer TOKEN\r\n',
  'Authorization : Bearer TOKEN\r\n',
  'Authorization: Bearer x\r\nAuthorization: Bearer TOKEN\r\n',
  'Upgrade: websocket\r\nConnection: Upgrade\r\n',
  'Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n',
]

test('clients without a token get 401 or 400, and /status', { timeout: 300_000 }, async () => {
  const { app, tokens } = await appWith()
  let sent = 0
  for (const target of targets) {
    for (const method of methods) {
      for (const trick of tricks) {
        const head = `${method} ${target} HTTP/1.1\r\nHost: x\r\n${trick.replaceAll('TOKEN', tokens.secrets.all!)}`
        const text = await rawText(app.port, `${head}Content-Length: 0\r\nConnection: close\r\n\r\n`)
        sent++
        const open = ['/st%61tus', '/status/'].includes(target) && (method === 'GET' || method === 'HEAD')
        expect(statusIn(text), head).toMatch(
          open ? /^(200|400)$/ : method === 'CONNECT' ? /^$|^400$/ : /^(400|401)$/,
        )
        expect(text, head).not.toContain('first')
      }
    }
  }
  expect(await bodies(app, tokens)).toEqual(['first'])
  tellProof('paths around the guard', { 'raw requests without a token': sent })
})

test('who has no grant for a stream never sees it, however the path is written', {
  timeout: 300_000,
}, async () => {
  const { app, tokens } = await appWith([
    {
      name: 'reader',
      grants: ['default:t:read,write,admin', 'default:s-*:read', 'other:*:read,write,admin'],
    },
  ])
  const secret = tokens.secrets.reader!
  let sent = 0
  const ask = async (method: string, target: string) => {
    const text = await rawText(
      app.port,
      `${method} ${target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${secret}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
    )
    sent++
    expect(statusIn(text), `${method} ${target}`).toMatch(/^[1-4]..$|^501$|^$/) // 501: creating a service
    expect(text, `${method} ${target}`).not.toContain('first')
  }
  for (const target of targets) for (const method of methods) await ask(method, target)
  const word = fc.constantFrom(
    ...[
      'v3',
      'v2',
      'namespaces',
      'default',
      'other',
      'streams',
      's',
      't',
      's-',
      'events',
      'info',
      'batch',
      'status',
    ],
    ...[
      '.',
      '..',
      '%2e%2e',
      '%2F',
      '%73',
      '%00',
      '',
      '?',
      '#',
      '\\',
      ';',
      'S',
      'unrecoverable',
      'properties',
      'truncate',
      'project',
      'test',
      'service',
      'integration',
      'flink',
      'table',
      'job',
      'proxy',
    ],
  )
  const path = fc.array(fc.tuple(fc.constantFrom('/', '/', '/', '//', '%2f', '\\'), word), { maxLength: 8 })
  const usual = fc.constantFrom(
    STREAMS,
    `${STREAMS}/s`,
    `${STREAMS}/t`,
    '/v2/streams',
    '/v2/streams/s',
    AIVEN,
    '',
  )
  await fc.assert(
    fc.asyncProperty(usual, path, fc.constantFrom(...methods), async (base, rest, method) => {
      const target = base + rest.map((pair) => pair.join('')).join('')
      await ask(method, target === '' ? '/' : target)
    }),
    { numRuns: effort({ short: 250, long: 20_000 }) },
  )
  expect(await bodies(app, tokens)).toEqual(['first'])
  tellProof('paths to another stream', { 'raw requests without the grant': sent })
})

/** Tokens `all` and those given; stream `s` with one event in it. */
async function appWith(tokens: readonly TestToken[] = []): Promise<{ app: TestApp; tokens: TestTokens }> {
  const file = await tokenFile([{ name: 'all' }, ...tokens])
  const app = await testApp({ config: { authFile: file.path } })
  const headers = file.bearer('all')
  await app.put(`${STREAMS}/s`, { headers })
  await app.post(`${STREAMS}/s`, { headers, body: 'first' })
  return { app, tokens: file }
}

async function bodies(app: TestApp, tokens: TestTokens): Promise<string[]> {
  const answer = await app.get(`${STREAMS}/s/events`, { headers: tokens.bearer('all') })
  return (answer.json() as { body: string }[]).map(({ body }) => body)
}

/** '' if nothing came. */
function statusIn(text: string): string {
  return /^HTTP\/1\.1 ([0-9]{3}) /.exec(text)?.[1] ?? ''
}
