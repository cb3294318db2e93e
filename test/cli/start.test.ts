/** What a user sees who starts the service: where it listens, that the lines it prints work, and who is refused. */
import { execFile } from 'node:child_process'
import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { opensslProblem, selfSigned } from '../support/certificates.ts'
import {
  listening,
  PROJECT_FOLDER,
  runCli,
  startServiceProcess,
  temporaryFolder,
  WatchedProcess,
} from '../support/service-process.ts'
import { shellProblem } from '../support/shell.ts'
import { STREAMS } from '../support/test-app.ts'
import { tokenFile } from '../support/tokens.ts'

const run = promisify(execFile)

test('--port 0 takes a free port of 127.0.0.1 and says which', async () => {
  const service = await startServiceProcess(await temporaryFolder())
  expect(service.stdout).toMatch(/^millrace \S+ listening on http:\/\/127\.0\.0\.1:[0-9]+\n/)
  expect(service.port).toBeGreaterThan(0)
  const response = await fetch(`${service.base}/ping`)
  expect([response.status, await response.text()]).toEqual([200, 'OK.\n'])
  expect(service.stderr).toBe('')
})

test('without --host only this machine can connect', async () => {
  const { port } = await startServiceProcess(await temporaryFolder())
  expect(await connecting('127.0.0.1', port)).toBe('connected')
  const others = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address)
  // All of 127/8 is the machine itself on Linux: a server on every address would answer there, too.
  if (process.platform === 'linux') others.push('127.0.0.2')
  for (const address of others) expect(await connecting(address, port), address).toBe('ECONNREFUSED')
})

test('--host ::1 listens there and prints a URL that works', async ({ skip }) => {
  const internal = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  if (!internal.some(({ address }) => address === '::1')) skip('this machine has no ::1')
  const service = await startServiceProcess(await temporaryFolder(), { args: ['--host', '::1'] })
  expect(service.base).toBe(`http://[::1]:${service.port}`)
  expect((await fetch(`${service.base}/ping`)).status).toBe(200)
  expect(await connecting('127.0.0.1', service.port)).toBe('ECONNREFUSED')
})

const openly = [
  { name: '--insecure', args: ['--insecure'], tokens: false, status: 200 },
  { name: 'MILLRACE_INSECURE', environment: { MILLRACE_INSECURE: '1' }, tokens: false, status: 200 },
  { name: '--auth', args: [], tokens: true, status: 401 },
]
test.each(openly)(
  '$name listens beyond this machine',
  async ({ args = [], environment = {}, tokens, status }) => {
    const auth = tokens ? ['--auth', (await tokenFile([{ name: 'all' }])).path] : []
    const service = await startServiceProcess(await temporaryFolder(), {
      args: ['--host', '0.0.0.0', ...args, ...auth],
      environment,
    })
    expect((await fetch(`http://127.0.0.1:${service.port}/ping`)).status).toBe(status)
  },
)

test.each(['localhost', '127.0.0.2'])('--host %s is this machine, and takes no word of it', async (host) => {
  if (host === '127.0.0.2' && process.platform !== 'linux') return
  const service = await startServiceProcess(await temporaryFolder(), { args: ['--host', host] })
  expect((await fetch(`${service.base}/ping`)).status).toBe(200)
})

test.each([
  { host: '0.0.0.0', said: true },
  { host: '127.0.0.1', said: false },
])(
  'with --auth and without HTTPS on $host it is said that tokens can be read: $said',
  async ({ host, said }) => {
    const { path } = await tokenFile([{ name: 'all' }])
    const args = ['--host', host, '--auth', path]
    const service = await startServiceProcess(await temporaryFolder(), { args })
    expect(service.stdout.includes('tokens can be read on their way')).toBe(said)
  },
)

test('with --auth the curl lines of the greeting take the token from a variable', async ({ skip }) => {
  const problem = await shellProblem()
  if (problem !== undefined) skip(problem)
  const { path, secrets } = await tokenFile([{ name: 'all' }])
  const service = await startServiceProcess(await temporaryFolder(), { args: ['--auth', path] })
  const lines = service.stdout.split('\n').filter((line) => line.trim().startsWith('curl '))
  const env = { ...process.env, MILLRACE_TOKEN: secrets.all }
  const outputs: string[] = []
  for (const line of lines) outputs.push((await run('bash', ['-c', line], { env })).stdout)
  expect(JSON.parse(outputs[2]!)).toMatchObject([{ body: 'Hello World' }])
})

const certificates = [
  { name: 'for the address', subject: '/CN=x', names: 'IP:127.0.0.1' },
  { name: 'for a host name', subject: '/CN=x', names: 'DNS:streams.example' },
  { name: 'for a wildcard', subject: '/CN=x', names: 'DNS:*.streams.example' },
  { name: 'with a common name alone', subject: '/CN=localhost', names: undefined },
]
test.each(certificates)(
  'the curl lines of the greeting work when pasted, with a certificate $name',
  async ({ subject, names }) => {
    const problem = (await shellProblem()) ?? (await opensslProblem())
    if (problem !== undefined) return
    const folder = await temporaryFolder()
    const identity = await selfSigned(folder, "it's", { subject, names })
    const service = await startServiceProcess(join(folder, 'data'), {
      args: ['--tls-cert', identity.certificate, '--tls-key', identity.key],
    })
    const lines = service.stdout.split('\n').filter((line) => line.trim().startsWith('curl '))
    expect(lines.join(' ')).not.toContain('--insecure')
    const outputs: string[] = []
    for (const line of lines) outputs.push((await run('bash', ['-c', line])).stdout)
    expect(JSON.parse(outputs[2]!)).toMatchObject([{ body: 'Hello World' }])
  },
)

test('the curl lines of the greeting work when pasted', async ({ skip }) => {
  const problem = await shellProblem()
  if (problem !== undefined) skip(problem)
  const service = await startServiceProcess(await temporaryFolder())
  const lines = service.stdout.split('\n').filter((line) => line.trim().startsWith('curl '))
  expect(lines).toHaveLength(3)
  const outputs: string[] = []
  for (const line of lines) outputs.push((await run('bash', ['-c', line])).stdout)
  expect(outputs.slice(0, 2)).toEqual(['', ''])
  expect(JSON.parse(outputs[2]!)).toEqual([
    { timestamp: expect.any(Number), headers: {}, body: 'Hello World' },
  ])
})

test('a second process on the same folder is refused, and the first one goes on', async () => {
  const folder = await temporaryFolder()
  const first = await startServiceProcess(folder)
  const second = await runCli({ args: ['--port', '0', '--data', folder] })
  expect(second).toEqual({
    code: 1,
    signal: null,
    stdout: '',
    stderr: `millrace: data folder ${folder} is in use by another process; stop it, or use another folder\n`,
  })
  expect((await fetch(`${first.base}${STREAMS}/s`, { method: 'PUT' })).status).toBe(200)
  expect((await fetch(`${first.base}${STREAMS}/s`, { method: 'POST', body: 'x' })).status).toBe(200)
  await first.stop()
  const third = await startServiceProcess(folder)
  expect((await fetch(`${third.base}${STREAMS}/s/events`)).status).toBe(200)
})

test('a port in use is refused before the data folder is made', async () => {
  const folder = await temporaryFolder()
  const { port } = await startServiceProcess(join(folder, 'first'))
  const second = await runCli({ args: ['--port', String(port), '--data', './second'], folder })
  expect(second).toEqual({
    code: 1,
    signal: null,
    stdout: '',
    stderr: `millrace: port ${port} of 127.0.0.1 is in use; choose another with --port, or --port 0\n`,
  })
  await expect(run('ls', [folder])).resolves.toMatchObject({ stdout: 'first\n' })
})

const npmEnds = [
  { name: 'npm gets SIGTERM', signal: 'SIGTERM', toAll: false },
  { name: 'Ctrl-C reaches npm and the service at once', signal: 'SIGINT', toAll: true },
] as const

test.each(npmEnds)(
  '`npm start` takes flags, and its service ends when $name',
  {
    timeout: 120_000,
  },
  async ({ signal, toAll }) => {
    const folder = await temporaryFolder()
    const npm = new WatchedProcess('npm', ['start', '--', '--port', '0', '--data', folder], {
      folder: PROJECT_FOLDER,
      environment: { npm_config_update_notifier: 'false' },
      hasChildren: true,
    })
    const service = await listening(npm, 90_000)
    expect((await fetch(`${service.base}/ping`)).status).toBe(200)
    if (toAll) npm.signalAll(signal)
    else npm.signal(signal)
    await npm.printed(`${signal}: finishing`)
    await npm.exited
    expect(npm.stdout.match(/finishing/g)).toHaveLength(1)
    expect(await connecting('127.0.0.1', service.port)).toBe('ECONNREFUSED')
    const restarted = await startServiceProcess(folder) // the folder is free again
    expect((await fetch(`${restarted.base}/status`)).status).toBe(200)
  },
)

/** 'connected', or why not. */
function connecting(host: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    socket.once('connect', () => {
      socket.destroy()
      resolve('connected')
    })
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
  })
}
