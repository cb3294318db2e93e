/**
 * The requests of the vendor's page of examples, byte for byte but for the ids, as curl sends them, with tokens required. The
 * page has `/test` after the project. The job they make runs.
 */
import { expect, test } from 'vitest'
import { createTable, detailOf, seen } from '../../support/aiven.ts'
import { POLL } from '../../support/speeds.ts'
import { testApp } from '../../support/test-app.ts'
import { tokenFile } from '../../support/tokens.ts'

const STREAMS = '/v3/namespaces/my_flink_service/streams'
const SERVICE = '/v1/project/my-test-project/test/service/my-flink-service'
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

const DATABASE_TABLE = (integration: string) => `    {
    "integration_id": "${integration}",
    "name": "node_info",
    "jdbc_table": "public.node_definition",
    "schema_sql": "\`node\` INT, \`node_description\` VARCHAR"
    }
`
const TOPIC_TABLE = (integration: string) => `    {
    "integration_id": "${integration}",
    "name": "KAlert",
    "kafka_topic": "alert",
    "schema_sql": "\`node\` INT, \`occurred_at\` TIMESTAMP_LTZ(3), \`cpu_in_mb\` FLOAT"
    }
`
const JOB = (one: string, other: string) => `    {
    "statement": "INSERT INTO KAlert SELECT * FROM KCpuIn WHERE \`cpu\` > 70",
    "table_ids": ["${one}", "${other}"],
    "job_name": "JobExample"
    }
`

const ways = [
  { scheme: 'Bearer', type: 'application/json' },
  { scheme: 'aivenv1', type: 'application/json' },
  // What curl sends with `-d` alone.
  { scheme: 'Bearer', type: 'application/x-www-form-urlencoded' },
]
test.each(ways)('with $scheme and $type', async ({ scheme, type }) => {
  const grants = ['my_flink_service:*:jobs', 'my_flink_service:*:read,write,admin']
  const tokens = await tokenFile([{ name: 'all' }, { name: 'example', grants }])
  const app = await testApp({ nowMs: Date.now(), config: { authFile: tokens.path } })
  const all = { headers: tokens.bearer('all') }
  await app.put('/v3/namespaces/my_flink_service', all)
  const authorization = { Authorization: `${scheme} ${tokens.secrets.example}` }
  const headers = { 'User-Agent': 'curl/8.5.0', Accept: '*/*', 'Content-Type': type, ...authorization }
  const sent = async (path: string, body: string) => seen(await app.post(path, { headers, body }))

  const database = await app.post('/v1/project/my-test-project/integration', {
    headers,
    body: JSON.stringify({
      source_service: 'demo-postgresql',
      dest_service: 'my-flink-service',
      integration_type: 'flink',
      user_config: { connection_uri: 'postgres://demo:secret@127.0.0.1:1/demo' },
    }),
  })
  const { service_integration: made } = database.json() as {
    service_integration: { service_integration_id: string }
  }
  expect(await sent(`${SERVICE}/flink/table`, DATABASE_TABLE(made.service_integration_id))).toEqual([
    200,
    {
      table_id: expect.stringMatching(UUID),
      table_name: 'node_info',
      integration_id: made.service_integration_id,
      schema_sql: '`node` INT, `node_description` VARCHAR',
      columns: [
        { name: 'node', data_type: 'INT', nullable: true },
        { name: 'node_description', data_type: 'STRING', nullable: true },
      ],
      jdbc: { table_name: 'public.node_definition' },
    },
  ])

  const integrations = await app.get(`${SERVICE}/integration`, { headers: authorization })
  const [streams] = (integrations.json() as { service_integrations: { service_integration_id: string }[] })
    .service_integrations
  const alert = await sent(`${SERVICE}/flink/table`, TOPIC_TABLE(streams!.service_integration_id))
  expect(alert).toMatchObject([
    200,
    { table_name: 'KAlert', kafka: { topic: 'alert', value_format: 'json' } },
  ])
  const { table_id: alertId } = (alert as [number, { table_id: string }])[1]
  const input = { name: 'KCpuIn', schema_sql: '`node` INT, `occurred_at` TIMESTAMP_LTZ(3), `cpu` FLOAT' }
  const inputId = await createTable(app, input, { headers: authorization, service: SERVICE })

  const job = await sent(`${SERVICE}/flink/job`, JOB(inputId, alertId))
  expect(job).toEqual([200, { job_id: expect.stringMatching(/^[0-9a-f]{32}$/), job_name: 'JobExample' }])
  const { job_id } = (job as [number, { job_id: string }])[1]
  const state = async () => (await detailOf(app, job_id, authorization, SERVICE)).state
  await expect.poll(state, POLL).toBe('RUNNING')
  for (const cpu of [70, 70.5, 12])
    await app.post(`${STREAMS}/kcpuin`, {
      ...all,
      body: JSON.stringify({ node: 1, occurred_at: '2021-10-11 12:53:09.277Z', cpu }),
    })
  const alerts = async () => {
    const answer = await app.get(`${STREAMS}/alert/events`, all)
    return answer.status === 200 ? (answer.json() as { body: string }[]).map(({ body }) => body) : []
  }
  const expected = ['{"node":1,"occurred_at":"2021-10-11 12:53:09.277Z","cpu_in_mb":70.5}']
  await expect.poll(alerts, POLL).toEqual(expected)
})
