/** `millrace verify`: a sound store is sound and untouched; whatever is damaged is printed by stream and sequence. */
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Level as ClassicLevel } from 'level'
import { beforeAll, describe, expect, test } from 'vitest'
import { verify } from '../../src/commands/verify.ts'
import { readDocument, sealed } from '../../storage/level/document-codec.ts'
import {
  BLOCKS,
  blockKey,
  documentKey,
  isReferenceKey,
  markKey,
  orphanKey,
  PIECES,
  tailKey,
} from '../../storage/level/keys.ts'
import { decodeReference } from '../../storage/level/segment-reference.ts'
import { decodeTail, encodeTail } from '../../storage/level/tail-codec.ts'
import { filesOf } from '../support/files-of.ts'
import { runCommand } from '../support/run-command.ts'
import { sampleSavepoint } from '../support/sample-savepoint.ts'
import { makeSampleStore, openStore } from '../support/sample-store.ts'
import { temporaryFolder } from '../support/service-process.ts'
import { sharedFolder } from '../support/shared-folder.ts'

const sample = sharedFolder()
/** By stream. */
const logs = new Map<string, number>()

beforeAll(async () => {
  await makeSampleStore(sample.path)
  const store = await openStore(sample.path)
  for (const { id, log } of store.registry.allStreams()) logs.set(id.stream, log)
  await store.storage.close()
})

async function sampleCopy(): Promise<string> {
  const folder = await temporaryFolder()
  await cp(sample.path, folder, { recursive: true })
  return folder
}

type Db = ClassicLevel<Buffer, Buffer>

/** The sample after a change behind Millrace's back; LevelDB's own checksums are right. */
async function changed(change: (db: Db) => Promise<void>): Promise<string> {
  const folder = await sampleCopy()
  const options = { keyEncoding: 'buffer', valueEncoding: 'buffer' } as const
  const db: Db = new ClassicLevel(join(folder, 'store'), options)
  await change(db)
  await db.close()
  return folder
}

async function verified(folder: string) {
  const { code, printed, told } = await runCommand(verify, ['--data', folder])
  return { code, told, lines: printed.replaceAll(folder, 'DATA').trimEnd().split('\n') }
}

test('a sound store is sound, its content is counted, and no byte of it changes', async () => {
  const folder = await sampleCopy()
  const before = await filesOf(folder)
  const { code, told, lines } = await verified(folder)
  expect({ code, told }).toEqual({ code: 0, told: '' })
  expect(lines[0]).toMatch(/^DATA: format 3, \d+ files of \d+ kB$/)
  expect(lines.slice(1)).toEqual([
    '7 streams, 1533 events with 1237 kB of bodies',
    '1 abandoned upload, to be removed',
    'sound',
  ])
  expect(await filesOf(folder)).toEqual(before)
})

const log = (stream: string) => logs.get(stream)!

/** The nth key of a log's blocks and references. */
async function keyOf(db: Db, stream: string, n: number): Promise<Buffer> {
  const keys = await db.keys({ gte: blockKey(log(stream), 0, 0), lt: blockKey(log(stream) + 1, 0, 0) }).all()
  return keys.at(n)!
}

async function flip(db: Db, key: Buffer, offset: number): Promise<void> {
  const value = (await db.get(key))!
  value[offset < 0 ? value.length + offset : offset]! ^= 1
  await db.put(key, value)
}

async function putTail(db: Db, stream: string, change: object): Promise<void> {
  const key = tailKey(log(stream))
  await db.put(key, encodeTail(key, { ...decodeTail(key, (await db.get(key))!), ...change }))
}

async function putDocument(db: Db, collection: string, id: string, json: string): Promise<void> {
  const key = documentKey(collection, id)
  await db.put(key, sealed(key, json))
}

/** A piece of the upload in `batches`: key and index of its first event. */
async function secondPiece(db: Db): Promise<Buffer> {
  const reference = (await db.keys({ gte: BLOCKS.gte, lt: BLOCKS.lt }).all()).find(isReferenceKey)!
  const { segment } = decodeReference(reference, (await db.get(reference))!)
  const pieces = await db.keys(PIECES).all()
  return pieces.filter((key) => key.readUInt32BE(5) === segment)[1]!
}

const damages: {
  readonly name: string
  readonly change: (db: Db) => Promise<void>
  readonly says: readonly (string | RegExp)[]
}[] = [
  {
    name: 'a document',
    change: async (db) => flip(db, documentKey('namespaces', 'weather'), 3),
    says: [
      'document namespaces/weather does not match its checksum',
      'the namespace of stream weather:rain is missing',
    ],
  },
  {
    name: 'a block in the middle',
    change: async (db) => flip(db, await keyOf(db, 'singles', 0), -1),
    says: ['stream default:singles, sequences 0 to 11: block does not match its checksum'],
  },
  {
    name: 'the last block',
    change: async (db) => flip(db, await keyOf(db, 'singles', -1), -1),
    says: ['stream default:singles, sequence 12: block does not match its checksum'],
  },
  {
    name: 'a block that is gone',
    change: async (db) => db.del(await keyOf(db, 'trickle', 0)),
    says: [/^stream default:trickle, sequences 0 to \d+: the events are missing$/],
  },
  {
    name: 'a last block that is gone',
    change: async (db) => db.del(await keyOf(db, 'trickle', -1)),
    says: ['stream default:trickle, sequence 300: the events are missing'],
  },
  {
    name: 'a block under another key',
    change: async (db) => {
      const key = await keyOf(db, 'singles', -1)
      await db.put(blockKey(log('singles'), 1_900_000_000_000, 12), (await db.get(key))!)
      await db.del(key)
    },
    says: ['stream default:singles, sequence 12: block does not match its checksum'],
  },
  {
    name: 'a reference',
    change: async (db) => flip(db, await keyOf(db, 'batches', 1), 5),
    says: [
      /^stream default:batches, sequences 4 to 1203: segment reference under key .* does not match its checksum$/,
    ],
  },
  {
    name: 'a piece of an upload',
    change: async (db) => flip(db, await secondPiece(db), -1),
    says: [/^stream default:batches, sequences \d+ to \d+: block does not match its checksum$/],
  },
  {
    name: 'a piece that is gone',
    change: async (db) => db.del(await secondPiece(db)),
    says: [/^stream default:batches, sequences \d+ to \d+: the events are missing$/],
  },
  {
    name: 'an upload that is marked as abandoned',
    change: async (db) => {
      const piece = await secondPiece(db)
      await db.put(orphanKey(piece.readUInt32BE(5)), Buffer.alloc(0))
    },
    says: ['stream default:batches, sequences 4 to 1203: the upload is marked as abandoned'],
  },
  {
    name: 'a tail',
    change: async (db) => flip(db, tailKey(log('singles')), 20),
    says: [/^stream default:singles: tail under key 6c.* does not match its checksum$/],
  },
  {
    name: 'a tail that is gone',
    change: async (db) => db.del(tailKey(log('singles'))),
    says: ['stream default:singles, sequences 0 to 12: the log has events and no tail'],
  },
  {
    name: 'a tail of an earlier time',
    change: async (db) => putTail(db, 'singles', { nextSequence: 9 }),
    says: ['stream default:singles, sequences 9 to 12: the events are beyond the tail'],
  },
  {
    name: 'a tail that counts other bytes',
    change: async (db) => putTail(db, 'singles', { bytesWritten: 9 }),
    says: ['stream default:singles: the tail counts other bytes than there are'],
  },
  {
    name: 'events before the trim point',
    change: async (db) => putTail(db, 'batches', { firstSequence: 4 }),
    says: ['stream default:batches, sequences 0 to 3: the events are before the trim point, and still there'],
  },
  {
    name: 'a document without a checksum',
    change: async (db) => db.put(documentKey('streams', 'default:singles'), Buffer.from('{"log":1}')),
    says: ['document streams/default:singles does not match its checksum'],
  },
  {
    name: 'a document that is no JSON',
    change: async (db) => putDocument(db, 'streams', 'default:singles', '{"log"'),
    says: [/^document streams\/default:singles cannot be read: /],
  },
  {
    name: 'a document without its log',
    change: async (db) => putDocument(db, 'streams', 'default:singles', '{}'),
    says: [
      'document streams/default:singles cannot be read: catalog document of stream default:singles has no log',
    ],
  },
  {
    name: 'a stream with the log of another',
    change: async (db) => {
      const from = documentKey('streams', 'default:batches')
      const { json } = readDocument(from.toString(), (await db.get(from))!.toString())
      const to = documentKey('streams', 'default:singles')
      await db.put(to, sealed(to, json))
    },
    says: ['document streams/default:singles cannot be read: its log belongs to stream default:batches'],
  },
  {
    name: 'a namespace that is gone',
    change: async (db) => db.del(documentKey('namespaces', 'weather')),
    says: ['the namespace of stream weather:rain is missing'],
  },
  {
    name: 'a counter that went back',
    change: async (db) => putDocument(db, 'counters', 'logs', '1'),
    says: [
      /^the log of stream .* has never been handed out$/,
      /^counters\/logs is 1, and there is a log \d$/,
    ],
  },
  {
    name: 'a key of no kind',
    change: async (db) => db.put(Buffer.from('x?'), Buffer.from('?')),
    says: ['unknown key 783f'],
  },
]

test.each(damages)('$name is found and named', async ({ change, says }) => {
  const folder = await changed(change)
  const { code, lines } = await verified(folder)
  expect(code).toBe(1)
  const found = lines.filter((line) => line.startsWith('damaged: ') && !/^damaged: \d+ finding/.test(line))
  for (const said of says) {
    const wanted = typeof said === 'string' ? expect.stringContaining(said) : expect.anything()
    expect(found.map((line) => line.slice('damaged: '.length))).toContainEqual(
      typeof said === 'string' ? wanted : expect.stringMatching(said),
    )
  }
  expect(lines.at(-1)).toMatch(/^damaged: \d+ findings?$/)
})

test('a tail that is behind, with a mark that says so, is no damage', async () => {
  const folder = await changed(async (db) => {
    await putTail(db, 'singles', { nextSequence: 12, bytesWritten: 0 })
    await db.put(markKey(log('singles')), Buffer.alloc(0))
  })
  expect(await verified(folder)).toMatchObject({ code: 0 })
})

describe('files', () => {
  test('a flipped byte in a table is reported with its file and offset, and the rest is read', async () => {
    const folder = await sampleCopy()
    const name = (await readdir(join(folder, 'store'))).find((file) => file.endsWith('.ldb'))!
    const path = join(folder, 'store', name)
    const bytes = await readFile(path)
    bytes[100]! ^= 1
    await writeFile(path, bytes)
    const { code, lines } = await verified(folder)
    expect(code).toBe(1)
    expect(lines).toContainEqual(
      expect.stringMatching(
        /^damaged: store\/\d+\.ldb at byte 0: the block does not match its checksum \(keys up to /,
      ),
    )
    expect(lines).toContainEqual(expect.stringMatching(/^\d streams?, \d+ events/))
  })

  test('a missing table is reported with the events it had', async () => {
    const folder = await sampleCopy()
    for (const name of await readdir(join(folder, 'store'))) {
      if (name.endsWith('.ldb')) await rm(join(folder, 'store', name))
    }
    const { code, lines } = await verified(folder)
    expect(code).toBe(1)
    expect(lines).toContainEqual(
      expect.stringMatching(/^damaged: store\/\d+\.ldb at byte 0: the file is missing/),
    )
  })

  test('a write that a crash cut off is no damage', async () => {
    const folder = await sampleCopy()
    await rm(join(folder, 'STOPPED')) // which a crash does not leave
    const name = (await readdir(join(folder, 'store'))).find((file) => file.endsWith('.log'))!
    const path = join(folder, 'store', name)
    const bytes = await readFile(path)
    await writeFile(path, bytes.subarray(0, bytes.length - 3))
    const { code, lines } = await verified(folder)
    expect(code).toBe(0)
    expect(lines).toContain('the last write was cut off, as a crash leaves it: it had not been answered')
  })
})

const refusals: { name: string; make: (folder: string) => Promise<unknown>; says: RegExp }[] = [
  { name: 'no folder', make: (folder) => rm(folder, { recursive: true }), says: /^there is no folder / },
  {
    name: 'a folder with other files',
    make: (folder) => writeFile(join(folder, 'a'), ''),
    says: /has no FORMAT stamp/,
  },
  {
    name: 'a folder that has lost its stamp',
    make: (folder) => mkdir(join(folder, 'store')),
    says: /has no FORMAT stamp.*; if it is one that has lost it, 'millrace repair' reads it without$/,
  },
  {
    name: 'a newer format',
    make: (folder) => writeFile(join(folder, 'FORMAT'), 'millrace-data 999\n'),
    says: /has format 999; this Millrace reads formats up to \d+, use a newer one$/,
  },
]

test.each(refusals)('$name is refused with code 2', async ({ make, says }) => {
  const folder = await temporaryFolder()
  await make(folder)
  const { code, told } = await verified(folder)
  expect(code).toBe(2)
  expect(told).toMatch(says)
})

test.each([[[]], [['--data']], [['--data', '']], [['--daten', 'x']], [['x']]])(
  '%j is refused',
  async (args) => {
    expect(await runCommand(verify, args)).toMatchObject({ code: 2, printed: '' })
  },
)

test.each([
  [
    'other bytes',
    (file: string) => writeFile(file, 'bytes of another'),
    'its file kept_w0-0.parquet is damaged: it has other bytes than were written',
  ],
  ['a missing file', (file: string) => rm(file), 'its file kept_w0-0.parquet is missing'],
])('a savepoint with %s is named', async (_, damage, text) => {
  const folder = await sampleCopy()
  const name = join('savepoints', 'savepoint-aaaaaa-000000000001')
  await damage(await sampleSavepoint(join(folder, name)))
  const { code, lines } = await verified(folder)
  expect([code, lines.filter((line) => line.startsWith('damaged: savepoints'))]).toEqual([
    1,
    [`damaged: ${name}: ${text}`],
  ])
})
