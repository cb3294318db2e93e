/** `millrace repair`: sound events are saved with their times and properties, damage is reported, the damaged folder stays. */
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Level as ClassicLevel } from 'level'
import { beforeAll, expect, test } from 'vitest'
import { repair } from '../../src/commands/repair.ts'
import { verify } from '../../src/commands/verify.ts'
import { Tables } from '../../src/explore/tables.ts'
import { encodeDocument } from '../../storage/level/document-codec.ts'
import { blockKey, documentKey, tailKey } from '../../storage/level/keys.ts'
import type { ReadEvent } from '../contract/event-log.ts'
import { filesOf } from '../support/files-of.ts'
import { listed } from '../support/listed.ts'
import { runCommand } from '../support/run-command.ts'
import { makeSampleStore, openStore, readFolder, streamId } from '../support/sample-store.ts'
import { temporaryFolder } from '../support/service-process.ts'
import { sharedFolder } from '../support/shared-folder.ts'

const sample = sharedFolder()
let original: Map<string, ReadEvent[]>
const logs = new Map<string, number>()

beforeAll(async () => {
  await makeSampleStore(sample.path)
  const copy = await cpTo(`${sample.path}/../${sample.path.split('/').at(-1)}-read`)
  original = await readFolder(copy)
  const store = await openStore(copy)
  for (const { id, log } of store.registry.allStreams()) logs.set(id.stream, log)
  await store.storage.close()
  await rm(copy, { recursive: true })
})

async function cpTo(folder: string): Promise<string> {
  await cp(sample.path, folder, { recursive: true })
  return folder
}

type Db = ClassicLevel<Buffer, Buffer>

interface Damaged {
  readonly folder: string
  readonly fixed: string
}

async function damaged(change: (db: Db) => Promise<void>): Promise<Damaged> {
  const folder = join(await temporaryFolder(), 'data')
  await cpTo(folder)
  const db: Db = new ClassicLevel(join(folder, 'store'), { keyEncoding: 'buffer', valueEncoding: 'buffer' })
  await change(db)
  await db.close()
  return { folder, fixed: `${folder}-repaired` }
}

async function repaired({ folder, fixed }: Damaged) {
  const before = await filesOf(folder)
  const { code, printed, told } = await runCommand(repair, ['--data', folder, '--to', fixed])
  expect(await filesOf(folder)).toEqual(before)
  if (code === 2) return { code, told, printed, leftOut: [], events: undefined }
  expect(await runCommand(verify, ['--data', fixed])).toMatchObject({ code: 0 })
  const leftOut = printed.split('\n').filter((line) => line.startsWith('left out: '))
  return {
    code,
    told,
    printed,
    leftOut: leftOut.map((line) => line.slice(10)),
    events: await readFolder(fixed),
  }
}

/** The original without these events of one stream; sequences have no gaps. */
function without(stream: string, from: number, to: number): Map<string, ReadEvent[]> {
  const left = new Map(original)
  const kept = original.get(stream)!.filter(({ sequence }) => sequence < from || sequence > to)
  left.set(
    stream,
    kept.map((event, sequence) => ({ ...event, sequence })),
  )
  return left
}

const log = (stream: string) => logs.get(stream)!

async function keyOf(db: Db, stream: string, n: number): Promise<Buffer> {
  const keys = await db.keys({ gte: blockKey(log(stream), 0, 0), lt: blockKey(log(stream) + 1, 0, 0) }).all()
  return keys.at(n)!
}

async function flipLast(db: Db, key: Buffer): Promise<void> {
  const value = (await db.get(key))!
  value[value.length - 1]! ^= 1
  await db.put(key, value)
}

test('of a sound store everything is saved', async () => {
  const { code, leftOut, events } = await repaired(await damaged(async () => {}))
  expect({ code, leftOut }).toEqual({ code: 0, leftOut: [] })
  expect(events).toEqual(original)
})

test('properties, views, disabled tables and namespaces are saved', async () => {
  const { folder, fixed } = await damaged(async () => {})
  const { registry, storage } = await openStore(folder)
  await new Tables(registry).disable(streamId('singles'))
  await storage.close()
  await runCommand(repair, ['--data', folder, '--to', fixed])
  const [before, after] = await Promise.all([folder, fixed].map((one) => openStore(one)))
  const shape = ({ registry }: typeof before & {}) => ({
    namespaces: registry.namespaceNames().map((name) => [name, registry.namespace(name)]),
    streams: [...registry.allStreams()].map(({ id, properties, views, tableDisabled }) => ({
      id,
      properties,
      tableDisabled,
      views: [...views.values()].map(({ name, format, tableName }) => ({ name, format, tableName })),
    })),
  })
  const shapes = [shape(before!), shape(after!)]
  await Promise.all([before!.storage.close(), after!.storage.close()])
  expect(shapes[1]).toEqual(shapes[0])
  expect(shapes[1]!.streams.filter(({ tableDisabled }) => tableDisabled).length).toBe(1)
})

test('what is noted of streams is saved; metrics begin anew', async () => {
  const put = (db: Db, collection: string, id: string, document: unknown) => {
    const key = documentKey(collection, id)
    return db.put(key, encodeDocument(key, document))
  }
  const document = { properties: [['owner', 'ann']], tags: ['a'] }
  const { folder, fixed } = await damaged(async (db) => {
    await put(db, 'metadata', 'default:singles', document)
    await put(db, 'meter-gone', '5', true)
  })
  await runCommand(repair, ['--data', folder, '--to', fixed])
  const { storage } = await openStore(fixed)
  const found = [await listed(storage.catalog, 'metadata'), await listed(storage.catalog, 'meter-gone')]
  await storage.close()
  expect(found).toEqual([[{ id: 'default:singles', document }], []])
})

test('jobs that have ended are saved; the others are left out, because their states belong to the old store', async () => {
  const put = (db: Db, collection: string, id: string, document: unknown) => {
    const key = documentKey(collection, id)
    return db.put(key, encodeDocument(key, document))
  }
  const job = {
    statement: 'INSERT INTO a SELECT * FROM b',
    name: 'mine',
    number: 1,
    reads: [],
    writes: ['t'],
    enteredMs: {},
  }
  const { folder, fixed } = await damaged(async (db) => {
    await put(db, 'jobs', 'default:1', { ...job, state: 'FINISHED' })
    await put(db, 'jobs', 'default:2', { ...job, state: 'RUNNING' })
    await put(db, 'job-epochs', '2:0', 7)
  })
  await writeFile(join(folder, 'secret.key'), 'the key')
  const { code, printed } = await runCommand(repair, ['--data', folder, '--to', fixed])
  expect([code, printed.split('\n').filter((line) => line.startsWith('left out'))]).toEqual([
    1,
    ['left out: job mine (2) of namespace default: its state belongs to the old store; create it again'],
  ])
  const { storage } = await openStore(fixed)
  const found = [await listed(storage.catalog, 'jobs'), await listed(storage.catalog, 'job-epochs')]
  await storage.close()
  expect(found).toEqual([[{ id: 'default:1', document: { ...job, state: 'FINISHED' } }], []])
  expect(await readFile(join(fixed, 'secret.key'), 'utf8')).toBe('the key')
})

test('an altered document is reported, and taken as it is where it can be read', async () => {
  const both = await damaged(async (db) => {
    const key = documentKey('streams', 'default:singles')
    const value = (await db.get(key))!.toString()
    await db.put(key, Buffer.from(value.replace('{', '{"description":"altered",')))
  })
  const { code, printed, events } = await repaired(both)
  expect([code, events]).toEqual([0, original])
  expect(printed).toContain(
    'document streams/default:singles does not match its checksum; look whether it is right: {"description":"altered","log":',
  )
})

test('a damaged block is left out, and told', async () => {
  const { code, leftOut, events } = await repaired(
    await damaged(async (db) => flipLast(db, await keyOf(db, 'singles', 0))),
  )
  expect(code).toBe(1)
  expect(leftOut).toEqual(['stream default:singles, sequences 0 to 11: block does not match its checksum'])
  expect(events).toEqual(without('default:singles', 0, 11))
})

test('events that are missing at the end are reported', async () => {
  const { leftOut, events } = await repaired(
    await damaged(async (db) => db.del(await keyOf(db, 'trickle', -1))),
  )
  expect(leftOut).toEqual(['stream default:trickle, sequence 300: the events are missing'])
  expect(events).toEqual(without('default:trickle', 300, 300))
})

test('an upload whose reference is damaged is left out', async () => {
  const { leftOut, events } = await repaired(
    await damaged(async (db) => {
      const key = await keyOf(db, 'batches', 1)
      await flipLast(db, key)
      const value = (await db.get(key))!
      value[7]! ^= 3
      await db.put(key, value)
    }),
  )
  expect(leftOut).toEqual([
    expect.stringMatching(/^stream default:batches, sequences 4 to 1203: segment reference /),
  ])
  expect(events).toEqual(without('default:batches', 4, 1_203))
})

test('a reference with one altered byte is mended', async () => {
  const { code, events } = await repaired(
    await damaged(async (db) => flipLast(db, await keyOf(db, 'batches', 1))),
  )
  expect(code).toBe(0)
  expect(events).toEqual(original)
})

test('a tail that is damaged costs nothing', async () => {
  const { code, events } = await repaired(await damaged(async (db) => flipLast(db, tailKey(log('singles')))))
  expect(code).toBe(0)
  expect(events).toEqual(original)
})

test('a stream whose document is damaged comes back under the number of its log', async () => {
  const { code, leftOut, events } = await repaired(
    await damaged(async (db) => db.put(documentKey('streams', 'default:singles'), Buffer.from('{'))),
  )
  expect(code).toBe(1)
  expect(leftOut).toEqual([expect.stringMatching(/^document streams\/default:singles cannot be read: /)])
  expect(events!.get(`default:recovered_log_${log('singles')}`)).toEqual(original.get('default:singles'))
})

test('a namespace that is missing is made anew', async () => {
  const { leftOut, events } = await repaired(
    await damaged(async (db) => db.del(documentKey('namespaces', 'weather'))),
  )
  expect(leftOut).toEqual(['the properties of namespace weather, which is made anew'])
  expect(events).toEqual(original)
})

const unopenable: { name: string; spoil: (folder: string) => Promise<unknown> }[] = [
  { name: 'CURRENT is gone', spoil: (folder) => rm(join(folder, 'store', 'CURRENT')) },
  { name: 'CURRENT is garbled', spoil: (folder) => writeFile(join(folder, 'store', 'CURRENT'), '?') },
  {
    name: 'the manifest is gone',
    async spoil(folder) {
      const store = join(folder, 'store')
      for (const name of await readdir(store)) if (name.startsWith('MANIFEST')) await rm(join(store, name))
    },
  },
  {
    name: 'the manifest is damaged',
    async spoil(folder) {
      const name = (await readFile(join(folder, 'store', 'CURRENT'), 'utf8')).trim()
      const path = join(folder, 'store', name)
      const bytes = await readFile(path)
      bytes[20]! ^= 1
      await writeFile(path, bytes)
    },
  },
]

test.each(unopenable)('where LevelDB cannot open, because $name, everything is saved', async ({ spoil }) => {
  const both = await damaged(async () => {})
  await spoil(both.folder)
  await expect(openStore(both.folder)).rejects.toMatchObject({ code: 'corrupt' })
  const { events } = await repaired(both)
  for (const [name, wanted] of original) expect(events!.get(name), name).toEqual(wanted)
})

const stamps: { name: string; spoil: (folder: string) => Promise<unknown> }[] = [
  { name: 'gone', spoil: (folder) => rm(join(folder, 'FORMAT')) },
  { name: 'garbled', spoil: (folder) => writeFile(join(folder, 'FORMAT'), 'nillrace-data 2\n') },
]

test.each(stamps)('a folder whose stamp is $name is read without it', async ({ spoil }) => {
  const both = await damaged(async () => {})
  await spoil(both.folder)
  expect(await repaired(both)).toMatchObject({ code: 0, events: original })
})

test('tables of which some blocks are damaged lose no more than what stands in these', async () => {
  const both = await damaged(async () => {})
  const store = join(both.folder, 'store')
  for (const name of (await readdir(store)).filter((file) => file.endsWith('.ldb'))) {
    const bytes = await readFile(join(store, name))
    // Not at the end, where the index stands. Which blocks there are depends on how far LevelDB came with compacting, and
    // some hold nothing but what was deleted: so of many of them.
    for (let place = 0.05; place < 0.7; place += 0.02) bytes[Math.floor(bytes.length * place)]! ^= 1
    await writeFile(join(store, name), bytes)
  }
  const { code, leftOut, events } = await repaired(both)
  expect(code).toBe(1)
  expect(leftOut.length).toBeGreaterThan(0)
  let saved = 0
  for (const [name, wanted] of original) {
    const bodies = new Set(wanted.map(({ body, timestampMs }) => `${timestampMs} ${body}`))
    for (const { body, timestampMs } of events!.get(name) ?? []) {
      expect(bodies).toContain(`${timestampMs} ${body}`)
      saved++
    }
  }
  expect(saved).toBeGreaterThan(20)
})

const refusals: { name: string; args: (both: Damaged) => string[]; says: RegExp }[] = [
  {
    name: 'a folder that is not empty',
    args: ({ folder }) => ['--data', folder, '--to', folder],
    says: /is there already/,
  },
  { name: 'no target', args: ({ folder }) => ['--data', folder], says: /--to is missing/ },
  { name: 'no source', args: ({ fixed }) => ['--data', fixed, '--to', fixed], says: /there is no folder/ },
]

test.each(refusals)('$name is refused', async ({ args, says }) => {
  const both = await damaged(async () => {})
  const before = await filesOf(both.folder)
  const run = await runCommand(repair, args(both))
  expect(run.code).toBe(2)
  expect(run.told).toMatch(says)
  expect(await filesOf(both.folder)).toEqual(before)
})

test('a newer format is not repaired', async () => {
  const both = await damaged(async () => {})
  await writeFile(join(both.folder, 'FORMAT'), 'millrace-data 999\n')
  expect(await repaired(both)).toMatchObject({ code: 2, told: expect.stringContaining('has format 999') })
})

test('events go on in the repaired store', async () => {
  const both = await damaged(async () => {})
  await repaired(both)
  const store = await openStore(both.fixed, 1_800_000_000_000)
  await store.streams.append(store.streams.get(streamId('singles')), {
    headers: [],
    body: Buffer.from('new'),
  })
  await store.storage.close()
  const events = (await readFolder(both.fixed)).get('default:singles')!
  expect(events.at(-1)).toMatchObject({ sequence: 13, body: 'new' })
})
