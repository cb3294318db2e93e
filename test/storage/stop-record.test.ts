/**
 * What a clean stop left is there at the next start, or the start refuses and `millrace verify` says what is missing: a
 * write-ahead log or a manifest that is cut later looks just like what a crash leaves.
 */
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { Level as ClassicLevel } from 'level'
import { beforeAll, describe, expect, test } from 'vitest'
import { backup } from '../../src/commands/backup.ts'
import { repair } from '../../src/commands/repair.ts'
import { verify } from '../../src/commands/verify.ts'
import { readRecordLog } from '../../storage/level-files/record-log.ts'
import { runCommand } from '../support/run-command.ts'
import { append, makeSampleStore, openStore, readFolder, streamId } from '../support/sample-store.ts'
import { temporaryFolder } from '../support/service-process.ts'
import { sharedFolder } from '../support/shared-folder.ts'

const around = sharedFolder()
const earlier = join(around.path, 'earlier')
const stopped = join(around.path, 'stopped')
/** As kill -9 leaves it: the same, without a stop. */
const killed = join(around.path, 'killed')

beforeAll(async () => {
  await makeSampleStore(earlier)
  cpSync(earlier, stopped, { recursive: true })
  const store = await openStore(stopped)
  for (let i = 0; i < 20; i++)
    await append(store, streamId('singles'), `acknowledged ${i}`.padEnd(3_000, '.'))
  cpSync(stopped, killed, { recursive: true })
  await store.storage.close()
})

async function copyOf(source = stopped): Promise<string> {
  const folder = join(await temporaryFolder(), 'data')
  cpSync(source, folder, { recursive: true })
  return folder
}

function nameIn(folder: string, pattern: RegExp): string {
  const name = readdirSync(join(folder, 'store')).find((file) => pattern.test(file))
  expect(name, `${pattern} in ${folder}`).toBeDefined()
  return name!
}

function pathIn(folder: string, pattern: RegExp): string {
  return join(folder, 'store', nameIn(folder, pattern))
}

/** What `verify` prints as damage, and what a start says. */
async function found(folder: string) {
  const { code, printed } = await runCommand(verify, ['--data', folder])
  const damage = printed.split('\n').filter((line) => line.startsWith('damaged: store/'))
  let refusal: { code?: string; message?: string } | undefined
  let remarks: readonly string[] = []
  try {
    const { storage } = await openStore(folder)
    remarks = storage.remarks
    await storage.close()
  } catch (error) {
    refusal = error as { code: string; message: string }
  }
  return { code, damage, refusal, remarks }
}

const LOG = /\.log$/
const MANIFEST = /^MANIFEST-/

interface Loss {
  readonly name: string
  readonly change: (folder: string) => unknown
  readonly says: RegExp
}

const losses: readonly Loss[] = [
  {
    name: 'a log cut to half',
    change: (folder) => truncateSync(pathIn(folder, LOG), statSync(pathIn(folder, LOG)).size >> 1),
    says: /\d+\.log at byte \d+: the file has \d+ bytes; when the store was last closed it had \d+\. What was written last is missing/,
  },
  {
    name: 'a log cut to nothing',
    change: (folder) => truncateSync(pathIn(folder, LOG)),
    says: /\d+\.log at byte 0: the file has 0 bytes; when the store was last closed it had \d+\. What was written last is missing/,
  },
  {
    name: 'a log that is gone',
    change: (folder) => rmSync(pathIn(folder, LOG)),
    says: /\d+\.log at byte 0: the file is missing/,
  },
  {
    name: 'a log that ends in zeros',
    change(folder) {
      const bytes = readFileSync(pathIn(folder, LOG))
      writeFileSync(pathIn(folder, LOG), bytes.fill(0, bytes.length - 4_000))
    },
    says: /\d+\.log at byte \d+: the record (is cut off|does not match its checksum); when the store was last closed it was whole/,
  },
  {
    name: 'a log whose last two writes were altered',
    change(folder) {
      const bytes = readFileSync(pathIn(folder, LOG))
      bytes[bytes.length - 5]! ^= 1
      bytes[bytes.length - 50]! ^= 1
      writeFileSync(pathIn(folder, LOG), bytes)
    },
    says: /\d+\.log at byte \d+: the record does not match its checksum; when the store was last closed it was whole/,
  },
  {
    name: 'a log that has grown',
    change: (folder) => writeFileSync(pathIn(folder, LOG), readFileSync(pathIn(folder, LOG)), { flag: 'a' }),
    says: /\d+\.log at byte \d+: (the file has \d+ bytes|the record )/,
  },
  {
    name: 'a log of a later time',
    change: (folder) => copyFileSync(pathIn(earlier, LOG), join(folder, 'store', '999999.log')),
    says: /999999\.log at byte 0: it was not there when the store was last closed/,
  },
  {
    name: 'the folder store of an earlier stop',
    change(folder) {
      rmSync(join(folder, 'store'), { recursive: true })
      cpSync(join(earlier, 'store'), join(folder, 'store'), { recursive: true })
    },
    says: /CURRENT at byte 0: it names "MANIFEST-\d+"; when the store was last closed it named MANIFEST-\d+/,
  },
  {
    name: 'a CURRENT that points to an older manifest',
    change(folder) {
      copyFileSync(pathIn(earlier, MANIFEST), join(folder, 'store', nameIn(earlier, MANIFEST)))
      copyFileSync(join(earlier, 'store', 'CURRENT'), join(folder, 'store', 'CURRENT'))
    },
    says: /(CURRENT|\d+\.(log|ldb)) at byte 0: (it names "MANIFEST|the file is missing)/,
  },
  {
    name: 'no CURRENT',
    change: (folder) => rmSync(join(folder, 'store', 'CURRENT')),
    says: /CURRENT at byte 0: /,
  },
  {
    name: 'nothing in store',
    change(folder) {
      rmSync(join(folder, 'store'), { recursive: true })
      mkdirSync(join(folder, 'store'))
    },
    says: /CURRENT at byte 0: /,
  },
  {
    name: 'no manifest',
    change: (folder) => rmSync(pathIn(folder, MANIFEST)),
    says: /MANIFEST-\d+ at byte 0: /,
  },
  {
    name: 'a manifest that ends in zeros',
    change(folder) {
      const bytes = readFileSync(pathIn(folder, MANIFEST))
      writeFileSync(pathIn(folder, MANIFEST), bytes.fill(0, bytes.length - 10))
    },
    says: /MANIFEST-\d+ at byte 0: (it is not what it was when the store was last closed|the manifest is empty)/,
  },
  {
    name: 'a table that was cut',
    change: (folder) => truncateSync(pathIn(folder, /\.ldb$/), 1_000),
    says: /\d+\.ldb at byte \d+: the file has 1000 bytes instead of \d+/,
  },
  {
    name: 'a table that is gone',
    change: (folder) => rmSync(pathIn(folder, /\.ldb$/)),
    says: /\d+\.ldb at byte 0: the file is missing/,
  },
]

test.each(losses)(
  'after a clean stop, $name is found by verify and by the next start',
  async ({ change, says }) => {
    const folder = await copyOf()
    change(folder)
    const { code, damage, refusal } = await found(folder)
    expect(code).toBe(1)
    expect(damage).toContainEqual(expect.stringMatching(says))
    expect(refusal).toMatchObject({
      code: 'corrupt',
      message: expect.stringContaining(`data folder ${folder} is damaged: store/`),
    })
    expect(existsSync(join(folder, 'STOPPED'))).toBe(true) // and it refuses again
    await expect(openStore(folder)).rejects.toMatchObject({ code: 'corrupt' })
    expect(await runCommand(backup, ['--data', folder, '--to', `${folder}.copy`])).toMatchObject({ code: 1 })
  },
)

test.each([LOG, MANIFEST])(
  'cut anywhere, %s does not pass for whole',
  { timeout: 120_000 },
  async (pattern) => {
    const folder = await copyOf()
    const path = pathIn(folder, pattern)
    const whole = readFileSync(path)
    const boundaries = [...readRecordLog(path)].map(({ offset }) => offset)
    expect(boundaries.length).toBeGreaterThan(1)
    // Every boundary of a record, and the bytes beside it; each of the last bytes.
    const cuts = new Set(boundaries.flatMap((at) => [at - 1, at, at + 1]))
    for (let last = 1; last <= 40; last++) cuts.add(whole.length - last)
    const endWrite = boundaries.at(-1)!
    for (const cut of cuts) {
      if (cut < 0) continue
      writeFileSync(path, whole.subarray(0, cut))
      const { code } = await runCommand(verify, ['--data', folder])
      expect(code, `cut at ${cut}`).toBe(1)
      // The last write of a stop means nothing: without it nothing is missing, and the store opens.
      if (pattern === LOG && cut >= endWrite) continue
      await expect(openStore(folder), `cut at ${cut}`).rejects.toMatchObject({ code: 'corrupt' })
    }
    writeFileSync(path, whole)
    expect(await readFolder(folder)).toEqual(await readFolder(await copyOf()))
  },
)

test('where the last write alone was cut, which means nothing, the store opens, and says so', async () => {
  const whole = await readFolder(await copyOf())
  for (const bytes of [1, 13, 26]) {
    const folder = await copyOf()
    truncateSync(pathIn(folder, LOG), statSync(pathIn(folder, LOG)).size - bytes)
    const { code, damage, refusal, remarks } = await found(folder)
    expect({ code, refusal }).toEqual({ code: 1, refusal: undefined })
    expect(damage).toEqual([expect.stringMatching(/it had \d+\. No event is missing$/)])
    expect(remarks).toEqual([
      expect.stringMatching(/^store\/\d+\.log is damaged at byte \d+: .* No event is missing$/),
    ])
    expect(await readFolder(folder)).toEqual(whole)
  }
})

test('repair saves the rest of a log that was cut, and says that something is missing', async () => {
  const folder = await copyOf()
  truncateSync(pathIn(folder, LOG), statSync(pathIn(folder, LOG)).size >> 1)
  const { code, printed } = await runCommand(repair, ['--data', folder, '--to', `${folder}-repaired`])
  expect([code, printed]).toEqual([
    1,
    expect.stringMatching(/^left out: what was written last, as far as it is lost: store\/\d+\.log /m),
  ])
  const events = (await readFolder(`${folder}-repaired`)).get('default:singles')!
  expect(events.length).toBeGreaterThan(13)
})

describe('the record', () => {
  test('is there while the store is closed, and only then', async () => {
    const folder = await copyOf()
    const record = join(folder, 'STOPPED')
    expect(readFileSync(record, 'utf8')).toMatch(
      /^\{"manifest":\{"name":"MANIFEST-\d+","bytes":\d+,"crc32c":"[0-9a-f]{8}"\},"logs":\[\{"name":"\d+\.log","bytes":\d+\}\]\} crc=[0-9a-f]{8}\n$/,
    )
    const store = await openStore(folder)
    expect(existsSync(record)).toBe(false)
    await append(store, streamId('singles'), 'more')
    expect(existsSync(record)).toBe(false)
    await store.storage.close()
    expect(existsSync(record)).toBe(true)
    expect(await found(folder)).toEqual({ code: 0, damage: [], refusal: undefined, remarks: [] })
  })

  test('is not there after a kill: then a log that ends early is what a crash leaves', async () => {
    const folder = await copyOf(killed)
    expect(existsSync(join(folder, 'STOPPED'))).toBe(false)
    const path = pathIn(folder, LOG)
    truncateSync(path, statSync(path).size - 3)
    expect(await found(folder)).toEqual({ code: 0, damage: [], refusal: undefined, remarks: [] })
  })

  test('is out of date once anything has had the store open, though it is still there', async () => {
    const folder = await copyOf()
    const db = new ClassicLevel(join(folder, 'store'))
    await db.open()
    await db.close()
    expect(existsSync(join(folder, 'STOPPED'))).toBe(true)
    expect(await found(folder)).toEqual({ code: 0, damage: [], refusal: undefined, remarks: [] })
  })

  test('comes back after a power cut, and means nothing', async () => {
    const folder = await copyOf()
    const { storage, ...store } = await openStore(folder)
    await append({ storage, ...store }, streamId('singles'), 'acknowledged, then the power was cut')
    const cut = `${folder}-cut`
    cpSync(folder, cut, { recursive: true })
    copyFileSync(join(stopped, 'STOPPED'), join(cut, 'STOPPED')) // its removal was lost
    await storage.close()
    expect(await found(cut)).toEqual({ code: 0, damage: [], refusal: undefined, remarks: [] })
    expect((await readFolder(cut)).get('default:singles')!.at(-1)!.body).toBe(
      'acknowledged, then the power was cut',
    )
  })

  test('that was altered is reported, and events can still be read', async () => {
    const folder = await copyOf()
    const path = join(folder, 'STOPPED')
    writeFileSync(path, readFileSync(path, 'latin1').replace('"bytes":', '"bytes":9'))
    const { printed } = await runCommand(verify, ['--data', folder])
    expect(printed).toContain('damaged: STOPPED does not match its checksum: ')
    const { code, refusal, remarks } = await found(folder)
    expect({ code, refusal }).toEqual({ code: 1, refusal: undefined })
    expect(remarks).toEqual([expect.stringMatching(/^STOPPED does not match its checksum: /)])
    expect(await found(folder)).toMatchObject({ code: 0, remarks: [] })
  })

  test('goes with a backup, which is checked as well', async () => {
    const folder = await copyOf()
    const copy = `${folder}-copy`
    expect(await runCommand(backup, ['--data', folder, '--to', copy])).toMatchObject({ code: 0 })
    expect(readFileSync(join(copy, 'STOPPED'))).toEqual(readFileSync(join(folder, 'STOPPED')))
    truncateSync(pathIn(copy, LOG), 100)
    expect((await found(copy)).refusal).toMatchObject({ code: 'corrupt' })
  })
})

test('a folder whose stamp is gone is refused, and repaired whole', async () => {
  const folder = await copyOf()
  rmSync(join(folder, 'FORMAT'))
  await expect(openStore(folder)).rejects.toMatchObject({ code: 'format' })
  expect(await runCommand(verify, ['--data', folder])).toMatchObject({ code: 2 })
  expect(await runCommand(repair, ['--data', folder, '--to', `${folder}-repaired`])).toMatchObject({
    code: 0,
  })
})

describe('the identity', () => {
  const identityOf = (folder: string) => readFileSync(join(folder, 'IDENTITY'), 'utf8')

  test('is made with the folder and stays', async () => {
    const folder = await copyOf()
    const identity = identityOf(folder)
    expect(identity).toMatch(/^millrace-store [0-9a-f]{8} crc=[0-9a-f]{8}\n$/)
    await readFolder(folder)
    expect(identityOf(folder)).toBe(identity)
    const other = join(await temporaryFolder(), 'other')
    await makeSampleStore(other)
    expect(identityOf(other)).not.toBe(identity)
  })

  test('does not go with a backup, which gets its own when it is put into service, each time', async () => {
    const folder = await copyOf()
    const copy = `${folder}-copy`
    await runCommand(backup, ['--data', folder, '--to', copy])
    expect(existsSync(join(copy, 'IDENTITY'))).toBe(false)
    expect((await found(copy)).code).toBe(0)
    const again = `${folder}-again`
    await runCommand(backup, ['--data', folder, '--to', again])
    await readFolder(again)
    expect(new Set([folder, copy, again].map(identityOf)).size).toBe(3)
  })

  test('that was altered is refused with what to do, and found by verify', async () => {
    const folder = await copyOf()
    writeFileSync(join(folder, 'IDENTITY'), identityOf(folder).replace(/ [0-9a-f]{8} /, ' 12345678 '))
    const text = expect.stringMatching(
      /IDENTITY is damaged: it holds "millrace-store 12345678 .*\. Remove it, and /,
    )
    await expect(openStore(folder)).rejects.toMatchObject({ code: 'corrupt', message: text })
    const { code, printed } = await runCommand(verify, ['--data', folder])
    expect([code, printed]).toEqual([1, text])
    rmSync(join(folder, 'IDENTITY'))
    expect(await found(folder)).toMatchObject({ code: 0, refusal: undefined })
  })
})
