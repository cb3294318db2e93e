/** Deployments whose scripts define tables and views of their own: they run, and go on after a restart of the service. */
import { expect, onTestFinished, test } from 'vitest'
import { type DeploymentsApp, startDeploymentsApp } from '../../support/deployments.ts'
import { executed, rowsOf } from '../../support/scripts.ts'
import { POLL } from '../../support/speeds.ts'
import { STREAMS } from '../../support/test-app.ts'

async function newApp(): Promise<DeploymentsApp> {
  const app = await startDeploymentsApp({ nowMs: Date.now() })
  onTestFinished(() => app.stop())
  return app
}

/** Resolves with its id when it runs. */
async function running(app: DeploymentsApp, name: string, sqlScript: string): Promise<string> {
  const artifact = { kind: 'SQLSCRIPT', sqlScript }
  const { metadata } = await app.deployment(name, { state: 'RUNNING', template: { spec: { artifact } } })
  await untilRuns(app, metadata.id)
  return metadata.id
}

async function untilRuns(app: DeploymentsApp, id: string): Promise<void> {
  await expect.poll(async () => (await app.ok('GET', `deployments/${id}`)).status.state, POLL).toBe('RUNNING')
}

async function jobOf(
  app: DeploymentsApp,
  id: string,
): Promise<{ readonly jid: string; readonly state: string }> {
  const { items } = await app.ok('GET', `jobs?deploymentId=${id}`)
  return { jid: items.at(-1).status.started?.flinkJobId, state: items.at(-1).status.state }
}

test('generated rows go nowhere', async () => {
  const app = await newApp()
  const id = await running(
    app,
    'generator',
    `CREATE TEMPORARY TABLE gen (name STRING, n INT) WITH ('connector' = 'datagen', 'rows-per-second' = '100');
     CREATE TEMPORARY TABLE nowhere (name STRING, n INT) WITH ('connector' = 'blackhole');
     INSERT INTO nowhere SELECT name, n FROM gen`,
  )
  const { jid } = await jobOf(app, id)
  const written = async () => {
    app.nowMs += 1_000 // rows are generated as time goes on
    const detail = (await app.get(`/v1/jobs/${jid}`)).json() as {
      readonly vertices: readonly { readonly name: string; readonly metrics: Record<string, number> }[]
    }
    return detail.vertices.find(({ name }) => name === 'Sink: nowhere')?.metrics['read-records'] ?? 0
  }
  await expect.poll(written, POLL).toBeGreaterThan(0)
  expect(await rowsOf(app, 'SHOW TABLES')).toEqual([['in1'], ['out1']])
})

test('tables and views of a script hide those of the catalog, and are there after a restart', async () => {
  const app = await newApp()
  await executed(app, 'CREATE VIEW doubled AS SELECT a * 2 AS a FROM in1')
  await executed(app, 'CREATE VIEW hidden AS SELECT 7 AS a')
  const id = await running(
    app,
    'own-tables',
    `-- reads the stream in1 under another name, and hides the table of the catalog
     CREATE TEMPORARY TABLE out1 (a INT, what STRING) WITH ('connector' = 'stream', 'stream' = 'own');
     CREATE TEMPORARY VIEW hidden AS SELECT a FROM doubled WHERE a > 2;
     SET 'pipeline.name' = 'from views';
     INSERT INTO out1 SELECT a, 'seen' FROM hidden;`,
  )
  for (const a of [1, 2, 3]) await app.post(`${STREAMS}/in1`, { body: JSON.stringify({ a }) })
  const bodies = async () => (await app.events('own')).map(({ body }) => body)
  await expect.poll(bodies, POLL).toHaveLength(2)
  const { jid } = await jobOf(app, id)
  expect((await app.get(`/v1/jobs/${jid}`)).json()).toMatchObject({ name: 'from views' })

  // A job keeps the views with which it was created.
  await executed(app, 'DROP VIEW doubled')
  await executed(app, 'CREATE VIEW doubled AS SELECT -1 AS a')
  await app.restart()
  await untilRuns(app, id)
  expect((await jobOf(app, id)).jid).toBe(jid)
  for (const a of [4, 5]) await app.post(`${STREAMS}/in1`, { body: JSON.stringify({ a }) })
  await expect.poll(bodies, POLL).toEqual([4, 6, 8, 10].map((a) => `{"a":${a},"what":"seen"}`))
  expect(app.reported).toEqual([])
})

test('a script that is wrong is refused with the place, and nothing is stored', async () => {
  const app = await newApp()
  const artifact = {
    kind: 'SQLSCRIPT',
    sqlScript: 'CREATE TEMPORARY VIEW v AS\n  SELECT a, nope FROM in1;\nINSERT INTO out1 SELECT a FROM v',
  }
  const body = { metadata: { name: 'wrong' }, spec: { state: 'RUNNING', template: { spec: { artifact } } } }
  const answer = await app.call('POST', 'deployments', body)
  expect([answer.status, answer.body.errors]).toEqual([
    400,
    [
      {
        attribute: 'spec.template.spec.artifact.sqlScript',
        message: "column 'nope' does not exist; the columns are a at line 2, column 13",
      },
    ],
  ])
  expect((await app.ok('GET', 'deployments')).items).toEqual([])
})
