/** Secret values: kept encrypted, found by references, and never shown. */
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  type Body,
  cancelled,
  type DeploymentsApp,
  deploymentsApp,
  exceptionOf,
} from '../support/deployments.ts'
import { expectNoSecret } from '../support/secret-search.ts'
import { PASSWORD } from '../support/shop-database.ts'

const reference = (name: string) => `\${${name}}`

async function until<T>(read: () => Promise<T | undefined>): Promise<T> {
  for (const begin = performance.now(); ; ) {
    const found = await read()
    if (found !== undefined) return found
    if (performance.now() - begin > 60_000) throw new Error('waited a minute')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const inState = (app: DeploymentsApp, id: string, state: string) =>
  until(async () => {
    app.nowMs += 1_000
    const body = await app.ok('GET', `deployments/${id}`)
    return body.status.state === state ? (body as Body) : undefined
  })

describe('a secret value', () => {
  test('is created, changed and deleted by name', async () => {
    const app = await deploymentsApp({ onDisk: true })
    const created = await app.ok('POST', 'secret-values', {
      kind: 'SecretValue',
      metadata: { name: 'pw', labels: { a: 1 } },
      spec: { kind: 'PLAIN', value: PASSWORD },
    })
    expect(created).toEqual({
      ...{ kind: 'SecretValue', apiVersion: 'v1', spec: { kind: 'PLAIN' } },
      metadata: {
        ...{ id: expect.any(String), name: 'pw', namespace: 'default', labels: { a: '1' }, annotations: {} },
        ...{ createdAt: expect.any(String), modifiedAt: expect.any(String), resourceVersion: 1 },
      },
    })
    const twice = await app.call('POST', 'secret-values', {
      metadata: { name: 'pw' },
      spec: { value: 'other' },
    })
    expect(exceptionOf(twice)).toEqual([409, 'NameAlreadyExists', 'SecretValue pw already exists.'])
    expect(await app.ok('GET', 'secret-values/pw')).toEqual(created)
    expect((await app.ok('GET', 'secret-values')).items).toEqual([created])
    const labelled = await app.ok('PATCH', 'secret-values/pw', { metadata: { labels: { a: null } } })
    expect(labelled.metadata).toMatchObject({ labels: {}, resourceVersion: 2 })
    const changed = await app.ok('PATCH', 'secret-values/pw', { spec: { value: PASSWORD } })
    expect(changed.metadata.resourceVersion).toBe(3)
    for (const value of [null, 7]) {
      const { body } = await app.call('PATCH', 'secret-values/pw', { spec: { value } })
      const message = value === null ? 'must not be null' : 'must be a text'
      expect(body.errors).toEqual([{ attribute: 'spec.value', message }])
    }
    await app.restart()
    expect(await app.ok('GET', 'secret-values/pw')).toEqual(changed)
    expectNoSecret(app, [JSON.stringify([created, labelled, changed])])
    expect(await app.ok('DELETE', 'secret-values/pw')).toEqual(changed)
    for (const method of ['GET', 'DELETE', 'PATCH'])
      expect(
        exceptionOf(await app.call(method, 'secret-values/pw', method === 'PATCH' ? {} : undefined)),
      ).toEqual([...[404, 'SecretValueNotFound', 'SecretValue pw does not exist in namespace default.']])
  })

  test('that is equal to a state changes no state', async () => {
    const app = await deploymentsApp()
    for (const [i, value] of ['RUNNING', 'CANCELLED', 'embedded', 'default', 'True'].entries())
      await app.ok('POST', 'secret-values', { metadata: { name: `s${i}` }, spec: { value } })
    const { metadata } = await app.deployment('copy', { state: 'SUSPENDED' })
    const { status } = await app.ok('PATCH', `deployments/${metadata.id}`, { spec: { state: 'CANCELLED' } })
    expect(status).toEqual({ state: 'CANCELLED' })
    await app.restart()
    expect((await app.ok('GET', 'deployments/copy')).status).toEqual({ state: 'CANCELLED' })
  })

  test('that is unknown fails the job', async () => {
    const app = await deploymentsApp()
    const { metadata } = await app.deployment('copy', {
      ...cancelled({ flinkConfiguration: { x: reference('secret_values.absent') } }),
      ...{ state: 'RUNNING', maxJobCreationAttempts: 1 },
    })
    const failed = await inState(app, metadata.id, 'FAILED')
    expect(failed.spec.template.spec.flinkConfiguration).toEqual({ x: reference('secret_values.absent') })
    const [job] = (await app.ok('GET', 'jobs')).items
    expect(job.status.failure).toEqual({
      ...{ reason: 'SecretValueNotFound', failedAt: expect.any(String) },
      message: 'SecretValue absent does not exist in namespace default.',
    })
  })

  test('is shown nowhere, whatever names it', async () => {
    const app = await deploymentsApp({ onDisk: true })
    const texts: string[] = []
    const take = async (method: string, path: string, body?: unknown) => {
      const answer = await app.call(method, path, body)
      texts.push(answer.text)
      return answer.body as Body
    }
    await take('POST', 'secret-values', { metadata: { name: 'pw' }, spec: { value: PASSWORD } })
    const artifacts = [
      undefined,
      { kind: 'JAR', jarUri: reference('pw') },
      { kind: 'JAR', jarUri: `https://example.com/${reference('secret_values.pw')}` },
    ]
    const keys = [
      'pipeline.name',
      'restart-strategy',
      'execution.checkpointing.interval',
      'state.savepoints.dir',
    ]
    const specs = [
      ...artifacts.map((artifact) => ({ ...(artifact && { artifact }), flinkConfiguration: {} })),
      ...keys.map((key) => ({ flinkConfiguration: { [key]: reference('pw') } })),
      { flinkConfiguration: { 'execution.savepoint.path': `/savepoints/${reference('pw')}` } },
    ]
    const ids: string[] = []
    for (const spec of specs) {
      const name = `d${ids.length}`
      const { metadata } = await take('POST', 'deployments', {
        metadata: { name },
        spec: {
          ...cancelled(spec),
          ...{ state: 'RUNNING', maxJobCreationAttempts: 1, maxSavepointCreationAttempts: 1 },
        },
      })
      ids.push(metadata.id)
    }
    for (const id of ids)
      await until(async () => {
        app.nowMs += 1_000
        const { status } = await take('GET', `deployments/${id}`)
        return status.state === 'TRANSITIONING' ? undefined : status
      })
    for (const id of ids) {
      await take('PATCH', `deployments/${id}`, { spec: { template: { spec: { parallelism: 2 } } } })
      await take('POST', 'savepoints', { metadata: { deploymentId: id } })
      await take('PATCH', `deployments/${id}`, { spec: { state: 'SUSPENDED' } })
    }
    for (const path of [
      'deployments',
      'jobs',
      'events',
      'savepoints',
      '/v1/jobs/overview',
      '/v1/project/p/service/default/flink/job',
    ])
      await take('GET', path)
    for (const { jid } of (await app.call('GET', '/v1/jobs/overview')).body.jobs) {
      await take('GET', `/v1/jobs/${jid}`)
      await take('GET', `/v1/jobs/${jid}/exceptions`)
      await take('GET', `/v1/jobs/${jid}/config`)
    }
    expectNoSecret(app, texts)
  })
})

describe('the key of secrets', () => {
  test('that is missing fails the job with its sentence; a PATCH of the value mends it', async () => {
    const app = await deploymentsApp({ onDisk: true })
    await app.ok('POST', 'secret-values', { metadata: { name: 'pw' }, spec: { value: PASSWORD } })
    await rm(join(app.dataFolder, 'secret.key'))
    await app.restart()
    const spec = {
      ...cancelled({ flinkConfiguration: { x: reference('pw') } }),
      ...{ state: 'RUNNING', maxJobCreationAttempts: 1 },
    }
    const { metadata } = await app.ok('POST', 'deployments', { metadata: { name: 'x' }, spec })
    await inState(app, metadata.id, 'FAILED')
    const [job] = (await app.ok('GET', 'jobs')).items
    expect(job.status.failure.message).toBe(
      'secret value pw cannot be read: key file secret.key is missing; restore that file and restart, or PATCH the secret value',
    )
    await app.ok('PATCH', 'secret-values/pw', { spec: { value: PASSWORD } })
    await app.ok('PATCH', `deployments/${metadata.id}`, { spec: { state: 'CANCELLED' } })
    await app.ok('PATCH', `deployments/${metadata.id}`, { spec: { state: 'RUNNING' } })
    await inState(app, metadata.id, 'RUNNING')
  })

  test('that is damaged refuses new values', async () => {
    const app = await deploymentsApp({ onDisk: true })
    await writeFile(join(app.dataFolder, 'secret.key'), 'nonsense')
    await app.restart()
    const answer = await app.call('POST', 'secret-values', {
      metadata: { name: 'pw' },
      spec: { value: PASSWORD },
    })
    expect([answer.status, answer.body.message]).toEqual([
      ...[503, 'the secret value cannot be stored: key file secret.key is not 64 hexadecimal digits'],
    ])
  })
})
