/** `millrace token` as an operator types it, and a service that follows. */
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Finished, runCli, startServiceProcess, temporaryFolder } from '../support/service-process.ts'
import { STREAMS } from '../support/test-app.ts'
import { secretNumber } from '../support/tokens.ts'

const SECRET = /^mr_[A-Za-z0-9_-]{43}$/

async function token(folder: string, ...args: string[]): Promise<Finished> {
  const [verb, ...rest] = args
  return runCli({ args: ['token', verb!, '--auth', 'tokens.json', ...rest], folder })
}

async function added(folder: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await token(folder, 'add', ...args)
  expect({ code, stderr }).toEqual({
    code: 0,
    stderr: `token '${args[0]}' is in tokens.json; its secret is shown this once\n`,
  })
  const secret = stdout.trimEnd()
  expect(secret).toMatch(SECRET)
  expect(stdout).toBe(`${secret}\n`)
  return secret
}

test('add prints the secret once, and keeps what it may do', async () => {
  const folder = await temporaryFolder()
  const shop = await added(
    folder,
    'shop',
    '--grant',
    'default:orders-*:write',
    '--grant',
    'prod:*:read,write',
  )
  const boss = await added(
    folder,
    'boss',
    ...['--grant', '*:*:admin', '--expires', '2100-01-31T12:00:00+01:00'],
    ...['--rate-events', '1000', '--rate-bytes', '1048576'],
  )
  expect(boss).not.toBe(shop)
  const path = join(folder, 'tokens.json')
  const content = await readFile(path, 'utf8')
  for (const secret of [shop, boss]) expect(content).not.toContain(secret)
  if (process.platform !== 'win32') expect((await stat(path)).mode & 0o777).toBe(0o600)
  expect(await token(folder, 'list')).toEqual({
    code: 0,
    signal: null,
    stderr: '',
    stdout:
      'shop  default:orders-*:write prod:*:read,write\n' +
      'boss  *:*:admin  expires 2100-01-31T11:00:00.000Z  1000 events/s  1048576 bytes/s\n',
  })
})

test('add makes the folder of the file, for its owner alone; list and revoke make nothing', async () => {
  const folder = await temporaryFolder()
  const file = join('etc', 'millrace', 'tokens.json')
  const at = (...args: string[]) => runCli({ args: ['token', ...args, '--auth', file], folder })
  for (const args of [['list'], ['revoke', 'shop']]) {
    const { code, stderr } = await at(...args)
    expect([code, stderr]).toEqual([2, expect.stringContaining(file)])
    expect(stderr).not.toContain('.lock')
  }
  expect(await readdir(folder)).toEqual([])
  const { code } = await at('add', 'shop', '--grant', 'default:*:read')
  expect(code).toBe(0)
  if (process.platform !== 'win32') {
    expect((await stat(join(folder, 'etc', 'millrace'))).mode & 0o777).toBe(0o700)
  }
  await writeFile(join(folder, 'plain'), '')
  const { stderr } = await runCli({
    args: ['token', 'add', 'a', '--grant', 'default:*:read', '--auth', join('plain', 't.json')],
    folder,
  })
  expect(stderr).toMatch(/^millrace: the folder of token file plain\/t\.json cannot be made: /)
})

test('a service takes up what is added and gives up what is revoked', { timeout: 60_000 }, async () => {
  const folder = await temporaryFolder()
  const first = await added(folder, 'first', '--grant', '*:*:read,write,admin')
  const service = await startServiceProcess(join(folder, 'data'), {
    args: ['--auth', join(folder, 'tokens.json')],
  })
  const ping = async (secret: string) =>
    (await fetch(`${service.base}/ping`, { headers: { Authorization: `Bearer ${secret}` } })).status
  expect(await ping(first)).toBe(200)
  const second = await added(folder, 'second', '--grant', 'default:*:read', '--expires', '1h')
  await expect.poll(() => ping(second), { timeout: 20_000 }).toBe(200)
  expect(await token(folder, 'revoke', 'first')).toMatchObject({
    code: 0,
    stdout: '',
    stderr: "token 'first' is revoked; a running service takes a second or two to notice\n",
  })
  await expect.poll(() => ping(first), { timeout: 20_000 }).toBe(401)
  expect(await ping(second)).toBe(200)
  await service.stop()
  expect(
    service.stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toMatchObject([
    { audit: 'tokens', added: ['second'], removed: [], changed: [] },
    { audit: 'tokens', added: [], removed: ['first'], changed: [] },
  ])
})

test('a token that has expired is listed as such', async () => {
  const folder = await temporaryFolder()
  await added(folder, 'old', '--grant', '*:*:read', '--expires', '1s')
  await expect
    .poll(async () => (await token(folder, 'list')).stdout, { timeout: 20_000 })
    .toMatch(/^old {2}\*:\*:read {2}expired 2[0-9]{3}-/)
})

const GRANT = ['--grant', '*:*:read']
const refused: readonly { args: string[]; says: string | RegExp }[] = [
  { args: ['token'], says: 'use millrace token add, list or revoke (millrace token --help says how)' },
  {
    args: ['token', 'make'],
    says: 'use millrace token add, list or revoke (millrace token --help says how)',
  },
  { args: ['token', 'add', 'x', ...GRANT], says: 'name the token file with --auth FILE' },
  { args: ['token', 'add', '--auth', 't', ...GRANT], says: 'name the token' },
  { args: ['token', 'add', '--auth', 't', 'x', 'y', ...GRANT], says: 'name one token' },
  { args: ['token', 'add', '--auth', 't', 'x'], says: 'a token needs at least one --grant' },
  { args: ['token', 'add', '--auth', 't', 'a:b', ...GRANT], says: /^the name of a token is 1 to 64 letters/ },
  {
    args: ['token', 'add', '--auth', 't', 'x', '--grant', 'x'],
    says: /^--grant: 'x' is no grant; use NAMESPACE:STREAM:ROLES/,
  },
  {
    args: ['token', 'add', '--auth', 't', 'x', '--grant', 'a:b:own'],
    says: "--grant: 'own' is no role; use read, write, admin, jobs, separated by commas",
  },
  {
    args: ['token', 'add', '--auth', 't', 'x', ...GRANT, '--expires', '5y'],
    says: '--expires: a moment is written like 2027-01-31T12:00:00Z',
  },
  {
    args: ['token', 'add', '--auth', 't', 'x', ...GRANT, '--expires', '0d'],
    says: "--expires is '0d', which is over; name a moment to come",
  },
  {
    args: ['token', 'add', '--auth', 't', 'x', ...GRANT, '--expires', '2001-01-31T12:00:00Z'],
    says: /which is over/,
  },
  {
    args: ['token', 'add', '--auth', 't', 'x', ...GRANT, '--rate-events', '1.5'],
    says: /^--rate-events: a rate is a whole number/,
  },
  {
    args: ['token', 'add', '--auth', 't', 'x', ...GRANT, '--rate-bytes', '0'],
    says: /^--rate-bytes: a rate is a whole number/,
  },
  {
    args: ['token', 'add', '--auth', 't', 'x', ...GRANT, '--secret', 's'],
    says: /'--secret'.* \(millrace token --help says how\)$/,
  },
  {
    args: ['token', 'list', '--auth', 'none'],
    says: /^there is no token file none; make one with millrace token add/,
  },
  { args: ['token', 'revoke', '--auth', 't', 'x'], says: /^there is no token file t; make one/ },
  {
    args: ['token', 'add', '--auth', '/dev/null/tokens.json', 'x', ...GRANT],
    says: /^the folder of token file \/dev\/null\/tokens\.json cannot be made: E/,
  },
]
test.each(refused)('$args is refused in a sentence', async ({ args, says }) => {
  const { code, stdout, stderr } = await runCli({ args, folder: await temporaryFolder() })
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  const [, sentence] = /^millrace: (.*)\n$/.exec(stderr) ?? [undefined, stderr]
  if (typeof says === 'string') expect(sentence).toBe(says)
  else expect(sentence).toMatch(says)
})

test('a name that is taken is not taken away', async () => {
  const folder = await temporaryFolder()
  await added(folder, 'shop', ...GRANT)
  const before = await readFile(join(folder, 'tokens.json'), 'utf8')
  expect(await token(folder, 'add', 'shop', ...GRANT)).toMatchObject({
    code: 2,
    stdout: '',
    stderr: "millrace: there is a token 'shop' already; revoke it first, or choose another name\n",
  })
  expect(await readFile(join(folder, 'tokens.json'), 'utf8')).toBe(before)
})

test.each([
  ['add', secretNumber(1), ...GRANT],
  ['revoke', secretNumber(1)],
  ['add', 'x', '--grant', secretNumber(1)],
])('a secret that is typed as an argument of %s is not repeated', async (...args) => {
  const { code, stdout, stderr } = await token(await temporaryFolder(), ...args)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).not.toContain(secretNumber(1))
})

test('token --help explains every flag', async () => {
  const { code, stdout } = await runCli({ args: ['token', '--help'] })
  expect(code).toBe(0)
  for (const flag of ['auth', 'grant', 'expires', 'rate-events', 'rate-bytes'])
    expect(stdout).toContain(`  --${flag} `)
})

test.each([
  {
    name: 'is missing',
    content: undefined,
    says: /^millrace: there is no token file .*; make one with millrace token add --auth /,
  },
  { name: 'is broken', content: '{', says: /^millrace: token file .* cannot be used: it is not JSON\n$/ },
])(
  'a service whose token file $name does not start, and leaves no data folder',
  async ({ content, says }) => {
    const folder = await temporaryFolder()
    if (content !== undefined) await writeFile(join(folder, 'tokens.json'), content)
    const { code, stdout, stderr } = await runCli({
      args: ['--port', '0', '--data', 'data', '--auth', 'tokens.json'],
      folder,
    })
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(says)
    await expect(stat(join(folder, 'data'))).rejects.toThrow('ENOENT')
  },
)

test('an audit file that cannot be written keeps the service from starting', async () => {
  const folder = await temporaryFolder()
  const { code, stderr } = await runCli({
    args: ['--port', '0', '--data', 'data', '--audit-file', 'no/folder'],
    folder,
  })
  expect([code, stderr]).toEqual([
    1,
    expect.stringMatching(/^millrace: audit file no\/folder cannot be written: ENOENT/),
  ])
})

/** Everywhere a client, or an operator, may put a secret by mistake. */
test('no secret gets into a log, an audit line, or an answer to another client', {
  timeout: 60_000,
}, async () => {
  const folder = await temporaryFolder()
  const boss = await added(folder, 'boss', '--grant', '*:*:read,write,admin')
  const reader = await added(folder, 'reader', '--grant', 'default:s:read')
  const unknown = secretNumber(77)
  const service = await startServiceProcess(join(folder, 'data'), {
    args: ['--auth', join(folder, 'tokens.json'), '--audit-file', join(folder, 'audit.jsonl')],
  })
  const answers: string[] = []
  let sent = 0
  const send = async (method: string, path: string, headers: Record<string, string>, body?: string) => {
    const response = await fetch(`${service.base}${path}`, {
      method,
      headers,
      ...(body !== undefined && { body }),
    })
    answers.push([...response.headers].join('\n'), await response.text())
    sent++
  }
  await send('PUT', `${STREAMS}/s`, { Authorization: `Bearer ${boss}` })
  for (const secret of [boss, reader, unknown]) {
    const encoded = btoa(`boss:${secret}`)
    for (const headers of [
      {},
      { Authorization: `Bearer ${boss}` },
      { Authorization: `Bearer ${reader}` },
      { Authorization: `Bearer ${secret}` },
      { Authorization: `bearer '${secret}'` },
      { Authorization: `Basic ${encoded}` },
      { Authorization: secret },
      {
        Authorization: `Bearer ${boss}`,
        'X-Forwarded-For': secret,
        'User-Agent': secret,
        Referer: `http://x/${secret}`,
      },
      { Authorization: `Bearer ${boss}`, 'Content-Type': secret },
      { Authorization: `Bearer ${boss}`, 'Content-Type': 'text/plain', 'Content-Encoding': secret },
    ]) {
      const S = `${STREAMS}/${secret}`
      await send('GET', `/ping?token=${secret}`, headers)
      await send('GET', `/${secret}?access_token=${secret}`, headers)
      await send('PATCH', `${STREAMS}/s?${secret}`, headers)
      await send('GET', S, headers)
      await send('DELETE', S, headers)
      await send('POST', `${S}/truncate`, headers)
      await send('PUT', `${S}/properties`, headers, `{"description":"${secret}"}`)
      await send('PUT', `${STREAMS}/s`, headers, `{"principal":"@${secret}"}`)
      await send('PUT', `${STREAMS}/s/properties`, headers, `{"format":{"name":"${secret}"}}`)
      await send('PUT', `${STREAMS}/s/properties`, headers, `{"principal":"${secret}"}`)
      await send('POST', S, headers, secret)
      await send('POST', `${STREAMS}/s/batch`, headers, secret)
      await send('GET', `${STREAMS}/s/events?start=${secret}`, headers)
      await send('GET', `${STREAMS}/s/events?after=${secret}&encoding=${secret}`, headers)
      await send('PUT', `/v3/namespaces/-${secret}`, headers)
      await send('DELETE', `/v3/unrecoverable/namespaces/${secret}`, headers)
    }
  }
  await token(folder, 'revoke', 'reader')
  await expect.poll(() => service.stderr, { timeout: 20_000 }).toContain('"removed":["reader"]')
  await service.stop()
  const outputs = {
    stdout: service.stdout,
    stderr: service.stderr,
    audit: await readFile(join(folder, 'audit.jsonl'), 'utf8'),
    answers: answers.join('\n'),
    arguments: `${await readFile(join(folder, 'tokens.json'), 'utf8')}`,
  }
  expect(sent).toBeGreaterThan(400)
  expect(outputs.audit.split('\n').length).toBeGreaterThan(50)
  for (const [where, text] of Object.entries(outputs)) {
    for (const secret of [boss, reader, unknown]) {
      expect(text.includes(secret), `a secret in ${where}`).toBe(false)
      expect(text.includes(btoa(`boss:${secret}`)), `credentials in ${where}`).toBe(false)
    }
  }
})
