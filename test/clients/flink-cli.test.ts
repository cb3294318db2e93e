/** The command line of Flink against the built service: list, savepoint, stop and cancel, over the port of `--flink-port`. */
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { tellProof } from '../support/effort.ts'
import { freePort } from '../support/free-port.ts'
import { startServiceProcess, temporaryFolder } from '../support/service-process.ts'
import { clientJars } from './client-files.ts'
import { type Run, run, tellSkipped } from './client-run.ts'
import { startTutorial } from './flink-tutorial.ts'

const CLIENT = 'flink 1.20.3 (command line)'
const FRONTEND = 'org.apache.flink.client.cli.CliFrontend'
const NAMESPACE = 'demo_flink'
const LOCATION = /Savepoint completed\. Path: (file:\S+)/

test(CLIENT, async ({ skip }) => {
  const jars = clientJars('flink')
  if ('missing' in jars) {
    tellSkipped(CLIENT, jars.missing)
    return skip(jars.missing)
  }
  const folder = await temporaryFolder()
  const settings = join(folder, 'conf')
  await mkdir(settings)
  await writeFile(join(settings, 'config.yaml'), 'rest.retry.max-attempts: 3\n')
  const flinkPort = await freePort()
  const args = ['--flink-port', String(flinkPort)]
  const service = await startServiceProcess(join(folder, 'data'), { args, hasChildren: true })
  const jobs = await startTutorial(service, NAMESPACE)
  const [filter, agg] = [jobs.get('simple_filter')!, jobs.get('simple_agg')!]
  let calls = 0
  const flink = (command: string, ...given: string[]): Promise<Run> => {
    calls++
    const java = ['-Xmx200m', '-XX:TieredStopAtLevel=1', '-cp', join(jars.folder, '*'), FRONTEND]
    const at = ['-m', `127.0.0.1:${flinkPort}`]
    return run('env', [`FLINK_CONF_DIR=${settings}`, 'java', ...java, command, ...at, ...given])
  }
  const good = async (command: string, ...given: string[]): Promise<string> => {
    const { code, stdout, stderr } = await flink(command, ...given)
    expect(code, `flink ${command} ${given.join(' ')}\n${stdout}${stderr}`).toBe(0)
    return stdout
  }

  const listed = await good('list')
  expect(listed).toContain(`${filter} : simple_filter (RUNNING)`)
  expect(listed).toContain(`${agg} : simple_agg (RUNNING)`)

  const savepoint = LOCATION.exec(await good('savepoint', filter))?.[1]
  expect(existsSync(fileURLToPath(savepoint!))).toBe(true)
  const outside = await flink('savepoint', filter, '/somewhere/else')
  expect(outside.code).not.toBe(0)
  expect(outside.stdout + outside.stderr).toContain("target-directory '/somewhere/else' is outside")

  const stopped = LOCATION.exec(await good('stop', filter))?.[1]
  expect(existsSync(fileURLToPath(stopped!))).toBe(true)
  await good('cancel', agg)
  const all = async () => [...(await good('list', '-a')).matchAll(/ : (\w+ \(\w+\))/g)].map(([, job]) => job)
  const ended = ['simple_agg (CANCELED)', 'simple_filter (FINISHED)']
  await expect.poll(async () => (await all()).sort(), { timeout: 180_000, interval: 500 }).toEqual(ended)
  expect(await good('list')).toContain('No running jobs.')
  const unknown = await flink('cancel', 'b63c78c70033e00afa84de9029257e31')
  expect(unknown.code).not.toBe(0)
  expect(unknown.stdout + unknown.stderr).toContain('Job could not be found.')
  tellProof(`clients ${CLIENT}`, { calls })
})
