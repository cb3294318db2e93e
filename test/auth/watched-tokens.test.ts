/** A token file that changes under a running service, in all the ways in which files change. */
import { rmSync, writeFileSync } from 'node:fs'
import {
  chmod,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { printTokenFile } from '../../src/auth/token-file.ts'
import { changeTokenFile, readTokenFile } from '../../src/auth/token-file-on-disk.ts'
import type { TokensChange } from '../../src/auth/tokens.ts'
import { WatchedTokens } from '../../src/auth/watched-tokens.ts'
import { ALL, secretNumber, type TestToken, tokenEntry, tokenFile } from '../support/tokens.ts'

function text(tokens: readonly TestToken[], first = 1): string {
  return printTokenFile(tokens.map((token, i) => tokenEntry(token, secretNumber(first + i))))
}

async function watching(tokens: readonly TestToken[]) {
  const { path } = await tokenFile(tokens)
  const changes: TokensChange[] = []
  const problems: string[] = []
  const clock = { nowMs: 0 }
  const watched = await WatchedTokens.open(path, {
    nowMs: () => clock.nowMs,
    onChange: (change) => changes.push(change),
    onProblem: (problem) => problems.push((problem as Error).message),
  })
  return {
    path,
    changes,
    problems,
    clock,
    poll: () => watched.poll(),
    /** Names of the tokens whose secrets, by number, are good. */
    good: (...numbers: number[]) =>
      numbers.map((number) => {
        const found = watched.tokens.find(secretNumber(number), clock.nowMs)
        return typeof found === 'string' ? found : found.name
      }),
    watched,
  }
}

const ways = [
  {
    way: 'another file takes its place',
    async write(path: string, content: string) {
      await writeFile(`${path}.other`, content)
      await rename(`${path}.other`, path)
    },
  },
  { way: 'it is written over', write: (path: string, content: string) => writeFile(path, content) },
  {
    way: 'it is written over, and given its old time',
    async write(path: string, content: string) {
      const { atime, mtime } = await stat(path)
      await writeFile(path, content)
      await utimes(path, atime, mtime)
    },
  },
]

describe.each(ways)('when $way', ({ write }) => {
  test('tokens come and go', async () => {
    const { path, poll, good, changes, problems } = await watching([{ name: 'a' }, { name: 'b' }])
    expect(good(1, 2, 3)).toEqual(['a', 'b', 'unknown'])
    await write(path, text([{ name: 'b' }, { name: 'c' }], 2))
    await poll()
    expect(good(1, 2, 3)).toEqual(['unknown', 'b', 'c'])
    expect(changes).toEqual([{ added: ['c'], removed: ['a'], changed: [] }])
    expect(problems).toEqual([])
  })

  test('a content of the same length is seen, too', async () => {
    const { path, poll, good } = await watching([{ name: 'a' }])
    for (let number = 2; number < 20; number++) {
      await write(path, text([{ name: 'a' }], number))
      await poll()
      expect(good(number - 1, number)).toEqual(['unknown', 'a'])
    }
  })

  test.each([
    {
      what: 'half a file',
      broken: text([{ name: 'a' }, { name: 'c' }]).slice(0, 50),
      says: /it is not JSON$/,
    },
    { what: 'an empty file', broken: '', says: /it is not JSON$/ },
    { what: 'a file of something else', broken: '{"users":[]}', says: /has a member that is none of/ },
  ])('$what leaves the tokens as they were, is reported once, and forgotten', async ({ broken, says }) => {
    const { path, poll, good, changes, problems } = await watching([{ name: 'a' }, { name: 'b' }])
    await write(path, broken)
    for (let i = 0; i < 3; i++) await poll()
    expect(good(1, 2)).toEqual(['a', 'b'])
    expect(problems).toEqual([expect.stringMatching(says)])
    expect(problems[0]).toContain(path)
    await write(path, text([{ name: 'a' }]))
    await poll()
    await poll()
    expect(good(1, 2)).toEqual(['a', 'unknown'])
    expect(changes).toEqual([{ added: [], removed: ['b'], changed: [] }])
  })
})

test('two writes within one tick of the clock of the file system', async () => {
  const { path } = await tokenFile([{ name: 'a' }])
  let stamp = '1'
  const watched = await WatchedTokens.open(path, {
    nowMs: () => 0,
    onChange() {},
    onProblem() {},
    stampOf: async () => stamp,
  })
  stamp = '2'
  await writeFile(path, text([{ name: 'b' }], 2))
  await watched.poll()
  await writeFile(path, text([{ name: 'c' }], 3))
  await watched.poll()
  expect(watched.tokens.find(secretNumber(2), 0)).toBe('unknown')
  expect(watched.tokens.find(secretNumber(3), 0)).toMatchObject({ name: 'c' })
})

test('a file that is gone leaves the tokens as they were, until it is back', async () => {
  const { path, poll, good, problems } = await watching([{ name: 'a' }])
  await rm(path)
  for (let i = 0; i < 3; i++) await poll()
  expect(good(1)).toEqual(['a'])
  expect(problems).toEqual([
    expect.stringMatching(/^there is no token file .*; make one with millrace token add/),
  ])
  await writeFile(path, text([{ name: 'b' }], 2))
  await poll()
  expect(good(1, 2)).toEqual(['unknown', 'b'])
})

test('a file that all users may write is refused', async ({ skip }) => {
  if (process.platform === 'win32') skip('there are no such modes on Windows')
  const { path, poll, good, problems } = await watching([{ name: 'a' }])
  await writeFile(path, text([{ name: 'b' }], 2))
  await chmod(path, 0o666)
  await poll()
  expect(good(1, 2)).toEqual(['a', 'unknown'])
  expect(problems).toEqual([expect.stringContaining('all users may write it; forbid that with chmod 600')])
  await chmod(path, 0o644)
  await poll()
  expect(good(1, 2)).toEqual(['unknown', 'b'])
})

test('a link to a folder that is changed at once, as Kubernetes does it', async ({ skip }) => {
  if (process.platform === 'win32') skip('links need rights on Windows')
  const { path } = await tokenFile([{ name: 'a' }])
  const folder = dirname(path)
  for (const [version, content] of [
    ['v1', text([{ name: 'a' }])],
    ['v2', text([{ name: 'b' }], 2)],
  ] as const) {
    await mkdir(join(folder, version))
    await writeFile(join(folder, version, 'tokens.json'), content)
  }
  await symlink('v1', join(folder, 'now'))
  const watched = await WatchedTokens.open(join(folder, 'now', 'tokens.json'), {
    nowMs: () => 0,
    onChange() {},
    onProblem() {},
  })
  await symlink('v2', join(folder, 'next'))
  await rename(join(folder, 'next'), join(folder, 'now'))
  await watched.poll()
  expect(watched.tokens.find(secretNumber(1), 0)).toBe('unknown')
  expect(watched.tokens.find(secretNumber(2), 0)).toMatchObject({ name: 'b' })
})

test('a token that stays as it is keeps its debts, one with another rate begins anew', async () => {
  const { path, poll, watched } = await watching([{ name: 'a', eventsPerSecond: 10 }])
  const rateOf = () => {
    const client = watched.tokens.find(secretNumber(1), 0)
    return typeof client === 'string' ? undefined : client.rate
  }
  rateOf()!.take(0, 100, 0)
  await writeFile(path, text([{ name: 'a', eventsPerSecond: 10 }, { name: 'b' }]))
  await poll()
  expect(rateOf()!.waitMs(0)).toBeGreaterThan(0)
  await writeFile(path, text([{ name: 'a', eventsPerSecond: 20 }, { name: 'b' }]))
  await poll()
  await poll()
  expect(rateOf()!.waitMs(0)).toBe(0)
})

test('a token is good until the very moment at which it expires', async () => {
  const { clock, good } = await watching([{ name: 'a', expiresMs: 1000 }])
  clock.nowMs = 999
  expect(good(1)).toEqual(['a'])
  clock.nowMs = 1000
  expect(good(1)).toEqual(['expired'])
})

test('it looks by itself until it is stopped', async () => {
  const { path, good, watched } = await watching([{ name: 'a' }])
  watched.watch(5)
  await writeFile(path, text([{ name: 'b' }], 2))
  await expect.poll(() => good(1, 2), { timeout: 20_000 }).toEqual(['unknown', 'b'])
  await watched.stop()
  await writeFile(path, text([{ name: 'a' }]))
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(good(1, 2)).toEqual(['unknown', 'b'])
})

describe('changing the file', () => {
  test('makes one that only its owner may read', async () => {
    const { path } = await tokenFile([])
    const fresh = join(dirname(path), 'fresh.json')
    await changeTokenFile(fresh, () => [tokenEntry({ name: 'a' }, secretNumber(1))])
    expect((await readTokenFile(fresh)).map(({ name }) => name)).toEqual(['a'])
    if (process.platform !== 'win32') expect((await stat(fresh)).mode & 0o777).toBe(0o600)
    expect(await readdir(dirname(path))).toEqual(['fresh.json', 'tokens.json'])
  })

  test('loses nothing when many do it at once: the second one gets an error, and no lock file remains', async () => {
    const { path } = await tokenFile([])
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, (_, i) =>
        changeTokenFile(path, (entries) => [...entries, tokenEntry({ name: `t${i}` }, secretNumber(i))]),
      ),
    )
    const done = outcomes.flatMap(({ status }, i) => (status === 'fulfilled' ? [`t${i}`] : []))
    const refusals = outcomes.flatMap((outcome) =>
      outcome.status === 'rejected' ? [`${outcome.reason}`] : [],
    )
    expect(done.length).toBeGreaterThan(0)
    expect((await readTokenFile(path)).map(({ name }) => name).sort()).toEqual([...done].sort())
    for (const refusal of refusals) expect(refusal).toMatch(/\.lock is there: another command is changing/)
    expect(await readdir(dirname(path))).toEqual(['tokens.json'])
  })

  test.each([
    { what: 'a change that is refused', broken: undefined, says: 'no' },
    { what: 'a file that is broken', broken: '{', says: 'it is not JSON' },
  ])('$what leaves everything as it was', async ({ broken, says }) => {
    const { path } = await tokenFile([{ name: 'a', grants: [ALL] }])
    if (broken !== undefined) await writeFile(path, broken)
    const before = await readFile(path, 'utf8')
    const change = () => {
      throw new Error('no')
    }
    await expect(changeTokenFile(path, change)).rejects.toThrow(says)
    expect(await readFile(path, 'utf8')).toBe(before)
    expect(await readdir(dirname(path))).toEqual(['tokens.json'])
  })

  test('waits for others if asked to, and then none is refused', async () => {
    const { path } = await tokenFile([])
    await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        changeTokenFile(path, (all) => [...all, tokenEntry({ name: `t${i}` }, secretNumber(i))], {
          waits: true,
        }),
      ),
    )
    expect(await readTokenFile(path)).toHaveLength(8)
    expect(await readdir(dirname(path))).toEqual(['tokens.json'])
  })

  test('removes a lock that a killed process has left, and no other', async () => {
    const { path } = await tokenFile([])
    const add = (name: string, nowMs: number) =>
      changeTokenFile(path, (all) => [...all, tokenEntry({ name }, secretNumber(all.length))], {
        nowMs: () => nowMs,
      })
    await writeFile(`${path}.lock`, '{"format": 1, "tok')
    const { mtimeMs } = await stat(`${path}.lock`)
    await expect(add('a', mtimeMs + 59_000)).rejects.toThrow('another command is changing')
    await add('b', mtimeMs + 61_000)
    expect((await readTokenFile(path)).map(({ name }) => name)).toEqual(['b'])
    expect(await readdir(dirname(path))).toEqual(['tokens.json'])
  })

  test('a process that was stopped for so long that another took over changes nothing', async () => {
    const { path } = await tokenFile([{ name: 'a', grants: [ALL] }])
    const before = await readFile(path, 'utf8')
    const stopped = changeTokenFile(path, () => {
      rmSync(`${path}.lock`)
      writeFileSync(`${path}.lock`, 'of another process')
      return []
    })
    await expect(stopped).rejects.toThrow('.lock was removed during a change')
    expect(await readFile(path, 'utf8')).toBe(before)
    expect(await readFile(`${path}.lock`, 'utf8')).toBe('of another process')
  })

  test('a missing folder is an error', async () => {
    const { path } = await tokenFile([])
    await expect(changeTokenFile(join(path, 'x'), (all) => all)).rejects.toThrow(/cannot be written: ENOTDIR/)
  })
})
