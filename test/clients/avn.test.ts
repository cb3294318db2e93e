/** The command line of Aiven against the built service: every command for services, integrations, tables and jobs of Flink. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { tellProof } from '../support/effort.ts'
import { startServiceProcess, temporaryFolder } from '../support/service-process.ts'
import { AVN_VERSIONS, avn, avnFiles, tableArguments } from './avn-client.ts'
import { type Run, tellSkipped } from './client-run.ts'

const SOURCES = {
  'demo-kafka': { kind: 'stream' },
  'demo-postgresql': { kind: 'postgres', connection_uri: 'postgres://millrace:s3cret@127.0.0.1:1/db' },
}
const UUID = /^[0-9a-f-]{36}$/
const STATEMENT = 'INSERT INTO CPU_OUT SELECT hostname, cpu FROM CPU_IN WHERE cpu > 80'
const SCHEMA = 'hostname STRING, cpu DOUBLE'

test.for(AVN_VERSIONS)('avn %s', async (version, { skip }) => {
  const client = `avn ${version}`
  const fetched = avnFiles(version)
  if ('missing' in fetched) {
    tellSkipped(client, fetched.missing)
    return skip(fetched.missing)
  }
  const folder = await temporaryFolder()
  const sources = join(folder, 'sources.json')
  await writeFile(sources, JSON.stringify(SOURCES), { mode: 0o600 })
  const service = await startServiceProcess(join(folder, 'data'), {
    args: ['--sources', sources],
    hasChildren: true,
  })
  await fetch(`${service.base}/v3/namespaces/demo_flink`, { method: 'PUT' })
  await fetch(`${service.base}/v3/namespaces/demo_flink/streams/cpu_in`, { method: 'PUT' })
  const { service: call, json } = avn({
    folder: fetched.folder,
    base: service.base,
    token: 'T',
    settings: folder,
  })
  let calls = 0
  const good = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await call(...args)
    calls++
    expect(code, `avn service ${args.join(' ')}\n${stdout}${stderr}`).toBe(0)
    return stdout
  }
  const bad = async (text: string, ...args: string[]): Promise<void> => {
    const ended: Run = await call(...args)
    calls++
    expect(ended.code).not.toBe(0)
    // One line for people: no stack trace of a program that could not read the answer.
    expect(ended.stderr).toMatch(/^ERROR\tcommand failed: (UserError|Error): /m)
    expect(ended.stderr).toContain(text)
    expect(ended.stderr).not.toContain('Traceback')
  }

  expect(await good('list')).toMatch(/^demo_flink +flink +RUNNING +local +embedded /m)
  expect(await good('get', 'demo-flink')).toMatch(/^demo-flink +flink +RUNNING /m)
  await good('wait', 'demo-flink')
  await bad(
    'services are namespaces here: create one with PUT /v3/namespaces/<name>',
    ...['create', 'x', '--service-type', 'flink', '--plan', 'x', '--cloud', 'c'],
  )

  const integration = (source: string, ...more: string[]) =>
    ['integration-create', '--integration-type', 'flink', '-s', source, '-d', 'demo-flink', ...more] as const
  expect(await good(...integration('demo-kafka'))).toBe('')
  await good(...integration('demo-postgresql'))
  await bad('Service nope does not exist; name it in --sources', ...integration('nope'))
  const uri = 'postgres://millrace:s3cret@127.0.0.1:1/other'
  await good(...integration('mine', '--user-config-json', JSON.stringify({ connection_uri: uri })))
  const integrations = await json('integration-list', 'demo-flink')
  expect(integrations.map((one) => [one.source, one.dest, one.source_service_type, one.active])).toEqual([
    ['streams', expect.any(String), 'kafka', true],
    ['demo-kafka', 'demo-flink', 'kafka', true],
    ['demo-postgresql', 'demo-flink', 'pg', true],
    ['mine', 'demo-flink', 'pg', true],
  ])
  expect(JSON.stringify(integrations)).not.toContain('s3cret')
  expect(await good('integration-list', 'demo-flink')).toMatch(/ demo-kafka +demo-flink +flink +true +true/)
  const [, KAFKA, , MINE] = integrations.map((one) => String(one.service_integration_id)) as [
    string,
    string,
    string,
    string,
  ]
  await good('integration-update', MINE, '--user-config-json', JSON.stringify({ connection_uri: uri }))
  await good('integration-delete', MINE)
  await bad(`Integration ${MINE} does not exist`, 'integration-delete', MINE)

  const table = ['flink', 'table'] as const
  const tableOf = (name: string, schema = SCHEMA) =>
    tableArguments(version, { name, integration: KAFKA, schema, place: { topic: name.toLowerCase() } })
  const [made] = await json(...table, 'create', 'demo-flink', ...tableOf('CPU_IN'))
  expect(made).toMatchObject({
    table_id: expect.stringMatching(UUID),
    table_name: 'CPU_IN',
    integration_id: KAFKA,
    schema_sql: SCHEMA,
    columns: [
      { name: 'hostname', data_type: 'STRING', nullable: true },
      { name: 'cpu', data_type: 'DOUBLE', nullable: true },
    ],
  })
  expect(await good(...table, 'create', 'demo-flink', ...tableOf('CPU_OUT'))).toContain(' CPU_OUT ')
  await bad(
    "Table creation failed. Reason: schema_sql: unknown type 'INTT' at line 1, column 3",
    ...[...table, 'create', 'demo-flink', ...tableOf('Bad', 'a INTT')],
  )
  await bad(
    'Table creation failed. Reason: Table CPU_IN already exists',
    ...[...table, 'create', 'demo-flink', ...tableOf('CPU_IN')],
  )
  const tables = await json(...table, 'list', 'demo-flink')
  expect(tables.map(({ table_name }) => table_name)).toEqual(['CPU_IN', 'CPU_OUT'])
  const [IN, OUT] = tables.map(({ table_id }) => String(table_id)) as [string, string]
  expect(await good(...table, 'list', 'demo-flink')).toContain(OUT)
  expect(await json(...table, 'get', 'demo-flink', IN)).toEqual([made])
  await bad('Table nope does not exist', ...table, 'get', 'demo-flink', 'nope')

  const job = ['flink', 'job'] as const
  const ofJob = ['--table-ids', IN, OUT, '--statement', STATEMENT]
  const [started] = await json(...job, 'create', 'demo-flink', 'JobExample', ...ofJob)
  expect(started).toEqual({ job_id: expect.stringMatching(/^[0-9a-f]{32}$/), job_name: 'JobExample' })
  const JID = String(started!.job_id)
  await bad(
    'a job needs INSERT INTO',
    ...[...job, 'create', 'demo-flink', 'x', '--statement', 'SELECT * FROM CPU_IN'],
  )
  const stateNow = async () =>
    (await json(...job, 'list', 'demo-flink')).map(({ id, status }) => [id, status])
  await expect.poll(stateNow, { timeout: 180_000 }).toEqual([[JID, 'RUNNING']])
  expect(await json(...job, 'get', 'demo-flink', JID)).toMatchObject([
    { jid: JID, name: 'JobExample', state: 'RUNNING', isStoppable: false, maxParallelism: 128 },
  ])
  expect(await good(...job, 'get', 'demo-flink', JID)).toMatch(/ JobExample +RUNNING +[0-9]+ +-1 /)
  await bad(`Table CPU_OUT is used by job JobExample (${JID})`, ...table, 'delete', 'demo-flink', OUT)
  expect(await good(...job, 'cancel', 'demo-flink', JID)).toContain(`Job with ID ${JID} was cancelled`)
  await expect.poll(stateNow, { timeout: 180_000 }).toEqual([[JID, 'CANCELED']])
  await bad('Job nope does not exist', ...job, 'get', 'demo-flink', 'nope')
  for (const id of [IN, OUT])
    expect(await good(...table, 'delete', 'demo-flink', id)).toContain(`Table with id ${id} was deleted`)
  await bad(`Table ${IN} does not exist`, ...table, 'delete', 'demo-flink', IN)
  expect(await json(...table, 'list', 'demo-flink')).toEqual([])

  tellProof(`clients ${client}`, { 'commands checked by text': calls })
  expect((await service.stop()).code).toBe(0)
})
