/** Version and commit of a build: of a checkout, a worktree, packed references, and of a package without its repository. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { readBuildFacts } from '../../src/process/build-facts.ts'
import { maskedSettings } from '../../src/process/service-process.ts'

const COMMIT = '0123456789abcdef0123456789abcdef01234567'

async function build(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-build-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  for (const [path, text] of Object.entries({ 'package.json': '{"version":"1.2.3"}', ...files })) {
    await mkdir(join(folder, path, '..'), { recursive: true })
    await writeFile(join(folder, path), text.replaceAll('ROOT', folder))
  }
  return folder
}

const builds = [
  { name: 'a detached head', files: { '.git/HEAD': `${COMMIT}\n` } },
  {
    name: 'a branch',
    files: { '.git/HEAD': 'ref: refs/heads/main\n', '.git/refs/heads/main': `${COMMIT}\n` },
  },
  {
    name: 'a packed branch',
    files: {
      '.git/HEAD': 'ref: refs/heads/main\n',
      '.git/packed-refs': `# pack-refs with: peeled\n${COMMIT} refs/heads/main\n`,
    },
  },
  {
    name: 'a worktree',
    files: {
      '.git': 'gitdir: ROOT/other/worktrees/w\n',
      'other/worktrees/w/HEAD': 'ref: refs/heads/w\n',
      'other/worktrees/w/commondir': '../..\n',
      'other/refs/heads/w': COMMIT,
    },
  },
]
test.each(builds)('$name', async ({ files }) => {
  expect(readBuildFacts(await build(files))).toEqual({
    version: '1.2.3',
    commit: '0123456',
    wholeCommit: COMMIT,
  })
})

test.each([
  { name: 'a package', files: {} },
  { name: 'a reference that leads elsewhere', files: { '.git/HEAD': 'ref: refs/../../secret' } },
  { name: 'a branch without a commit', files: { '.git/HEAD': 'ref: refs/heads/none' } },
])('$name has no commit', async ({ files }) => {
  expect(readBuildFacts(await build(files)).commit).toBe('<unknown>')
})

test('this build has the version of its package', () => {
  expect(readBuildFacts().version).toMatch(/^[0-9]+\.[0-9]+\.[0-9]+/)
})

test('values of secret flags are masked, and credentials in URLs', () => {
  const settings = [
    { key: 'tls-key', value: '/etc/key.pem' },
    { key: 'auth', value: 'tokens.json' },
    { key: 'api-token', value: '' },
    { key: 'flink', value: 'http://user:pass@host:8081/x' },
  ]
  expect(maskedSettings(settings)).toEqual([
    { key: 'tls-key', value: '******' },
    { key: 'auth', value: 'tokens.json' },
    { key: 'api-token', value: '' },
    { key: 'flink', value: 'http://******@host:8081/x' },
  ])
})
