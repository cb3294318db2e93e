/**
 * schemathesis, which makes requests from an API's description and checks the answers against it: both descriptions, with requests that
 * the schemas allow, that they refuse, and that lead from one to the next.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { tellProof } from '../support/effort.ts'
import { startServiceProcess, temporaryFolder } from '../support/service-process.ts'
import { tokenFile } from '../support/tokens.ts'
import { pythonProgram } from './client-files.ts'
import { run, tellSkipped } from './client-run.ts'

const VERSION = '4.32.5'
const CLIENT = `schemathesis ${VERSION}`
const CONFIG = fileURLToPath(new URL('schemathesis/schemathesis.toml', import.meta.url))
const SEED = 1
/** Of the phases that make random requests. */
const SECONDS = 60

test.for(['/api/swagger.json', '/swagger.json'])(`${CLIENT} %s`, async (path, { skip }) => {
  const fetched = pythonProgram('schemathesis', VERSION)
  if ('missing' in fetched) {
    tellSkipped(CLIENT, fetched.missing)
    return skip(fetched.missing)
  }
  const { path: authFile, secrets } = await tokenFile([
    { name: 'all', grants: ['*:*:read,write,jobs,admin'] },
  ])
  const folder = await temporaryFolder()
  const service = await startServiceProcess(join(folder, 'data'), {
    args: ['--auth', authFile],
    hasChildren: true,
  })
  const authorization = `Authorization: Bearer ${secrets.all}`
  await makeTables(service.base, secrets.all!)
  const work = join(folder, 'work') // it keeps its examples in the folder where it runs
  await mkdir(work)
  await writeFile(
    join(work, 'run.sh'),
    `cd ${work} && PYTHONPATH=${fetched.folder} exec python3 -m schemathesis.cli "$@"\n`,
  )
  const ended = await run('sh', [
    join(work, 'run.sh'),
    ...['--config-file', CONFIG, 'run', `${service.base}${path}`, '--header', authorization],
    ...['--seed', `${SEED}`, '--max-examples', '20', '--max-time', `${SECONDS}`],
    ...['--no-color', '--suppress-health-check', 'all', '--warnings', 'off'],
  ])
  const [, generated = '0', rest = ''] = /(\d+) generated, ([^\n]*)/.exec(ended.stdout) ?? []
  tellProof(`clients ${CLIENT}`, { path, requests: Number(generated), result: rest })
  const found = /=+ FAILURES =+[\s\S]*?(?==+ (?:SUMMARY|WARNINGS) =+)/.exec(ended.stdout)?.[0]
  expect(found).toBeUndefined()
  expect([ended.code, ended.stderr, ended.code === 0 ? '' : ended.stdout.slice(-3_000)]).toEqual([0, '', ''])
  expect(Number(generated)).toBeGreaterThan(100)
})

/** Those that the examples of the description use. */
async function makeTables(base: string, token: string): Promise<void> {
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }
  for (const [name, connector] of [
    ['in1', 'datagen'],
    ['out1', 'blackhole'],
  ]) {
    const statement = `CREATE TABLE ${name} (a INT) WITH ('connector' = '${connector}')`
    const body = JSON.stringify({ statement })
    const url = `${base}/sql/v1beta1/namespaces/default/sqlscripts:execute`
    const answer = await fetch(url, { method: 'POST', headers, body })
    expect([answer.status, await answer.text()]).toEqual([200, '{"result":"RESULT_SUCCESS"}'])
  }
}
