/** Options of WITH: how the systems are reached, and what is shown of them. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { secretsOf, shownValue, withSecrets } from '../../src/tables/option-secrets.ts'
import { ownAccess } from '../../src/tables/own-connection.ts'
import { DEMO, refusalOf, tableParts } from './table-parts.ts'

const JAAS = (user: string, password: string) =>
  `org.apache.kafka.common.security.plain.PlainLoginModule required username="${user}" password="${password}";`
const PEM = '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----'

describe('Kafka', () => {
  const accesses = [
    {
      options: { 'bootstrap.servers': 'a:1,b:2', 'group.id': 'g', acks: 'all' },
      access: { bootstrapServers: ['a:1', 'b:2'], securityProtocol: 'PLAINTEXT' },
    },
    {
      options: {
        'bootstrap.servers': 'a:1',
        'security.protocol': 'SASL_SSL',
        'sasl.mechanism': 'SCRAM-SHA-512',
        'sasl.jaas.config': JAAS('u', 'p\\"w'),
        'ssl.truststore.type': 'PEM',
        'ssl.truststore.certificates': PEM,
      },
      access: {
        bootstrapServers: ['a:1'],
        securityProtocol: 'SASL_SSL',
        sasl: { mechanism: 'SCRAM-SHA-512', username: 'u', password: 'p"w' },
        ca: PEM,
      },
    },
    {
      options: { 'bootstrap.servers': 'a:1', 'sasl.mechanism': 'PLAIN', 'sasl.jaas.config': JAAS('u', 'p') },
      access: { bootstrapServers: ['a:1'], securityProtocol: 'PLAINTEXT' },
    },
  ]

  test.each(accesses)('$options', ({ options, access }) => {
    const properties = Object.entries(options).map(([name, value]) => [`properties.${name}`, value])
    expect(ownAccess('kafka', Object.fromEntries(properties))).toEqual({ kind: 'kafka', ...access })
  })

  test.each([
    [
      { 'security.protocol': 'TLS' },
      "option 'properties.security.protocol' is 'TLS'; use PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL",
    ],
    [
      { 'security.protocol': 'SASL_SSL' },
      "username and password in option 'properties.sasl.jaas.config' are needed for SASL",
    ],
    [
      { 'security.protocol': 'SSL', 'ssl.truststore.type': 'JKS' },
      "option 'properties.ssl.truststore.type' is not PEM; other types are not supported",
    ],
    [
      { 'security.protocol': 'SSL', 'ssl.truststore.certificates': 'x' },
      "option 'properties.ssl.truststore.certificates' is not PEM; it begins with -----BEGIN",
    ],
  ])('%j is refused', async (options, reason) => {
    const given = { 'bootstrap.servers': 'a:1', ...options }
    const properties = Object.entries(given).map(([name, value]) => [`properties.${name}`, value])
    expect(await refusalOf(() => ownAccess('kafka', Object.fromEntries(properties)))).toBe(
      `invalid_table ${reason}`,
    )
  })
})

test.each([
  [{ url: 'jdbc:postgresql://h:1/d' }, 'postgres://h:1/d'],
  [{ url: 'jdbc:postgresql://h/d', username: 'u', password: 'p@:/?' }, 'postgres://u:p%40%3A%2F%3F@h/d'],
  [{ url: 'jdbc:postgresql://h/d?ApplicationName=a', username: 'u' }, 'postgres://u@h/d?application_name=a'],
  [{ url: 'postgresql://u:p@h/d?sslmode=disable' }, 'postgresql://u:p@h/d?sslmode=disable'],
])('PostgreSQL %j', (options, connectionUri) => {
  expect(ownAccess('postgres', options)).toEqual({ kind: 'postgres', connectionUri })
})

describe('what is shown', () => {
  test.each([
    ['password', 'pw', '***'],
    ['password', '$'.concat('{pw}'), '$'.concat('{pw}')],
    ['password', '', ''],
    ['username', 'u', 'u'],
    ['properties.sasl.jaas.config', JAAS('u', 'pw'), JAAS('u', '***')],
    ['properties.sasl.jaas.config', JAAS('u', '$'.concat('{pw}')), JAAS('u', '$'.concat('{pw}'))],
    ['properties.sasl.jaas.config', 'x required clientSecret=abc;', 'x required clientSecret=***;'],
    ['properties.ssl.keystore.key', 'k', '***'],
    ['properties.ssl.key.password', 'k', '***'],
    ['properties.bootstrap.servers', 'a:1', 'a:1'],
    [
      'url',
      'jdbc:postgresql://h/d?user=u&password=pw&sslmode=require',
      'jdbc:postgresql://h/d?user=u&password=***&sslmode=require',
    ],
    ['url', 'postgres://u:pw@h/d', 'postgres://u:***@h/d'],
    ['url', 'postgres://u:p/w@h/d', 'postgres://u:***@h/d'],
    ['url', 'postgres://u@h/d', 'postgres://u@h/d'],
    ['url', 'jdbc:postgresql://h:5432/d', 'jdbc:postgresql://h:5432/d'],
    ['key.format', 'json', 'json'],
    ['key.fields', 'token;secret', 'token;secret'],
    ['topic', 'passwords', 'passwords'],
  ])('%s %s is %s', (name, value, shown) => {
    expect(shownValue(name, value)).toBe(shown)
    expect(shownValue(name, shown)).toBe(shown)
    const options = { [name]: value }
    expect(withSecrets({ [name]: shown }, secretsOf(options))).toEqual(options)
  })
})

test('secrets are sealed in the catalog, and open for jobs', async () => {
  const dataFolder = await mkdtemp(join(tmpdir(), 'millrace-own-'))
  onTestFinished(() => rm(dataFolder, { recursive: true, force: true }))
  const { storage, tables } = await tableParts({ dataFolder, hosts: ['h'] })
  const definition = {
    name: 't',
    schemaSql: 'a INT',
    options: { connector: 'jdbc', url: 'jdbc:postgresql://h/d', 'table-name': 't', password: 'pw-of-test' },
  }
  const table = await tables.sql.createTable(DEMO, definition)
  const documents: string[] = []
  await storage.catalog.each('tables', (_, document) => void documents.push(JSON.stringify(document)))
  expect(documents).toHaveLength(1)
  expect(documents[0]).not.toContain('pw-of-test')
  const open = { kind: 'postgres', connectionUri: 'postgres://:pw-of-test@h/d' }
  expect(tables.accessOf(table)).toEqual(open)

  // Another process on the same store and folder; a temporary table of the same options is over the same system.
  const again = await tableParts({ dataFolder, hosts: ['h'], storage })
  const found = again.tables.find(DEMO, 't')!
  expect(again.tables.accessOf(found)).toEqual(open)
  expect(found).toEqual(table)
  const temporary = await again.tables.sql.temporary(DEMO, definition)
  expect(again.tables.accessOf(temporary)).toEqual(open)
  expect(temporary.integrationId).toBe(table.integrationId)

  await again.tables.sql.alterTable(DEMO, table.id, {
    kind: 'set',
    options: { password: '***', username: 'u' },
  })
  expect(again.tables.accessOf(again.tables.get(DEMO, table.id))).toEqual({
    ...open,
    connectionUri: 'postgres://u:pw-of-test@h/d',
  })

  // Without its key the table stays, and says why no job can use it.
  await rm(join(dataFolder, 'secret.key'))
  const without = await tableParts({ dataFolder, hosts: ['h'], storage })
  const kept = without.tables.find(DEMO, 't')!
  expect(without.tables.sql.optionsOf(kept)).toMatchObject({ password: '***' })
  expect(await refusalOf(() => without.tables.accessOf(kept))).toBe(
    'secret_unusable the secret options of the table cannot be read: key file secret.key is missing',
  )
})

describe('a refusal of options with secrets has no part of one', () => {
  const UNUSABLE =
    'invalid_table the options of the table cannot be used with the secret values that they name; check these values, and whether --connector-hosts names the host'
  const kafka = { connector: 'kafka', topic: 't', format: 'json' }
  const jdbc = { connector: 'jdbc', 'table-name': 't' }
  const reference = `\${pw}`

  test.each([
    ['a broker', { ...kafka, 'properties.bootstrap.servers': `${reference}:9092` }, 'Hunter22', UNUSABLE],
    ['several brokers', { ...kafka, 'properties.bootstrap.servers': reference }, 'hun:1,ter22', UNUSABLE],
    [
      'a mechanism',
      {
        ...kafka,
        'properties.bootstrap.servers': 'h:1',
        'properties.security.protocol': 'SASL_SSL',
        'properties.sasl.mechanism': reference,
      },
      'hunter22'.repeat(100),
      UNUSABLE,
    ],
    ['a parameter', { ...jdbc, url: `jdbc:postgresql://h/d?${reference}` }, 'hunter=22', UNUSABLE],
    [
      'a password before the host',
      { ...jdbc, url: `jdbc:postgresql://u:${reference}@other/d` },
      'hunter22',
      'invalid_table host other is not allowed; the operator may allow it with --connector-hosts, or declare the source in --sources',
    ],
  ])('%s', async (_, options, secret, refusal) => {
    const { tables } = await tableParts({ hosts: ['h'] })
    tables.sql.onSecrets((text) => text.replaceAll(reference, secret))
    const table = tables.sql.temporary(DEMO, { name: 't', schemaSql: 'a INT', options })
    expect(await refusalOf(() => tables.accessOf(table))).toBe(refusal)
  })
})
