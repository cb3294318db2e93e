/** `--ververica-port`: Ververica Platform's APIs alone, beside the main port and those of other APIs, with the same guard. */
import { createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { ConfigError, parseCommand } from '../../../src/config.ts'
import { greeting } from '../../../src/greeting.ts'
import { testApp } from '../../support/test-app.ts'
import { tokenFile } from '../../support/tokens.ts'

const at = (port: number | undefined, path: string, init?: RequestInit) =>
  fetch(`http://127.0.0.1:${port}${path}`, init)

const nothingAt = (path: string) => ({
  ...{ kind: 'ApiException', apiVersion: 'v1', message: `there is nothing at ${path}` },
  ...{ reason: 'NotFound', statusCode: 404, context: {} },
})

test('has the paths of these APIs and no others, with their errors', async () => {
  const app = await testApp({ config: { flinkPort: 0, cachedQueriesPort: 0, ververicaPort: 0 } })
  expect(new Set([app.port, app.flinkPort, app.cachedQueriesPort, app.ververicaPort]).size).toBe(4)
  for (const path of ['/', '/status', '/overview', '/v3/namespaces/default/streams', '/metrics', '/%zz']) {
    const answer = await at(app.ververicaPort, path)
    expect([answer.status, await answer.json()], path).toEqual([404, nothingAt(path)])
  }
  for (const port of [app.ververicaPort, app.port]) {
    const answer = await at(port, '/api/v1/namespaces/nope/deployments')
    expect([answer.status, ((await answer.json()) as { reason: string }).reason]).toEqual([
      404,
      'NamespaceNotFound',
    ])
  }
  await app.restart()
  expect((await at(app.ververicaPort, '/status')).status).toBe(404)
})

test('requires tokens as the main port does', async () => {
  const tokens = await tokenFile([{ name: 'reader', grants: ['default:s:read'] }])
  const app = await testApp({ config: { ververicaPort: 0, authFile: tokens.path } })
  const refused = await at(app.ververicaPort, '/api/v1/namespaces/default/deployments')
  expect([refused.status, refused.headers.get('www-authenticate'), await refused.json()]).toEqual([
    401,
    'Bearer realm="millrace"',
    {
      ...{
        kind: 'ApiException',
        apiVersion: 'v1',
        message: 'send a token, as Bearer in the header Authorization',
      },
      ...{ reason: 'Unauthorized', statusCode: 401, context: {} },
    },
  ])
})

test('a port in use is an error before the store is opened', async () => {
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void other.close())
  const { port } = other.address() as { port: number }
  await expect(testApp({ config: { ververicaPort: port } })).rejects.toThrow('EADDRINUSE')
})

test('the flag is a port that no other flag has', () => {
  const portOf = (...args: string[]) => {
    const command = parseCommand(args, {})
    return command.kind === 'serve' ? command.config.ververicaPort : undefined
  }
  expect(portOf()).toBeUndefined()
  expect(portOf('--ververica-port', '8080')).toBe(8080)
  expect(portOf('--ververica-port', '0', '--port', '0', '--flink-port', '0')).toBe(0)
  const refused = [
    [['--ververica-port', 'x'], "--ververica-port is 'x'; use a whole number from 0 to 65535"],
    [['--ververica-port', '11015'], '--ververica-port is 11015, as --port is; choose two ports'],
    [
      ['--ververica-port', '7', '--cached-queries-port', '7'],
      '--ververica-port is 7, as --cached-queries-port is; choose two ports',
    ],
  ] as const
  for (const [args, text] of refused) expect(() => portOf(...args)).toThrow(new ConfigError(text))
})

test('the service says where it is', () => {
  const text = greeting({
    ...{ version: '1', host: '::1', port: 1, flinkPort: 2, ververicaPort: 4 },
    ...{ withTokens: false, tls: undefined },
  })
  expect(text).toContain('Flink REST API at http://[::1]:2\nVerverica Platform APIs at http://[::1]:4\n')
})
