/** Folders are made with those above them, or the reason why not is an error at once. */
import { mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeFolder } from '../../storage/make-folder.ts'
import { temporaryFolder } from '../support/service-process.ts'

test('all folders that are missing are made and named, the outermost first', async () => {
  const top = await temporaryFolder()
  expect(makeFolder(join(top, 'a', 'b'))).toEqual([join(top, 'a'), join(top, 'a', 'b')])
  expect(makeFolder(join(top, 'a', 'b', 'c'), 0o700)).toEqual([join(top, 'a', 'b', 'c')])
  expect(makeFolder(join(top, 'a', 'b'))).toEqual([])
  if (process.platform !== 'win32') {
    expect(statSync(join(top, 'a', 'b', 'c')).mode & 0o777).toBe(0o700)
  }
})

test('a link to a folder is a folder', async () => {
  const top = await temporaryFolder()
  mkdirSync(join(top, 'folder'))
  symlinkSync(join(top, 'folder'), join(top, 'link'))
  expect(makeFolder(join(top, 'link'))).toEqual([])
})

test('a file in the way, and a link that leads nowhere, are errors', async () => {
  const top = await temporaryFolder()
  writeFileSync(join(top, 'file'), '')
  symlinkSync(join(top, 'nowhere'), join(top, 'link'))
  expect(() => makeFolder(join(top, 'file'))).toThrow(/^EEXIST/)
  expect(() => makeFolder(join(top, 'file', 'a'))).toThrow(/^ENOTDIR/)
  expect(() => makeFolder(join(top, 'link'))).toThrow(
    `EEXIST: ${join(top, 'link')} is a link to ${join(top, 'nowhere')}, which does not exist`,
  )
})

test('where the system makes no folder in a folder that is there, that is an error, not a wait', ({
  skip,
}) => {
  if (process.platform !== 'linux') skip('only Linux has such a /proc')
  expect(() => makeFolder('/proc/millrace/data')).toThrow(/^ENOENT/)
})
