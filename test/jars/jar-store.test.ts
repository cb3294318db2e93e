/** The store of jars: durable, bounded, shared. */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { JarStore } from '../../src/jars/jar-store.ts'
import { ServiceError } from '../../src/service-error.ts'
import { jarOf } from '../support/jars.ts'

const space = { low: false, refusal: () => new ServiceError('disk_low', 'the disk is low') }
let folder: string
let nowMs = 1_000
beforeEach(async () => {
  const data = await mkdtemp(join(tmpdir(), 'millrace-'))
  onTestFinished(() => rm(data, { recursive: true, force: true }))
  folder = join(data, 'jars')
  space.low = false
  nowMs = 1_000
})

async function opened(
  limits: Partial<{ maxJars: number; maxJarBytes: number; maxJarDiskBytes: number }> = {},
) {
  const store = new JarStore({
    folder,
    space,
    nowMs: () => nowMs,
    random: () => 0.5,
    limits: { maxJars: 10, maxJarBytes: 10_000, maxJarDiskBytes: 20_000, ...limits },
  })
  await store.load()
  return store
}

async function put(store: JarStore, name: string, content: Uint8Array | string, client = 'a') {
  const upload = await store.begin(name, client)
  try {
    await upload.write(Buffer.from(content as string))
    return await upload.commit()
  } finally {
    await upload.discard()
  }
}

test('jars are listed, newest first, also after a restart', async () => {
  const store = await opened()
  const first = await put(store, 'first.jar', jarOf({ 'a.sql': 'x' }))
  nowMs = 2_000.7
  const second = await put(store, 'second zö_.jar', 'no archive')
  expect(first.id).toMatch(/^[0-9a-f-]{36}_first\.jar$/)
  expect(second).toMatchObject({
    name: 'second zö_.jar',
    uploadedMs: 2_000,
    bytes: 10,
    path: join(folder, second.id),
  })
  expect(store.list()).toEqual([second, first])
  await writeFile(join(folder, 'notes.txt'), 'of the operator')

  const again = await opened()
  expect(again.list()).toEqual([second, first])
  expect(await again.contents(again.get(first.id))).toMatchObject({ scripts: ['a.sql'] })
  await again.delete(first.id)
  expect((await opened()).list()).toEqual([second])
  expect((await readdir(folder)).sort()).toEqual([second.id, 'notes.txt'].sort())
})

test('unknown jars', async () => {
  const store = await opened()
  for (const id of ['nope.jar', '../secret.key', '']) {
    expect(() => store.get(id)).toThrow(`Jar file ${folder}/${id} does not exist`)
    await expect(store.delete(id)).rejects.toThrow(`File ${id} does not exist in ${folder}.`)
  }
})

test('the same file twice is two jars, also with a clock and randomness that stand still', async () => {
  const store = await opened()
  const ids = new Set([(await put(store, 'a.jar', '1')).id, (await put(store, 'a.jar', '1')).id])
  ids.add((await put(await opened(), 'a.jar', '1')).id)
  expect(ids.size).toBe(3)
})

test('an upload that is broken off leaves nothing, also if the service ends with it', async () => {
  const store = await opened()
  const upload = await store.begin('a.jar', 'a')
  await upload.write(Buffer.from('half'))
  expect(await readdir(folder)).toEqual([expect.stringMatching(/^upload-[0-9a-f-]{36}\.part$/)])
  await upload.discard()
  await upload.discard()
  expect(await readdir(folder)).toEqual([])

  await writeFile(join(folder, 'upload-0f8fad5b-d9cb-869f-a165-70867728950e.part'), 'half')
  const again = await opened()
  expect(again.list()).toEqual([])
  expect(await readdir(folder)).toEqual([])
})

test.each([
  ['a.zip', 'Only Jar files are allowed.'],
  ['a.JAR', 'Only Jar files are allowed.'],
  ['', 'Only Jar files are allowed.'],
  ['../a.jar', 'the file name has a slash or a control character; rename the file'],
  ['a\u0000.jar', 'the file name has a slash or a control character; rename the file'],
  [`${'ö'.repeat(99)}.jar`, 'the file name has 202 bytes; use at most 200'],
])('a jar named %j is refused', async (name, text) => {
  await expect((await opened()).begin(name, 'a')).rejects.toMatchObject({
    code: 'invalid_jar',
    message: text,
  })
})

test('number and bytes are limited, with those that arrive', async () => {
  const store = await opened({ maxJars: 3, maxJarBytes: 100, maxJarDiskBytes: 250 })
  await expect(put(store, 'a.jar', 'x'.repeat(101))).rejects.toMatchObject({ code: 'jar_too_large' })
  await put(store, 'a.jar', 'x'.repeat(100))
  const arriving = await store.begin('b.jar', 'a')
  await arriving.write(Buffer.alloc(100))
  await expect(put(store, 'c.jar', 'x'.repeat(51))).rejects.toMatchObject({ code: 'jars_full' })
  const { id } = await put(store, 'c.jar', 'x'.repeat(50))
  await expect(store.begin('d.jar', 'a')).rejects.toMatchObject({
    code: 'jars_full',
    message: 'there are 3 jars, as many as possible; delete one',
  })
  await store.delete(id)
  await arriving.discard()
  await put(store, 'd.jar', 'x'.repeat(100))
})

test('while the disk has too little free space, nothing is taken', async () => {
  const store = await opened()
  const upload = await store.begin('a.jar', 'a')
  await upload.write(Buffer.alloc(10))
  space.low = true
  await expect(upload.write(Buffer.alloc(10))).rejects.toMatchObject({ code: 'disk_low' })
  await upload.discard()
  await expect(store.begin('a.jar', 'a')).rejects.toMatchObject({ code: 'disk_low' })
  expect(await readdir(folder)).toEqual([])
})

test('uploads at a time are shared by clients', async () => {
  const store = await opened()
  const uploads = []
  for (let i = 0; i < 4; i++) uploads.push(await store.begin(`${i}.jar`, 'heavy'))
  await expect(store.begin('5.jar', 'heavy')).rejects.toMatchObject({ code: 'overloaded' })
  await put(store, 'light.jar', 'x', 'light')
  await uploads[0]!.write(Buffer.from('x'))
  await uploads[0]!.commit()
  await expect(uploads[3]!.write(Buffer.from('x'))).rejects.toMatchObject({ code: 'overloaded' })
  await expect(uploads[3]!.commit()).rejects.toMatchObject({ code: 'overloaded' })
  for (const upload of uploads) await upload.discard()
  expect(
    store
      .list()
      .map(({ name }) => name)
      .sort(),
  ).toEqual(['0.jar', 'light.jar'])
  for (let i = 0; i < 4; i++) await put(store, 'again.jar', 'x', 'heavy')
})
