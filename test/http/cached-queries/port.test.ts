/** `--cached-queries-port`: the API of cached queries alone, beside the main port and that of Flink's API, with the same guard. */
import { createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { ConfigError, parseCommand } from '../../../src/config.ts'
import { greeting } from '../../../src/greeting.ts'
import { testApp } from '../../support/test-app.ts'
import { tokenFile } from '../../support/tokens.ts'

const at = (port: number | undefined, path: string, init?: RequestInit) =>
  fetch(`http://127.0.0.1:${port}${path}`, init)

test('has the paths of this API and no others, with its errors', async () => {
  const app = await testApp({ config: { flinkPort: 0, cachedQueriesPort: 0 } })
  expect(new Set([app.port, app.flinkPort, app.cachedQueriesPort]).size).toBe(3)
  for (const path of ['/', '/status', '/overview', '/jobs', '/v3/namespaces/default/streams', '/metrics']) {
    const answer = await at(app.cachedQueriesPort, path)
    expect([answer.status, await answer.json()], path).toEqual([
      404,
      { error: { code: 'not_found', message: `there is nothing at ${path}` } },
    ])
  }
  const unreadable = await at(app.cachedQueriesPort, '/%zz')
  expect([unreadable.status, await unreadable.json()]).toEqual([
    404,
    { error: { code: 'not_found', message: 'there is nothing at /%zz' } },
  ])
  expect((await at(app.flinkPort, '/overview')).status).toBe(200)
  expect((await at(app.port, '/status')).status).toBe(200)
  await app.restart()
  expect((await at(app.cachedQueriesPort, '/status')).status).toBe(404)
})

test('requires tokens as the main port does', async () => {
  const tokens = await tokenFile([{ name: 'reader', grants: ['default:s:read'] }])
  const app = await testApp({ config: { cachedQueriesPort: 0, authFile: tokens.path } })
  const refused = await at(app.cachedQueriesPort, '/queries')
  expect([refused.status, refused.headers.get('www-authenticate'), await refused.json()]).toEqual([
    401,
    'Bearer realm="millrace"',
    { error: { code: 'unauthorized', message: 'send a token, as Bearer in the header Authorization' } },
  ])
})

test('a port in use is an error before the store is opened', async () => {
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void other.close())
  const { port } = other.address() as { port: number }
  await expect(testApp({ config: { cachedQueriesPort: port } })).rejects.toThrow('EADDRINUSE')
})

test('the flag is a port that no other flag has', () => {
  const portOf = (...args: string[]) => {
    const command = parseCommand(args, {})
    return command.kind === 'serve' ? command.config.cachedQueriesPort : undefined
  }
  expect(portOf()).toBeUndefined()
  expect(portOf('--cached-queries-port', '7000')).toBe(7000)
  expect(portOf('--cached-queries-port', '0', '--port', '0', '--flink-port', '0')).toBe(0)
  const refused = [
    [['--cached-queries-port', 'x'], "--cached-queries-port is 'x'; use a whole number from 0 to 65535"],
    [['--cached-queries-port', '11015'], '--cached-queries-port is 11015, as --port is; choose two ports'],
    [
      ['--cached-queries-port', '8081', '--flink-port', '8081'],
      '--cached-queries-port is 8081, as --flink-port is; choose two ports',
    ],
  ] as const
  for (const [args, text] of refused) expect(() => portOf(...args)).toThrow(new ConfigError(text))
})

test('the service says where it is', () => {
  const text = greeting({
    ...{ version: '1', host: '::1', port: 1, flinkPort: 2, cachedQueriesPort: 3 },
    ...{ withTokens: false, tls: undefined },
  })
  expect(text).toContain('Flink REST API at http://[::1]:2\ncached queries at http://[::1]:3\n')
})
