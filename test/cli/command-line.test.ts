/** Flags and variables as a user types them; what cannot be is refused in a sentence, before anything is touched. */
import { cp, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { LIMITS } from '../../src/limits.ts'
import { FORMAT_VERSION } from '../../storage/level/format-stamp.ts'
import {
  type Finished,
  listening,
  PROJECT_FOLDER,
  runCli,
  spawnCli,
  startServiceProcess,
  temporaryFolder,
} from '../support/service-process.ts'
import { STREAMS } from '../support/test-app.ts'

const LATER = FORMAT_VERSION + 1

test.each(['--help', '-h'])('%s explains every flag and variable and ends', async (flag) => {
  const { stdout, ...end } = await runCli({ args: [flag] })
  expect(end).toEqual({ code: 0, signal: null, stderr: '' })
  for (const name of [
    'port',
    'host',
    'data',
    'max-event-bytes',
    'async-queue-bytes',
    'janitor-seconds',
    'tls-cert',
    'tls-key',
    'tls-client-ca',
    'cors-origin',
    ...Object.values(LIMITS).map(({ flag: name }) => name),
    'min-free-disk',
    'no-unrecoverable-reset',
    'auth',
    'insecure',
    'allow-private-webhooks',
    'public-url',
    'audit-file',
    'sources',
    'connector-hosts',
    'savepoint-dir',
    'savepoint-root',
  ]) {
    expect(stdout).toContain(`  --${name}`)
    expect(stdout).toContain(`MILLRACE_${name.replaceAll('-', '_').toUpperCase()}`)
  }
})

test('--version prints the version of the package and ends', async () => {
  const { version } = JSON.parse(await readFile(join(PROJECT_FOLDER, 'package.json'), 'utf8'))
  expect(await runCli({ args: ['--version'] })).toEqual({
    code: 0,
    signal: null,
    stdout: `${version}\n`,
    stderr: '',
  })
})

const refusedValues: readonly {
  readonly args?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly says: string | RegExp
}[] = [
  { args: ['--port', 'http'], says: "--port is 'http'; use a whole number from 0 to 65535" },
  { args: ['--port', '65536'], says: "--port is '65536'; use a whole number from 0 to 65535" },
  { args: ['--port=-1'], says: "--port is '-1'; use a whole number from 0 to 65535" },
  { args: ['--port', '-1'], says: /'--port' argument is ambiguous.* '--port=-XYZ'.* \(millrace --help/ },
  { args: ['--port', '1.5'], says: "--port is '1.5'; use a whole number from 0 to 65535" },
  { args: ['--port', ''], says: "--port is ''; use a whole number from 0 to 65535" },
  { args: ['--port'], says: /'--port <value>' argument missing \(millrace --help/ },
  { args: ['--sources', ''], says: '--sources is empty; name one or leave it out' },
  {
    args: ['--connector-hosts', 'db.example,https://x'],
    says: "--connector-hosts is 'https://x'; use a host such as db.example.org or db.example.org:5432",
  },
  { args: ['--savepoint-dir', ''], says: '--savepoint-dir is empty; name one or leave it out' },
  {
    args: ['--savepoint-root', 'a', '--savepoint-root', ' '],
    says: '--savepoint-root is empty; name one or leave it out',
  },
  { args: ['--host', ''], says: '--host is empty; name one or leave it out' },
  { args: ['--host', 'nonsense.invalid'], says: 'host nonsense.invalid is no address of this machine' },
  { args: ['--host', '192.0.2.1'], says: 'host 192.0.2.1 is no address of this machine' },
  {
    args: ['--host', '0.0.0.0', '--port', '0'],
    says:
      'host 0.0.0.0 can be reached from other machines, and no client would need a token; ' +
      'name a token file with --auth, or say --insecure if you mean it',
  },
  {
    args: ['--host', '::ffff:0.0.0.0', '--port', '0'],
    says: /can be reached from other machines|is no address/,
  },
  ...['streams.example.org', 'ftp://x.org', 'https://a:b@x.org', 'https://x.org/?a=1', 'https://'].map(
    (url) => ({
      args: ['--public-url', url],
      says: `--public-url is '${url}'; use a URL such as https://streams.example.org`,
    }),
  ),
  { args: ['--auth', ''], says: '--auth is empty; name one or leave it out' },
  {
    environment: { MILLRACE_ALLOW_PRIVATE_WEBHOOKS: 'yes' },
    says: "MILLRACE_ALLOW_PRIVATE_WEBHOOKS is 'yes'; use 1 or 0",
  },
  { environment: { MILLRACE_INSECURE: 'yes' }, says: "MILLRACE_INSECURE is 'yes'; use 1 or 0" },
  { args: ['--data', ' '], says: '--data is empty; name one or leave it out' },
  {
    args: ['--max-event-bytes', '0'],
    says: "--max-event-bytes is '0'; use a whole number from 1 to 1073741824",
  },
  {
    args: ['--async-queue-bytes', '1k'],
    says: "--async-queue-bytes is '1k'; use a whole number from 0 to 1099511627776",
  },
  { args: ['--janitor-seconds', '0'], says: "--janitor-seconds is '0'; use a whole number from 1 to 86400" },
  {
    args: ['--max-connections', '0'],
    says: "--max-connections is '0'; use a whole number from 1 to 1000000",
  },
  {
    environment: { MILLRACE_MAX_BATCH_BYTES: '10MB' },
    says: "MILLRACE_MAX_BATCH_BYTES is '10MB'; use a whole number from 1 to 1099511627776",
  },
  ...['example.org', 'https://example.org/', 'https://a.example,null'].map((origins) => ({
    args: ['--cors-origin', origins],
    says: /^--cors-origin is '.*'; use an origin such as https:\/\/example\.org:8443, or \*$/,
  })),
  {
    args: ['--min-free-disk', '10G'],
    says: "--min-free-disk is '10G'; use a whole number from 0 to 562949953421312",
  },
  { args: ['--prot', '1'], says: /'--prot' \(millrace --help lists what there is\)/ },
  {
    environment: { MILLRACE_PORT: 'http' },
    says: "MILLRACE_PORT is 'http'; use a whole number from 0 to 65535",
  },
  {
    environment: { MILLRACE_NO_UNRECOVERABLE_RESET: 'perhaps' },
    says: "MILLRACE_NO_UNRECOVERABLE_RESET is 'perhaps'; use 1 or 0",
  },
]

test.each(refusedValues)(
  '$args $environment is refused in a sentence and leaves nothing behind',
  async ({ args = [], environment = {}, says }) => {
    const folder = await temporaryFolder()
    expectRefused(await runCli({ args, environment, folder }), says)
    expect(await readdir(folder)).toEqual([])
  },
)

test('a command that there is not is refused with code 2', async () => {
  const { code, stdout, stderr } = await runCli({ args: ['serve'] })
  expect({ code, stdout, stderr }).toEqual({
    code: 2,
    stdout: '',
    stderr: "millrace: there is no command 'serve'; millrace --help lists what there is\n",
  })
})

test('--help names every command, and each has help of its own', async () => {
  const { stdout } = await runCli({ args: ['--help'] })
  for (const name of ['verify', 'repair', 'backup', 'import']) {
    expect(stdout).toContain(`millrace ${name} `)
    const own = await runCli({ args: [name, '--help'] })
    expect([own.code, own.stdout], name).toEqual([
      0,
      expect.stringContaining(`millrace ${name} [--data FOLDER]`),
    ])
    expect(own.stdout).toContain('exit code: 0 ')
  }
})

test('a data folder that is a file is refused and left as it is', async () => {
  const file = join(await temporaryFolder(), 'data')
  await writeFile(file, 'a diary')
  expectRefused(await serve(file), /^data folder .*data cannot be used: EEXIST/)
  expect(await readFile(file, 'utf8')).toBe('a diary')
})

const foreignFolders = [
  {
    name: 'files of another program',
    files: { 'diary.txt': 'dear diary' },
    says: /^.* is not empty and not a /,
  },
  {
    name: 'a later format',
    files: { FORMAT: `millrace-data ${LATER}\n` },
    says: new RegExp(`has format ${LATER}; .* use a newer one$`),
  },
  {
    name: 'a format from before the first release',
    files: { FORMAT: 'millrace-data 2\n' },
    says: /has format 2, which was used only before the first release; .* import them into a new folder with this one$/,
  },
  { name: 'another FORMAT', files: { FORMAT: 'jpeg\n' }, says: /FORMAT holds "jpeg\\n", not a Millrace / },
]

test.each(foreignFolders)(
  'a data folder with $name is refused and left as it is',
  async ({ files, says }) => {
    const folder = await temporaryFolder()
    for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content)
    expectRefused(await serve(folder), says)
    expect(await contents(folder)).toEqual(
      new Map(Object.entries(files).map(([name, content]) => [name, Buffer.from(content)])),
    )
  },
)

test('a real data folder of a later format keeps every byte', async () => {
  const folder = await temporaryFolder()
  const service = await startServiceProcess(folder)
  await fetch(`${service.base}${STREAMS}/s`, { method: 'PUT' })
  await service.stop()
  await writeFile(join(folder, 'FORMAT'), `millrace-data ${LATER}\n`)
  const before = await contents(folder)
  expect(before.size).toBeGreaterThan(3)
  expectRefused(await serve(folder), new RegExp(`has format ${LATER}`))
  expect(await contents(folder)).toEqual(before)
})

test('a copy of a data folder is a data folder', async () => {
  const folder = await temporaryFolder()
  const service = await startServiceProcess(join(folder, 'data'))
  await fetch(`${service.base}${STREAMS}/s`, { method: 'PUT' })
  await service.stop()
  await cp(join(folder, 'data'), join(folder, 'copy'), { recursive: true })
  const copy = await startServiceProcess(join(folder, 'copy'))
  const response = await fetch(`${copy.base}${STREAMS}`)
  expect(await response.json()).toEqual([{ name: 's' }])
})

test('variables set what flags would', async () => {
  const folder = await temporaryFolder()
  const service = await listening(
    spawnCli({
      folder,
      environment: {
        MILLRACE_PORT: '0',
        MILLRACE_HOST: '127.0.0.1',
        MILLRACE_DATA: './here',
        MILLRACE_MAX_EVENT_BYTES: '10',
        MILLRACE_NO_UNRECOVERABLE_RESET: '1',
      },
    }),
  )
  expect(await readdir(folder)).toEqual(['here'])
  const stream = `${service.base}${STREAMS}/s`
  await fetch(stream, { method: 'PUT' })
  expect((await fetch(stream, { method: 'POST', body: '0123456789' })).status).toBe(200)
  expect((await fetch(stream, { method: 'POST', body: '0123456789+' })).status).toBe(413)
  expect(await deletingNamespace(service.base)).toMatch(/^403 /)
})

test('commands for closed stores work on the folder of the service unless --data names another', async () => {
  const folder = await temporaryFolder()
  const service = await listening(spawnCli({ folder, args: ['--port', '0'] }))
  await fetch(`${service.base}${STREAMS}/s`, { method: 'PUT' })
  await service.stop()
  const verified = await runCli({ args: ['verify'], folder })
  expect([verified.code, verified.stdout]).toEqual([0, expect.stringMatching(/^\.\/data: .*\nsound\n$/s)])
  const copied = await runCli({ args: ['backup', '--to', 'copy'], folder })
  expect(copied.code).toBe(0)
  const environment = { MILLRACE_DATA: './copy' }
  expect((await runCli({ args: ['verify'], folder, environment })).stdout).toMatch(/^\.\/copy: /)
  const elsewhere = await runCli({ args: ['verify', '--data', 'nowhere'], folder, environment })
  expect([elsewhere.code, elsewhere.stderr]).toEqual([2, expect.stringContaining('nowhere')])
})

test('a flag wins over its variable', async () => {
  const folder = await temporaryFolder()
  const service = await listening(
    spawnCli({
      folder,
      args: ['--port', '0', '--data', './flag', '--max-event-bytes', '10'],
      environment: { MILLRACE_PORT: 'http', MILLRACE_DATA: './variable', MILLRACE_MAX_EVENT_BYTES: '5' },
    }),
  )
  expect(await readdir(folder)).toEqual(['flag'])
  const stream = `${service.base}${STREAMS}/s`
  await fetch(stream, { method: 'PUT' })
  expect((await fetch(stream, { method: 'POST', body: '0123456789' })).status).toBe(200)
})

test('--no-unrecoverable-reset keeps namespaces from being deleted', async () => {
  const service = await startServiceProcess(await temporaryFolder(), { args: ['--no-unrecoverable-reset'] })
  expect(await deletingNamespace(service.base)).toBe(
    "403 Namespace 'weather' cannot be deleted because 'enable.unrecoverable.reset' is not enabled. " +
      'Please enable it and restart CDAP Master.',
  )
  expect((await fetch(`${service.base}/v3/namespaces/weather`)).status).toBe(200)
})

/** Creates a namespace and tries to delete it: status and text. */
async function deletingNamespace(base: string): Promise<string> {
  await fetch(`${base}/v3/namespaces/weather`, { method: 'PUT' })
  const response = await fetch(`${base}/v3/unrecoverable/namespaces/weather`, { method: 'DELETE' })
  return `${response.status} ${await response.text()}`
}

function serve(dataFolder: string): Promise<Finished> {
  return runCli({ args: ['--port', '0', '--data', dataFolder] })
}

/** One line, on standard error, and a code that scripts can see. */
function expectRefused({ code, signal, stdout, stderr }: Finished, says: string | RegExp): void {
  expect({ code, signal, stdout }).toEqual({ code: 1, signal: null, stdout: '' })
  const [, sentence] = /^millrace: (.*)\n$/.exec(stderr) ?? [undefined, stderr]
  if (typeof says === 'string') expect(sentence).toBe(says)
  else expect(sentence).toMatch(says)
}

/** Every file below the folder with its bytes. */
async function contents(folder: string): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>()
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    files.set(path.slice(folder.length + 1), await readFile(path))
  }
  return files
}
