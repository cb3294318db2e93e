/** What a jar holds, and the archives that are refused. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deflateRawSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { contentsOf, scriptsOf } from '../../src/jars/jar-contents.ts'
import { type JarEnd, type JarEntry, jarOf } from '../support/jars.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-jars-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

let files = 0
async function stored(bytes: Uint8Array): Promise<string> {
  const path = join(folder, `${++files}.jar`)
  await writeFile(path, bytes)
  return path
}

const MANIFEST = 'META-INF/MANIFEST.MF'

test.each<{ what: string; entries: Record<string, string>; classes?: string[]; scripts?: string[] }>([
  { what: 'nothing', entries: {} },
  { what: 'classes', entries: { 'A.class': 'x' } },
  {
    what: 'a main class',
    entries: {
      [MANIFEST]: 'Manifest-Version: 1.0\r\nMain-Class: org.example.Main\r\n\r\nName: a\r\nMain-Class: b\r\n',
    },
    classes: ['org.example.Main'],
  },
  {
    what: 'a continued line, and classes of a program before the main class',
    entries: { [MANIFEST]: 'main-class: M\nProgram-Class: org.exa\n mple.A, B\n' },
    classes: ['org.example.A', 'B'],
  },
  {
    what: 'scripts, of which those elsewhere do not count',
    entries: {
      'sql/a.sql': '1',
      'b.sql': '2',
      'B.sql': '3',
      'sql/deep/c.sql': '',
      'lib/d.sql': '',
      '../e.sql': '',
      'sql/../f.sql': '',
      '/g.sql': '',
      'C:h.sql': '',
      '..\\i.sql': '',
      'j.sql/': '',
      '.sql': '',
      'k.sqlx': '',
    },
    scripts: ['B.sql', 'b.sql', 'sql/a.sql'],
  },
])('a jar with $what', async ({ entries, classes = [], scripts = [] }) => {
  const path = await stored(jarOf(entries))
  expect(await contentsOf(path)).toEqual({ entryClasses: classes, scripts, problem: undefined })
  expect((await scriptsOf(path)).map(({ name, text }) => [name, text])).toEqual(
    scripts.map((name) => [name, entries[name]]),
  )
})

test.each<{ what: string; entry?: Partial<JarEntry>; end?: JarEnd; text?: string }>([
  { what: 'stored without compression', entry: { isStored: true } },
  { what: 'with a data descriptor, as the tool jar writes it', entry: { flags: 8 } },
  { what: 'behind a shell script', end: { before: Buffer.from('#!/bin/sh\nexec java -jar "$0"\n') } },
  {
    what: 'with a comment that contains an end record',
    end: { comment: Buffer.from('PK\u0005\u0006 and more than 22 bytes') },
  },
  { what: 'with a byte order mark', entry: { content: '\ufeffSELECT' }, text: 'SELECT' },
  { what: 'with text in all planes', entry: { content: '-- zwölf 🚀' }, text: '-- zwölf 🚀' },
])('a script $what is read', async ({ entry, end, text = 'INSERT' }) => {
  const path = await stored(jarOf([{ name: 'a.sql', content: 'INSERT', ...entry }], end))
  expect(await scriptsOf(path)).toEqual([{ name: 'a.sql', text }])
})

const BOMB = Buffer.alloc(48 * 1024 * 1024)

describe('refused', () => {
  test.each<{ what: string; bytes: Uint8Array; problem: string }>([
    { what: 'an empty file', bytes: Buffer.alloc(0), problem: 'it is no ZIP archive, or its end is missing' },
    {
      what: 'a text',
      bytes: Buffer.from('INSERT INTO a'),
      problem: 'it is no ZIP archive, or its end is missing',
    },
    {
      what: 'a cut archive',
      bytes: jarOf({ 'a.sql': 'x' }).subarray(0, -1),
      problem: 'it is no ZIP archive, or its end is missing',
    },
    {
      what: 'ZIP64',
      bytes: jarOf({ 'a.sql': 'x' }, { count: 0xffff }),
      problem: 'it is in the form ZIP64, which is not read; put fewer files into it',
    },
    {
      what: 'a directory behind the end',
      bytes: jarOf({ 'a.sql': 'x' }, { directoryBytes: 1 << 20 }),
      problem: 'its central directory is longer than the file',
    },
    {
      what: 'a directory at another place',
      bytes: jarOf({ 'a.sql': 'x' }, { directoryStart: 1 << 20 }),
      problem: 'its central directory is not where its end record says',
    },
    {
      what: 'fewer entries than it says',
      bytes: jarOf({ 'a.sql': 'x' }, { count: 2 }),
      problem: 'its central directory ends at entry 1 of 2',
    },
    {
      what: 'an entry twice',
      bytes: jarOf([
        { name: 'a.sql', content: 'x' },
        { name: 'a.sql', content: 'y' },
      ]),
      problem: 'it has the entry a.sql twice',
    },
  ])('$what', async ({ bytes, problem }) => {
    const path = await stored(bytes)
    expect(await contentsOf(path)).toEqual({ entryClasses: [], scripts: [], problem })
    await expect(scriptsOf(path)).rejects.toThrow(problem)
  })

  test.each<{ what: string; entry: Partial<JarEntry>; problem: string }>([
    {
      what: 'encrypted',
      entry: { flags: 1 },
      problem: 'its entry a.sql is encrypted; store it without a password',
    },
    {
      what: 'of another method',
      entry: { method: 12 },
      problem: 'its entry a.sql is compressed by method 12; use deflate, or none',
    },
    { what: 'longer than it says', entry: { content: 'x'.repeat(1000), bytes: 10 }, problem: 'damaged' },
    { what: 'shorter than it says', entry: { bytes: 100 }, problem: 'damaged' },
    { what: 'with another checksum', entry: { crc: 1 }, problem: 'damaged' },
    { what: 'with another name before its data', entry: { localName: 'b.sql' }, problem: 'damaged' },
    { what: 'behind the end', entry: { start: 1 << 30 }, problem: 'damaged' },
    { what: 'that reaches into the directory', entry: { packedBytes: 500 }, problem: 'damaged' },
    { what: 'that is no deflated data', entry: { isStored: true, method: 8 }, problem: 'damaged' },
    {
      what: 'that is too long',
      entry: { content: 'x'.repeat(524_289) },
      problem: 'its scripts have more than 524288 bytes; make them shorter',
    },
    {
      what: 'not in UTF-8',
      entry: { content: Buffer.from([0xff]) },
      problem: 'its entry a.sql is not UTF-8; save it as UTF-8',
    },
  ])('a script $what', async ({ entry, problem }) => {
    const path = await stored(jarOf([{ name: 'a.sql', content: 'INSERT', ...entry }]))
    expect(await contentsOf(path)).toMatchObject({ scripts: ['a.sql'] })
    await expect(scriptsOf(path)).rejects.toThrow(problem)
  })

  test('a bomb that claims to be short, without memory for what it would be', async () => {
    const packed = deflateRawSync(BOMB)
    const bytes = jarOf([{ name: 'a.sql', content: packed, isStored: true, method: 8, bytes: 500_000 }])
    const before = process.memoryUsage().rss
    await expect(scriptsOf(await stored(bytes))).rejects.toThrow('damaged')
    expect(process.memoryUsage().rss - before).toBeLessThan(24 * 1024 * 1024)
  })

  test('many scripts, and many bytes in them', async () => {
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`${i}.sql`, 'x']))
    await expect(scriptsOf(await stored(jarOf(many)))).rejects.toThrow(
      'it has 65 scripts; at most 64 are possible',
    )
    const long = Object.fromEntries(['a', 'b', 'c'].map((name) => [`${name}.sql`, 'x'.repeat(200_000)]))
    await expect(scriptsOf(await stored(jarOf(long)))).rejects.toThrow(
      'its scripts have more than 524288 bytes',
    )
  })

  test('a directory of many megabytes', async () => {
    const name = 'x'.repeat(60_000)
    const bytes = jarOf(
      Array.from({ length: 300 }, (_, i) => ({ name: `${name}${i}`, content: '', localName: '' })),
    )
    expect((await contentsOf(await stored(bytes))).problem).toContain('at most 16777216 are read')
  })
})

test('a jar of 10,000 classes is read', async () => {
  const classes = Array.from({ length: 10_000 }, (_, i) => ({
    name: `org/example/C${i}.class`,
    content: '',
    isStored: true,
  }))
  const path = await stored(jarOf([...classes, { name: 'a.sql', content: 'INSERT' }]))
  expect(await contentsOf(path)).toMatchObject({ scripts: ['a.sql'], problem: undefined })
})

test('a broken manifest names no classes', async () => {
  const path = await stored(jarOf([{ name: MANIFEST, content: 'Main-Class: A', crc: 1 }]))
  expect(await contentsOf(path)).toEqual({ entryClasses: [], scripts: [], problem: undefined })
})
