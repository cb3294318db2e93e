/** `--flink-port`: Flink's REST API alone, the dashboard at its root, the same guard as the main port; and what ends and logs. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { readDashboard } from '../../../src/http/app.ts'
import { LogFolder } from '../../../src/process/log-folder.ts'
import { rawText } from '../../support/raw-http.ts'
import { testApp } from '../../support/test-app.ts'
import { tokenFile } from '../../support/tokens.ts'

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'millrace-flink-'))
  onTestFinished(() => rm(made, { recursive: true, force: true }))
  return made
}

/** As the dashboard has it: styles are shown by a handler when they are loaded. */
const PAGE = `<html><link rel="stylesheet" href="a.css" media="print" onload="this.media='all'"></html>`

async function dashboard(): Promise<string> {
  const root = await folder()
  const web = join(root, 'web')
  await mkdir(join(web, 'libs', 'vs'), { recursive: true })
  await writeFile(join(root, 'secret.txt'), 'secret')
  await writeFile(join(web, 'index.html'), PAGE)
  await writeFile(join(web, 'main.0123456789abcdef.js'), 'main()')
  await writeFile(join(web, 'libs', 'vs', 'loader.js'), 'load()')
  await writeFile(join(web, '.hidden'), 'hidden')
  await writeFile(join(web, 'font.woff2'), 'font')
  await symlink(join(root, 'secret.txt'), join(web, 'link.txt'))
  return web
}

const at = (port: number | undefined, path: string, init?: RequestInit) =>
  fetch(`http://127.0.0.1:${port}${path}`, init)

test('has the paths of this API and no others', async () => {
  const app = await testApp({ config: { flinkPort: 0 } })
  expect(app.flinkPort).not.toBe(app.port)
  for (const path of ['/overview', '/v1/overview', '/jobs', '/v1/config', '/taskmanagers']) {
    const answer = await at(app.flinkPort, path)
    expect([answer.status, answer.headers.get('content-type')], path).toEqual([
      200,
      'application/json; charset=UTF-8',
    ])
  }
  for (const path of ['/v3/namespaces/default/streams', '/status', '/metrics', '/v1/project/p/service']) {
    const answer = await at(app.flinkPort, path)
    expect(await answer.json(), path).toEqual({ errors: [expect.stringContaining(path)] })
    expect(answer.status).toBe(404)
  }
  const root = await at(app.flinkPort, '/')
  expect([root.status, await root.json()]).toEqual([
    404,
    { errors: ['There is no dashboard here; start with --flink-dashboard, or ask for /overview.'] },
  ])
  expect((await at(app.flinkPort, '/x', { method: 'POST' })).status).toBe(405)
})

test('is open again after a restart, and closed with the service', async () => {
  const app = await testApp({ config: { flinkPort: 0 } })
  const before = app.flinkPort
  await app.restart()
  expect((await at(app.flinkPort, '/overview')).status).toBe(200)
  if (app.flinkPort !== before) await expect(at(before, '/overview')).rejects.toThrow()
})

test('requires tokens as the main port does', async () => {
  const tokens = await tokenFile([{ name: 'reader', grants: ['default:s:read'] }])
  const app = await testApp({
    config: { flinkPort: 0, authFile: tokens.path, dashboardFolder: await dashboard() },
  })
  const refused = await at(app.flinkPort, '/overview')
  expect([refused.status, await refused.json()]).toEqual([401, { errors: [expect.any(String)] }])
  const headers = tokens.bearer('reader')
  expect((await at(app.flinkPort, '/overview', { headers })).status).toBe(200)
  expect((await at(app.flinkPort, '/jobmanager/config', { headers })).status).toBe(403)
  expect((await at(app.flinkPort, '/')).status).toBe(200)
})

test('a port in use is an error before the store is opened', async () => {
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void other.close())
  const { port } = other.address() as { port: number }
  await expect(testApp({ config: { flinkPort: port } })).rejects.toThrow('EADDRINUSE')
})

test('serves the files of the dashboard, with types, tags and a policy', async () => {
  const app = await testApp({ config: { flinkPort: 0, dashboardFolder: await dashboard() } })
  const files = [
    { path: '/', type: 'text/html; charset=utf-8', text: PAGE, caching: 'no-cache' },
    { path: '/index.html', type: 'text/html; charset=utf-8', text: PAGE, caching: 'no-cache' },
    {
      path: '/main.0123456789abcdef.js',
      type: 'text/javascript; charset=utf-8',
      text: 'main()',
      caching: 'public, max-age=31536000, immutable',
    },
    {
      path: '/libs/vs/loader.js',
      type: 'text/javascript; charset=utf-8',
      text: 'load()',
      caching: 'no-cache',
    },
    { path: '/font.woff2', type: 'font/woff2', text: 'font', caching: 'no-cache' },
  ]
  for (const { path, type, text, caching } of files) {
    const answer = await at(app.flinkPort, path)
    expect([answer.status, answer.headers.get('content-type'), await answer.text()], path).toEqual([
      200,
      type,
      text,
    ])
    expect(answer.headers.get('cache-control')).toBe(caching)
    expect(answer.headers.get('content-security-policy')).toContain(
      "script-src 'self' 'unsafe-hashes' 'sha256-MhtPZXr7+LpJUY5qtMutB+qWfQtMaPccfe7QXtCcEYc='; ",
    )
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
    const etag = answer.headers.get('etag')!
    const again = await at(app.flinkPort, path, { headers: { 'If-None-Match': etag } })
    expect([again.status, await again.text()]).toEqual([304, ''])
    const head = await at(app.flinkPort, path, { method: 'HEAD' })
    expect([head.status, await head.text(), head.headers.get('content-type')]).toEqual([200, '', type])
  }
  // The API keeps its own headers.
  const overview = await at(app.flinkPort, '/overview')
  expect(overview.headers.get('cache-control')).toBe('no-store')
})

test('no path leads out of the folder, to a link or to a hidden file', async () => {
  const app = await testApp({ config: { flinkPort: 0, dashboardFolder: await dashboard() } })
  const paths = [
    ...['/../secret.txt', '/..%2fsecret.txt', '/%2e%2e/secret.txt', '/libs/../../secret.txt'],
    ...[
      '/link.txt',
      '/.hidden',
      '/libs',
      '/libs/',
      '/libs/vs',
      '/index.html%00.js',
      '//index.html',
      '/INDEX.HTML',
    ],
    ...['/..\\secret.txt', '/%252e%252e/secret.txt'],
  ]
  for (const path of paths) {
    const answer = await rawText(
      app.flinkPort!,
      `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    )
    expect(answer, path).toMatch(/^HTTP\/1\.1 40[04] /)
    expect(answer, path).not.toMatch(/\r\n\r\n(secret|hidden)$/)
  }
})

test('a folder without the dashboard is refused at the start', async () => {
  const empty = await folder()
  expect(() => readDashboard(empty)).toThrow(
    `dashboard folder ${empty} has no index.html; name the folder web of flink-runtime-web's jar, unpacked`,
  )
  expect(() => readDashboard(join(empty, 'none'))).toThrow('cannot be read')
})

test('DELETE /cluster ends the service where that is allowed', async () => {
  let ended = 0
  const environment = { shutdown: () => void ended++ }
  const refused = await testApp({ environment })
  expect((await refused.delete('/cluster')).status).toBe(403)
  const app = await testApp({ environment, config: { allowClusterShutdown: true } })
  const answer = await app.delete('/v1/cluster')
  expect([answer.status, answer.text]).toEqual([200, '{}'])
  expect(ended).toBe(1)
})

test('log files are listed and read', async () => {
  const logs = await LogFolder.open(await folder())
  logs.write('log', 'one\n')
  logs.write('out', 'hello\n')
  logs.write('log', 'two\n')
  await logs.close()
  const app = await testApp({ environment: { logs } })
  const { logs: listed } = (await app.get('/jobmanager/logs')).json() as { logs: object[] }
  expect(listed).toEqual([
    { name: 'millrace.log', size: 8, mtime: expect.any(Number) },
    { name: 'millrace.out', size: 6, mtime: expect.any(Number) },
  ])
  for (const path of ['/jobmanager/log', '/jobmanager/logs/millrace.log']) {
    const answer = await app.get(path)
    expect([answer.status, answer.text, answer.headers['content-type']]).toEqual([
      200,
      'one\ntwo\n',
      'text/plain; charset=utf-8',
    ])
  }
  expect((await app.get('/jobmanager/stdout')).text).toBe('hello\n')
  for (const name of ['none', 'millrace.log.1', '..%2fmillrace.log', '%00'])
    expect((await app.get(`/jobmanager/logs/${name}`)).status, name).toBe(404)
})
