/** The fixture of this format opens with every event; a folder of any other format is refused and left as it is. */
import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { backup } from '../../src/commands/backup.ts'
import type { Command } from '../../src/commands/command.ts'
import { importEvents } from '../../src/commands/import.ts'
import { repair } from '../../src/commands/repair.ts'
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

const BEFORE_RELEASE =
  'which was used only before the first release; this Millrace reads format 3. ' +
  'Export its streams with the version that wrote it, and import them into a new folder with this one'

const otherFormats: readonly { readonly version: number; readonly says: string }[] = [
  { version: 1, says: `has format 1, ${BEFORE_RELEASE}` },
  { version: 2, says: `has format 2, ${BEFORE_RELEASE}` },
  {
    version: FORMAT_VERSION + 1,
    says: `has format ${FORMAT_VERSION + 1}; this Millrace reads formats up to ${FORMAT_VERSION}, use a newer one`,
  },
]

const commands: readonly { readonly command: Command; readonly args: readonly string[] }[] = [
  { command: verify, args: [] },
  { command: backup, args: ['--to'] },
  { command: repair, args: ['--to'] },
  { command: importEvents, args: ['--stream', 'new'] },
]

test.each(otherFormats)(
  'a folder of format $version is refused by the service and by every command, and no byte of it changes',
  async ({ version, says }) => {
    const folder = await copyOf(FORMAT_VERSION)
    await writeFile(join(folder, 'FORMAT'), `millrace-data ${version}\n`)
    const message = `data folder ${folder} ${says}`
    const before = await filesOf(folder)
    await expect(openStore(folder)).rejects.toMatchObject({ code: 'format', message })
    for (const { command, args } of commands) {
      const target = join(await temporaryFolder(), 'new')
      const all = ['--data', folder, ...args, ...(args.at(-1) === '--to' ? [target] : [])]
      expect(await runCommand(command, all)).toEqual({ code: 2, printed: '', told: message })
    }
    expect(await filesOf(folder)).toEqual(before)
  },
)
