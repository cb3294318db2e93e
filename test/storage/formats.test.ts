/** A data folder of each format there has been opens in this code, with every event equal; a newer one stays as it is. */
import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { verify } from '../../src/commands/verify.ts'
import { FORMAT_VERSION } from '../../storage/level/format-stamp.ts'
import { filesOf } from '../support/files-of.ts'
import { runCommand } from '../support/run-command.ts'
import { openStore } from '../support/sample-store.ts'
import { temporaryFolder } from '../support/service-process.ts'
import {
  contentOf,
  fixtureContentPath,
  fixtureFolder,
  fixtureVersions,
  makeFixture,
} from './format-fixtures.ts'

test.runIf(process.env.MAKE_FIXTURE === '1')('the fixture of this format is made', makeFixture)

test('the current format has a fixture', () => {
  expect(fixtureVersions()).toContain(FORMAT_VERSION)
})

async function copyOf(version: number): Promise<string> {
  const folder = await temporaryFolder()
  await cp(fixtureFolder(version), folder, { recursive: true })
  return folder
}

test.each(fixtureVersions())(
  'a folder of format %i opens with every event it had, again and again',
  async (version) => {
    const wanted = JSON.parse(await readFile(fixtureContentPath(version), 'utf8'))
    const folder = await copyOf(version)
    expect(await readFile(join(folder, 'FORMAT'), 'utf8')).toBe(`millrace-data ${version}\n`)
    expect(await contentOf(folder)).toEqual(wanted)
    expect(await contentOf(folder)).toEqual(wanted)
    expect(await readFile(join(folder, 'FORMAT'), 'utf8')).toBe(`millrace-data ${FORMAT_VERSION}\n`)
  },
)

test.each(fixtureVersions())('a folder of format %i verifies as it is', async (version) => {
  const { code, printed } = await runCommand(verify, ['--data', await copyOf(version)])
  expect([code, printed]).toEqual([0, expect.stringContaining(`format ${version}, `)])
})

test('so does one of format 1, of which the fixture was made without a counter', async () => {
  const { printed } = await runCommand(verify, ['--data', await copyOf(1)])
  expect(printed.split('\n').filter((line) => line.startsWith('damaged: '))).toEqual([
    'damaged: the log of stream default:a has never been handed out',
    'damaged: counters/logs is 0, and there is a log 4294967295',
    'damaged: 2 findings',
  ])
})

test('a folder of a newer format is refused with a sentence, and no byte of it changes', async () => {
  const folder = await copyOf(FORMAT_VERSION)
  await writeFile(join(folder, 'FORMAT'), `millrace-data ${FORMAT_VERSION + 1}\n`)
  const before = await filesOf(folder)
  await expect(openStore(folder)).rejects.toMatchObject({
    code: 'format',
    message: `data folder ${folder} has format ${FORMAT_VERSION + 1}; this Millrace reads formats up to ${FORMAT_VERSION}, use a newer one`,
  })
  expect(await filesOf(folder)).toEqual(before)
})
