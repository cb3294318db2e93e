/**
 * jupyter-vvp, the magics of notebooks for Ververica Platform, against the built service on the port of this API: statements of every
 * kind, deployments with parameters, and the buttons that cancel, start and delete one.
 */

import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { tellProof } from '../support/effort.ts'
import { startServiceProcess, temporaryFolder } from '../support/service-process.ts'
import { pythonProgram } from './client-files.ts'
import { type Call, callsOf, type Expected, expectCalls, run, tellSkipped } from './client-run.ts'

const VERSION = '0.1.0'
const CLIENT = `jupyter-vvp ${VERSION}`
const PROGRAM = fileURLToPath(new URL('python/vvp_calls.py', import.meta.url))
/** With which it works: the client imports names that later ones have elsewhere. */
const NEEDED = ['ipython<9']

const UUID = expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
const SUCCESS = { value: { result: 'RESULT_SUCCESS' } }
const DONE = { value: null }
const some = (least: object) => expect.objectContaining(least)
const namespace = some({ name: 'namespaces/default', lifecyclePhase: 'LIFECYCLE_PHASE_ACTIVE' })
const tables = (...names: string[]) => ({
  value: { columns: ['table name'], rows: names.map((name) => [name]) },
})

const EXPECTED: Expected = {
  namespaces: { value: { namespaces: [namespace] } },
  connect: { value: 'VvpSession' },
  'connect to nope': { error: 'Error verifying namespace: code 404' },
  namespace: { value: namespace },

  'show no tables': tables(),
  'create source': SUCCESS,
  'create source again': { error: 'Table default.default.source_table already exists.' },
  'show tables': tables('source_table'),
  describe: {
    value: {
      columns: ['name', 'type', 'null', 'key', 'extras', 'watermark'],
      rows: [
        ['id', 'INT', 'true', '', '', ''],
        ['data', 'STRING', 'true', '', '', ''],
      ],
    },
  },
  suggest: { value: ['TABLES'] },

  'temporary sink and insert': { value: UUID },
  running: { value: 'RUNNING' },
  'press Cancel': DONE,
  cancelled: { value: 'CANCELLED' },
  'press Start': DONE,
  'running again': { value: 'RUNNING' },
  'press Cancel again': DONE,
  'cancelled again': { value: 'CANCELLED' },
  'press Delete': DONE,
  deleted: { value: 404 },

  'create kafka': SUCCESS,
  'alter kafka': SUCCESS,
  variables: SUCCESS,
  parameters: { value: UUID },
  named: {
    value: some({
      metadata: some({ name: 'named', annotations: {} }),
      spec: some({
        state: 'CANCELLED',
        template: some({
          spec: some({
            parallelism: 2,
            flinkConfiguration: { 'state.backend': 'filesystem', 'high-availability': 'vvp-kubernetes' },
          }),
        }),
      }),
      status: { state: 'CANCELLED' },
    }),
  },
  'legacy options': SUCCESS,
  'same topic': SUCCESS,
  'insert into the same topic': { value: UUID },
  cancel: { value: 200 },
  'loop cancelled': { value: 'CANCELLED' },
  select: { error: 'Invalid or unsupported SQL statement: SELECT statements are currently not supported.' },
  'no SQL': { error: 'Invalid or unsupported SQL statement: ' },
  'unknown table': { error: 'nope' },
  'drop kafka_table': SUCCESS,
  'drop var_table': SUCCESS,
  'drop legacy': SUCCESS,
  'drop same_topic': SUCCESS,
  'drop source_table': SUCCESS,
  'show no tables again': tables(),
}

test(CLIENT, async ({ skip }) => {
  const fetched = pythonProgram('jupyter-vvp', VERSION, NEEDED)
  if ('missing' in fetched) {
    tellSkipped(CLIENT, fetched.missing)
    return skip(fetched.missing)
  }
  const folder = await temporaryFolder()
  const args = ['--ververica-port', '0']
  const service = await startServiceProcess(join(folder, 'data'), { args, hasChildren: true })
  const port = /ververica[^\n]*:(\d+)/i.exec(service.stdout)?.[1] ?? String(service.port)
  const calls = callsOf(await run('python3', [PROGRAM, fetched.folder, port]))
  tellTable(calls)
  expectCalls(CLIENT, calls, EXPECTED)
})

/** Requests, and what the client made of the answers. */
function tellTable(calls: readonly (Call & { readonly requests?: readonly string[] })[]): void {
  for (const { call, ok, value, error, requests = [] } of calls) {
    const result = ok ? JSON.stringify(value) : error!
    tellProof(`${CLIENT}: ${call}`, { requests: requests.slice(-3).join(', '), result: result.slice(0, 100) })
  }
}
