/**
 * The ways to install: a checkout without development packages builds and starts, a build that is current is not made
 * again, and the package holds what it needs and no more. The packages are those of this checkout, or npm's copies of them; what npm has no
 * copy of is fetched, or the test is skipped.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import { createJob, post, results, UP_TO } from '../support/price-job.ts'
import {
  listening,
  PROJECT_FOLDER,
  type ServiceProcess,
  spawnCli,
  temporaryFolder,
  WatchedProcess,
} from '../support/service-process.ts'
import { sharedFolder } from '../support/shared-folder.ts'

const run = promisify(execFile)

/** What a user clones, as far as building takes it. */
const CLONED = [
  'src',
  'storage',
  'bench',
  'package.json',
  'package-lock.json',
  'README.md',
  'docs',
  'LICENSE',
]

async function cloneInto(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const name of CLONED) await cp(join(PROJECT_FOLDER, name), join(folder, name), { recursive: true })
}

/** The packages that `npm ci --omit=dev` would install: those the lock file does not mark as for development. */
async function runtimePackages(folder: string): Promise<string[]> {
  const { packages } = JSON.parse(await readFile(join(folder, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean }>
  }
  const names = Object.entries(packages)
    .filter(([path, { dev }]) => /^node_modules\/(@[^/]+\/)?[^/]+$/.test(path) && dev !== true)
    .map(([path]) => path)
  const isHere = (path: string) => existsSync(join(PROJECT_FOLDER, path)) // else it is a binary for another platform
  return names.filter(isHere)
}

async function linkRuntimePackages(folder: string): Promise<void> {
  for (const path of await runtimePackages(folder)) {
    await mkdir(join(folder, path, '..'), { recursive: true })
    await symlink(join(PROJECT_FOLDER, path), join(folder, path))
  }
}

/** Copies find no other package than these, where links lead to the folder of all packages. */
async function copyRuntimePackages(folder: string): Promise<void> {
  for (const path of await runtimePackages(folder))
    await cp(join(PROJECT_FOLDER, path), join(folder, path), { recursive: true })
}

async function build(folder: string): Promise<void> {
  await run(process.execPath, ['src/build.mjs'], { cwd: folder })
}

async function modified(file: string): Promise<number> {
  return (await stat(file)).mtimeMs
}

describe('a clone without development packages', () => {
  const shared = sharedFolder()
  let folder: string

  beforeAll(async () => {
    folder = join(shared.path, 'clone')
    await cloneInto(folder)
    await linkRuntimePackages(folder)
  })

  test('has no compiler, and `npm start` builds it and serves', { timeout: 120_000 }, async () => {
    expect(await readdir(join(folder, 'node_modules'))).not.toContain('typescript')
    const npm = new WatchedProcess('npm', ['start', '--', '--port', '0', '--data', join(folder, 'data')], {
      folder,
      environment: { npm_config_update_notifier: 'false' },
      hasChildren: true,
    })
    const service = await listening(npm, 90_000)
    expect((await fetch(`${service.base}/ping`)).status).toBe(200)
    npm.signal('SIGTERM')
    await npm.exited
  })

  test('a build that is current is not made again, whatever the times of its files are', async () => {
    await build(folder)
    const output = join(folder, 'dist', 'src', 'cli.js')
    await utimes(output, 1, 1)
    await utimes(join(folder, 'src', 'cli.ts'), new Date(), new Date())
    await build(folder)
    expect(await modified(output)).toBe(1000)
  })

  test('what was changed, added and removed is built; what stayed the same is left alone', async () => {
    await build(folder)
    const dist = (name: string) => join(folder, 'dist', 'src', name)
    await utimes(dist('config.js'), 1, 1)
    await writeFile(
      join(folder, 'src', 'extra.ts'),
      "export type { Config } from './config.ts'\nexport const a: number = 1\n",
    )
    await rm(join(folder, 'src', 'greeting.ts'))
    const cli = await readFile(join(folder, 'src', 'cli.ts'), 'utf8')
    await writeFile(join(folder, 'src', 'cli.ts'), `${cli}\nexport const changed: true = true\n`)
    await build(folder)
    expect(await readFile(dist('extra.js'), 'utf8')).toMatch(/^ *\nexport const a {9}= 1\n$/)
    expect(await readFile(dist('cli.js'), 'utf8')).toContain('export const changed')
    expect(await readdir(join(folder, 'dist', 'src'))).not.toContain('greeting.js')
    expect(await modified(dist('config.js'))).toBe(1000)
  })

  test('a source that cannot be built is named, and the build is not taken for current', async () => {
    const file = join(folder, 'src', 'extra.ts')
    await writeFile(file, 'export const = 1\n')
    for (let i = 0; i < 2; i++)
      await expect(build(folder)).rejects.toThrow(/src\/extra\.ts could not be built/)
    await rm(file)
  })
})

test('the build has every line where the source has it', async () => {
  const source = await readFile(join(PROJECT_FOLDER, 'src', 'http', 'app.ts'), 'utf8')
  const output = await readFile(join(PROJECT_FOLDER, 'dist', 'src', 'http', 'app.js'), 'utf8')
  const lines = source.split('\n')
  const at = lines.findIndex((line) => line.includes('new Hono<HttpEnv>('))
  expect(output.split('\n')[at]).toContain('new Hono')
  expect(output.split('\n')).toHaveLength(lines.length)
})

test('the package has the command, the documents and no maps, sources or tests', async () => {
  const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: PROJECT_FOLDER,
  })
  const [{ files }] = JSON.parse(stdout) as [{ files: { path: string }[] }]
  const paths = files.map(({ path }) => path)
  expect(paths).toEqual(
    expect.arrayContaining(['dist/src/cli.js', 'README.md', 'LICENSE', 'docs/http-api.md']),
  )
  expect(paths.filter((path) => /\.(map|ts|tsbuildinfo)$|^(test|bench|src)\//.test(path))).toEqual([])
})

/** Creates a job, sends events, and expects its results. */
async function expectJob(service: ServiceProcess): Promise<void> {
  await createJob(service)
  await post(service, 1, 20)
  await expect.poll(() => results(service), { timeout: 60_000 }).toEqual(UP_TO(20))
}

async function packInto(folder: string): Promise<string> {
  const { stdout } = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
    cwd: PROJECT_FOLDER,
  })
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }]
  return join(folder, filename)
}

function installed(folder: string): Promise<ServiceProcess> {
  const command = join(folder, 'node_modules', '.bin', 'millrace')
  const args = [command, '--port', '0', '--data', join(folder, 'data')]
  return listening(new WatchedProcess(process.execPath, args, { folder, hasChildren: true }))
}

test('the package runs a job where it is installed, by its command', { timeout: 180_000 }, async () => {
  const top = await temporaryFolder()
  const archive = await packInto(top)
  const folder = join(top, "it's 100%25 #1 ü") // files of workers are found by URLs
  const modules = join(folder, 'node_modules')
  await mkdir(join(modules, 'millrace'), { recursive: true })
  await run('tar', ['-xzf', archive, '-C', join(modules, 'millrace'), '--strip-components=1'])
  await cp(join(PROJECT_FOLDER, 'package-lock.json'), join(folder, 'package-lock.json'))
  await copyRuntimePackages(folder)
  await mkdir(join(modules, '.bin'))
  await symlink('../millrace/dist/src/cli.js', join(modules, '.bin', 'millrace'))
  await expectJob(await installed(folder))
})

/** npm asks the registry only for what it has no copy of. */
const NPM = ['--omit=dev', '--prefer-offline', '--no-audit', '--no-fund', '--fetch-retries=0']

/** Why npm could not install; undefined if it has. Errors that are not of the network are thrown. */
async function npmProblem(folder: string, ...args: string[]): Promise<string | undefined> {
  try {
    await run('npm', [...args, ...NPM], { cwd: folder })
    return undefined
  } catch (error) {
    const { stderr } = error as { stderr: string }
    if (!/ENOTCACHED|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|E5\d\d/.test(stderr)) throw error
    return `npm could not fetch packages: ${stderr.split('\n').find((line) => line.includes(' code ')) ?? stderr}`
  }
}

describe('with packages from npm', { timeout: 300_000 }, () => {
  test('the package is installed into an empty folder and runs a job', async ({ skip }) => {
    const folder = await temporaryFolder()
    const problem = await npmProblem(folder, 'install', await packInto(folder))
    if (problem !== undefined) skip(problem)
    await expectJob(await installed(folder))
  })

  test('a clone is installed by `npm ci --omit=dev`, which builds it, and runs a job', async ({ skip }) => {
    const folder = await temporaryFolder()
    await cloneInto(folder)
    const problem = await npmProblem(folder, 'ci')
    if (problem !== undefined) skip(problem)
    const data = ['--port', '0', '--data', join(folder, 'data')]
    await expectJob(await listening(spawnCli({ args: data }, join(folder, 'dist', 'src', 'cli.js'))))
  })
})
