/** Data folders of every kind: a job runs in them, goes on after a restart, and is left alone by a second service on the same folder. */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { call, createJob, FLINK, post, results, stateOf, UP_TO } from '../support/price-job.ts'
import {
  CLI,
  listening,
  runCli,
  type ServiceProcess,
  spawnCli,
  temporaryFolder,
} from '../support/service-process.ts'
import { POLL } from '../support/speeds.ts'

const SLOW = { ...POLL, timeout: 60_000 }

/** `data`: as the flag has it, below the folder where the command runs. */
const folders: readonly { name: string; data: string; make?: (folder: string) => void }[] = [
  { name: 'with spaces and quotes', data: `it's "my" data; x` },
  { name: 'with letters beyond ASCII', data: 'Zürich 東京 🌊' },
  { name: 'with characters of URLs, patterns and shells', data: '100%25 #1 [a]*$HOME{}' },
  { name: 'that begins as an address', data: 'md:shop' },
  { name: 'that is relative', data: './a/../b/data' },
  {
    name: 'that is a symbolic link',
    data: 'link',
    make(folder) {
      mkdirSync(join(folder, 'behind it'))
      symlinkSync('behind it', join(folder, 'link'))
    },
  },
  { name: 'with a path of 3,500 characters', data: `${'n'.repeat(174)}/`.repeat(20) },
]

function start(folder: string, data: string): Promise<ServiceProcess> {
  return listening(spawnCli({ args: ['--port', '0', '--data', data], folder, hasChildren: true }))
}

test.each(folders)('a job in a data folder $name', { timeout: 180_000 }, async ({ data, make }) => {
  const folder = await temporaryFolder()
  make?.(folder)
  const first = await start(folder, data)
  const jid = await createJob(first)
  await post(first, 1, 100)
  await expect.poll(() => results(first), SLOW).toEqual(UP_TO(100))

  const second = await runCli({ args: ['--port', '0', '--data', data], folder })
  expect(second).toEqual({
    code: 1,
    signal: null,
    stdout: '',
    stderr: `millrace: data folder ${data.replace('./a/../', '')} is in use by another process; stop it, or use another folder\n`,
  })
  await post(first, 101, 200)
  await expect.poll(() => results(first), SLOW).toEqual(UP_TO(200))
  expect(await first.stop()).toEqual({ code: 0, signal: null })

  const restarted = await start(folder, data)
  await post(restarted, 201, 300)
  await expect.poll(() => results(restarted), SLOW).toEqual(UP_TO(300))
  expect(await stateOf(restarted, jid)).toBe('RUNNING')
})

test('a job in a data folder with a question mark says what to do', { timeout: 180_000 }, async () => {
  const service = await start(await temporaryFolder(), 'what?')
  const jid = await createJob(service)
  const shown = async () => {
    const job = (await call(service, 'GET', `${FLINK}/job/${jid}`)) as ShownJob
    return [job.state, job.millrace.exceptions[0]?.message]
  }
  await expect
    .poll(shown, SLOW)
    .toEqual([
      'RESTARTING',
      "the path of the data folder contains '?', which the SQL engine cannot open; stop the service and move the folder",
    ])
})

interface ShownJob {
  readonly state: string
  readonly millrace: { readonly exceptions: readonly { readonly message: string }[] }
}

const unusable: readonly {
  name: string
  make: (folder: string) => void
  problem: (folder: string) => string
}[] = [
  {
    name: 'a file',
    make: (folder) => writeFileSync(join(folder, 'data'), ''),
    problem: (folder) => `EEXIST: file already exists, mkdir '${folder}/data'`,
  },
  {
    name: 'a link to nothing',
    make: (folder) => symlinkSync('behind it', join(folder, 'data')),
    problem: (folder) => `EEXIST: ${folder}/data is a link to behind it, which does not exist`,
  },
]

test.each(unusable)('a data folder that is $name is refused', async ({ make, problem }) => {
  const folder = await temporaryFolder()
  make(folder)
  const ended = await runCli({ args: ['--port', '0', '--data', 'data'], folder })
  expect(ended).toEqual({
    code: 1,
    signal: null,
    stdout: '',
    stderr: `millrace: data folder data cannot be used: ${problem(folder)}\n`,
  })
})

test('a data folder that cannot be written is refused, and stays as it is', async ({ skip }) => {
  const folder = await temporaryFolder()
  chmodSync(folder, 0o555)
  const command = [process.execPath, CLI, '--port', '0', '--data', folder]
  const without = withoutRights()
  if (spawnSync('sh', ['-c', [...without, 'test', '-r', CLI].join(' ')]).status !== 0)
    skip(
      'this user may write everywhere, and setpriv is not installed or another user may not read the build',
    )
  const { status, stdout, stderr } = spawnSync('env', [...without, ...command], { encoding: 'utf8' })
  expect([status, stdout, stderr]).toEqual([
    1,
    '',
    `millrace: data folder ${folder} cannot be used: EACCES: permission denied, open '${folder}/FORMAT.new'\n`,
  ])
  expect(readdirSync(folder)).toEqual([])
})

/** What a command begins with, so that the system checks its rights. It checks none of root. */
function withoutRights(): string[] {
  return userInfo().uid === 0 ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : []
}
