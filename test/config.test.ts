/** Settings that the command line tests cannot see from outside. */
import { expect, test } from 'vitest'
import { ConfigError, helpText, parseCommand } from '../src/config.ts'
import { KAFKA_SETTINGS, KAFKA_SWITCHES, parseSasl } from '../src/kafka-config.ts'

function configOf(args: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  const command = parseCommand(args, environment)
  if (command.kind !== 'serve') throw new Error(command.kind)
  return command.config
}

test.each([
  ['none', [], {}, undefined, []],
  [
    'flags',
    ['--savepoint-dir', '/a', '--savepoint-root', '/b', '--savepoint-root=/c,d'],
    {},
    '/a',
    ['/b', '/c,d'],
  ],
  ['variables', [], { MILLRACE_SAVEPOINT_DIR: '/a', MILLRACE_SAVEPOINT_ROOT: '/b, /c,' }, '/a', ['/b', '/c']],
  [
    'flags before variables',
    ['--savepoint-root', '/b'],
    { MILLRACE_SAVEPOINT_ROOT: '/x' },
    undefined,
    ['/b'],
  ],
] as const)('savepoint directories: %s', (_, args, environment, folder, roots) => {
  const { savepointFolder, savepointRoots } = configOf(args, environment)
  expect([savepointFolder, savepointRoots]).toEqual([folder, roots])
})

const KAFKA_DEFAULTS = {
  brokers: [{ host: 'k1', port: 9092 }],
  prefix: 'millrace',
  flush: false,
  insecure: false,
  spoolBytesMax: 10 * 1024 ** 3,
  pendingMs: 2_000,
  nodeUrl: 'http://127.0.0.1:11015',
}

test.each([
  ['nothing', [], {}, undefined],
  ['one broker', ['--log', 'kafka://k1'], {}, {}],
  ['a variable', [], { MILLRACE_LOG: 'kafka://k1:9092/' }, {}],
  [
    'several brokers',
    ['--log', 'kafka://k1:9093,[::1]:9094,10.0.0.3'],
    {},
    {
      brokers: [
        { host: 'k1', port: 9093 },
        { host: '::1', port: 9094 },
        { host: '10.0.0.3', port: 9092 },
      ],
    },
  ],
  [
    'TLS with the authorities of Node.js',
    ['--log', 'kafka://k1', '--kafka-tls', '--kafka-flush', '--insecure-kafka'],
    {},
    { tls: {}, flush: true, insecure: true },
  ],
  [
    'TLS with files',
    ['--log', 'kafka://k1', '--kafka-tls-ca', 'a', '--kafka-tls-cert', 'c', '--kafka-tls-key', 'k'],
    { MILLRACE_KAFKA_FLUSH: '1' },
    { tls: { ca: 'a', certificate: 'c', key: 'k' }, flush: true },
  ],
  [
    'everything else',
    [
      ...['--log', 'kafka://k1', '--kafka-prefix', 'a.b', '--kafka-sasl', 's.json', '--max-spool-bytes', '5'],
      ...['--max-pending-ms', '0', '--node-url', 'https://n1.example.org/', '--shared-dir', '/mnt/x'],
    ],
    {},
    {
      prefix: 'a.b',
      saslFile: 's.json',
      spoolBytesMax: 5,
      pendingMs: 0,
      nodeUrl: 'https://n1.example.org',
      sharedFolder: '/mnt/x',
    },
  ],
  [
    'HTTPS',
    ['--log', 'kafka://k1', '--host', '::1', '--port', '1', '--tls-cert', 'c', '--tls-key', 'k'],
    {},
    { nodeUrl: 'https://[::1]:1' },
  ],
  ['all addresses', ['--log', 'kafka://k1', '--host', '0.0.0.0'], {}, { nodeUrl: undefined }],
  ['any free port', ['--log', 'kafka://k1', '--port', '0'], {}, { nodeUrl: undefined }],
] as const)('streams on Kafka: %s', (_, args, environment, expected) => {
  expect(configOf(args, environment).kafka).toEqual(expected && { ...KAFKA_DEFAULTS, ...expected })
})

test.each([
  [
    ['--log', 'k1:9092'],
    "--log is 'k1:9092'; use a URL such as kafka://kafka1:9092,kafka2:9092, or leave it out",
  ],
  [['--log', 'kafka://'], "--log names the broker ''; use host:port, as in kafka://kafka1:9092,kafka2:9092"],
  [
    ['--log', 'kafka://a:9092,b:99999'],
    "--log names the broker 'b:99999'; use host:port, as in kafka://kafka1:9092,kafka2:9092",
  ],
  [
    ['--log', 'kafka://a', '--kafka-prefix', '.x'],
    "--kafka-prefix is '.x'; use up to 100 letters, digits, '_', '-' and '.', the first one no '.'",
  ],
  [
    ['--log', 'kafka://a', '--kafka-tls-cert', 'c'],
    '--kafka-tls-cert and --kafka-tls-key go together; give both or neither',
  ],
  [
    ['--log', 'kafka://a', '--max-pending-ms', '-1'],
    "Option '--max-pending-ms' argument is ambiguous. Did you forget to specify the option argument for '--max-pending-ms'? To specify an option argument starting with a dash use '--max-pending-ms=-XYZ'. (millrace --help lists what there is)",
  ],
  [
    ['--log', 'kafka://a', '--node-url', 'ftp://x'],
    "--node-url is 'ftp://x'; use a URL such as https://streams.example.org",
  ],
  [['--kafka-prefix', 'x'], '--kafka-prefix needs --log kafka://host:port'],
  [['--kafka-flush'], '--kafka-flush needs --log kafka://host:port'],
  [['--shared-dir', 'x'], '--shared-dir needs --log kafka://host:port'],
] as const)('%j is refused', (args, message) => {
  expect(() => configOf(args)).toThrow(new ConfigError(message))
})

test.each([
  ['{"mechanism":"plain","username":"u","password":"p"}', undefined],
  ['{', 'f.json is not JSON; write {"mechanism": "scram-sha-512", "username": …, "password": …}'],
  ['null', 'the mechanism in f.json is undefined; use one of plain, scram-sha-256, scram-sha-512'],
  [
    '{"mechanism":"oauthbearer"}',
    'the mechanism in f.json is "oauthbearer"; use one of plain, scram-sha-256, scram-sha-512',
  ],
  ['{"mechanism":"plain","username":"u"}', 'f.json has no password; write it as a text'],
])('the file of --kafka-sasl with %s', (text, message) => {
  if (message === undefined) expect(parseSasl(text, 'f.json')).toEqual(JSON.parse(text))
  else expect(() => parseSasl(text, 'f.json')).toThrow(new ConfigError(message))
})

test('--help lists the flags of Kafka and their variables', () => {
  const help = helpText([])
  const flags = [...Object.values(KAFKA_SETTINGS), ...Object.values(KAFKA_SWITCHES)]
  for (const { flag, variable } of flags) {
    expect(help).toContain(`--${flag}`)
    expect(help).toContain(variable)
  }
})
