/** Where savepoints may be: paths and URIs, `..`, symbolic links. */
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { locationOf, SavepointPlaces } from '../../../src/jobs/savepoints/savepoint-places.ts'

let base: string
let places: SavepointPlaces

beforeAll(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), 'places-')))
  for (const name of ['outside/deep', 'roots/one', 'roots/one-more', 'dir/sp'])
    await mkdir(join(base, name), { recursive: true })
  await symlink(join(base, 'outside'), join(base, 'dir', 'leaves'))
  await symlink(join(base, 'roots', 'one'), join(base, 'dir', 'to-root'))
  await symlink(join(base, 'nowhere'), join(base, 'dir', 'dangling'))
  await writeFile(join(base, 'dir', 'sp', '_metadata'), '{}')
  places = new SavepointPlaces(join(base, 'dir'), [join(base, 'roots', 'one')])
})

afterAll(() => rm(base, { recursive: true }))

const uri = (path: string) => pathToFileURL(join(base, path)).href

const INSIDE: readonly (readonly [name: string, directory: () => string | undefined, path: string])[] = [
  ['nothing', () => undefined, 'dir'],
  ['a path', () => join(base, 'dir', 'a'), 'dir/a'],
  ['a path of several new folders', () => join(base, 'dir', 'b', 'c', 'd'), 'dir/b/c/d'],
  ['the directory itself', () => join(base, 'dir'), 'dir'],
  ['a slash at the end', () => `${join(base, 'dir')}/`, 'dir'],
  ['a root', () => join(base, 'roots', 'one'), 'roots/one'],
  ['a file URI', () => uri('roots/one/x'), 'roots/one/x'],
  ['a file URI without slashes', () => `file:${join(base, 'dir', 'y')}`, 'dir/y'],
  ['a URI with an encoded space', () => uri('dir/with space'), 'dir/with space'],
  ['.. that stays inside', () => `${join(base, 'dir')}/a/../e`, 'dir/e'],
  ['a relative path', () => 'f/g', 'dir/f/g'],
  ['a link to another root', () => join(base, 'dir', 'to-root', 'h'), 'roots/one/h'],
]

const OUTSIDE: readonly (readonly [name: string, directory: () => string])[] = [
  ['another folder', () => join(base, 'outside')],
  ['the root of the file system', () => '/'],
  ['..', () => join(base, 'dir', '..')],
  ['.. in the middle', () => `${join(base, 'dir')}/a/../../outside`],
  ['.. in a relative path', () => '../outside'],
  ['.. in a URI', () => `${uri('dir')}/../outside`],
  ['encoded .. in a URI', () => `${uri('dir')}/%2e%2e/outside`],
  ['an encoded slash in a URI', () => `${uri('dir')}/..%2foutside`],
  ['a link that leaves', () => join(base, 'dir', 'leaves')],
  ['a new folder behind a link that leaves', () => join(base, 'dir', 'leaves', 'new')],
  ['a name that begins as a root', () => join(base, 'roots', 'one-more')],
  ['another scheme', () => 's3://bucket/sp'],
  ['another machine', () => 'file://elsewhere/tmp/sp'],
  ['an empty text', () => ''],
  ['a zero byte', () => `${join(base, 'dir')}/a\0b`],
  ['a very long text', () => `${join(base, 'dir')}/${'a/'.repeat(4_000)}`],
]

describe('the folder of a new savepoint', () => {
  test.each(INSIDE)('%s is inside', async (_, directory, path) => {
    expect(await places.target(directory())).toBe(join(base, path))
  })

  test.each(OUTSIDE)('%s is refused', async (_, directory) => {
    const text = directory().slice(0, 1_000)
    await expect(places.target(directory())).rejects.toMatchObject({
      code: 'savepoint_outside',
      message: `target-directory '${text}' is outside of the savepoint directories; start with --savepoint-root ${text}, or leave it out`,
    })
  })

  test('a link to a folder that is missing makes nothing', async () => {
    await expect(places.target(join(base, 'dir', 'dangling', 'x'))).rejects.toThrow()
  })
})

describe('a savepoint that is named', () => {
  test.each([
    ['its folder', () => join(base, 'dir', 'sp')],
    ['its URI', () => uri('dir/sp')],
    ['its _metadata', () => join(base, 'dir', 'sp', '_metadata')],
  ])('%s', async (_, location) => {
    expect(await places.savepoint(location())).toBe(join(base, 'dir', 'sp'))
  })

  test.each([...OUTSIDE, ['a savepoint directory itself', () => join(base, 'dir')] as const])(
    '%s is refused',
    async (_, location) => {
      await expect(places.savepoint(location())).rejects.toMatchObject({ code: 'savepoint_outside' })
    },
  )
})

test('a location is a file URI', () => {
  expect(locationOf('/a b/c')).toBe('file:///a%20b/c')
})
