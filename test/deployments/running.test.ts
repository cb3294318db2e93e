/** Deployments with jobs: namespaces that are removed, tokens, and restarts. */
import { writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { printTokenFile } from '../../src/auth/token-file.ts'
import { type Body, type DeploymentsApp, deploymentsApp } from '../support/deployments.ts'
import { tokenEntry, tokenFile } from '../support/tokens.ts'

async function until<T>(app: DeploymentsApp, read: () => Promise<T | undefined>): Promise<T> {
  for (const begin = performance.now(); ; ) {
    const found = await read()
    if (found !== undefined) return found
    if (performance.now() - begin > 60_000) throw new Error('waited a minute')
    app.nowMs += 1_000
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const inState = (app: DeploymentsApp, path: string, state: string) =>
  until(app, async () => {
    const body = await app.ok('GET', path)
    return body.status.state === state ? (body as Body) : undefined
  })

test('a namespace that is removed takes running deployments and their jobs with it', async () => {
  const app = await deploymentsApp({ onDisk: true })
  const other = '/api/v1/namespaces/other'
  await app.put('/v3/namespaces/other')
  for (const statement of [
    "CREATE TABLE a (i INT) WITH ('connector' = 'datagen', 'rows-per-second' = '10')",
    "CREATE TABLE b (i INT) WITH ('connector' = 'blackhole')",
  ])
    await app.ok('POST', '/sql/v1beta1/namespaces/other/sqlscripts:execute', { statement })
  const { metadata } = await app.ok('POST', `${other}/deployments`, {
    metadata: { name: 'x' },
    spec: {
      template: { spec: { artifact: { kind: 'SQLSCRIPT', sqlScript: 'INSERT INTO b SELECT i FROM a' } } },
    },
  })
  await inState(app, `${other}/deployments/${metadata.id}`, 'RUNNING')
  expect((await app.delete('/v3/unrecoverable/namespaces/other')).status).toBe(200)
  expect((await app.call('GET', `${other}/deployments`)).body.reason).toBe('NamespaceNotFound')
  await app.put('/v3/namespaces/other')
  for (const path of ['deployments', 'jobs', 'events'])
    expect((await app.ok('GET', `${other}/${path}`)).items).toEqual([])
  app.nowMs += 10_000
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  await app.restart()
  for (const path of ['deployments', 'jobs', 'events'])
    expect((await app.ok('GET', `${other}/${path}`)).items).toEqual([])
  expect((await app.call('GET', '/v3/namespaces/other/flink/v1/jobs')).body).toEqual({ jobs: [] })
  expect(app.reported).toEqual([])
})

test('jobs have the grants of the token that changed the spec last', async () => {
  const tokens = await tokenFile([
    { name: 'one', grants: ['default:*:read,write,admin,jobs'] },
    { name: 'two', grants: ['default:*:read,write,jobs'] },
    { name: 'reader', grants: ['default:*:read'] },
  ])
  const app = await deploymentsApp({ onDisk: true, config: { authFile: tokens.path } }, tokens.bearer('one'))
  const { metadata } = await app.deployment('copy', { maxJobCreationAttempts: 1 })
  const path = `deployments/${metadata.id}`
  expect((await app.call('PATCH', path, {}, tokens.bearer('reader'))).status).toBe(403)
  const patched = await app.call('PATCH', path, { metadata: { labels: { by: 'two' } } }, tokens.bearer('two'))
  expect(patched.status).toBe(200)
  expect(patched.text).not.toContain('owner')
  await app.restart()
  const started = await app.call('PATCH', path, { spec: { state: 'RUNNING' } }, tokens.bearer('two'))
  expect(started.body.status).toEqual({ state: 'TRANSITIONING' })
  await inState(app, path, 'RUNNING')

  const { secrets } = tokens
  const one = tokenEntry({ name: 'one', grants: ['default:*:read,write,admin,jobs'] }, secrets.one!)
  await writeFile(tokens.path, printTokenFile([one]), { mode: 0o600 })
  await inState(app, path, 'FAILED')
  const jobs = (await app.ok('GET', 'jobs')).items
  expect(jobs.at(-1).status.failure.message).toContain("token 'two' is not valid any more")
  await app.ok('PATCH', path, { spec: { state: 'CANCELLED' } })
  await app.ok('PATCH', path, { spec: { state: 'RUNNING' } })
  await inState(app, path, 'RUNNING')
})
