/** With the grants of which token the jobs of a deployment run. */
import { expect, test } from 'vitest'
import { type Body, type DeploymentsApp, deploymentsApp } from '../support/deployments.ts'
import { tokenFile } from '../support/tokens.ts'

async function until<T>(app: DeploymentsApp, read: () => Promise<T | undefined>): Promise<T> {
  for (const begin = performance.now(); ; ) {
    const found = await read()
    if (found !== undefined) return found
    if (performance.now() - begin > 60_000) throw new Error('waited a minute')
    app.nowMs += 1_000
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const resting = (app: DeploymentsApp, path: string) =>
  until(app, async () => {
    const body: Body = await app.ok('GET', path)
    return body.status.state === 'TRANSITIONING' ? undefined : body
  })

test('a change of labels does not change it; a change of the spec does', async () => {
  const tokens = await tokenFile([
    { name: 'strong', grants: ['default:*:read,write,admin,jobs'] },
    { name: 'weak', grants: ['default:*:jobs', 'default:out*:read,write'] },
  ])
  const { strong, weak } = { strong: tokens.bearer('strong'), weak: tokens.bearer('weak') }
  const app = await deploymentsApp({ config: { authFile: tokens.path } }, strong)
  const { metadata } = await app.deployment('copy', { state: 'RUNNING' })
  const path = `deployments/${metadata.id}`
  const first = await resting(app, path)
  expect(first.status.state).toBe('RUNNING')

  const labelled = await app.call('PATCH', path, { metadata: { labels: { by: 'weak' } } }, weak)
  expect(labelled.body.metadata.labels).toEqual({ by: 'weak' })
  const { jobId } = first.status.running
  const { flinkJobId } = (await app.ok('GET', `jobs/${jobId}`)).status.started
  await app.ok('PATCH', `/v3/namespaces/default/flink/v1/jobs/${flinkJobId}`)
  const again = await until(app, async () => {
    const { status } = await app.ok('GET', path)
    return status.state === 'FAILED' || (status.running?.jobId ?? jobId) !== jobId ? status : undefined
  })
  expect(again.state).toBe('RUNNING')

  for (const state of ['CANCELLED', 'RUNNING']) {
    expect((await app.call('PATCH', path, { spec: { state } }, weak)).status).toBe(200)
    await resting(app, path)
  }
  expect((await app.ok('GET', path)).status).toEqual({ state: 'FAILED' })
  const { failure } = (await app.ok('GET', 'jobs')).items.at(-1).status
  expect(failure.message).toContain("token 'weak' has no read grant for stream in1")
})
