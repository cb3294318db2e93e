/** The flags of Flink's REST API on the command line: the further port, log files, the end by request, and refusals. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { runCli, startServiceProcess, temporaryFolder } from '../support/service-process.ts'

test('the service listens at a further port, keeps its lines in files, and ends by a request', async () => {
  const folder = await temporaryFolder()
  const web = join(folder, 'web')
  await mkdir(web)
  await writeFile(join(web, 'index.html'), '<html>dashboard</html>')
  const logs = join(folder, 'logs')
  const args = [
    ...['--flink-port', '0', '--flink-dashboard', web, '--log-dir', logs, '--allow-cluster-shutdown'],
    ...['--connector-hosts', 'db.example.org'],
  ]
  const service = await startServiceProcess(join(folder, 'data'), { args })
  await service.printed('Flink REST API at ')
  const base = /Flink REST API at (\S+)/.exec(service.stdout)![1]!
  expect(base).not.toBe(service.base)
  expect(await (await fetch(`${base}/`)).text()).toBe('<html>dashboard</html>')
  const overview = (await (await fetch(`${base}/v1/overview`)).json()) as Record<string, unknown>
  expect(overview).toMatchObject({ 'jobs-running': 0, 'slots-total': 64, 'slots-available': 64 })
  expect(overview['flink-version']).toMatch(/^1\.20\.3-millrace-[0-9]+\./)

  const config = (await (await fetch(`${base}/jobmanager/config`)).json()) as { key: string; value: string }[]
  expect(config).toEqual(
    expect.arrayContaining([
      { key: 'flink-port', value: '0' },
      { key: 'connector-hosts', value: 'db.example.org' },
      { key: 'allow-cluster-shutdown', value: 'true' },
      { key: 'insecure', value: 'false' },
      { key: 'tls-key', value: '' },
    ]),
  )
  const out = await fetch(`${base}/jobmanager/stdout`)
  expect(await out.text()).toContain(`Flink REST API at ${base}\n`)

  const ended = await fetch(`${base}/cluster`, { method: 'DELETE' })
  expect([ended.status, await ended.text()]).toEqual([200, '{}'])
  expect(await service.exited).toEqual({ code: 0, signal: null })
  expect(service.stdout).toContain('DELETE /cluster: finishing what was accepted\n')
  expect(await readFile(join(logs, 'millrace.out'), 'utf8')).toBe(service.stdout)
  expect(await readFile(join(logs, 'millrace.log'), 'utf8')).toBe('')
})

test('what cannot be used is refused with one sentence', async () => {
  const folder = await temporaryFolder()
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void other.close())
  const { port } = other.address() as { port: number }
  const refused: readonly (readonly [args: readonly string[], text: string])[] = [
    [['--flink-dashboard', folder], '--flink-dashboard needs --flink-port, at which the dashboard is served'],
    [['--flink-port', '9', '--port', '9'], '--flink-port is 9, as --port is; choose two ports'],
    [['--flink-port', 'x'], "--flink-port is 'x'; use a whole number from 0 to 65535"],
    [
      ['--flink-port', `${port}`, '--port', '0'],
      `port ${port} of 127.0.0.1 is in use; choose another with --flink-port, or --flink-port 0`,
    ],
    [
      ['--cached-queries-port', `${port}`, '--port', '0'],
      `port ${port} of 127.0.0.1 is in use; choose another with --cached-queries-port, or --cached-queries-port 0`,
    ],
    [
      ['--ververica-port', `${port}`, '--port', '0'],
      `port ${port} of 127.0.0.1 is in use; choose another with --ververica-port, or --ververica-port 0`,
    ],
    [
      ['--flink-port', '0', '--flink-dashboard', folder, '--port', '0'],
      `dashboard folder ${folder} has no index.html; name the folder web of flink-runtime-web's jar, unpacked`,
    ],
    [['--log-dir', '/dev/null/x', '--port', '0'], 'log folder /dev/null/x cannot be written: '],
  ]
  for (const [args, text] of refused) {
    const { code, stderr } = await runCli({ args: ['--data', join(folder, 'data'), ...args] })
    expect([code, stderr], args.join(' ')).toEqual([1, expect.stringContaining(`millrace: ${text}`)])
  }
})
