/** `millrace backup`: a copy that opens with everything in it, or no folder at all. */
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { backup } from '../../src/commands/backup.ts'
import { filesOf } from '../support/files-of.ts'
import { runCommand } from '../support/run-command.ts'
import { sampleSavepoint } from '../support/sample-savepoint.ts'
import { makeSampleStore, readFolder } from '../support/sample-store.ts'
import { temporaryFolder } from '../support/service-process.ts'
import { sharedFolder } from '../support/shared-folder.ts'

const sample = sharedFolder()
beforeAll(() => makeSampleStore(sample.path))

async function folders(): Promise<{ data: string; copy: string; around: string }> {
  const around = await temporaryFolder()
  await cp(sample.path, join(around, 'data'), { recursive: true })
  return { data: join(around, 'data'), copy: join(around, 'backups', 'copy'), around }
}

test.each([[[]], [['--no-verify']]])(
  'with %j the copy has everything, and the store is as it was',
  async (flags) => {
    const { data, copy } = await folders()
    const before = await filesOf(data)
    const { code, printed, told } = await runCommand(backup, ['--data', data, '--to', copy, ...flags])
    expect({ code, told }).toEqual({ code: 0, told: '' })
    expect(printed).toMatch(/^\d+ files copied, \d+ kB\n/)
    expect(printed.endsWith('sound\n')).toBe(flags.length === 0)
    expect(await filesOf(data)).toEqual(before)
    for (const [name, bytes] of await filesOf(copy)) expect(before.get(name), name).toBe(bytes)
    expect(await readFolder(copy)).toEqual(await readFolder(data))
  },
)

test('what LevelDB no longer needs is not copied', async () => {
  const { data, copy } = await folders()
  await writeFile(join(data, 'store', '999999.ldb'), 'left over')
  await runCommand(backup, ['--data', data, '--to', copy])
  const names = await readdir(join(copy, 'store'))
  expect(names).not.toContain('999999.ldb')
  expect(names.filter((name) => name.startsWith('LOG'))).toEqual([])
})

test('the states of jobs and the key of secrets are copied with the store, and nothing else', async () => {
  const { data, copy } = await folders()
  const job = join('jobs', '0123456789abcdef0123456789abcdef')
  await mkdir(join(data, job, 'deeper'), { recursive: true })
  await mkdir(join(data, 'jobs-spill'))
  const beside = [
    'secret.key',
    join(job, 'state.duckdb'),
    join(job, 'state.duckdb.wal'),
    join(job, 'deeper', 'x'),
  ]
  for (const name of [...beside, join('jobs-spill', 'temporary')])
    await writeFile(join(data, name), `bytes of ${name}`)
  expect(await runCommand(backup, ['--data', data, '--to', copy])).toMatchObject({ code: 0 })
  const [before, copied] = [await filesOf(data), await filesOf(copy)]
  expect([...copied.keys()].filter((name) => /secret|jobs/.test(name)).sort()).toEqual(beside.sort())
  for (const name of beside) expect(copied.get(name)).toBe(before.get(name))
})

test('complete savepoints of jobs are copied and checked', async () => {
  const { data, copy } = await folders()
  await sampleSavepoint(join(data, 'savepoints', 'of-shop', 'savepoint-aaaaaa-000000000001'))
  await mkdir(join(data, 'savepoints', 'savepoint-aaaaaa-000000000002.partial'))
  const { code, printed } = await runCommand(backup, ['--data', data, '--to', copy])
  expect([code, printed.includes('1 savepoint of jobs\n')]).toEqual([0, true])
  expect(await readdir(join(copy, 'savepoints'))).toEqual(['of-shop'])
  const names = await readdir(join(copy, 'savepoints', 'of-shop', 'savepoint-aaaaaa-000000000001'))
  expect(names.sort()).toEqual(['_metadata', 'kept_w0-0.parquet'])
})

test('a copy into a folder that is empty is made', async () => {
  const { data, copy } = await folders()
  await mkdir(copy, { recursive: true })
  expect(await runCommand(backup, ['--data', data, '--to', copy])).toMatchObject({ code: 0 })
})

const refusals: { name: string; prepare: (copy: string) => Promise<unknown>; says: RegExp }[] = [
  {
    name: 'a folder with something in it',
    prepare: async (copy) => {
      await mkdir(copy, { recursive: true })
      await writeFile(join(copy, 'a'), 'a')
    },
    says: /is there already and not empty/,
  },
  {
    name: 'a backup that did not end',
    prepare: (copy) => mkdir(`${copy}.partial`, { recursive: true }),
    says: /\.partial is from a run that did not end; remove it first$/,
  },
]

test.each(refusals)('$name is refused and left as it is', async ({ prepare, says }) => {
  const { data, copy, around } = await folders()
  await prepare(copy)
  const before = await filesOf(around)
  const run = await runCommand(backup, ['--data', data, '--to', copy])
  expect({ ...run, told: says.test(run.told) }).toEqual({ code: 2, printed: '', told: true })
  expect(await filesOf(around)).toEqual(before)
})

test('a folder that cannot be made is named', async () => {
  const { data, around } = await folders()
  await writeFile(join(around, 'file'), '')
  const copy = join(around, 'file', 'copy')
  const { code, told } = await runCommand(backup, ['--data', data, '--to', copy])
  expect({ code, told }).toEqual({
    code: 2,
    told: expect.stringContaining(`${copy} cannot be made: ENOTDIR`),
  })
})

const rotten = [
  { name: 'a table', pattern: /\.ldb$/, verified: true },
  { name: 'the manifest', pattern: /^MANIFEST/, verified: false },
]

test.each(rotten)('a store with damage in $name is not copied', async ({ pattern }) => {
  const { data, copy, around } = await folders()
  const name = (await readdir(join(data, 'store'))).find((file) => pattern.test(file))!
  const bytes = await readFile(join(data, 'store', name))
  bytes[15]! ^= 4
  await writeFile(join(data, 'store', name), bytes)
  const { code, printed, told } = await runCommand(backup, ['--data', data, '--to', copy])
  expect(code).toBe(1)
  expect(printed).toContain('damaged: store/')
  expect(told).toMatch(/^nothing was copied: .* is damaged, and 'millrace repair' saves the readable part\n$/)
  expect(await readdir(join(around, 'backups')).catch(() => [])).toEqual([])
})
