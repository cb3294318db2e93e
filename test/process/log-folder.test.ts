/** Log files: bounded by two files of a size each, in order, and never a reason to fail. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { LogFolder } from '../../src/process/log-folder.ts'

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'millrace-logs-'))
  onTestFinished(() => rm(made, { recursive: true, force: true }))
  return made
}

test('a full file is renamed and replaces the one before it', async () => {
  const path = await folder()
  const logs = await LogFolder.open(path, 10)
  for (const text of ['aaaa\n', 'bbbb\n', 'cccc\n', 'dddd\n', 'eeee\n']) {
    logs.write('log', text)
    await logs.close()
  }
  expect(await readFile(join(path, 'millrace.log'), 'utf8')).toBe('eeee\n')
  expect(await readFile(join(path, 'millrace.log.1'), 'utf8')).toBe('cccc\ndddd\n')
  expect((await logs.list()).map(({ name, bytes }) => [name, bytes])).toEqual([
    ['millrace.log', 5],
    ['millrace.log.1', 10],
  ])
})

test('lines of an earlier start stay', async () => {
  const path = await folder()
  for (const text of ['first\n', 'second\n']) {
    const logs = await LogFolder.open(path)
    logs.write('log', text)
    await logs.close()
  }
  expect(await readFile(join(path, 'millrace.log'), 'utf8')).toBe('first\nsecond\n')
})

test('only its own files are read', async () => {
  const path = await folder()
  await writeFile(join(path, 'other.log'), 'secret')
  const logs = await LogFolder.open(path)
  for (const name of ['other.log', '../x', '', '/etc/passwd', 'millrace.out'])
    expect(await logs.read(name), name).toBeUndefined()
})

test('texts beyond what may wait are dropped, and a folder that is gone is no failure', async () => {
  const path = await folder()
  const logs = await LogFolder.open(path)
  await rm(path, { recursive: true })
  for (let i = 0; i < 10; i++) logs.write('log', 'x'.repeat(500_000))
  await logs.close()
  expect(await logs.list()).toEqual([])
})

test('a folder that cannot be made is refused with a sentence', async () => {
  const path = await folder()
  await writeFile(join(path, 'file'), '')
  await expect(LogFolder.open(join(path, 'file', 'logs'))).rejects.toThrow(
    /^log folder .* cannot be written: /,
  )
})
