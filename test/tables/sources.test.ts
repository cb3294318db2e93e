/** The file of --sources. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseDurationMs } from '../../src/tables/duration.ts'
import { parseSources, readSources } from '../../src/tables/sources.ts'
import { sharedFolder } from '../support/shared-folder.ts'

const folder = sharedFolder()

test('sources by name', () => {
  const path = join(folder.path, 'sources.json')
  const connectionUri = 'postgres://u:p@h/d?sslrootcert=/etc/ca.pem'
  writeFileSync(
    path,
    JSON.stringify({
      'demo-kafka': { kind: 'stream' },
      'demo-postgresql': { kind: 'postgres', connection_uri: connectionUri },
      events: { kind: 'kafka', bootstrap_servers: 'k:9092' },
    }),
  )
  expect([...readSources(path)]).toEqual([
    ['demo-kafka', { kind: 'stream', access: { kind: 'stream' } }],
    ['demo-postgresql', { kind: 'postgres', access: { kind: 'postgres', connectionUri } }],
    [
      'events',
      {
        kind: 'kafka',
        access: { kind: 'kafka', bootstrapServers: ['k:9092'], securityProtocol: 'PLAINTEXT' },
      },
    ],
  ])
})

test.each([
  ['[]', '--sources f is not a JSON object of sources by name'],
  ['{"":{"kind":"stream"}}', `--sources f: "" is no name; use letters, digits, '.', _ and -`],
  ['{"a":1}', '--sources f: "a" is not a JSON object with a member kind'],
  ['{"a":{}}', '--sources f: "a" has kind missing; use stream, kafka, postgres'],
  ['{"a":{"kind":"pg"}}', '--sources f: "a" has kind "pg"; use stream, kafka, postgres'],
  ['{"a":{"kind":"stream","x":1}}', '--sources f: "a" has unknown member "x"; kind stream has none'],
  ['{"a":{"kind":"postgres"}}', '--sources f: "a" has no connection_uri'],
  ['{"a":{"kind":"kafka"}}', '--sources f: "a" has no bootstrap_servers'],
  [
    '{"a":{"kind":"kafka","bootstrap_servers":"k:1","x":"pw-9q"}}',
    `--sources f: "a" is refused: unknown field 'x'; use bootstrap_servers, security_protocol, sasl_mechanism, sasl_username, ssl_ca, ssl_certificate, sasl_password, ssl_key`,
  ],
  [
    '{"a":{"kind":"postgres","connection_uri":"mysql://u:pw-9q@h"}}',
    '--sources f: "a" is refused: connection_uri cannot be used: use postgres://user:password@host:port/database',
  ],
])('%s is refused', (text, message) => {
  expect(() => parseSources('f', text)).toThrow(expect.objectContaining({ name: 'SourcesProblem', message }))
  expect(message).not.toContain('pw-9q')
})

test('a text that is not JSON is not repeated', () => {
  expect(() => parseSources('f', '{"a": pw-9q')).toThrow(/^--sources f is not JSON( \(position \d+\))?$/)
})

test('a file that is not there', () => {
  expect(() => readSources(join(folder.path, 'none'))).toThrow(/^--sources .*none cannot be read: ENOENT/)
})

test.each([
  ['10 min', 600_000],
  ['10min', 600_000],
  ['1 H', 3_600_000],
  ['2 days', 172_800_000],
  ['90 s', 90_000],
  ['5', 5],
  ['1500 µs', 1],
  ['0 ms', 0],
  ['', undefined],
  ['min', undefined],
  ['1.5 s', undefined],
  ['-1 s', undefined],
  ['1 week', undefined],
  ['1 s 2', undefined],
])('duration %j', (text, ms) => {
  expect(parseDurationMs(text)).toBe(ms)
})
