/** `millrace import`: an export comes back as it was, into an empty stream; anything wrong with it, and nothing is there. */

import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32c } from '@node-rs/crc32'
import { describe, expect, test } from 'vitest'
import { backup } from '../../src/commands/backup.ts'
import { importEvents } from '../../src/commands/import.ts'
import { repair } from '../../src/commands/repair.ts'
import { verify } from '../../src/commands/verify.ts'
import { type CommandRun, runCommand } from '../support/run-command.ts'
import { append, openStore, readFolder, streamId } from '../support/sample-store.ts'
import { temporaryFolder } from '../support/service-process.ts'

function line(sequence: number, timestamp: number, body: string, more: object = {}): string {
  return `${JSON.stringify({ timestamp, headers: {}, body, ...more, sequence })}\n`
}

/** The lines, and the closing line for them. */
function closed(...lines: readonly string[]): string {
  const crc = crc32c(lines.join('')).toString(16).padStart(8, '0')
  return `${lines.join('')}${JSON.stringify({ end: true, events: lines.length, crc32c: crc })}\n`
}

function imported(
  folder: string,
  text: string | Buffer,
  stream = 'logs',
  pieceBytes = 7,
): Promise<CommandRun> {
  const bytes = Buffer.from(text)
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; at += pieceBytes) pieces.push(bytes.subarray(at, at + pieceBytes))
  return runCommand(importEvents, ['--data', folder, '--stream', stream], pieces)
}

const SMALL = closed(line(4, 1_000, 'a'), line(5, 1_000, 'b'), line(6, 2_000, ''))

test('events come back with their times, in order, and sequences from 0 on', async () => {
  const folder = join(await temporaryFolder(), 'fresh')
  expect(await imported(folder, SMALL)).toEqual({
    code: 0,
    printed: 'stream default:logs: 3 events imported\n',
    told: '',
  })
  expect(await readFolder(folder)).toEqual(
    new Map([
      [
        'default:logs',
        [
          { sequence: 0, timestampMs: 1_000, headers: [], body: 'a' },
          { sequence: 1, timestampMs: 1_000, headers: [], body: 'b' },
          { sequence: 2, timestampMs: 2_000, headers: [], body: '' },
        ],
      ],
    ]),
  )
  expect(await runCommand(verify, ['--data', folder])).toMatchObject({ code: 0 })
})

test('headers keep their order, whatever they are called', async () => {
  const folder = await temporaryFolder()
  const headers = '{"b":"1","10":"\\"2\\"","2":"\\\\","__proto__":"x","a\\"b":""}'
  const text = closed(`{"timestamp":1,"headers":${headers},"body":"x","sequence":0}\n`)
  expect(await imported(folder, text)).toMatchObject({ code: 0 })
  const [event] = (await readFolder(folder)).get('default:logs')!
  expect(event!.headers).toEqual([
    ['b', '1'],
    ['10', '"2"'],
    ['2', '\\'],
    ['__proto__', 'x'],
    ['a"b', ''],
  ])
})

test('an existing empty stream keeps its properties; a namespace is made', async () => {
  const folder = await temporaryFolder()
  const store = await openStore(folder)
  await store.streams.create(streamId('logs'), { ttlSeconds: 7n })
  await store.storage.close()
  expect(await imported(folder, SMALL)).toMatchObject({ code: 0 })
  expect(await imported(folder, SMALL, 'weather:rain')).toMatchObject({ code: 0 })
  const after = await openStore(folder)
  const streams = [...after.registry.allStreams()].map(({ id, properties }) => [
    id.namespace,
    properties.ttlSeconds,
  ])
  await after.storage.close()
  expect(streams).toEqual([
    ['default', 7n],
    ['weather', 9_223_372_036_854_775n],
  ])
})

test('parts that go on after one another are one export', async () => {
  const folder = await temporaryFolder()
  const parts = closed(line(0, 1, 'a')) + closed(line(1, 1, 'b')) + closed() + closed(line(9, 2, 'c'))
  expect(await imported(folder, parts)).toMatchObject({ code: 0 })
  const events = (await readFolder(folder)).get('default:logs')!
  expect(events.map(({ body }) => body)).toEqual(['a', 'b', 'c'])
})

test('an export without events makes the stream', async () => {
  const folder = await temporaryFolder()
  expect(await imported(folder, closed())).toMatchObject({ code: 0 })
  expect(await readFolder(folder)).toEqual(new Map([['default:logs', []]]))
})

test('a file is read as standard input is', async () => {
  const folder = await temporaryFolder()
  const file = join(folder, 'export')
  await writeFile(file, SMALL)
  const data = join(folder, 'data')
  const run = await runCommand(importEvents, ['--data', data, '--stream', 'logs', '--file', file])
  expect(run).toMatchObject({ code: 0 })
  expect(await imported(data, SMALL)).toEqual({
    code: 2,
    printed: '',
    told: 'stream default:logs is not empty; truncate it first, or import into another',
  })
})

describe('refused, and nothing is there:', () => {
  const rest = line(1, 5, 'x')
  const wrong: { name: string; text: string | Buffer; says: string | RegExp }[] = [
    { name: 'nothing at all', text: '', says: /^the export is not whole: after line 0 / },
    { name: 'no closing line', text: line(0, 1, 'a'), says: /^the export is not whole: after line 1 / },
    { name: 'a line cut off', text: SMALL.slice(0, 30), says: 'line 1 is cut off: the export is not whole' },
    {
      name: 'a closing line cut off',
      text: SMALL.slice(0, -1),
      says: 'line 4 is cut off: the export is not whole',
    },
    { name: 'no JSON', text: `${line(0, 1, 'a')}{"timestamp":\n`, says: 'line 2 is not JSON' },
    { name: 'JSON that is no object', text: '[]\n', says: 'line 1 is no JSON object' },
    { name: 'an empty line', text: `\n${SMALL}`, says: 'line 1 is not JSON' },
    {
      name: 'a missing event',
      text: closed(line(0, 1, 'a'), line(2, 1, 'c')),
      says: 'line 2 has sequence 2, and the event before it 0',
    },
    {
      name: 'an event twice',
      text: closed(line(0, 1, 'a'), line(0, 1, 'a')),
      says: /^line 2 has sequence 0/,
    },
    { name: 'a part twice', text: SMALL + SMALL, says: 'line 5 goes back in time, from 2000 to 1000' },
    {
      name: 'time that goes back',
      text: closed(line(0, 9, 'a'), line(1, 8, 'b')),
      says: 'line 2 goes back in time, from 9 to 8',
    },
    { name: 'a time with decimals', text: closed(line(0, 1.5, 'a')), says: /^line 1 has no timestamp/ },
    { name: 'a time before 1970', text: closed(line(0, -1, 'a')), says: /^line 1 has no timestamp/ },
    {
      name: 'no sequence',
      text: closed('{"timestamp":1,"headers":{},"body":""}\n'),
      says: 'line 1 has no sequence',
    },
    {
      name: 'no body',
      text: closed('{"timestamp":1,"headers":{},"sequence":0}\n'),
      says: 'line 1 has no body',
    },
    {
      name: 'no headers',
      text: closed('{"timestamp":1,"body":"","sequence":0}\n'),
      says: 'line 1 has no headers',
    },
    {
      name: 'a header that is no text',
      text: closed(line(0, 1, '', { headers: { a: 1 } })),
      says: "line 1 has a header 'a' that is no text",
    },
    {
      name: 'another encoding',
      text: closed(line(0, 1, '', { encoding: 'hex' })),
      says: "line 1 has the encoding 'hex'; only base64 is known",
    },
    {
      name: 'base64 that is none',
      text: closed(line(0, 1, '*', { encoding: 'base64' })),
      says: 'line 1 has a body that is not base64',
    },
    { name: 'an altered byte', text: SMALL.replace('"b"', '"B"'), says: /^line 4 has the checksum/ },
    {
      name: 'another count',
      text: SMALL.replace('"events":3', '"events":4'),
      says: 'line 4 closes 4 events, and there are 3',
    },
    {
      name: 'more behind the end',
      text: SMALL + rest.slice(0, 9),
      says: 'line 5 is cut off: the export is not whole',
    },
  ]

  test.each(wrong)('$name', async ({ text, says }) => {
    const folder = await temporaryFolder()
    const { code, printed, told } = await imported(folder, text)
    expect({ code, printed }).toEqual({ code: 2, printed: '' })
    if (typeof says === 'string') expect(told).toBe(says)
    else expect(told).toMatch(says)
    expect(await readFolder(folder)).toEqual(new Map())
  })

  test('a large import that breaks off leaves the stream as it was, and its log to the janitor', async () => {
    const folder = await temporaryFolder()
    const lines = Array.from({ length: 40 }, (_, i) => line(i, i, 'x'.repeat(60_000)))
    expect(await imported(folder, `${lines.join('')}{`, 'logs', 1 << 16)).toMatchObject({ code: 2 })
    const store = await openStore(folder)
    expect(await store.storage.log.logs()).toHaveLength(1)
    await store.streams.create(streamId('logs'), {})
    await append(store, streamId('logs'), 'first')
    while ((await store.janitor.tick()).more);
    expect(await store.storage.log.logs()).toHaveLength(1)
    await store.storage.close()
    expect((await readFolder(folder)).get('default:logs')!.map(({ body }) => body)).toEqual(['first'])
  })
})

const badArguments: { args: string[]; says: RegExp }[] = [
  { args: ['--data', 'DATA'], says: /^--stream is missing/ },
  { args: ['--data', 'DATA', '--stream', 'a b'], says: /Invalid stream ID: a b/ },
  { args: ['--data', 'DATA', '--stream', 'a-b:c'], says: /Invalid namespace ID: a-b/ },
  {
    args: ['--data', 'DATA', '--stream', 'c', '--file', 'DATA/nope'],
    says: /^--file .*\/nope cannot be read: ENOENT/,
  },
]

test.each(badArguments)('$args is refused and leaves nothing', async ({ args, says }) => {
  const folder = await temporaryFolder()
  const run = await runCommand(
    importEvents,
    args.map((arg) => arg.replace('DATA', folder)),
  )
  expect(run.code).toBe(2)
  expect(run.told).toMatch(says)
  expect(await readdir(folder)).toEqual([])
})

test('sequences may have gaps if the closing line says so', async () => {
  const folder = await temporaryFolder()
  const gapped = closed(line(4, 1_000, 'a'), line(7, 1_000, 'b')).replace(
    '"end":true',
    '"end":true,"gaps":true',
  )
  expect(await imported(folder, gapped)).toMatchObject({
    code: 0,
    printed: 'stream default:logs: 2 events imported\n',
  })
})

test('all exports of a folder come back; a stream that has events is left out', async () => {
  const [folder, exports] = [await temporaryFolder(), await temporaryFolder()]
  await writeFile(join(exports, 'default:logs.ndjson'), SMALL)
  await writeFile(join(exports, 'other:trades.ndjson'), closed(line(0, 5, 'x')))
  await writeFile(join(exports, 'README'), 'no export')
  const args = ['--data', folder, '--folder', exports]
  expect(await runCommand(importEvents, args)).toEqual({
    code: 0,
    printed: 'stream default:logs: 3 events imported\nstream other:trades: 1 event imported\n',
    told: '',
  })
  expect(await runCommand(importEvents, args)).toEqual({
    code: 0,
    printed: 'stream default:logs: not empty, left out\nstream other:trades: not empty, left out\n',
    told: '',
  })
})

test.each([
  { name: 'backup', command: backup, args: ['--to', '/nowhere'] },
  { name: 'repair', command: repair, args: ['--to', '/nowhere'] },
  { name: 'verify --deep', command: verify, args: ['--deep'] },
])('$name is refused for streams in Kafka', async ({ name, command, args }) => {
  expect(await runCommand(command, [...args, '--log', 'kafka://127.0.0.1:1'])).toEqual({
    code: 2,
    printed: '',
    told: `'millrace ${name}' is not available with --log kafka: brokers keep replicas; use export, and verify for checksums and catalog`,
  })
})
