/** The answers to a client that creates a job over database tables: through the built service, with a PostgreSQL server. */
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { NO_POSTGRES, TestPostgres } from '../../support/postgres.ts'
import { startServiceProcess, temporaryFolder } from '../../support/service-process.ts'
import { POLL } from '../../support/speeds.ts'

const SERVICE = '/v1/project/p/service/default'
const FLINK = `${SERVICE}/flink`

const UNREACHABLE = {
  active: false,
  integration_status: { state: 'UNREACHABLE', reason: expect.stringContaining('PostgreSQL') },
}
const REACHED = { active: true, integration_status: {} }

interface ShownIntegration {
  readonly service_integration_id: string
  readonly active: boolean
  readonly integration_status: object
}

/** The members of all answers. */
interface Answer {
  readonly message: string
  readonly warnings?: readonly string[]
  readonly job_id: string
  readonly jobs: readonly object[]
  readonly state: string
  readonly service_integrations: readonly ShownIntegration[]
  readonly service_integration: ShownIntegration
}

/** A database with the tables prices and plain, a user without rights but on those, and a service with tables over both. */
async function setUp() {
  const postgres = await TestPostgres.start()
  onTestFinished(() => postgres.remove())
  await postgres.sql(
    'CREATE TABLE prices (item text PRIMARY KEY, price int); CREATE TABLE plain (item text, price int);' +
      'CREATE ROLE guest LOGIN; GRANT ALL ON prices, plain TO guest; REVOKE CREATE ON SCHEMA public FROM PUBLIC',
  )
  const service = await startServiceProcess(join(await temporaryFolder(), 'data'), { hasChildren: true })

  async function call(method: string, path: string, body?: object) {
    const headers = { 'Content-Type': 'application/json' }
    const init = body === undefined ? { method } : { method, headers, body: JSON.stringify(body) }
    const answer = await fetch(`${service.base}${path}`, init)
    const text = await answer.text()
    return { status: answer.status, json: (text === '' ? {} : JSON.parse(text)) as Answer }
  }
  async function integration(connection_uri: string): Promise<string> {
    const body = { source_service: 'pg', dest_service: 'default', integration_type: 'flink' }
    const { json } = await call('POST', '/v1/project/p/integration', {
      ...body,
      user_config: { connection_uri },
    })
    return json.service_integration.service_integration_id
  }
  async function table(name: string, integration_id: string, place: object, schema_sql: string) {
    const body = { name, integration_id, ...place, schema_sql }
    expect(await call('POST', `${FLINK}/table`, body)).toMatchObject({ status: 200 })
  }

  const streams = (await call('GET', `${SERVICE}/integration`)).json.service_integrations[0]!
  await table('IN', streams.service_integration_id, { kafka_topic: 'in' }, 'item STRING, price INT')
  const database = await integration(postgres.uri())
  const key = 'PRIMARY KEY (item) NOT ENFORCED'
  await table('PRICES', database, { jdbc_table: 'prices' }, `item STRING, price INT, ${key}`)
  await table('NOWHERE', database, { jdbc_table: 'nowhere' }, 'item STRING, price INT')
  await table('OTHER_COLUMNS', database, { jdbc_table: 'plain' }, 'item STRING, cost INT')
  const guest = await integration(postgres.uri('guest'))
  await table('AS_GUEST', guest, { jdbc_table: 'plain' }, 'item STRING, price INT')
  const create = (into: string) =>
    call('POST', `${FLINK}/job`, { statement: `INSERT INTO ${into} SELECT item, price FROM \`IN\`` })
  return { postgres, database, call, create }
}

test('tables that do not fit refuse a job; a database that does not answer does not', async ({ skip }) => {
  if (NO_POSTGRES !== undefined) skip(NO_POSTGRES)
  const { postgres, database, call, create } = await setUp()
  const shown = async () =>
    (await call('GET', `/v1/project/p/integration/${database}`)).json.service_integration

  const missing = await create('NOWHERE')
  const text = `relation "nowhere" does not exist in integration ${database}`
  expect([missing.status, missing.json.message]).toEqual([400, text])
  const other = await create('OTHER_COLUMNS')
  expect([other.status, other.json.message.includes('cost')]).toEqual([400, true])
  expect((await call('GET', `${FLINK}/job`)).json).toEqual({ jobs: [] })

  const asGuest = await create('AS_GUEST')
  expect([asGuest.status, asGuest.json.warnings]).toEqual([200, [expect.stringContaining('written twice')]])

  await postgres.stop()
  const { status, json } = await create('PRICES')
  expect(status).toBe(200)
  const state = async () => (await call('GET', `${FLINK}/job/${json.job_id}`)).json.state
  await expect.poll(state, POLL).toBe('RESTARTING')
  expect(await shown()).toMatchObject(UNREACHABLE)
  expect(JSON.stringify(await shown())).not.toContain('secret-word')
  await postgres.resume()
  await expect.poll(state, POLL).toBe('RUNNING')
  expect(await shown()).toMatchObject(REACHED)

  // The job loses its database while it runs, notices it with the next row, and gets it back.
  await postgres.stop()
  expect(await shown()).toMatchObject(REACHED)
  await call('POST', '/v3/namespaces/default/streams/in', { item: 'a', price: 1 })
  await expect.poll(state, POLL).toBe('RESTARTING')
  expect(await shown()).toMatchObject(UNREACHABLE)
  await postgres.resume()
  await expect.poll(state, POLL).toBe('RUNNING')
  expect(await shown()).toMatchObject(REACHED)
  expect(await postgres.sql('SELECT item, price FROM prices')).toEqual([{ item: 'a', price: 1 }])
})

test('validate looks at the tables of databases as create does', async ({ skip }) => {
  if (NO_POSTGRES !== undefined) skip(NO_POSTGRES)
  const { postgres, database, call } = await setUp()
  const validate = async (into: string) => {
    const statement = `INSERT INTO ${into} SELECT item, price FROM \`IN\``
    const { status, json } = await call('POST', `${FLINK}/job/validate`, { statement })
    return [status, json]
  }
  const none = { line_number: 0, character_number: 0, end_line_number: 0, end_character_number: 0 }
  expect(await validate('NOWHERE')).toEqual([
    200,
    {
      job_validate_error: {
        message: `relation "nowhere" does not exist in integration ${database}`,
        position: none,
      },
    },
  ])
  expect(await validate('PRICES')).toEqual([200, {}])
  await postgres.stop()
  expect(await validate('PRICES')).toEqual([200, {}]) // create would accept it, too, and the job would wait
  expect((await call('GET', `${FLINK}/job`)).json).toEqual({ jobs: [] })
})
