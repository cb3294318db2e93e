/**
 * aiven-go-client 1.17.0, the last one with tables and jobs of Flink and what Terraform's provider was built on, against the built service:
 * its methods for services, integrations, tables, jobs and applications.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startServiceProcess, temporaryFolder } from '../support/service-process.ts'
import { compiledGo, goModules } from './client-files.ts'
import { callsOf, type Expected, expectCalls, run, tellSkipped } from './client-run.ts'

const CLIENT = 'aiven-go-client 1.17.0'
const NO_PLACE = { line_number: 0, character_number: 0, end_line_number: 0, end_character_number: 0 }
const DONE = { value: null }
const NO_APPLICATIONS = { error: 'NotFound 404: {"message":"Not found"' }

const EXPECTED: Expected = {
  'get service': { value: ['demo-flink', 'flink', 'RUNNING'] },
  'get service nope': { error: 'NotFound 404: {"message":"Service nope does not exist;' },

  'create integration': { value: ['demo-kafka', 'demo-flink', 'kafka'] },
  'create integration nope': { error: 'Service nope does not exist; name it in --sources' },
  'get integration': { value: { connection_uri: '***' } },
  'update integration': { value: { connection_uri: '***' } },
  'list integrations': { value: ['streams kafka', 'demo-kafka kafka', 'mine pg'] },
  'delete integration mine': DONE,
  'get integration again': { error: 'NotFound 404: {"message":"Integration ' },

  'create table': { value: ['CPU_IN', 'hostname STRING, cpu DOUBLE'] },
  'create another table': { value: 'CPU_OUT' },
  'create table again': { error: 'AlreadyExists 409: {"message":"Table CPU_IN already exists"' },
  'create table with an unknown type': {
    error: `400: {"message":"schema_sql: unknown type 'INTT' at line 1, column 3"`,
  },
  'create upsert table': { value: 'LAST' },
  'delete upsert table': DONE,
  'get table': { value: 'CPU_IN' },
  'list tables': { value: ['CPU_IN', 'CPU_OUT'] },
  'validate table': { value: { message: '', name: '', position: NO_PLACE } },
  'validate table with an unknown type': {
    value: {
      message: "schema_sql: unknown type 'INTT' at line 1, column 3",
      name: 'OTHER',
      position: { line_number: 1, character_number: 3, end_line_number: 1, end_character_number: 6 },
    },
  },

  'validate job': { value: { message: '', position: NO_PLACE } },
  'validate a query': {
    value: { message: expect.stringContaining('a job needs INSERT INTO'), position: expect.any(Object) },
  },
  'create job of a query': { error: '400: {"message":"a job needs INSERT INTO' },
  'create job': { value: 'JobExample' },
  'state of the job': { value: 'RUNNING' },
  // Its id, name, isStoppable, maxParallelism, the id in its plan, and all its operators running.
  'get job': { value: [true, 'JobExample', false, 128, true, true] },
  'rows of the job': { value: '[{"hostname":"doc","cpu":91.5}]' },
  'delete a table that the job uses': { error: '409: {"message":"Table CPU_OUT is used by job JobExample (' },
  'cancel job': DONE,
  'state after cancel': { value: 'CANCELED' },
  'get a job that is not there': {
    error: 'NotFound 404: {"errors":["Job b63c78c70033e00afa84de9029257e31 not found"]}',
  },
  'cancel a job that is not there': { error: 'NotFound 404: {"errors":["Job could not be found."]}' },
  'delete the table of input': DONE,
  'delete the table of output': DONE,
  'delete a table again': { error: 'NotFound 404: {"message":"Table ' },
  'delete an integration': DONE,

  'list applications': NO_APPLICATIONS,
  'create application': NO_APPLICATIONS,
  'create version of an application': NO_APPLICATIONS,
}

test(CLIENT, async ({ skip }) => {
  const fetched = goModules('aiven-go-client-1.17.0')
  if ('missing' in fetched) {
    tellSkipped(CLIENT, fetched.missing)
    return skip(fetched.missing)
  }
  const program = compiledGo(fetched.folder)
  const folder = await temporaryFolder()
  const sources = join(folder, 'sources.json')
  await writeFile(sources, JSON.stringify({ 'demo-kafka': { kind: 'stream' } }), { mode: 0o600 })
  const service = await startServiceProcess(join(folder, 'data'), {
    args: ['--sources', sources],
    hasChildren: true,
  })
  const namespace = `${service.base}/v3/namespaces/demo_flink`
  for (const url of [namespace, `${namespace}/streams/cpu_in`]) {
    expect((await fetch(url, { method: 'PUT' })).status).toBe(200)
  }
  const lines = '{"hostname":"doc","cpu":91.5}\n{"hostname":"doc","cpu":12}'
  const headers = { 'Content-Type': 'text/plain' }
  const batch = await fetch(`${namespace}/streams/cpu_in/batch`, { method: 'POST', headers, body: lines })
  expect(batch.status).toBe(200)

  const ended = await run('env', [`AIVEN_WEB_URL=${service.base}`, program, service.base])
  expectCalls(CLIENT, callsOf(ended), EXPECTED)
  expect((await service.stop()).code).toBe(0)
})
