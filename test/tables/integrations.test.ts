/** Integrations: kinds, texts, secrets at rest, hosts, and what the operator declares. */
import { chmodSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { SECRET_KEY_FILE, SecretKey } from '../../src/tables/secret-key.ts'
import { shownConfig } from '../../src/tables/user-config.ts'
import { DEMO, NOW_MS, OTHER, type PartsOptions, refusalOf, tableParts } from './table-parts.ts'

const PASSWORD = 'pw-9q-secret'
const URI = `postgres://user:${PASSWORD}@db.example:5433/demo?sslmode=require`
const PEM = '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n'
const SOURCES = JSON.stringify({
  'demo-kafka': { kind: 'stream' },
  'demo-postgresql': { kind: 'postgres', connection_uri: URI },
  events: { kind: 'kafka', bootstrap_servers: 'k.example:9092' },
})

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

async function integrationParts(options: PartsOptions = {}) {
  const dataFolder = options.dataFolder ?? newFolder()
  const parts = await tableParts({ ...options, dataFolder })
  const request = (userConfig: Readonly<Record<string, unknown>>, sourceService = 's') => ({
    sourceService,
    sourceProject: 'p',
    destService: 'demo-flink',
    destProject: 'p',
    userConfig,
  })
  const create = (userConfig: Readonly<Record<string, unknown>>, sourceService?: string) =>
    parts.tables.createIntegration(DEMO, request(userConfig, sourceService))
  return { ...parts, create, dataFolder }
}

test('each namespace has one integration with its streams, the first, with a fixed id', async () => {
  const { tables, builtIn, create } = await integrationParts()
  expect(builtIn).toEqual({
    id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    namespace: DEMO,
    kind: 'stream',
    sourceService: 'streams',
    sourceProject: 'millrace',
    destService: 'demo_flink',
    destProject: 'millrace',
    userConfig: {},
    createdMs: 0,
    isBuiltIn: true,
  })
  await create({ connection_uri: URI })
  expect(tables.integrations(DEMO)[0]).toEqual(builtIn)
  expect(tables.integration(builtIn.id)).toEqual(builtIn)
  expect(tables.integrations(OTHER)[0]!.id).not.toBe(builtIn.id)
  expect((await integrationParts()).builtIn.id).toBe(builtIn.id)
  expect(tables.access(builtIn)).toEqual({ kind: 'stream' })
  expect(await refusalOf(() => tables.deleteIntegration(builtIn.id))).toBe(
    `integration_built_in Integration ${builtIn.id} is built in and cannot be deleted`,
  )
  expect(await refusalOf(() => tables.updateIntegration(builtIn.id, {}))).toBe(
    `integration_built_in Integration ${builtIn.id} is built in and cannot be changed`,
  )
  expect(await refusalOf(() => create({}, 'streams'))).toBe(
    `integration_built_in Integration ${builtIn.id} with streams is built in; use it`,
  )
})

describe('kinds and their access', () => {
  const accepted = [
    { config: { connection_uri: URI }, access: { kind: 'postgres', connectionUri: URI } },
    {
      config: { bootstrap_servers: 'k1.example:9092, [::1]:9093' },
      access: {
        kind: 'kafka',
        bootstrapServers: ['k1.example:9092', '[::1]:9093'],
        securityProtocol: 'PLAINTEXT',
      },
    },
    {
      config: {
        bootstrap_servers: 'k:1',
        security_protocol: 'SASL_SSL',
        sasl_mechanism: 'SCRAM-SHA-512',
        sasl_username: 'u',
        sasl_password: PASSWORD,
        ssl_ca: PEM,
        ssl_certificate: null,
      },
      access: {
        kind: 'kafka',
        bootstrapServers: ['k:1'],
        securityProtocol: 'SASL_SSL',
        sasl: { mechanism: 'SCRAM-SHA-512', username: 'u', password: PASSWORD },
        ca: PEM,
      },
    },
    {
      config: { bootstrap_servers: 'k:1', security_protocol: 'SSL', ssl_certificate: PEM, ssl_key: PEM },
      access: {
        kind: 'kafka',
        bootstrapServers: ['k:1'],
        securityProtocol: 'SSL',
        certificate: PEM,
        key: PEM,
      },
    },
  ]
  test.each(accepted)('$config', async ({ config, access }) => {
    const { tables, create } = await integrationParts()
    const integration = await create(config)
    expect(tables.access(integration)).toEqual(access)
    expect(integration).toMatchObject({
      kind: access.kind,
      createdMs: NOW_MS,
      isBuiltIn: false,
      namespace: DEMO,
    })
    expect(tables.contact(integration.id)).toEqual({ active: true })
  })

  const advice = 'name it in --sources, or give user_config.connection_uri or user_config.bootstrap_servers'
  const form = 'use postgres://user:password@host:port/database'
  const uri = (text: string) => ({ connection_uri: text })
  const servers = { bootstrap_servers: 'k:1' }
  const refused: readonly (readonly [Readonly<Record<string, unknown>>, string])[] = [
    [{}, `service_not_found Service s does not exist; ${advice}`],
    [{ connection_uri: null }, `service_not_found Service s does not exist; ${advice}`],
    [
      { other: 1 },
      'invalid_table user_config has neither connection_uri nor bootstrap_servers; give one of them',
    ],
    [
      { ...uri(URI), ...servers },
      'invalid_table user_config has connection_uri and bootstrap_servers; give one of them',
    ],
    [{ ...uri(URI), sslmode: 'x' }, "invalid_table unknown field 'user_config.sslmode'; use connection_uri"],
    [uri(''), 'invalid_table user_config.connection_uri is not a text; use a text that is not empty'],
    [
      { connection_uri: 5 },
      'invalid_table user_config.connection_uri is not a text; use a text that is not empty',
    ],
    [
      uri('***'),
      'invalid_table user_config.connection_uri is ***, which stands for a secret; send the secret',
    ],
    [uri(`mysql://u:${PASSWORD}@h/d`), `invalid_table user_config.connection_uri cannot be used: ${form}`],
    [
      uri(`postgres://u:${PASSWORD}@h:x/d`),
      `invalid_table user_config.connection_uri cannot be used: ${form}, with one host and one port`,
    ],
    [
      uri(`postgres://u:${PASSWORD}@a,b/d`),
      'invalid_table user_config.connection_uri cannot be used: it has several hosts; use one',
    ],
    [uri('postgres:///d'), 'invalid_table user_config.connection_uri cannot be used: it has no host'],
    [
      uri(`postgres://u:${PASSWORD}@h/d?sslrootcert=/etc/passwd`),
      'invalid_table user_config.connection_uri names files of the service; only --sources may do that',
    ],
    [
      uri(`postgres://u:a%zz@h/d`),
      "invalid_table user_config.connection_uri cannot be used: it has '%' without two hexadecimal digits; write %25",
    ],
    [
      uri(`postgres://u:p@%68/d`),
      "invalid_table user_config.connection_uri cannot be used: its host has '%'; write the host as it is",
    ],
    [
      uri(`postgres://u:p w@h/d`),
      'invalid_table user_config.connection_uri cannot be used: it has white space, a control character or a backslash; percent-encode it',
    ],
    [
      { bootstrap_servers: 'k' },
      "invalid_table user_config.bootstrap_servers has 'k'; use host:port, several with commas",
    ],
    [
      { bootstrap_servers: 'k:1,,l:2' },
      "invalid_table user_config.bootstrap_servers has ''; use host:port, several with commas",
    ],
    [
      { bootstrap_servers: Array(40).fill('k:1').join(',') },
      'invalid_table user_config.bootstrap_servers has more than 32 servers',
    ],
    [
      { ...servers, security_protocol: 'TLS' },
      "invalid_table user_config.security_protocol is 'TLS'; use PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL",
    ],
    [
      { ...servers, security_protocol: 'SASL_SSL', sasl_mechanism: 'GSSAPI' },
      "invalid_table user_config.sasl_mechanism is 'GSSAPI'; use PLAIN, SCRAM-SHA-256, SCRAM-SHA-512",
    ],
    [
      { ...servers, security_protocol: 'SASL_SSL', sasl_password: PASSWORD },
      'invalid_table user_config.sasl_username and sasl_password are needed for SASL',
    ],
    [
      { ...servers, sasl_password: PASSWORD },
      'invalid_table user_config.sasl_password needs security_protocol SASL_PLAINTEXT or SASL_SSL',
    ],
    [{ ...servers, ssl_ca: PEM }, 'invalid_table user_config.ssl_ca needs security_protocol SSL or SASL_SSL'],
    [
      { ...servers, security_protocol: 'SSL', ssl_ca: PASSWORD },
      'invalid_table user_config.ssl_ca is not PEM; it begins with -----BEGIN',
    ],
    [
      { ...servers, security_protocol: 'SSL', ssl_key: PEM },
      'invalid_table user_config.ssl_certificate and ssl_key go together; give both or neither',
    ],
  ]
  test.each(refused)('%j is refused', async (config, text) => {
    const { tables, create } = await integrationParts()
    const refusal = await refusalOf(() => create(config))
    expect(refusal).toBe(text)
    expect(refusal).not.toContain(PASSWORD)
    expect(tables.integrations(DEMO)).toHaveLength(1)
  })
})

test('secrets are shown as ***, the other members as they are', () => {
  expect(shownConfig({ connection_uri: URI })).toEqual({ connection_uri: '***' })
  const kafka = { bootstrap_servers: 'k:1', sasl_username: 'u', ssl_ca: PEM }
  expect(shownConfig({ ...kafka, sasl_password: PASSWORD, ssl_key: PEM, unknown: 'x' })).toEqual({
    ...kafka,
    sasl_password: '***',
    ssl_key: '***',
    unknown: '***',
  })
})

test('an update replaces the user_config; *** keeps a secret; the kind stays', async () => {
  const { tables, create } = await integrationParts({ sources: SOURCES })
  const config = {
    bootstrap_servers: 'k:1',
    security_protocol: 'SASL_SSL',
    sasl_username: 'u',
    sasl_password: PASSWORD,
  }
  const { id } = await create(config)
  tables.contacted(id, { active: false, state: 'UNREACHABLE', reason: 'refused' })
  expect(tables.contact(id)).toEqual({ active: false, state: 'UNREACHABLE', reason: 'refused' })
  const changed = await tables.updateIntegration(id, { ...shownConfig(config), bootstrap_servers: 'l:2' })
  expect(changed.userConfig).toEqual({ ...config, bootstrap_servers: 'l:2' })
  expect(tables.integration(id)).toEqual(changed)
  expect(tables.contact(id)).toEqual({ active: true })
  expect(await refusalOf(() => tables.updateIntegration(id, { connection_uri: URI }))).toBe(
    `invalid_table integration ${id} is of kind kafka and needs the user_config of kind kafka; create another integration`,
  )
  const declared = await create({}, 'demo-kafka')
  expect(await refusalOf(() => tables.updateIntegration(declared.id, { connection_uri: URI }))).toBe(
    `invalid_table integration ${declared.id} is of kind stream and has no user_config; create another integration`,
  )
  expect(await refusalOf(() => tables.updateIntegration('nope', {}))).toBe(
    'integration_not_found Integration nope does not exist',
  )
})

test('an integration is deleted unless a table uses it', async () => {
  const { tables, create, request } = await integrationParts()
  const { id: integrationId } = await create({ bootstrap_servers: 'k:1' })
  const { id } = await tables.create(DEMO, request({ integrationId }))
  expect(await refusalOf(() => tables.deleteIntegration(integrationId))).toBe(
    `integration_in_use Integration ${integrationId} is used by table KAlert`,
  )
  await tables.delete(DEMO, id)
  await tables.deleteIntegration(integrationId)
  expect(await refusalOf(() => tables.integration(integrationId))).toBe(
    `integration_not_found Integration ${integrationId} does not exist`,
  )
  expect(tables.integrations(DEMO)).toHaveLength(1)
})

describe('declared sources', () => {
  test('need no user_config, and hosts of them are always allowed', async () => {
    const { tables, create, storage } = await integrationParts({ sources: SOURCES, hosts: [] })
    const stream = await create({}, 'demo-kafka')
    const pg = await create({}, 'demo-postgresql')
    expect([stream.kind, pg.kind, (await create({}, 'events')).kind]).toEqual(['stream', 'postgres', 'kafka'])
    expect([tables.access(stream), tables.access(pg)]).toEqual([
      { kind: 'stream' },
      { kind: 'postgres', connectionUri: URI },
    ])
    const stored: string[] = []
    await storage.catalog.each('integrations', (_, document) => stored.push(JSON.stringify(document)))
    expect(stored.join()).not.toContain(PASSWORD)
  })

  test('a source that is declared no longer, or with another kind, is named when it is needed', async () => {
    const { storage, create } = await integrationParts({ sources: SOURCES })
    const { id } = await create({}, 'demo-postgresql')
    const without = await integrationParts({ storage })
    expect(await refusalOf(() => without.tables.access(without.tables.integration(id)))).toBe(
      `invalid_table integration ${id} needs source 'demo-postgresql' of kind postgres, which is not declared in --sources any more`,
    )
    const other = await integrationParts({ storage, sources: '{"demo-postgresql":{"kind":"stream"}}' })
    expect(await refusalOf(() => other.tables.access(other.tables.integration(id)))).toBe(
      `invalid_table integration ${id} needs source 'demo-postgresql' of kind postgres, which is of kind stream in --sources now`,
    )
  })
})

describe('hosts of clients', () => {
  const pg = (host: string) => ({ connection_uri: `postgres://u:p@${host}/d` })
  const kafka = (list: string) => ({ bootstrap_servers: list })
  const cases: readonly (readonly [
    readonly string[],
    Readonly<Record<string, string>>,
    string | undefined,
  ])[] = [
    [['db.example'], pg('db.example:5433'), undefined],
    [['DB.example'], pg('Db.Example'), undefined],
    [['db.example:5432'], pg('db.example'), undefined],
    [['db.example:5432'], pg('db.example:5433'), 'db.example'],
    [['db.example'], pg('evil.db.example'), 'evil.db.example'],
    [['db.example'], pg('db.example.evil'), 'db.example.evil'],
    [['db.example'], pg('db.example.'), 'db.example.'],
    [['db.example'], { connection_uri: 'postgres://u:p@db.example/d?host=10.0.0.1' }, '10.0.0.1'],
    [['db.example'], { connection_uri: 'postgres:///d?host=db.example&host=evil' }, 'evil'],
    [['db.example'], { connection_uri: 'postgres:///d?host=db.example' }, undefined],
    [['db.example'], { connection_uri: 'postgres://u:p@db.example/d?port=1' }, undefined],
    [['db.example:5432'], { connection_uri: 'postgres://u:p@db.example:5432/d?port=1' }, 'db.example'],
    [['db.example'], pg('%2Fvar%2Frun'), '/var/run'],
    [['/var/run'], pg('%2Fvar%2Frun'), undefined],
    [['::1'], pg('[::1]:5433'), undefined],
    [['[::1]:5433'], pg('[::1]:5433'), undefined],
    [['[::1]:5433'], pg('[::1]:5434'), '::1'],
    [['::1:5433'], pg('[::1]:5433'), '::1'],
    [['k1', 'k2:9092'], kafka('k1:1,k2:9092'), undefined],
    [['k1', 'k2:9092'], kafka('k1:1,k2:9093'), 'k2'],
    [['k1'], kafka('k1:1,10.0.0.1:22'), '10.0.0.1'],
    [[], kafka('k1:1'), 'k1'],
  ]
  test.each(cases)('with %j, %j', async (hosts, config, refusedHost) => {
    const { create, tables } = await integrationParts({ hosts })
    const text = `invalid_table host ${refusedHost} is not allowed; the operator may allow it with --connector-hosts, or declare the source in --sources`
    expect(await refusalOf(() => create(config))).toBe(refusedHost === undefined ? 'accepted' : text)
    expect(tables.integrations(DEMO)).toHaveLength(refusedHost === undefined ? 2 : 1)
  })

  test('are checked again when the list has changed, and when a user_config is changed', async () => {
    const { create, storage, dataFolder, tables } = await integrationParts({ hosts: ['db.example'] })
    const { id } = await create({ connection_uri: URI })
    expect(await refusalOf(() => tables.updateIntegration(id, pg('evil')))).toContain(
      'host evil is not allowed',
    )
    const later = await integrationParts({ storage, dataFolder, hosts: ['other'] })
    expect(await refusalOf(() => later.tables.access(later.tables.integration(id)))).toContain(
      'host db.example is not allowed',
    )
  })
})

describe('secrets at rest', () => {
  test('are encrypted with a key that only the owner may read, and are there after a restart', async () => {
    const { create, dataFolder, storage } = await integrationParts()
    const integration = await create({ connection_uri: URI })
    const again = await create({ connection_uri: URI })
    const stored: string[] = []
    await storage.catalog.each('integrations', (_, document) =>
      stored.push((document as { sealed: string }).sealed),
    )
    expect(stored[0]).not.toBe(stored[1])
    expect(Buffer.from(stored[0]!.split('.')[2]!, 'base64url').toString('latin1')).not.toContain(PASSWORD)
    expect(statSync(join(dataFolder, SECRET_KEY_FILE)).mode & 0o777).toBe(0o600)
    expect(readFileSync(join(dataFolder, SECRET_KEY_FILE), 'utf8')).toMatch(/^[0-9a-f]{64}\n$/)
    const later = await integrationParts({ storage, dataFolder })
    expect(later.tables.integrations(DEMO).slice(1)).toEqual([integration, again])
    expect(later.reported).toEqual([])
  })

  const broken: readonly (readonly [string, (path: string) => void, string])[] = [
    ['is missing', (path) => rmSync(path), 'key file secret.key is missing'],
    [
      'is another one',
      (path) => writeFileSync(path, `${'0'.repeat(64)}\n`),
      'it was encrypted with another key than that of secret.key',
    ],
    ['is cut', (path) => writeFileSync(path, 'abc'), 'key file secret.key is not 64 hexadecimal digits'],
  ]
  test.each(broken)(
    'a key file that %s stops no start; a new user_config repairs it',
    async (_, breakFile, reason) => {
      const { create, dataFolder, storage } = await integrationParts()
      const path = join(dataFolder, SECRET_KEY_FILE)
      const { id } = await create({ connection_uri: URI })
      renameSync(path, `${path}.old`)
      writeFileSync(path, readFileSync(`${path}.old`))
      breakFile(path)
      const { tables, reported } = await integrationParts({ storage, dataFolder })
      const text = `the user_config of integration ${id} cannot be read: ${reason}; restore that file and restart, or PUT the integration with its user_config`
      expect(reported).toEqual([text])
      expect(await refusalOf(() => tables.access(tables.integration(id)))).toBe(`secret_unusable ${text}`)
      expect(tables.contact(id)).toEqual({ active: false, state: 'SECRET_UNREADABLE', reason: text })
      if (reason.includes('not 64')) {
        expect(await refusalOf(() => tables.updateIntegration(id, { connection_uri: URI }))).toBe(
          'secret_unusable user_config cannot be stored: key file secret.key is not 64 hexadecimal digits',
        )
        return
      }
      await tables.updateIntegration(id, { connection_uri: URI })
      expect(tables.access(tables.integration(id))).toEqual({ kind: 'postgres', connectionUri: URI })
      const later = await integrationParts({ storage, dataFolder })
      expect([later.tables.contact(id), later.reported]).toEqual([{ active: true }, []])
    },
  )

  test('a sealed text belongs to its owner, and any changed character is found', async () => {
    const key = await SecretKey.load(newFolder())
    const sealed = await key.seal('text', 'owner')
    expect(key.unseal(sealed, 'owner')).toBe('text')
    expect(await refusalOf(() => key.unseal(sealed, 'other'))).toBe(
      'SecretProblem the stored secret is damaged',
    )
    for (let at = 0; at < sealed.length - 1; at++) {
      const changed = sealed.slice(0, at) + (sealed[at] === 'A' ? 'B' : 'A') + sealed.slice(at + 1)
      expect(await refusalOf(() => key.unseal(changed, 'owner'))).toContain('SecretProblem')
    }
    for (const text of ['', 'v1', 'v1.00000000.', `v1.${sealed.split('.')[1]}.AA`]) {
      expect(await refusalOf(() => key.unseal(text, 'owner'))).toContain('SecretProblem')
    }
  })

  test('two that make the key at one time use the same one', async () => {
    const folder = newFolder()
    const keys = await Promise.all([1, 2, 3, 4].map(() => SecretKey.load(folder)))
    const sealed = await Promise.all(keys.map((key) => key.seal('text', 'o')))
    expect(new Set(sealed.map((text) => text.split('.')[1])).size).toBe(1)
  })

  test.skipIf(process.getuid?.() === 0)(
    'a folder that cannot be written refuses the integration alone',
    async () => {
      const dataFolder = newFolder()
      chmodSync(dataFolder, 0o500)
      const { create } = await integrationParts({ dataFolder })
      expect(await refusalOf(() => create({ connection_uri: URI }))).toContain(
        'user_config cannot be stored: key file',
      )
    },
  )
})
